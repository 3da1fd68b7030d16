"""Every kind that a configuration may name: described, sourced, built, and run once."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from pydantic import BaseModel, TypeAdapter
from torch import Tensor

import paretorank
from paretorank.architectures import Architecture, ArchitectureConfig, MMoEConfig
from paretorank.balancing import (
    Balancer,
    BalancerConfig,
    GramianBalancer,
    JacobianBalancer,
    LossBalancer,
    RowBalancer,
)
from paretorank.blocks import Extras
from paretorank.data.batch import Batch
from paretorank.embedding import InputField, Interaction, InteractionConfig
from paretorank.foundation.section import Section, describe_sections
from paretorank.losses import Loss
from paretorank.relations import Dependencies, Relation, RelationConfig, Seen
from paretorank.schema import FeatureConfig
from paretorank.tasks import TaskConfig
from paretorank.training.step import StepResult, backward_step
from tests.training.test_task_gradients import build as build_small
from tests.training.test_task_gradients import rows as small_rows

N_ROWS, IN_DIM, N_TASKS = 5, 6, 3
NAMES = ("a", "b", "c")
PRIOR_DIMS = (2, 1)
SMALL = {"expert_dims": (8,), "hidden_dims": (8,), "n_experts": 2}
NEEDED = {
    "label": "y",
    "dim": 3,
    "item": "item_id",
    "prior": ("user_id", "item_id"),
    "n_levels": 5,
}
SOURCE = Path(paretorank.__file__).parent


def members(union: Any) -> list[type[BaseModel]]:
    return list(get_args(get_args(union)[0]))


ARCHITECTURES, BALANCERS = members(ArchitectureConfig), members(BalancerConfig)
TASKS, FEATURES = members(TaskConfig), members(FeatureConfig)
INTERACTIONS, RELATIONS = members(InteractionConfig), members(RelationConfig)
EVERYTHING = [*ARCHITECTURES, *BALANCERS, *TASKS, *FEATURES, *INTERACTIONS, *RELATIONS]
GROUPS = [ARCHITECTURES, BALANCERS, TASKS, FEATURES, INTERACTIONS, RELATIONS]


def kind_of(member: type[BaseModel]) -> str:
    return str(member.model_fields["kind"].default)


def small(member: type[BaseModel], values: dict[str, Any]) -> Any:
    """Return a member with those of the values that it needs, or that make it small."""
    fields = member.model_fields
    taken = {name for name in fields if fields[name].is_required() or name in SMALL}
    return member(**{name: value for name, value in values.items() if name in taken})


each = pytest.mark.parametrize("member", EVERYTHING, ids=lambda m: m.__name__)
each_architecture = pytest.mark.parametrize("member", ARCHITECTURES, ids=kind_of)
each_balancer = pytest.mark.parametrize("member", BALANCERS, ids=kind_of)
each_interaction = pytest.mark.parametrize("member", INTERACTIONS, ids=kind_of)
each_relation = pytest.mark.parametrize("member", RELATIONS, ids=kind_of)
each_task = pytest.mark.parametrize("member", TASKS, ids=kind_of)


@pytest.mark.parametrize("group", GROUPS)
def test_no_two_members_have_one_kind(group: list[type[BaseModel]]) -> None:
    kinds = [kind_of(member) for member in group]
    assert len(kinds) == len(set(kinds))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", kind) for kind in kinds)


@each
def test_every_member_is_a_section_that_says_what_it_is(member: type[BaseModel]) -> None:
    assert issubclass(member, Section)
    docstring = member.__dict__.get("__doc__")
    assert docstring
    assert docstring.strip().splitlines()[0].endswith(".")


@each
def test_every_key_of_a_member_is_described(member: type[BaseModel]) -> None:
    describe_sections()
    undescribed = [n for n, f in member.model_fields.items() if n != "kind" and not f.description]
    assert not undescribed


@pytest.mark.parametrize(
    ("union", "group"),
    [
        (ArchitectureConfig, ARCHITECTURES),
        (BalancerConfig, BALANCERS),
        (TaskConfig, TASKS),
        (FeatureConfig, FEATURES),
        (InteractionConfig, INTERACTIONS),
        (RelationConfig, RELATIONS),
    ],
)
def test_every_member_is_found_by_its_kind(union: Any, group: list[type[BaseModel]]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(union)
    for member in group:
        example = small(member, NEEDED)
        assert type(adapter.validate_json(example.model_dump_json())) is member


BALANCERS_OF_ANY_KIND = (LossBalancer, GramianBalancer, JacobianBalancer, RowBalancer)


def algorithm_files() -> list[Path]:
    """Return the files that define an architecture, a balancer, a loss or a relation."""
    found = []
    bases: tuple[tuple[str, Any], ...] = (
        ("architectures", Architecture),
        ("balancing", BALANCERS_OF_ANY_KIND),
        ("losses", Loss),
        ("embedding", Interaction),
        ("relations", Relation),
    )
    for package, base in bases:
        for path in sorted((SOURCE / package).glob("*.py")):
            if path.stem in {
                "__init__",
                "base",
                "interaction",
                "gradient_balancer",
                "guarded_balancer",
            }:
                continue
            module = import_module(f"paretorank.{package}.{path.stem}")
            classes = inspect.getmembers(module, inspect.isclass)
            if any(issubclass(c, base) and c.__module__ == module.__name__ for _, c in classes):
                found.append(path)
    return found


@pytest.mark.parametrize("path", algorithm_files(), ids=lambda path: path.stem)
def test_every_algorithm_names_its_source(path: Path) -> None:
    module = import_module(f"paretorank.{path.parent.name}.{path.stem}")
    docstring = str(module.__doc__)
    assert re.search(r"^Source: ", docstring, re.MULTILINE), "no line `Source: ...`"
    if path.parent.name in {"architectures", "relations"}:
        assert re.search(r"^Shapes: ", docstring, re.MULTILINE), "no line `Shapes: ...`"


def some_extras() -> Extras:
    generator = torch.Generator().manual_seed(2)
    return Extras(
        by_task=torch.randn(N_TASKS, N_ROWS, IN_DIM, generator=generator),
        prior=torch.randn(N_ROWS, sum(PRIOR_DIMS), generator=generator),
    )


@each_architecture
def test_every_architecture_can_be_built_and_run(member: type[BaseModel]) -> None:
    config = small(member, {**SMALL, **NEEDED})
    widths = {"prior_dims": PRIOR_DIMS} if config.needs.prior else {}
    network = config.build(
        in_dim=IN_DIM, n_tasks=N_TASKS, generator=torch.Generator().manual_seed(0), **widths
    )
    assert isinstance(network, Architecture)
    x = torch.randn(N_ROWS, IN_DIM, generator=torch.Generator().manual_seed(1))
    extras = some_extras()
    h = network(x, extras)
    assert h.shape == (N_ROWS, N_TASKS, network.out_dim)
    h.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert network.shared_parameters()
    gates = network.gate_weights(x, extras)
    if gates is not None:
        torch.testing.assert_close(gates.sum(dim=2), torch.ones(N_ROWS, N_TASKS))


@each_interaction
def test_every_interaction_can_be_built_from_its_kind_alone_and_run(
    member: type[BaseModel],
) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(InteractionConfig)
    fields = [InputField("user", 2), InputField("item", 2)]
    network = adapter.validate_python({"kind": kind_of(member)}).build(
        in_dim=IN_DIM, fields=fields, generator=torch.Generator().manual_seed(0)
    )
    if kind_of(member) == "none":
        assert network is None
        return
    assert isinstance(network, Interaction)
    x = torch.randn(N_ROWS, IN_DIM, generator=torch.Generator().manual_seed(1), requires_grad=True)
    out = network(x)
    assert out.shape == (N_ROWS, network.out_dim)
    out.square().sum().backward()
    assert x.grad is not None
    assert all(p.grad is not None for p in network.parameters())


def build_balancer(member: type[BaseModel]) -> Balancer:
    adapter: TypeAdapter[Any] = TypeAdapter(BalancerConfig)
    config = adapter.validate_python({"kind": kind_of(member)})
    balancer: Balancer = config.build(
        task_names=NAMES,
        balance_factors=torch.tensor([1.0, 0.5, 1.0]),
        generator=torch.Generator().manual_seed(0),
    )
    if isinstance(balancer, RowBalancer):
        balancer.begin(build_small(MMoEConfig()).in_dim)
    return balancer.double()


def balanced_step(balancer: Balancer, batch: Batch) -> tuple[StepResult, list[Tensor]]:
    model = build_small(MMoEConfig(n_experts=2, expert_dims=(8, 6))).train()
    ones = torch.ones(len(NAMES), dtype=torch.float64)
    result = backward_step(model, balancer, ones, batch, place="here")
    if balancer.uses_losses_after_step:
        balancer.after_step(result.losses * 0.9)
    return result, [p.grad.to_dense() for p in model.parameters() if p.grad is not None]


@each_balancer
def test_every_balancer_can_be_built_from_its_kind_alone_and_run(member: type[BaseModel]) -> None:
    balancer = build_balancer(member)
    for _ in range(2):
        result, grads = balanced_step(balancer, small_rows())
        assert result.weights.isfinite().all()
        assert grads
        assert all(bool(grad.isfinite().all()) for grad in grads)
    state = balancer.state_dict()
    build_balancer(member).load_state_dict(state)


@each_balancer
def test_no_balancer_minds_an_absent_task(member: type[BaseModel]) -> None:
    batch = small_rows()
    batch.observed[:, 1] = False
    result, grads = balanced_step(build_balancer(member), batch)
    assert result.weights.isnan().tolist() == [False, True, False]
    assert all(bool(grad.isfinite().all()) for grad in grads)


@each_task
def test_every_task_builds_a_loss_that_can_be_descended(member: type[BaseModel]) -> None:
    task = small(member, NEEDED)
    loss = task.build_loss(n_tasks=1)
    assert isinstance(loss, Loss)
    logit = torch.tensor([[0.3], [-0.2]], requires_grad=True)
    label = torch.tensor([[1.0], [0.0]])
    loss.fit_(label, torch.ones(2, 1))
    loss(logit, label).sum().backward()
    assert logit.grad is not None
    assert logit.grad.isfinite().all()
    assert loss.score(logit).isfinite().all()
    assert task.label_spec("t").column == "y"


@each_relation
def test_every_relation_can_be_built_from_its_kind_alone_and_run(member: type[BaseModel]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(RelationConfig)
    config = adapter.validate_python({"kind": kind_of(member)})
    graph = Dependencies(((), (0,), (0, 1)), (True,) * N_TASKS, (False, True, False))
    relation = config.build(graph, in_dim=IN_DIM, generator=torch.Generator().manual_seed(0))
    assert isinstance(relation, Relation)
    generator = torch.Generator().manual_seed(1)
    related = relation(torch.randn(N_ROWS, N_TASKS, IN_DIM, generator=generator))
    assert related.hidden.shape == (N_ROWS, N_TASKS, relation.out_dim)
    logits = relation.relate_logits(torch.randn(N_ROWS, N_TASKS, generator=generator))
    labels, observed = torch.ones(N_ROWS, N_TASKS), torch.ones(N_ROWS, N_TASKS).bool()
    seen = Seen(logits, labels, observed, torch.ones(N_ROWS), related.imputed)
    rows = relation.row_losses(logits.square(), seen)
    assert rows.losses.isfinite().all()
    assert rows.observed.all()
    assert relation.scores(logits, logits.sigmoid()).shape == (N_ROWS, N_TASKS)
