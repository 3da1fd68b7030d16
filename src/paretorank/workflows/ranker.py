"""The Python face, in the manner of scikit-learn; the command line calls the same workflows."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from paretorank.calibration import Calibration, Method
from paretorank.config import RunConfig, load_config
from paretorank.data.encoder import Encoder
from paretorank.data.ingest import ingest_log
from paretorank.data.source import as_frame
from paretorank.evaluation import EvaluationResult
from paretorank.foundation.errors import RunError
from paretorank.foundation.progress import Listener, silent
from paretorank.model import MultiTaskRanker
from paretorank.schema import SplitConfig
from paretorank.training import FitReport
from paretorank.workflows.calibrate import CalibrationReport, calibrate_run
from paretorank.workflows.calibrated import (
    calibration_digest,
    read_calibration,
    weights_digest,
)
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.evaluate import evaluate_frame
from paretorank.workflows.fused_scores import with_fused
from paretorank.workflows.fusion_result import read_fusion
from paretorank.workflows.ingest import Prepared, ingest_request, prepare
from paretorank.workflows.predict import load_model, predict_frame
from paretorank.workflows.preference import Preferred
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.scored_log import refuse_another_log
from paretorank.workflows.train import train_run

_SPLIT = "__given_split"
_VALID, _NONE = 1, -1


@dataclass(frozen=True)
class _Known:
    """The calibration that a run was found to have; reading it takes a look at all weights."""

    calibration: Calibration | None


class Ranker:
    """A multi-task ranker: configured, fitted on rows, asked for scores.

    Rows may be a path (or several), a Polars or pandas frame, an Arrow table, or a mapping from
    column names to arrays.

    Example:
        ranker = Ranker.from_config("ranker.toml")
        ranker.fit()                      # the log that the configuration names
        scores = ranker.predict(rows)     # a Polars frame, one column per task
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.report: FitReport | None = None
        self._fitted: tuple[MultiTaskRanker, Encoder] | None = None
        self._folder: RunFolder | None = None
        self._calibration: _Known | None = None

    @classmethod
    def from_config(cls, config: str | Path | RunConfig, overrides: Sequence[str] = ()) -> "Ranker":
        """Build an unfitted ranker from a TOML file (with "a.b=1" overrides) or a RunConfig."""
        if isinstance(config, RunConfig):
            return cls(config)
        return cls(load_config(Path(config), overrides))

    @property
    def model(self) -> MultiTaskRanker:
        """The fitted network."""
        return self._require()[0]

    @property
    def encoder(self) -> Encoder:
        """The fitted encoder."""
        return self._require()[1]

    def fit(
        self,
        train: Any = None,
        valid: Any = None,
        *,
        folder: str | Path | None = None,
        listener: Listener = silent,
    ) -> "Ranker":
        """Fit on rows; returns itself.

        Args:
            train: rows with labels; the configuration's log where absent.
            valid: rows for validation; cut from `train` as `data.split` says where absent.
            folder: where the run is kept; a temporary folder where absent.
            listener: is told how far the work has come.
        """
        scratch = Path(tempfile.mkdtemp(prefix="paretorank-"))
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self._folder = RunFolder(Path(folder) if folder is not None else scratch / "run")
        if train is None:
            prepared = prepare(self.config, scratch / "prepared", listener=listener)
        else:
            prepared = self._prepare_rows(train, valid, scratch / "prepared", listener)
        run = train_run(self.config, self._folder, prepared=prepared, listener=listener)
        self.report = run.report
        self._fitted, self._calibration = (run.model, prepared.encoder()), None
        return self

    def predict(
        self,
        rows: Any,
        *,
        is_calibrated: bool = True,
        preference: Preferred = None,
        fused: bool = False,
    ) -> pl.DataFrame:
        """Score rows: one column per task, in the order of the rows, after the keys.

        Args:
            rows: as in the log; no labels are needed.
            is_calibrated: whether scores pass through the maps of a ranker that was calibrated.
            preference: {"click": 0.7, "like": 0.3} or columns of the rows {"click": "w_click"}, for
                models that read one.
            fused: add the fused score, by the formula that `paretorank fuse` found for the run.
        """
        model, encoder = self._require()
        calibration = self._read_calibration() if is_calibrated else None
        frame = as_frame(rows)
        scores = predict_frame(
            model,
            encoder,
            self.config,
            frame,
            calibration=calibration,
            preference=preference,
        )
        if not fused:
            return scores
        if self._folder is None:
            raise RunError("This ranker has no run.", hint="Call fit or load first.")
        fusion = read_fusion(self._folder.fusion_path)
        used = calibration_digest(self._folder) if is_calibrated else ""
        fusion.check(used, weights_digest(self._folder), self._folder.fusion_path)
        return with_fused(scores, frame, self.config, fusion)

    def calibrate(
        self, rows: Any = None, *, method: Method = "auto", segment: str | None = None
    ) -> CalibrationReport:
        """Fit a map for the scores of every task; `predict` and `evaluate` use it from now on.

        Args:
            rows: rows with labels that were not trained on; the log's validation split where
                absent.
            method: how; "auto" takes what fits users best that it has not seen.
            segment: column whose values get maps of their own.
        """
        self._require()
        if self._folder is None:
            raise RunError("This ranker has no run to calibrate.", hint="Call fit or load first.")
        wish = CalibrationWish(method=method, segment=segment)
        frame = None if rows is None else as_frame(rows)
        report = calibrate_run(self._folder, wish, rows=frame)
        self._calibration = _Known(report.calibration)
        return report

    def evaluate(
        self,
        rows: Any = None,
        *,
        by: str | None = None,
        is_calibrated: bool = True,
        preference: Mapping[str, float] | None = None,
    ) -> EvaluationResult:
        """Compute the metrics on rows with labels; on the log's test split where absent.

        Scores are calibrated if the ranker was, unless `is_calibrated` is false.
        """
        model, encoder = self._require()
        calibration = self._read_calibration() if is_calibrated else None
        frame = None if rows is None else as_frame(rows)
        split_from = 0
        if frame is None and self._folder is not None:
            refuse_another_log(self._folder, self.config)
            split_from = self._folder.split_from
        return evaluate_frame(
            model,
            encoder,
            self.config,
            rows=frame,
            by=by,
            split_from=split_from,
            calibration=calibration,
            preference=preference,
        )

    def save(self, folder: str | Path) -> None:
        """Write configuration, encoder and weights into a folder that `load` reads."""
        self._require()
        if self._folder is None:
            raise RunError("This ranker has no run to save.", hint="Call fit or load first.")
        target = Path(folder)
        if target.exists() and target.samefile(self._folder.path):
            return
        if target.exists() and any(target.iterdir()):
            raise RunError(f"{target} is not empty.", hint="Save into a new folder.")
        shutil.copytree(self._folder.path, target, dirs_exist_ok=True)

    @classmethod
    def load(cls, folder: str | Path) -> "Ranker":
        """Load what `save` or `paretorank train` wrote."""
        run = RunFolder(Path(folder))
        model, encoder, config = load_model(run)
        ranker = cls(config)
        ranker._folder, ranker._fitted = run, (model, encoder)
        return ranker

    def _require(self) -> tuple[MultiTaskRanker, Encoder]:
        if self._fitted is None:
            raise RunError("This ranker is not fitted.", hint="Call fit, or Ranker.load(folder).")
        return self._fitted

    def _read_calibration(self) -> Calibration | None:
        if self._calibration is None:
            found = None if self._folder is None else read_calibration(self._folder)
            self._calibration = _Known(found)
        return self._calibration.calibration

    def _prepare_rows(self, train: Any, valid: Any, target: Path, listener: Listener) -> Prepared:
        config, frame = self.config, as_frame(train, name="train")
        if valid is not None:
            marked = [
                frame.with_columns(pl.lit(0).alias(_SPLIT)),
                as_frame(valid, name="valid").with_columns(pl.lit(_VALID).alias(_SPLIT)),
            ]
            frame = pl.concat(marked, how="diagonal_relaxed")
            split = SplitConfig(by="column", column=_SPLIT, valid=(_VALID,), test=(_NONE,))
            data = config.data.model_copy(update={"split": split})
            config = config.model_copy(update={"data": data}).at(config.path)
        manifest = ingest_log(ingest_request(config, frame), target, listener)
        return Prepared(target, manifest, was_there=False)
