"""Gates are watched while a model is evaluated, and only then."""

import pytest
import torch

from paretorank.architectures import Architecture, MMoEConfig, SharedBottomConfig
from paretorank.training import gate_watch
from paretorank.training.gate_watch import watched_gates


def mmoe(n_experts: int = 3) -> Architecture:
    generator = torch.Generator().manual_seed(0)
    config = MMoEConfig(n_experts=n_experts, expert_dims=(4,))
    return config.build(in_dim=5, n_tasks=2, generator=generator).eval()


def rows(n_rows: int = 10) -> torch.Tensor:
    return torch.randn(n_rows, 5, generator=torch.Generator().manual_seed(1))


def test_all_rows_that_are_evaluated_count() -> None:
    model = mmoe()
    with watched_gates(model, ["a", "b"]) as watch:
        model(rows()[:4])
        model(rows()[4:])
    facts = watch.facts()
    assert facts is not None
    use = model.gate_weights(rows())[:, 1].mean(dim=0)
    assert list(facts["tasks"]["b"]["use"].values()) == pytest.approx(use.tolist())
    assert facts["warnings"] == []


def test_a_dead_expert_is_reported_with_the_key_that_helps() -> None:
    model = mmoe()
    gates = dict(model.named_parameters())["gates.weight"]
    with torch.no_grad():
        gates.zero_()
        gates.view(2, 3, 5)[:, 2, 0] = -50.0
    with watched_gates(model, ["a", "b"]) as watch:
        model(rows().abs() + 0.2)
    facts = watch.facts()
    assert facts is not None
    assert facts["tasks"]["a"]["n_dead"] == 1
    (warning,) = facts["warnings"]
    assert warning.startswith("No task uses expert 2: set model.architecture.gates.load_balance")


def test_training_and_what_comes_afterwards_are_not_watched() -> None:
    model = mmoe()
    with watched_gates(model, ["a", "b"]) as watch:
        model.train()(rows())
    model.eval()(rows())
    assert watch.facts() is None


def test_the_first_rows_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_watch, "MOST_ROWS", 10)
    model = mmoe()
    facts = []
    for other in (rows(), rows() + 100):
        with watched_gates(model, ["a", "b"]) as watch:
            model(rows())
            model(other)
        facts.append(watch.facts())
    assert facts[0] == facts[1]


@pytest.mark.parametrize("kind", ["shared bottom", "one expert"])
def test_where_nothing_chooses_there_is_nothing_to_report(kind: str) -> None:
    bottom = SharedBottomConfig(hidden_dims=(4,)).build(
        in_dim=5, n_tasks=2, generator=torch.Generator()
    )
    model = mmoe(n_experts=1) if kind == "one expert" else bottom.eval()
    with watched_gates(model, ["a", "b"]) as watch:
        model(rows())
    assert watch.facts() is None
