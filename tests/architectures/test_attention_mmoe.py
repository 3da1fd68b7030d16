"""Attention-based MMoE with its three scorings."""

import json
import math
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from paretorank.architectures import AttentionMMoE, AttentionMMoEConfig

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)
TOLERANCE = {"rtol": 0.0, "atol": 1e-9}
Scoring = Literal["scaled_dot", "dot", "additive"]


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def pinned_model(scoring: Scoring) -> AttentionMMoE:
    config = AttentionMMoEConfig(
        n_experts=3, expert_dims=(2,), scoring=scoring, key_dim=3 if scoring == "additive" else None
    )
    model = config.build(in_dim=3, n_tasks=2, generator=torch.Generator()).double()
    pinned = VALUES["attention_mmoe"]
    with torch.no_grad():
        model.experts.first_weight.copy_(double(VALUES["mmoe"]["expert_W"]).mT.flatten(0, 1))
        model.experts.first_bias.copy_(double(VALUES["mmoe"]["expert_b"]).flatten())
        if model.key_projection is None:
            model.queries.copy_(double(pinned["context_vectors"]))
        else:
            model.queries.copy_(double(pinned["additive_tanh"]["context"]))
            model.key_projection.weight.copy_(double(pinned["additive_tanh"]["W_key"]).T)
            model.key_projection.bias.copy_(double(pinned["additive_tanh"]["b_key"]))
    return model


def random_model(**settings: Any) -> AttentionMMoE:
    config = AttentionMMoEConfig(**{"n_experts": 4, "expert_dims": (7, 5), **settings})
    generator = torch.Generator().manual_seed(3)
    model = config.build(in_dim=6, n_tasks=3, generator=generator).double()
    with torch.no_grad():
        model.queries.mul_(100)  # far from uniform
    return model


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("scoring", "key"),
    [("dot", "unscaled"), ("scaled_dot", "scaled_sqrt_H"), ("additive", "additive_tanh")],
)
def test_attention_and_representations_have_the_pinned_values(scoring: Scoring, key: str) -> None:
    model, x, pinned = pinned_model(scoring), double(VALUES["x"]), VALUES["attention_mmoe"][key]
    torch.testing.assert_close(model.gate_weights(x), double(pinned["attention"]), **TOLERANCE)
    torch.testing.assert_close(model(x), double(pinned["task_rep"]), **TOLERANCE)


@pytest.mark.parametrize("scoring", ["scaled_dot", "dot", "additive"])
def test_a_zero_query_attends_to_all_experts_alike(scoring: Scoring) -> None:
    model = random_model(scoring=scoring)
    with torch.no_grad():
        model.queries.zero_()
    uniform = torch.full((5, 3, 4), 0.25, dtype=torch.float64)
    torch.testing.assert_close(model.gate_weights(rows()), uniform)


def test_the_loss_of_a_task_does_not_reach_the_queries_of_the_others() -> None:
    model = random_model()
    model(rows())[:, 1].square().sum().backward()
    assert model.queries.grad is not None
    assert model.queries.grad[[0, 2]].abs().max() == 0
    assert model.queries.grad[1].abs().max() > 0


def test_permuting_experts_permutes_attention_and_leaves_representations() -> None:
    model, shuffled, order = random_model(), random_model(), torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        experts, other = model.experts, shuffled.experts
        other.first_weight.copy_(experts.first_weight.view(4, 7, 6)[order].flatten(0, 1))
        other.first_bias.copy_(experts.first_bias.view(4, 7)[order].flatten())
        other.weights[0].copy_(experts.weights[0][order])
        other.biases[0].copy_(experts.biases[0][order])
    attention = model.gate_weights(rows())
    torch.testing.assert_close(shuffled.gate_weights(rows()), attention[:, :, order])
    torch.testing.assert_close(shuffled(rows()), model(rows()))


def test_keys_that_do_not_depend_on_the_row_give_constant_attention() -> None:
    model = random_model()
    with torch.no_grad():
        model.experts.weights[0].zero_()
        model.experts.biases[0].abs_()
    attention = model.gate_weights(rows())
    torch.testing.assert_close(attention, attention[:1].expand(5, -1, -1))


def test_scaling_projected_keys_equals_scaling_the_queries() -> None:
    keys, queries = random_model(key_dim=3), random_model(key_dim=3)
    assert keys.key_projection is not None
    with torch.no_grad():
        keys.key_projection.weight.mul_(2.5)
        keys.key_projection.bias.mul_(2.5)
        queries.queries.mul_(2.5)
    torch.testing.assert_close(keys.gate_weights(rows()), queries.gate_weights(rows()))


