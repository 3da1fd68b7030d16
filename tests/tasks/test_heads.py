"""Losses and scores of all tasks at once."""

import pytest
import torch
from torch import Tensor, nn

from paretorank.foundation.errors import ConfigError
from paretorank.losses import DelayedFeedback, Loss, Requests, fill_unobserved, reduce_losses
from paretorank.tasks import (
    BinaryTask,
    CountTask,
    DelayConfig,
    DurationTask,
    Heads,
    OrdinalTask,
    RankingConfig,
    RegressionTask,
    TaskConfig,
)

MIXED: dict[str, TaskConfig] = {
    "watch": DurationTask(label="a"),
    "click": BinaryTask(label="b"),
    "price": RegressionTask(label="c"),
    "like": BinaryTask(label="d"),
    "comments": CountTask(label="e"),
    "stay": DurationTask(label="f"),
    "odds": DurationTask(label="g", loss="weighted_logistic"),
}
BINARY: dict[str, TaskConfig] = {name: BinaryTask(label=name) for name in ("a", "b", "c")}


def labels(n_rows: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 5, (n_rows, 7), generator=generator).float()
    values[:, [1, 3]] = (values[:, [1, 3]] > 2).float()
    values[0] = 1.0
    return values


def logits(n_rows: int = 6) -> Tensor:
    return torch.randn(n_rows, 7, generator=torch.Generator().manual_seed(1))


def alone(name: str, column: int, values: Tensor) -> tuple[Heads, Tensor]:
    return Heads({name: MIXED[name]}), values[:, column : column + 1]


def test_each_task_gets_the_loss_and_score_it_would_get_alone() -> None:
    heads = Heads(MIXED)
    losses, scores = heads.losses(logits(), labels()), heads.scores(logits())
    for column, name in enumerate(MIXED):
        head, logit = alone(name, column, logits())
        label = labels()[:, column : column + 1]
        torch.testing.assert_close(losses[:, [column]], head.losses(logit, label))
        torch.testing.assert_close(scores[:, [column]], head.scores(logit))


def test_tasks_of_one_kind_share_one_call() -> None:
    calls: list[tuple[int, ...]] = []

    def record(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        calls.append(tuple(inputs[0].shape))

    heads = Heads(BINARY)
    for module in heads.modules():
        if isinstance(module, Loss):
            module.register_forward_pre_hook(record)
    heads.losses(torch.zeros(4, 3), torch.zeros(4, 3))
    assert calls == [(4, 3)]
    assert len(Heads(MIXED).groups) == 5


def test_balance_factors_stand_in_the_order_of_the_tasks() -> None:
    assert Heads(MIXED).balance_factors.tolist() == [1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0]


def test_initial_biases_are_those_of_the_tasks_alone() -> None:
    values = labels()
    values[2:4] = torch.nan
    heads = Heads(MIXED)
    bias = heads.init_bias(values)
    for column, name in enumerate(MIXED):
        head, label = alone(name, column, values)
        torch.testing.assert_close(bias[[column]], head.init_bias(label[~label.isnan()][:, None]))


def test_initial_scores_are_the_means_of_the_labels() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0], [0.0, 4.0, 0.0], [0.0, torch.nan, 9.0]])
    tasks: dict[str, TaskConfig] = {
        "click": BinaryTask(label="a"),
        "price": RegressionTask(label="b"),
        "watch": DurationTask(label="c", loss="weighted_logistic"),
    }
    heads = Heads(tasks)
    scores = heads.scores(heads.init_bias(values).unsqueeze(0))
    torch.testing.assert_close(scores, torch.tensor([[1 / 3, 3.0, 4.0]]))
    weight = torch.tensor([1.0, 1.0, 0.0])
    scores = heads.scores(heads.init_bias(values, weight).unsqueeze(0))
    torch.testing.assert_close(scores, torch.tensor([[0.5, 3.0, 1.5]]))


def test_a_task_without_labels_starts_at_zero() -> None:
    bias = Heads(MIXED).init_bias(torch.full((4, 7), torch.nan))
    assert bias.tolist() == [0.0] * 7


@pytest.mark.parametrize("absent", range(7))
def test_a_task_without_an_observed_row_is_nan_and_leaves_the_others_alone(absent: int) -> None:
    heads, all_logits = Heads(MIXED), logits().requires_grad_()
    everywhere = torch.ones(6, 7, dtype=torch.bool)
    observed = everywhere.clone()
    observed[:, absent] = False
    values = torch.where(observed, labels(), torch.nan)
    full = reduce_losses(heads.losses(all_logits, labels()), everywhere)
    filled = fill_unobserved(values, observed)
    some = reduce_losses(heads.losses(all_logits, filled), observed)
    others = [task for task in range(7) if task != absent]
    assert some[absent].isnan()
    assert torch.equal(some[others], full[others])
    (gradient,) = torch.autograd.grad(some.nansum(), all_logits)
    (expected,) = torch.autograd.grad(full[others].sum(), all_logits)
    torch.testing.assert_close(gradient, expected)
    assert gradient[:, absent].abs().max() == 0


def test_what_was_fitted_is_saved_and_the_layout_is_not() -> None:
    heads, restored = Heads(MIXED), Heads(MIXED)
    heads.init_bias(labels())
    saved = {name.rsplit(".", 1)[1] for name in heads.state_dict()}
    assert saved == {"log_sigma", "scale", "largest"}
    restored.load_state_dict(heads.state_dict())
    torch.testing.assert_close(restored.scores(logits()), heads.scores(logits()))


