"""Models that are told what to prefer: where it enters, and that one toy front is found."""

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from paretorank.architectures import ArchitectureConfig, MMoEConfig, SharedBottomConfig
from paretorank.balancing import PreferenceConfig, PreferenceDraws
from paretorank.data.batch import Batch
from paretorank.data.layout import Layout, NumericColumn
from paretorank.foundation.errors import ConfigError
from paretorank.model import ModelConfig, MultiTaskRanker, build_model, preference_vector
from paretorank.pareto import hypervolume
from paretorank.tasks import BinaryTask, DurationTask, TaskConfig
from tests.model.test_multi_task_ranker import LAYOUT, TASKS, rows
from tests.test_unions import ARCHITECTURES, NEEDED, SMALL, kind_of, small

KINDS = ("film", "concat", "hypernetwork")
PREFER_CLICK = torch.tensor([0.8, 0.1, 0.1])
each_kind = pytest.mark.parametrize("kind", KINDS)


def build(
    kind: str | None,
    *,
    architecture: ArchitectureConfig | None = None,
    default: dict[str, float] | None = None,
    tasks: dict[str, TaskConfig] | None = None,
) -> MultiTaskRanker:
    preference = None if kind is None else {"kind": kind, "default": default or {}}
    config = ModelConfig.model_validate(
        {
            "architecture": architecture or MMoEConfig(n_experts=2, expert_dims=(8,)),
            "embedding_dim": 4,
            "tower_dims": (8,),
            "preference": preference,
        }
    )
    return build_model(config, LAYOUT, tasks or TASKS, seed=1)


