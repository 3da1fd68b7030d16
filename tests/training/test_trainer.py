"""The loop: repeatable, resumable, stopped in time, with the best weights at the end."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.architectures import CGCConfig, MMoEConfig
from paretorank.balancing import (
    DWAConfig,
    EqualConfig,
    FAMOConfig,
    RandomConfig,
    UncertaintyConfig,
    UPGradConfig,
)
from paretorank.balancing.base import BalancerSection
from paretorank.data.loader import Loader, LoaderConfig
from paretorank.data.shard_reader import ShardSet
from paretorank.evaluation import EvaluationResult, Monitor, ScoredRows, evaluate_rows
from paretorank.foundation.errors import ConfigError, RunError
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.model import ModelConfig, MultiTaskRanker, build_model, score_batches
from paretorank.schema import SplitName
from paretorank.tasks import BinaryTask, RegressionTask, TaskConfig
from paretorank.training import EarlyStoppingConfig, FitReport, Logbook, Trainer, TrainingConfig
from paretorank.training.trainer import BEST, LAST

Splits = dict[SplitName, ShardSet]
TASKS: dict[str, TaskConfig] = {
    "click": BinaryTask(label="c"),
    "watch": RegressionTask(label="w"),
}
CONFIG = TrainingConfig(
    batch_size=64,
    epochs=2,
    learning_rate=3e-3,
    embedding_learning_rate=1e-2,
    loader=LoaderConfig(block_rows=50, window_blocks=3),
    early_stopping=EarlyStoppingConfig(patience=0),
    log_every_steps=1,
    tensorboard=False,
)


def changed(**changes: object) -> TrainingConfig:
    return CONFIG.model_copy(update=changes)


class Interrupted(Exception):  # noqa: N818 - not an error, a power cut
    """The machine went away."""


class Bench:
    """A trainer with everything it needs, in one folder."""

    def __init__(
        self,
        splits: Splits,
        folder: Path,
        config: TrainingConfig = CONFIG,
        *,
        balancer: BalancerSection | None = None,
        listener: Listener = silent,
    ) -> None:
        self.splits, self.folder, self.config, self.listener = splits, folder, config, listener
        self.labels = splits["train"].layout.labels
        model = ModelConfig(
            architecture=MMoEConfig(n_experts=2, expert_dims=(8,), dropout_rate=0.2),
            tower_dims=(4,),
        )
        seed = config.seed
        self.model: MultiTaskRanker = build_model(model, splits["train"].layout, TASKS, seed=seed)
        self.balancer = (balancer or EqualConfig()).build(
            task_names=self.model.task_names,
            balance_factors=self.model.heads.balance_factors,
            generator=torch.Generator().manual_seed(seed),
        )

    def fit(
        self, validate: Callable[[], EvaluationResult] | None = None, *, resume: bool = False
    ) -> FitReport:
        with Logbook(self.folder, tensorboard=False) as logbook:
            self.trainer = Trainer(
                self.config,
                self.model,
                self.balancer,
                static_weights=torch.ones(2),
                monitor=Monitor(self.config.early_stopping.monitor, self.labels),
                logbook=logbook,
                checkpoints=self.folder / "checkpoints",
                listener=self.listener,
            )
            if resume:
                self.trainer.resume()
            train = self.splits["train"]
            loader = Loader(train, batch_size=self.config.batch_size, config=self.config.loader)
            return self.trainer.fit(loader, validate or self.validate)

    def validate(self) -> EvaluationResult:
        valid = self.splits["valid"]
        scores = score_batches(self.model, Loader(valid, batch_size=100).in_order())
        truth = valid.read(0, len(valid)).labels
        return evaluate_rows(ScoredRows(self.labels, scores, truth), n_resamples=0)

    def weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def log(self, event: str) -> list[dict[str, Any]]:
        lines = map(json.loads, (self.folder / "log.jsonl").read_text().splitlines())
        return [line for line in lines if line["event"] == event]


def same(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(
        torch.allclose(one[name], two[name], rtol=0.0, atol=0.0, equal_nan=True) for name in one
    )


def power_cut(step: int) -> Listener:
    """Return a listener that stops everything after so many steps."""

    def listen(event: Progress, /) -> None:
        if event.stage == "train" and event.done == step:
            raise Interrupted

    return listen


def scripted(
    bench: Bench, values: list[float], *, metric: str = "mae"
) -> tuple[Callable[[], EvaluationResult], list[dict[str, Tensor]]]:
    """Return a validation that reports these values in turn, and the weights it saw."""
    seen: list[dict[str, Tensor]] = []

    def validate() -> EvaluationResult:
        value = values[min(len(seen), len(values) - 1)]
        seen.append(bench.weights())
        task = "watch" if metric in {"mae", "rmse"} else "click"
        return EvaluationResult.from_records(
            [
                {
                    "task": task,
                    "space": "impressions",
                    "segment": "all",
                    "metric": metric,
                    "value": None if math.isnan(value) else value,
                    "n_rows": 150,
                }
            ]
        )

    return validate, seen


def test_gradients_at_parameters_that_no_tasks_share_are_refused_before_the_first_step(
    splits: Splits, tmp_path: Path
) -> None:
    bench = Bench(splits, tmp_path, balancer=UPGradConfig(at="parameters"))
    apart = ModelConfig(architecture=CGCConfig(expert_dims=(8,), n_shared_experts=0))
    bench.model = build_model(apart, splits["train"].layout, TASKS, seed=1)
    with pytest.raises(ConfigError, match="needs parameters that tasks share"):
        bench.fit()


def test_the_loss_falls_and_the_metrics_rise(splits: Splits, tmp_path: Path) -> None:
    bench = Bench(splits, tmp_path, changed(epochs=15, learning_rate=1e-2))
    report = bench.fit()
    train, valid = bench.log("train"), bench.log("validate")
    for task in ("click", "watch"):
        first = sum(line["loss"][task] for line in train[:7])
        last = sum(line["loss"][task] for line in train[-7:])
        assert last < 0.85 * first
    assert valid[-1]["metrics"]["click"]["auc"] > 0.75
    assert valid[-1]["metrics"]["watch"]["mae"] < valid[0]["metrics"]["watch"]["mae"]
    assert report.n_steps == 15 * 7
    assert report.best_score == max(line["score"] for line in valid)


def test_every_validation_records_the_health_of_the_gates(splits: Splits, tmp_path: Path) -> None:
    bench = Bench(splits, tmp_path)
    bench.fit()
    gates, valid = bench.log("gates"), bench.log("validate")
    assert [line["step"] for line in gates] == [line["step"] for line in valid]
    for task in ("click", "watch"):
        found = gates[-1]["tasks"][task]
        assert sum(found["use"].values()) == pytest.approx(1.0)
        assert 0 < found["entropy"] <= 1
    assert gates[-1]["warnings"] == []


def test_the_same_seed_gives_the_same_weights_and_log_to_the_last_bit(
    splits: Splits, tmp_path: Path
) -> None:
    runs = []
    for name, noise in (("a", 1), ("b", 2)):
        torch.manual_seed(noise)  # nobody may listen to the global generator
        bench = Bench(splits, tmp_path / name, balancer=UncertaintyConfig())
        bench.fit()
        runs.append((bench.weights(), (tmp_path / name / "log.jsonl").read_bytes()))
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]


def test_another_seed_gives_other_weights(splits: Splits, tmp_path: Path) -> None:
    one, two = Bench(splits, tmp_path / "a"), Bench(splits, tmp_path / "b", changed(seed=2))
    one.fit()
    two.fit()
    assert not same(one.weights(), two.weights())


BALANCERS = (
    EqualConfig(),
    UncertaintyConfig(),
    RandomConfig(),
    DWAConfig(window_steps=3),
    FAMOConfig(),
)


@pytest.mark.parametrize("balancer", BALANCERS, ids=lambda config: config.kind)
@pytest.mark.parametrize("cut_at", [5, 7, 10])
def test_a_run_that_was_cut_off_ends_like_one_that_was_not(
    splits: Splits, tmp_path: Path, balancer: BalancerSection, cut_at: int
) -> None:
    """An epoch has 7 steps; the state is saved after steps 3, 5 and 7 of each."""
    config = changed(validations_per_epoch=3)
    straight = Bench(splits, tmp_path / "straight", config, balancer=balancer)
    expected = straight.fit()
    folder = tmp_path / "cut"
    cut = Bench(splits, folder, config, balancer=balancer, listener=power_cut(cut_at + 1))
    with pytest.raises(Interrupted):
        cut.fit()
    assert (folder / "checkpoints" / LAST).exists()
    resumed = Bench(splits, folder, config, balancer=balancer)
    report = resumed.fit(resume=True)
    assert same(straight.weights(), resumed.weights())
    assert same(straight.balancer.state_dict(), resumed.balancer.state_dict())
    assert (report.n_steps, report.best_step) == (expected.n_steps, expected.best_step)
    assert report.best_score == expected.best_score
    last = straight.folder / "checkpoints" / LAST
    assert last.read_bytes() == (folder / "checkpoints" / LAST).read_bytes()


def test_adagrad_tables_are_resumed_exactly_too(splits: Splits, tmp_path: Path) -> None:
    config = changed(embedding_optimizer="adagrad", validations_per_epoch=2)
    straight = Bench(splits, tmp_path / "a", config)
    straight.fit()
    with pytest.raises(Interrupted):
        Bench(splits, tmp_path / "b", config, listener=power_cut(6)).fit()
    resumed = Bench(splits, tmp_path / "b", config)
    resumed.fit(resume=True)
    assert same(straight.weights(), resumed.weights())


def test_a_run_that_was_cut_off_before_its_first_checkpoint_starts_anew(
    splits: Splits, tmp_path: Path
) -> None:
    straight = Bench(splits, tmp_path / "a")
    straight.fit()
    with pytest.raises(Interrupted):
        Bench(splits, tmp_path / "b", listener=power_cut(2)).fit()
    resumed = Bench(splits, tmp_path / "b")
    resumed.fit(resume=True)
    assert same(straight.weights(), resumed.weights())


def test_a_finished_run_is_not_trained_again(splits: Splits, tmp_path: Path) -> None:
    first = Bench(splits, tmp_path)
    expected = first.fit()
    again = Bench(splits, tmp_path)
    report = again.fit(resume=True)
    assert same(first.weights(), again.weights())
    assert report.n_steps == expected.n_steps
    assert report.rows_per_s == 0


def test_the_state_of_another_model_or_balancer_is_refused(splits: Splits, tmp_path: Path) -> None:
    Bench(splits, tmp_path, balancer=UncertaintyConfig()).fit()
    other = Bench(splits, tmp_path, balancer=EqualConfig())
    with pytest.raises(RunError, match="does not fit this configuration") as error:
        other.fit(resume=True)
    assert "config.toml" in error.value.hint


def test_training_stops_after_its_patience_and_the_best_weights_come_back(
    splits: Splits, tmp_path: Path
) -> None:
    early = EarlyStoppingConfig(monitor="watch.mae", patience=2)
    bench = Bench(splits, tmp_path, changed(epochs=9, early_stopping=early))
    validate, seen = scripted(bench, [3.0, 1.0, 2.0, 1.5, 0.1])  # an error: less is better
    report = bench.fit(validate)
    assert len(seen) == 4
    assert report.stopped_early
    assert (report.n_steps, report.best_step, report.best_score) == (28, 14, -1.0)
    assert same(bench.weights(), seen[1])
    assert not same(bench.weights(), seen[3])
    assert not bench.model.training
    assert [line["is_best"] for line in bench.log("validate")] == [True, True, False, False]


def test_more_is_better_for_a_metric_of_quality(splits: Splits, tmp_path: Path) -> None:
    early = EarlyStoppingConfig(monitor="click.auc", patience=1)
    bench = Bench(splits, tmp_path, changed(epochs=5, early_stopping=early))
    validate, seen = scripted(bench, [0.6, 0.7, 0.65], metric="auc")
    report = bench.fit(validate)
    assert (len(seen), report.best_step) == (3, 14)
    assert same(bench.weights(), seen[1])


def test_patience_zero_never_stops_but_still_keeps_the_best(splits: Splits, tmp_path: Path) -> None:
    early = EarlyStoppingConfig(monitor="watch.mae", patience=0)
    bench = Bench(splits, tmp_path, changed(epochs=4, early_stopping=early))
    validate, seen = scripted(bench, [1.0, 2.0, 3.0, 4.0])
    report = bench.fit(validate)
    assert (len(seen), report.stopped_early, report.best_step) == (4, False, 7)
    assert same(bench.weights(), seen[0])


def test_an_undefined_first_score_does_not_stand_in_the_way_of_later_ones(
    splits: Splits, tmp_path: Path
) -> None:
    early = EarlyStoppingConfig(monitor="watch.mae", patience=3)
    bench = Bench(splits, tmp_path, changed(epochs=4, early_stopping=early))
    validate, seen = scripted(bench, [math.nan, math.nan, 5.0, 6.0])
    report = bench.fit(validate)
    assert (report.best_step, report.best_score) == (21, -5.0)
    assert same(bench.weights(), seen[2])


def test_weights_of_an_earlier_run_in_the_folder_are_not_taken_for_the_best(
    splits: Splits, tmp_path: Path
) -> None:
    Bench(splits, tmp_path, changed(seed=9)).fit()
    early = EarlyStoppingConfig(monitor="watch.mae")
    bench = Bench(splits, tmp_path, changed(epochs=1, early_stopping=early))
    validate, seen = scripted(bench, [math.nan])
    bench.fit(validate)
    assert same(bench.weights(), seen[0])


def test_early_stopping_goes_on_counting_after_a_resume(splits: Splits, tmp_path: Path) -> None:
    early = EarlyStoppingConfig(monitor="watch.mae", patience=2)
    config = changed(epochs=9, early_stopping=early)
    bench = Bench(splits, tmp_path, config, listener=power_cut(15))
    with pytest.raises(Interrupted):
        bench.fit(scripted(bench, [1.0, 2.0])[0])
    resumed = Bench(splits, tmp_path, config)
    report = resumed.fit(scripted(resumed, [2.0])[0], resume=True)
    assert (report.n_steps, report.best_step, report.stopped_early) == (21, 7, True)


def test_the_mean_gain_is_measured_from_the_first_validation_of_the_whole_run(
    splits: Splits, tmp_path: Path
) -> None:
    straight = Bench(splits, tmp_path / "a", changed(epochs=3))
    straight.fit()
    with pytest.raises(Interrupted):
        Bench(splits, tmp_path / "b", changed(epochs=3), listener=power_cut(16)).fit()
    resumed = Bench(splits, tmp_path / "b", changed(epochs=3))
    resumed.fit(resume=True)
    scores = [line["score"] for line in resumed.log("validate")]
    assert scores == [line["score"] for line in straight.log("validate")]
    assert scores[0] == 0.0


def test_validations_are_spread_over_the_epoch(splits: Splits, tmp_path: Path) -> None:
    bench = Bench(splits, tmp_path, changed(validations_per_epoch=3))
    bench.fit()
    assert [line["step"] for line in bench.log("validate")] == [3, 5, 7, 10, 12, 14]


def test_a_checkpoint_is_saved_inside_an_epoch_when_time_is_up(
    splits: Splits, tmp_path: Path
) -> None:
    config = changed(checkpoint_every_s=1e-9)
    straight = Bench(splits, tmp_path / "a", config)
    straight.fit()
    with pytest.raises(Interrupted):
        Bench(splits, tmp_path / "b", config, listener=power_cut(4)).fit()
    assert not (tmp_path / "b" / "checkpoints" / BEST).exists()
    resumed = Bench(splits, tmp_path / "b", config)
    resumed.fit(resume=True)
    assert same(straight.weights(), resumed.weights())


def test_the_log_holds_mean_losses_and_effective_weights_per_task(
    splits: Splits, tmp_path: Path
) -> None:
    bench = Bench(splits, tmp_path, changed(log_every_steps=5), balancer=UncertaintyConfig())
    bench.fit()
    train = bench.log("train")
    assert [line["step"] for line in train] == [5, 10, 14]
    assert list(train[0]["loss"]) == list(train[0]["task_weight"]) == ["click", "watch"]
    # 1 / (2 loss), whatever the factor c; the variances have just started there
    assert train[0]["task_weight"]["watch"] == pytest.approx(
        1 / (2 * train[0]["loss"]["watch"]), rel=0.3
    )


def test_progress_is_reported_with_losses_and_rows_per_second(
    splits: Splits, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    Bench(splits, tmp_path, listener=seen.append).fit()
    train = [event for event in seen if event.stage == "train"]
    assert [(event.done, event.total) for event in train] == [(at, 14) for at in range(1, 15)]
    assert all(set(event.facts) == {"rows/s", "click", "watch"} for event in train)
    assert all(event.unit == "steps" for event in train)


def test_an_epoch_of_a_single_row_batch_works(splits: Splits, tmp_path: Path) -> None:
    bench = Bench(splits, tmp_path, changed(batch_size=399, epochs=1))  # the second batch: one row
    assert bench.fit().n_steps == 2


def test_micro_batches_train_like_whole_batches(splits: Splits, tmp_path: Path) -> None:
    def losses(name: str, size: int | None) -> list[float]:
        settings = changed(micro_batch_size=size, epochs=1, diagnose_every_steps=2)
        bench = Bench(splits, tmp_path / name, settings, balancer=FAMOConfig())
        for module in bench.model.modules():
            if hasattr(module, "rate"):
                module.rate = 0.0
        bench.fit()
        lines = (tmp_path / name / "log.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [each["loss"]["click"] for each in found if each["event"] == "train"]

    assert losses("micro", 20) == pytest.approx(losses("whole", None), rel=1e-4)


def test_bfloat16_learns_about_the_same(splits: Splits, tmp_path: Path) -> None:
    def score(precision: str) -> float:
        settings = changed(precision=precision, epochs=2)
        bench = Bench(splits, tmp_path / precision, settings, balancer=UPGradConfig())
        report = bench.fit()
        dtypes = {parameter.dtype for parameter in bench.model.parameters()}
        assert dtypes == {torch.float32}
        return report.best_score

    assert score("bfloat16") == pytest.approx(score("float32"), abs=0.02)