WIDE: dict[str, TaskConfig] = {
    "watch": DurationTask(label="a", loss="zero_inflated_lognormal"),
    "click": BinaryTask(label="b"),
    "stay": DurationTask(label="c", loss="zero_inflated_lognormal"),
    "stars": OrdinalTask(label="d", n_levels=5),
    "like": BinaryTask(label="e", ranking=RankingConfig(kind="jrc")),
}


def test_tasks_with_several_outputs_get_what_they_would_get_alone() -> None:
    heads = Heads(WIDE)
    assert heads.n_outputs == (3, 1, 3, 1, 2)
    values = labels()[:, :5]
    values[:, 4] = (values[:, 4] > 2).float()
    bias = heads.init_bias(values)
    outputs = bias + torch.randn(6, 10, generator=torch.Generator().manual_seed(2))
    losses, scores = heads.losses(outputs, values), heads.scores(outputs)
    start = 0
    for column, (name, task) in enumerate(WIDE.items()):
        alone = Heads({name: task})
        label = values[:, [column]]
        own = slice(start, start + alone.n_outputs[0])
        torch.testing.assert_close(alone.init_bias(label), bias[own])
        torch.testing.assert_close(alone.losses(outputs[:, own], label), losses[:, [column]])
        torch.testing.assert_close(alone.scores(outputs[:, own]), scores[:, [column]])
        start += alone.n_outputs[0]


def test_only_ranking_losses_see_the_requests() -> None:
    tasks: dict[str, TaskConfig] = {
        "click": BinaryTask(label="a", ranking=RankingConfig(kind="pairwise", weight=0.5)),
        "like": BinaryTask(label="b"),
    }
    heads, outputs = Heads(tasks), logits()[:, :2]
    values = torch.tensor([[1.0, 1.0], [0.0, 0.0]] * 3)
    code = torch.tensor([1, 1, 2, 3, 3, 3])
    everywhere = Requests(code, torch.ones(6, 2, dtype=torch.bool))
    alone, together = heads.losses(outputs, values), heads.losses(outputs, values, everywhere)
    assert torch.equal(together[:, 1], alone[:, 1])
    more = together[:, 0] - alone[:, 0]
    assert (more > 0).tolist() == [True, True, False, True, True, True]


READING: dict[str, TaskConfig] = {
    "watch": DurationTask(label="a", loss="d2q", duration_feature="length", n_groups=2),
    "click": BinaryTask(label="b"),
}
LENGTHS = torch.tensor([1.0, 1.0, 2.0, 50.0, 60.0, 70.0])
NUMERIC = torch.stack([torch.zeros(6), LENGTHS], dim=1)


def test_a_loss_that_reads_a_feature_gets_its_column() -> None:
    heads = Heads(READING, ["age", "length"])
    values = torch.tensor([[1.0, 1], [2, 0], [3, 1], [40, 0], [50, 0], [60, 0]])
    bias = heads.init_bias(values, numeric=NUMERIC)
    # Each third of three labels: the mean quantile is 2/3, the middle label of both groups.
    torch.testing.assert_close(bias.sigmoid(), torch.tensor([2 / 3, 1 / 3]), rtol=0, atol=0.01)
    scores = heads.scores(torch.zeros(6, 2), NUMERIC)
    assert scores[:, 0].tolist() == [2.0, 2.0, 2.0, 50.0, 50.0, 50.0]
    losses = heads.losses(torch.zeros(6, 2), values, numeric=NUMERIC)
    torch.testing.assert_close(losses[:3, 0], losses[3:, 0])
    other = heads.scores(torch.zeros(6, 2), NUMERIC.flip(0))
    assert torch.equal(other[:, 1], scores[:, 1])
    assert other[:, 0].tolist() == [50.0, 50.0, 50.0, 2.0, 2.0, 2.0]


def test_a_feature_that_a_loss_reads_must_be_there() -> None:
    with pytest.raises(ConfigError, match="A loss reads 'length', which is no numeric feature"):
        Heads(READING, ["age"])
    with pytest.raises(ValueError, match="`numeric` must be given"):
        Heads(READING, ["length"]).scores(torch.zeros(6, 2))


def test_rows_that_wait_count_for_their_own_task_alone() -> None:
    waiting = BinaryTask(
        label="a", matures_after=9.0, delayed_feedback=DelayConfig(mean_delay_s=3.0)
    )
    tasks: dict[str, TaskConfig] = {"like": BinaryTask(label="b"), "buy": waiting, "pay": waiting}
    heads = Heads(tasks, ["x", "__waiting:pay", "__waiting:buy"])
    assert len(heads.groups) == 2
    numeric = torch.tensor([[0.0, torch.nan, 4.0], [0.0, 2.0, torch.nan]])
    observed = torch.tensor([[True, True, False], [True, False, False]])
    found = heads.waiting(numeric, observed)
    assert found.tolist() == [[False, True, False], [False, False, True]]
    losses = heads.losses(torch.zeros(2, 3), torch.ones(2, 3), numeric=numeric)
    loss = waiting.build_loss(n_tasks=2)
    assert isinstance(loss, DelayedFeedback)
    by_age = loss.waiting_losses(torch.zeros(2), torch.tensor([4.0, 2.0]))
    assert losses[0, 1] == by_age[0]
    assert losses[1, 2] == by_age[1]
    torch.testing.assert_close(losses[:, 0], torch.full((2,), 0.5).log().neg())