def awake(model: MultiTaskRanker) -> MultiTaskRanker:
    """Return the model with parameters that react to the preference, as after some training."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in model.preference.named_parameters():
        if name.startswith("last"):
            parameter.data.normal_(generator=generator)
    return model.eval()


@pytest.mark.parametrize("kind", ["film", "hypernetwork"])
def test_a_model_starts_as_if_it_could_not_be_told_anything(kind: str) -> None:
    batch = rows(5)
    told = batch.preferring(PREFER_CLICK)
    torch.testing.assert_close(build(kind)(told), build(None)(batch), rtol=0, atol=0)


@each_kind
def test_the_preference_of_a_row_changes_that_row_only(kind: str) -> None:
    model, batch = awake(build(kind)), rows(5)
    even = torch.full((5, 3), 1 / 3)
    changed = even.clone()
    changed[2] = PREFER_CLICK
    before = model(replace(batch, preference=even))
    after = model(replace(batch, preference=changed))
    moved = (before - after).abs().amax(dim=1) > 1e-4
    assert moved.tolist() == [False, False, True, False, False]


@each_kind
def test_one_preference_for_all_rows_is_the_same_written_out_row_by_row(kind: str) -> None:
    model, batch = awake(build(kind)), rows(6)
    together = model(batch.preferring(PREFER_CLICK))
    apart = model(replace(batch, preference=PREFER_CLICK.repeat(6, 1)))
    torch.testing.assert_close(together, apart)


@each_kind
def test_the_same_preference_gives_the_same_numbers_to_the_last_bit(kind: str) -> None:
    model, batch = awake(build(kind)), rows(6)
    assert torch.equal(*(model(batch.preferring(PREFER_CLICK.clone())) for _ in range(2)))


@each_kind
def test_without_a_preference_the_default_counts(kind: str) -> None:
    batch = rows(5)
    even, chosen = awake(build(kind)), awake(build(kind, default={"click": 8.0, "like": 2.0}))
    torch.testing.assert_close(even(batch), even(batch.preferring(torch.full((3,), 1 / 3))))
    told = batch.preferring(torch.tensor([0.8, 0.0, 0.2]))
    torch.testing.assert_close(chosen(batch), chosen(told))
    assert not torch.allclose(chosen(batch), even(batch))


def test_a_model_that_reads_no_preference_ignores_it() -> None:
    model, batch = build(None), rows(5)
    assert torch.equal(model(batch), model(batch.preferring(PREFER_CLICK)))
    assert not model.preference.is_read
    assert not list(model.preference.state_dict())


@each_kind
@pytest.mark.parametrize("member", ARCHITECTURES, ids=kind_of)
def test_every_architecture_learns_with_every_way_of_telling(member: Any, kind: str) -> None:
    config = small(member, {**SMALL, **NEEDED, "prior": ("user", "x")})
    model = build(kind, architecture=config)
    batch = rows(7).preferring(PREFER_CLICK)
    model.task_losses(batch).sum().backward()
    parameters = list(model.preference.parameters())
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in parameters)
    if parameters:
        assert any(bool(p.grad.any()) for p in parameters if p.grad is not None)
    assert model(rows(3)).shape == (3, 3)


def test_tables_and_the_wide_part_do_not_see_the_preference() -> None:
    model, batch = awake(build("film")), rows(4)
    assert model.wide is not None
    names = [n for n, p in model.named_parameters() if n.startswith("preference")]
    assert names == [
        "preference.body.layers.0.weight",
        "preference.body.layers.0.bias",
        "preference.last.weight",
        "preference.last.bias",
    ]
    assert torch.equal(model.wide(batch), model.wide(batch.preferring(PREFER_CLICK)))


def test_all_outputs_of_a_task_are_told_by_a_hypernetwork() -> None:
    tasks: dict[str, TaskConfig] = {
        "click": BinaryTask(label="c"),
        "watch": DurationTask(label="w", loss="lognormal_heteroscedastic"),
        "like": BinaryTask(label="l"),
    }
    model, batch = awake(build("hypernetwork", tasks=tasks)), rows(4)
    difference = model(batch.preferring(PREFER_CLICK)) - model(batch)
    assert difference.shape[1] == sum(model.heads.n_outputs) > len(tasks)
    assert bool((difference.abs() > 1e-6).all())


def test_the_preference_travels_with_the_rows() -> None:
    batch = rows(4).preferring(PREFER_CLICK).to("cpu")
    assert batch.preference is not None
    assert torch.equal(batch.preference, PREFER_CLICK.repeat(4, 1))


def test_shares_are_in_proportion_and_even_if_none_is_named() -> None:
    shares = preference_vector({"like": 1.0, "click": 3.0}, ("click", "rating", "like"), key="p")
    assert shares.tolist() == [0.75, 0.0, 0.25]
    assert preference_vector({}, ("a", "b"), key="p").tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("preference", "problem"),
    [
        ({"clik": 1.0}, "must name tasks, got 'clik'"),
        ({"click": -1.0, "like": 2.0}, "at least 0"),
        ({"click": math.nan}, "at least 0"),
        ({"click": 0.0}, "above 0 for one task"),
    ],
)
def test_what_is_no_preference_is_refused(preference: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        preference_vector(preference, ("click", "like"), key="--preference")
    assert "--preference" in str(caught.value)
    assert caught.value.hint


# A convex toy: the two outputs of the model are a place in the plane, the losses half the squared
# distances from (0, 0) and (1, 0). What is best lies between: place s costs s²/2 and (1 - s)²/2.
GRID = np.linspace(0, 1, 11)
REFERENCE = np.array([0.55, 0.55])
TOY = Layout(tables=(), categorical=(), ragged=(), numeric=(NumericColumn(name="x"),), labels=())


def place(first_share: float, model: MultiTaskRanker) -> Tensor:
    shares = torch.tensor([first_share, 1 - first_share])
    return model(ONE_ROW.preferring(shares))[0]


ONE_ROW = Batch(
    codes=torch.zeros(1, 0, dtype=torch.int32),
    numeric=torch.ones(1, 1),
    ragged=(),
    labels=torch.zeros(1, 2),
    observed=torch.ones(1, 2, dtype=torch.bool),
    weight=torch.ones(1),
    request=torch.zeros(1, dtype=torch.long),
    row=torch.zeros(1, dtype=torch.long),
)


def toy_losses(at: Tensor) -> Tensor:
    aims = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    return (at - aims).square().sum(dim=1) / 2


def trained_on_the_toy(kind: str, scalarisation: str, steps: int = 300) -> MultiTaskRanker:
    config = ModelConfig.model_validate(
        {
            "architecture": SharedBottomConfig(hidden_dims=(16,)),
            "tower_dims": (16,),
            "wide": False,
            "preference": {"kind": kind},
        }
    )
    tasks: dict[str, TaskConfig] = {"a": BinaryTask(label="a"), "b": BinaryTask(label="b")}
    model = build_model(config, TOY, tasks, seed=1).train()
    kinds: dict[str, Literal["linear", "cosmos", "tchebycheff"]] = {
        name: name
        for name in ("linear", "cosmos", "tchebycheff")  # type: ignore[misc]
    }
    balancer = PreferenceConfig(
        scalarisation=kinds[scalarisation], normalise=False, mu=0.02, cosine_penalty=0.005
    ).build(
        task_names=("a", "b"),
        balance_factors=torch.ones(2),
        generator=torch.Generator().manual_seed(0),
    )
    assert isinstance(balancer, PreferenceDraws)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        total = balancer(toy_losses(model(ONE_ROW.preferring(balancer.draw_preference()))[0]))
        total.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "scalarisation"),
    [*((kind, "linear") for kind in KINDS), ("film", "tchebycheff"), ("film", "cosmos")],
)
def test_one_model_finds_the_whole_front_of_a_convex_toy(kind: str, scalarisation: str) -> None:
    model = trained_on_the_toy(kind, scalarisation)
    with torch.no_grad():
        costs = np.stack([toy_losses(place(share, model)).numpy() for share in GRID])
    assert costs[-1, 0] < 0.01  # all for the first task: nearly its best
    assert costs[0, 1] < 0.01
    for task, shares in ((0, GRID), (1, 1 - GRID)):
        assert spearmanr(shares, costs[:, task]).statistic <= -0.9
    s = np.linspace(0, 1, 2001)
    exact = hypervolume(np.stack([s**2, (1 - s) ** 2], axis=1) / 2, REFERENCE)
    assert hypervolume(costs.astype(float), REFERENCE) >= 0.95 * exact
