"""DBMTL: children are computed from their own and their parents' hidden layers."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from paretorank.relations import DBMTL, DBMTLConfig, Dependencies

VALUES = json.loads((Path(__file__).parents[1] / "values" / "relations.json").read_text())["dbmtl"]
# 0 <- 1, 0 <- 2, (1, 2) <- 3; 4 stands alone
DIAMOND = Dependencies(((), (0,), (0,), (1, 2), ()), (True,) * 5, (False,) * 5)


def build(
    graph: Dependencies = DIAMOND,
    *,
    in_dim: int = 8,
    hidden_dims: tuple[int, ...] = (16,),
    detach: bool = False,
) -> DBMTL:
    config = DBMTLConfig(hidden_dims=hidden_dims, detach_parents=detach)
    return config.build(graph, in_dim=in_dim, generator=torch.Generator().manual_seed(3)).double()


def hidden(n_tasks: int = 5, n_rows: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n_rows, n_tasks, 8, generator=generator, dtype=torch.float64)


def test_a_child_is_that_of_the_reference() -> None:
    relation = build(
        Dependencies(((), (0,)), (True, True), (False, False)), in_dim=2, hidden_dims=()
    )
    state = relation.state_dict()
    state["relations.0.weights.0"] = torch.tensor([VALUES["W_relation"]], dtype=torch.float64)
    state["relations.0.biases.0"] = torch.zeros(1, 1, 2, dtype=torch.float64)
    relation.load_state_dict(state)
    towers = [VALUES["tower_hidden_parent"], VALUES["tower_hidden_child"]]
    z = torch.tensor(towers, dtype=torch.float64).transpose(0, 1)
    found = relation(z).hidden
    assert torch.equal(found[:, 0], z[:, 0])
    expected = torch.tensor(VALUES["child_rep"], dtype=torch.float64)
    torch.testing.assert_close(found[:, 1], expected, rtol=1e-9, atol=1e-12)


def test_any_graph_is_computed_like_task_by_task() -> None:
    relation, z = build(), hidden()
    state = {name: value.numpy() for name, value in relation.state_dict().items()}
    out = z.numpy().copy()
    for task, (generation, place) in {1: (0, 0), 2: (0, 1), 3: (1, 0)}.items():
        rows = np.concatenate([out[:, task], *(out[:, p] for p in DIAMOND.parents[task])], axis=1)
        for layer in (0, 1):
            weight = state[f"relations.{generation}.weights.{layer}"][place]
            bias = state[f"relations.{generation}.biases.{layer}"][place]
            rows = np.maximum(rows @ weight + bias, 0)
        out[:, task] = rows
    with torch.no_grad():
        np.testing.assert_allclose(relation(z).hidden.numpy(), out, rtol=1e-12)


def readers(relation: DBMTL) -> list[list[int]]:
    z = hidden().requires_grad_()
    found = relation(z).hidden
    read = []
    for task in range(5):
        (grad,) = torch.autograd.grad(found[:, task].sum(), z, retain_graph=True)
        read.append([at for at in range(5) if grad[:, at].any()])
    return read


def test_a_task_reads_its_ancestors_and_nobody_else() -> None:
    assert readers(build()) == [[0], [0, 1], [0, 2], [0, 1, 2, 3], [4]]


def test_parents_may_be_left_alone() -> None:
    detached = build(detach=True)
    assert readers(detached) == [[0], [1], [2], [3], [4]]
    with torch.no_grad():
        assert torch.equal(detached(hidden()).hidden, build()(hidden()).hidden)


def test_without_an_edge_nothing_is_computed() -> None:
    relation, z = build(Dependencies(((), ()), (True, True), (False, False))), hidden(2)
    assert relation(z).hidden is z
    assert not list(relation.parameters())


def test_gradients_agree_with_finite_differences() -> None:
    relation = build()
    assert torch.autograd.gradcheck(lambda z: relation(z).hidden, hidden(n_rows=2).requires_grad_())
