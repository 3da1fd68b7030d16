"""ESCM2: unbiased over selections, exact in its values, and silent towards the parents."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from paretorank.losses import reduce_losses
from paretorank.relations import ESCM2, Dependencies, ESCM2Config, RowLosses, Seen

VALUES = json.loads((Path(__file__).parents[1] / "values" / "relations.json").read_text())["escm2"]
GRAPH = Dependencies(((), (0,)), (True, True), (False, True))


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


P, LABEL = double(VALUES["p_click"]), double(VALUES["potential_conversion"])
LOGITS = torch.stack([P.logit(), double(VALUES["p_cvr"]).logit()], dim=1)
GUESS = double(VALUES["imputed_error"])
SAMPLE = double(VALUES["sample_click"])


def build(graph: Dependencies = GRAPH, **settings: Any) -> ESCM2:
    config = ESCM2Config(**{"clip": 1e-9, "lambda_cvr": 1.0, "lambda_global": 0.0, **settings})
    return config.build(graph, in_dim=3, generator=torch.Generator().manual_seed(0))


def rows(
    relation: ESCM2, click: Tensor, *, logits: Tensor = LOGITS, guess: Tensor | None = None
) -> RowLosses:
    labels = torch.stack([click, LABEL * click], dim=1)
    observed = torch.stack([torch.ones(4, dtype=torch.bool), click == 1], dim=1)
    own = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    imputed = None if guess is None else torch.stack([torch.zeros_like(guess), guess], dim=1)
    weight = torch.ones(4, dtype=torch.float64)
    return relation.row_losses(own, Seen(logits, labels, observed, weight, imputed))


def risk(relation: ESCM2, click: Tensor, guess: Tensor | None = None) -> float:
    found = rows(relation, click, guess=guess)
    return float(reduce_losses(found.losses, found.observed)[1])


def test_values_are_those_of_the_reference() -> None:
    assert risk(build(), SAMPLE) == pytest.approx(VALUES["ipw_value"])
    clipped = build(clip=0.25)
    assert risk(clipped, SAMPLE) == pytest.approx(VALUES["clipped_ipw_at_0p25"])
    assert risk(build(self_normalise=True), SAMPLE) == pytest.approx(VALUES["snips_value"])
    doubly = build(estimator="dr")
    assert risk(doubly, SAMPLE, GUESS) == pytest.approx(VALUES["dr_value"])
    auxiliary = rows(doubly, SAMPLE, guess=GUESS).auxiliary
    assert auxiliary is not None
    assert auxiliary.item() == pytest.approx(VALUES["imputation_loss"])


@pytest.mark.parametrize("guess", [None, GUESS], ids=["ipw", "dr"])
def test_the_mean_over_all_selections_is_the_risk_on_all_impressions(guess: Tensor | None) -> None:
    relation = build(estimator="ipw" if guess is None else "dr")
    mean = 0.0
    for pattern in itertools.product([0.0, 1.0], repeat=4):
        click = double(pattern)
        mean += float(torch.where(click == 1, P, 1 - P).prod()) * risk(relation, click, guess)
    assert mean == pytest.approx(VALUES["full_space_risk"])


@pytest.mark.parametrize("estimator", ["ipw", "dr"])
@pytest.mark.parametrize("self_normalise", [True, False])
def test_the_weighted_loss_never_reaches_the_parents_logit(
    estimator: str, self_normalise: bool
) -> None:
    relation = build(estimator=estimator, self_normalise=self_normalise)
    logits = LOGITS.clone().requires_grad_()
    guess = GUESS.clone().requires_grad_()
    found = rows(relation, SAMPLE, logits=logits, guess=guess if estimator == "dr" else None)
    total = found.losses[:, 1].sum()
    if found.auxiliary is not None:
        total = total + found.auxiliary
    total.backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert (logits.grad[:, 1] != 0).tolist() == [True, False, True, False]
    if estimator == "dr":
        assert guess.grad is not None
        rows_in_all = (SAMPLE / P).sum() if self_normalise else 4
        expected = 2 * (GUESS - double(VALUES["per_row_ce"])) / P / rows_in_all
        assert guess.grad.tolist() == pytest.approx((expected * SAMPLE).tolist())


def test_the_joint_loss_reaches_the_parent_and_is_weighted() -> None:
    logits = LOGITS.clone().requires_grad_()
    relation = build(lambda_cvr=0.25, lambda_global=2.0)
    found = rows(relation, SAMPLE, logits=logits)
    p = LOGITS.sigmoid().prod(dim=1)
    joint = torch.where(LABEL * SAMPLE == 1, -p.log(), -(1 - p).log())
    ipw = SAMPLE * double(VALUES["per_row_ce"]) / P
    torch.testing.assert_close(found.losses[:, 1], 0.25 * ipw + 2.0 * joint)
    found.losses[:, 1].sum().backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0] != 0).all()


def test_the_effective_number_of_rows_can_be_read_after_a_batch() -> None:
    relation = build()
    assert relation.effective_rows.tolist() == [0.0]
    rows(relation, SAMPLE)
    w = [1 / 0.2, 1 / 0.8]
    assert relation.effective_rows.item() == pytest.approx(sum(w) ** 2 / sum(v * v for v in w))
    ((name, by_task),) = relation.watched().items()
    assert name == "effective_rows"
    assert by_task[0].isnan()
    assert by_task[1] == relation.effective_rows[0]
    rows(relation, torch.zeros(4, dtype=torch.float64))
    assert relation.effective_rows.tolist() == [0.0]
    assert "effective_rows" not in relation.state_dict()


@pytest.mark.parametrize("self_normalise", [True, False])
def test_a_batch_without_any_click_costs_nothing_but_the_joint_loss(self_normalise: bool) -> None:
    found = rows(build(self_normalise=self_normalise), torch.zeros(4, dtype=torch.float64))
    assert found.observed[:, 1].all()
    assert found.losses[:, 1].tolist() == [0.0] * 4


def test_the_propensity_is_the_joint_chance_of_all_ancestors() -> None:
    graph = Dependencies(((), (0,), (0, 1)), (True,) * 3, (False, True, True))
    relation = build(graph)
    logits = double([[0.3, -0.7, 0.2]])
    seen = Seen(logits, torch.ones(1, 3).double(), torch.ones(1, 3).bool(), torch.ones(1).double())
    found = relation.row_losses(double([[7.0, 3.0, 5.0]]), seen).losses
    p = logits.sigmoid()[0]
    assert found[0].tolist() == pytest.approx([7, 3 / p[0].item(), 5 / (p[0] * p[1]).item()])


def test_extreme_logits_give_finite_losses_and_gradients() -> None:
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 2)
    logits = (1e3 * signs).requires_grad_()
    labels = torch.ones(4, 2)
    own = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    relation = build(lambda_global=1.0, clip=0.01)
    found = relation.row_losses(own, Seen(logits, labels, labels.bool(), torch.ones(4)))
    found.losses.sum().backward()
    assert found.losses.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_guesses_are_positive_and_made_from_the_tasks_own_hidden_layer() -> None:
    relation = build(estimator="dr")
    hidden = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    imputed = relation(hidden).imputed
    assert imputed is not None
    assert (imputed[:, 1] > 0).all()
    imputed[:, 1].sum().backward()
    assert hidden.grad is not None
    assert (hidden.grad[:, 0] == 0).all()
    assert (hidden.grad[:, 1] != 0).all()


def test_a_smallest_propensity_of_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="clip"):
        ESCM2Config(clip=0.0)
