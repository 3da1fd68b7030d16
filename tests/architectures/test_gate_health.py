"""Health of gates: use, entropy, dead experts, polarised gates."""

import re
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

from paretorank.architectures import (
    Architecture,
    ArchitectureConfig,
    GateHealth,
    MMoEConfig,
    Remedies,
    gate_health,
    gate_warnings,
)

REMEDIES = Remedies(dead="set A", polarised="set B")


def test_numbers_worked_out_by_hand() -> None:
    weights = np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.96, 0.04], [0.9, 0.1]]])
    first, second = gate_health(weights, ["click", "like"])
    assert first.task == "click"
    assert first.use == pytest.approx((0.98, 0.02))
    assert first.polarised_rate == 1.0
    assert first.dead == (1,)  # .02 is below .1 / 2
    bits = -(0.96 * np.log2(0.96) + 0.04 * np.log2(0.04))
    assert first.entropy == pytest.approx(bits / 2)
    assert second.use == pytest.approx((0.7, 0.3))
    assert (second.polarised_rate, second.dead) == (0.0, ())


def test_uniform_gates_are_in_the_best_of_health() -> None:
    (gate,) = gate_health(np.full((3, 1, 4), 0.25), ["a"])
    assert gate.entropy == pytest.approx(1.0)
    assert gate_warnings([gate], REMEDIES) == []


def test_of_a_single_expert_there_is_nothing_to_tell() -> None:
    assert gate_health(np.ones((3, 1, 1)), ["a"]) == []
    assert gate_warnings([], REMEDIES) == []


def health(task: str, *, dead: tuple[int, ...] = (), polarised_rate: float = 0.0) -> GateHealth:
    return GateHealth(task, (0.5, 0.5), 0.5, dead, polarised_rate)


def test_an_expert_that_no_task_uses_is_named_with_its_remedy() -> None:
    found = gate_warnings([health("a", dead=(1, 2)), health("b", dead=(0, 1, 2))], REMEDIES)
    assert found == ["No task uses experts 1, 2: set A."]


def test_an_expert_that_serves_one_task_is_no_fault() -> None:
    assert gate_warnings([health("a", dead=(1,)), health("b", dead=(0,))], REMEDIES) == []


def test_a_gate_that_rests_on_one_expert_is_named_with_its_remedy() -> None:
    found = gate_warnings([health("a"), health("b", polarised_rate=0.75)], REMEDIES)
    assert found == ["The gate of 'b' rests on a single expert in 75% of the rows: set B."]


def test_what_is_meant_to_be_so_is_not_warned_of() -> None:
    polarised = [health("a", dead=(1,), polarised_rate=1.0)]
    assert gate_warnings(polarised, Remedies(dead=None, polarised=None)) == []


def test_the_remedies_name_keys_that_exist() -> None:
    text = f"{Architecture.gate_remedies.dead} {Architecture.gate_remedies.polarised}"
    gates = type(MMoEConfig().gates).model_fields
    named = [name for name in gates if f"gates.{name}" in text]
    assert named == ["temperature", "expert_dropout_rate", "load_balance", "entropy"]
    assert text.count("gates.") == len(named)


CONFIGS = get_args(get_args(ArchitectureConfig)[0])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_the_remedies_of_each_architecture_name_settings_of_its_own(config: Any) -> None:
    network: type[Architecture] = get_type_hints(config.build)["return"]
    text = f"{network.gate_remedies.dead} {network.gate_remedies.polarised}"
    named = set(re.findall(r"model\.architecture\.(\w+)", text))
    has_gates = get_type_hints(network.gate_weights)["return"] is not type(None)
    assert named
    assert has_gates == (named <= set(config.model_fields))


@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 1, 3)])
def test_weights_without_rows_or_of_other_tasks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must have rows and 2 tasks"):
        gate_health(np.ones(shape), ["a", "b"])