def test_scaled_dot_divides_by_the_root_of_the_key_width() -> None:
    scaled, dot = random_model(scoring="scaled_dot"), random_model(scoring="dot")
    with torch.no_grad():
        dot.queries.div_(math.sqrt(5))
    torch.testing.assert_close(scaled(rows()), dot(rows()))


def test_normalised_keys_do_not_let_a_growing_expert_draw_attention() -> None:
    plain, normal = random_model(), random_model(normalize_keys=True)
    before = normal.gate_weights(rows())
    with torch.no_grad():
        for model in (plain, normal):
            model.experts.weights[0][2].mul_(50)
            model.experts.biases[0][2].mul_(50)
    moved = (normal.gate_weights(rows()) - before).abs().max()
    assert moved < 1e-2 < (plain.gate_weights(rows()) - before).abs().max()


def test_experts_that_give_nothing_keep_normalised_keys_finite() -> None:
    model = random_model(normalize_keys=True)
    with torch.no_grad():
        model.experts.weights[0].zero_()
        model.experts.biases[0].zero_()
    model(rows()).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_heads_are_attention_on_their_shares_of_the_units() -> None:
    model = random_model(n_heads=2, expert_dims=(7, 6))
    experts = model.experts(rows())
    expected = []
    for units in (slice(0, 3), slice(3, 6)):
        scores = torch.einsum("tk,bek->bte", model.queries[:, units], experts[:, :, units])
        attention = (scores / math.sqrt(3)).softmax(dim=2)
        expected.append(attention @ experts[:, :, units])
    torch.testing.assert_close(model(rows()), torch.cat(expected, dim=2))
    assert model.gate_weights(rows()).shape == (5, 3, 4)


def test_heads_that_do_not_divide_the_units_are_refused() -> None:
    for settings in ({"expert_dims": (7, 5)}, {"expert_dims": (6,), "key_dim": 3}):
        with pytest.raises(ValidationError, match="n_heads must divide"):
            AttentionMMoEConfig(n_heads=2, **settings)


@pytest.mark.parametrize("n_heads", [1, 5])
def test_a_query_of_context_and_input_starts_as_the_context_alone(n_heads: int) -> None:
    both, alone = (
        random_model(query="context_and_input", n_heads=n_heads),
        random_model(n_heads=n_heads),
    )
    torch.testing.assert_close(both(rows()), alone(rows()))
    both(rows()).square().sum().backward()
    assert both.input_projection is not None
    assert both.input_projection.grad is not None
    assert both.input_projection.grad.abs().max() > 0


def test_the_input_moves_the_query_of_each_task_by_its_projection() -> None:
    model = random_model(query="context_and_input")
    assert model.input_projection is not None
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        model.input_projection.normal_(generator=generator)
    queries = model.queries + (rows() @ model.input_projection.T).view(5, 3, 5)
    scores = torch.einsum("btk,bek->bte", queries, model.experts(rows())) / math.sqrt(5)
    torch.testing.assert_close(model.gate_weights(rows()), scores.softmax(dim=2))


def test_similarity_of_contexts_is_their_cosine() -> None:
    model = random_model()
    with torch.no_grad():
        model.queries.zero_()
        model.queries[0, 0], model.queries[1, 0], model.queries[1, 1] = 2.0, 3.0, 3.0
    half = math.sqrt(0.5)
    expected = double([[1.0, half, 0.0], [half, 1.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(model.context_similarity(), expected)


def test_contexts_are_a_copy_that_starts_small() -> None:
    config = AttentionMMoEConfig(n_experts=2, expert_dims=(1000,))
    model = config.build(in_dim=3, n_tasks=2, generator=torch.Generator().manual_seed(0))
    contexts = model.contexts()
    assert contexts.shape == (2, 1000)
    assert 0.019 < float(contexts.std()) < 0.021
    contexts.zero_()
    assert model.contexts().abs().max() > 0


def test_shared_is_everything_but_the_queries() -> None:
    model = random_model(key_dim=3)
    shared = {id(parameter) for parameter in model.shared_parameters()}
    assert id(model.queries) not in shared
    assert len(shared) == len(list(model.parameters())) - 1


def test_one_row_keeps_its_axes() -> None:
    assert random_model()(rows(1)).shape == (1, 3, 5)


@pytest.mark.parametrize("normalize_keys", [False, True])
@pytest.mark.parametrize("scoring", ["scaled_dot", "dot", "additive"])
def test_gradients_agree_with_finite_differences(scoring: Scoring, normalize_keys: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    config = AttentionMMoEConfig(
        n_experts=2,
        expert_dims=(3, 3),
        activation="silu",
        scoring=scoring,
        normalize_keys=normalize_keys,
    )
    model = config.build(in_dim=3, n_tasks=2, generator=generator).double()
    with torch.no_grad():
        model.queries.mul_(20)
    x = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, (x,))
