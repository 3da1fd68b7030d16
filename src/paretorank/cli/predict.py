"""`paretorank predict`: scores for new rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Option

from paretorank.cli.console import echo, echo_json, note, progress_bars
from paretorank.cli.options import (
    AsJson,
    NoCalibration,
    Preference,
    RunPath,
    assignments,
    numbers,
)
from paretorank.foundation.errors import ConfigError


def predict(
    run: RunPath,
    data: Annotated[Path, Option(help="Rows to score: Parquet, CSV or Arrow.")],
    out: Annotated[Path, Option(help="Where the scores go: .parquet or .csv.")],
    no_calibration: NoCalibration = False,
    preference: Preference = "",
    preference_columns: Annotated[
        str, Option(metavar="TASK=COLUMN,...", help="Columns with the shares of each row.")
    ] = "",
    fused: Annotated[
        bool, Option("--fused", help="Add the fused score, by the formula that `fuse` found.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score rows and write one named column per task, in the order of the rows."""
    from paretorank.data.source import as_frame
    from paretorank.workflows.calibrated import (
        calibration_digest,
        read_calibration,
        weights_digest,
    )
    from paretorank.workflows.fused_scores import with_fused
    from paretorank.workflows.fusion_result import read_fusion
    from paretorank.workflows.predict import (  # imports torch; `--help` must not
        load_model,
        predict_frame,
        write_scores,
    )
    from paretorank.workflows.preference_notes import preference_notes
    from paretorank.workflows.run_folder import RunFolder

    _refuse_unwritable(out, data)
    chosen = _preferred(preference, preference_columns)
    folder = RunFolder(run)
    fusion = read_fusion(folder.fusion_path) if fused else None
    model, encoder, config = load_model(folder)
    calibration = None if no_calibration else read_calibration(folder)
    if fusion is not None:
        digest = "" if no_calibration else calibration_digest(folder)
        fusion.check(digest, weights_digest(folder), folder.fusion_path)
    is_calibrated = calibration is not None
    for text in preference_notes(folder, chosen, is_calibrated=is_calibrated, fusion=fusion):
        note(text)
    with progress_bars() as listener:
        scores = predict_frame(
            model,
            encoder,
            config,
            as_frame(data),
            calibration=calibration,
            preference=chosen,
            listener=listener,
        )
    if fusion is not None:
        scores = with_fused(scores, as_frame(data), config, fusion)
    write_scores(scores, out)
    if as_json:
        echo_json({"out": str(out), "rows": len(scores), "columns": scores.columns})
    else:
        echo(f"{out}: {len(scores):,} rows, columns {', '.join(scores.columns)}")


def _refuse_unwritable(out: Path, data: Path) -> None:
    if out.suffix not in {".parquet", ".csv"} or out.absolute() == data.absolute():
        raise ConfigError(
            f"--out {out} is the input, or ends neither in .parquet nor in .csv.",
            hint="For instance: --out scores.parquet.",
        )


def _preferred(
    preference: str, preference_columns: str
) -> Mapping[str, float] | Mapping[str, str] | None:
    if preference and preference_columns:
        raise ConfigError(
            "--preference and --preference-columns are both given.", hint="Give one of them."
        )
    if preference:
        return numbers(preference, "--preference")
    if preference_columns:
        return assignments(preference_columns, "--preference-columns")
    return None
