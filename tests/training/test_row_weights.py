"""How the weights of rows are told in the log."""

import polars as pl
import pytest
import torch
from typing_extensions import override

from paretorank.architectures import MMoEConfig
from paretorank.balancing import Equal, RowBalancer, RowSegments, RowWeights, SeenRows
from paretorank.data.vocabulary import Vocabulary
from paretorank.training.row_weights import row_weight_facts
from paretorank.training.step import backward_step
from tests.training.test_task_gradients import build, rows


class Counting(RowBalancer):
    """Gives the first row the weight 1, the second one 2, and so on."""

    @override
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        weights = torch.arange(len(rows.losses), dtype=rows.losses.dtype) + 1
        return RowWeights(weights.unsqueeze(1).expand_as(rows.losses))


def tabs() -> RowSegments:
    values = [f"t{code}" for code in range(2, 50)]
    return RowSegments("tab", 0, Vocabulary(pl.Series(values), "text"))


def test_the_log_tells_how_the_weights_of_observed_rows_are_spread() -> None:
    balancer = Counting(("a", "b"))
    balancer.last_weights = torch.tensor([[1.0, torch.nan], [3.0, torch.nan]])
    facts = row_weight_facts(balancer)
    assert facts is not None
    assert list(facts) == ["tasks"]
    assert list(facts["tasks"]) == ["a"]
    expected = {"mean": 2.0, "std": 1.0, "q05": 1.1, "q50": 2.0, "q95": 2.9}
    assert facts["tasks"]["a"] == pytest.approx(expected)


def test_the_log_tells_the_weights_of_segments_apart() -> None:
    balancer = Counting(("a", "b"))
    balancer.last_weights = torch.tensor([[1.0, 5.0], [3.0, torch.nan], [7.0, torch.nan]])
    balancer.segments, balancer.last_codes = tabs(), torch.tensor([3, 3, 0])
    facts = row_weight_facts(balancer)
    assert facts is not None
    segments = facts["segments"]
    assert list(segments) == ["tab=t3", "tab (missing)"]
    assert [segment["rows"] for segment in segments.values()] == [2, 1]
    assert segments["tab=t3"]["tasks"]["a"]["mean"] == 2.0
    assert segments["tab=t3"]["tasks"]["b"]["mean"] == 5.0
    assert list(segments["tab (missing)"]["tasks"]) == ["a"]
    assert segments["tab (missing)"]["tasks"]["a"]["std"] == 0.0


def test_segments_are_those_of_the_rows_that_were_weighed_in_the_step() -> None:
    network, batch = build(MMoEConfig(n_experts=2, expert_dims=(8, 6))), rows()
    balancer = Counting(network.task_names)
    balancer.segments = tabs()
    ones = torch.ones(3, dtype=torch.float64)
    backward_step(network.train(), balancer, ones, batch, place="here")
    facts = row_weight_facts(balancer)
    assert facts is not None
    masks = balancer.segments.masks(batch.codes[:, 0])
    assert list(facts["segments"]) == list(masks)
    for name, mask in masks.items():
        found = facts["segments"][name]
        assert found["rows"] == int(mask.sum())
        weights = (torch.arange(len(batch)) + 1.0)[mask & batch.observed[:, 0]]
        mean = found["tasks"]["click"]["mean"] if len(weights) else None
        assert mean == (pytest.approx(float(weights.mean())) if len(weights) else None)


def test_balancers_that_do_not_weigh_rows_have_no_such_facts() -> None:
    assert row_weight_facts(Equal(("a", "b"))) is None
    assert row_weight_facts(Counting(("a", "b"))) is None
