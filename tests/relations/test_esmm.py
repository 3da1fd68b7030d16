"""ESMM: joint losses on all impressions, scores that mean what labels mean."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.losses import reduce_losses
from paretorank.relations import ESMM, Dependencies, ESMMConfig, RowLosses, Seen

VALUES = json.loads((Path(__file__).parents[1] / "values" / "relations.json").read_text())["esmm"]
NAN = float("nan")


def pair(*, conditional: bool = True) -> ESMM:
    graph = Dependencies(((), (0,)), (True, True), (False, conditional))
    return ESMMConfig().build(graph, in_dim=1, generator=torch.Generator())


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


LOGITS = torch.stack([double(VALUES["logit_ctr"]), double(VALUES["logit_cvr"])], dim=1)
CLICK, CONVERSION = double(VALUES["click"]), double(VALUES["conversion"])


def rows(logits: Tensor, labels: Tensor, relation: ESMM) -> RowLosses:
    observed = ~labels.isnan()
    filled = labels.nan_to_num(0.0)
    own = F.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    weight = torch.ones(len(labels), dtype=logits.dtype)
    return relation.row_losses(own, Seen(logits, filled, observed, weight))


def test_losses_are_those_of_the_reference_on_all_impressions() -> None:
    conversion = torch.where(CLICK == 1, CONVERSION, NAN)
    found = rows(LOGITS, torch.stack([CLICK, conversion], dim=1), pair())
    assert found.observed.all()
    assert found.auxiliary is None
    torch.testing.assert_close(found.losses[:, 0], double(VALUES["ctr_bce"]), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(
        found.losses[:, 1], double(VALUES["ctcvr_bce"]), rtol=1e-9, atol=1e-14
    )
    total = reduce_losses(found.losses, found.observed).sum()
    assert total.item() == pytest.approx(VALUES["esmm_total_mean"], rel=1e-9)


def test_the_joint_loss_pulls_both_logits_as_in_the_reference() -> None:
    logits = LOGITS[:3].clone().requires_grad_()
    labels = torch.stack([CLICK, CONVERSION], dim=1)[:3]
    rows(logits, labels, pair()).losses[:, 1].sum().backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].tolist() == pytest.approx(VALUES["grad_ctcvr_loss_wrt_ctr_logit"])
    assert logits.grad[:, 1].tolist() == pytest.approx(VALUES["grad_ctcvr_loss_wrt_cvr_logit"])


def test_a_conditional_task_keeps_its_score_and_another_gets_the_joint_chance() -> None:
    own = LOGITS.sigmoid()
    assert torch.equal(pair().scores(LOGITS, own), own)
    joint = pair(conditional=False).scores(LOGITS, own)
    torch.testing.assert_close(joint[:, 1], double(VALUES["p_ctcvr"]), rtol=1e-9, atol=1e-14)
    assert torch.equal(joint[:, 0], own[:, 0])


def test_a_label_that_is_missing_after_a_click_counts_nowhere() -> None:
    labels = double([[1.0, NAN], [0.0, NAN], [NAN, 1.0]])
    found = rows(LOGITS[:3], labels, pair())
    assert found.observed.tolist() == [[True, False], [True, True], [False, False]]


def test_one_task_is_left_alone() -> None:
    relation = ESMMConfig().build(
        Dependencies(((),), (True,), (False,)), in_dim=1, generator=torch.Generator()
    )
    logits, labels = LOGITS[:, :1], CLICK.unsqueeze(1)
    found = rows(logits, labels, relation)
    torch.testing.assert_close(found.losses[:, 0], double(VALUES["ctr_bce"]), rtol=1e-9, atol=1e-14)
    assert torch.equal(relation.scores(logits, logits.sigmoid()), logits.sigmoid())
    assert torch.equal(relation.starting_labels(labels), labels)


def test_a_task_that_is_not_binary_keeps_its_loss_and_score() -> None:
    graph = Dependencies(((), (0,)), (True, False), (False, False))
    relation = ESMMConfig().build(graph, in_dim=1, generator=torch.Generator())
    labels = torch.stack([CLICK, CONVERSION], dim=1)
    own = F.binary_cross_entropy_with_logits(LOGITS, labels, reduction="none")
    assert torch.equal(rows(LOGITS, labels, relation).losses, own)
    assert torch.equal(relation.scores(LOGITS, LOGITS), LOGITS)


def test_logits_begin_with_rates_after_the_parents() -> None:
    labels = double([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [NAN, 1.0]])
    expected = double([[1.0, 1.0], [1.0, 0.0], [0.0, NAN], [NAN, NAN]])
    for conditional in (True, False):
        found = pair(conditional=conditional).starting_labels(labels)
        assert torch.equal(found.nan_to_num(9.0), expected.nan_to_num(9.0))
