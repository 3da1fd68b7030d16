"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from paretorank.foundation.errors import ConfigError


def _share_of_intervals(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ConfigError(
            f"--confidence must be between 0 and 1, got {confidence}.", hint="0.95 is usual."
        )
    return confidence


ConfigPath = Annotated[Path, Argument(help="TOML file that describes the run.", metavar="CONFIG")]
RunPath = Annotated[Path, Argument(help="Folder of a finished run.", metavar="RUN")]
AsJson = Annotated[bool, Option("--json", help="Print the result as JSON.")]
NoCalibration = Annotated[bool, Option("--no-calibration", help="Scores as the model gives them.")]
NewRows = Annotated[
    Path | None, Option(help="New rows with labels; the log's own split by default.")
]
Split = Annotated[Literal["valid", "test"], Option(help="Which rows of the log.")]
Confidence = Annotated[
    float, Option(callback=_share_of_intervals, help="Of the intervals, between 0 and 1.")
]
RawScores = Annotated[
    bool, Option("--raw", help="Scores as models give them, also where a run is calibrated.")
]
Set = Annotated[
    list[str],
    Option("--set", metavar="KEY=VALUE", help="Override a key, such as training.epochs=2."),
]
Preference = Annotated[
    str,
    Option(metavar="TASK=SHARE,...", help="For a run that can be told, such as click=7,like=3."),
]


def assignments(text: str, option: str) -> dict[str, str]:
    """Return name -> value of "name=value,name=value".

    Raises:
        ConfigError: it is not of that form.
    """
    found = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise ConfigError(
                f"{option} {part!r} is not of the form name=value.",
                hint=f"For instance {option} click=0.7,like=0.3.",
            )
        found[name.strip()] = value.strip()
    return found


def numbers(text: str, option: str) -> dict[str, float]:
    """Return name -> number of "name=number,name=number".

    Raises:
        ConfigError: it is not of that form.
    """
    found = {}
    for name, value in assignments(text, option).items():
        try:
            found[name] = float(value)
        except ValueError:
            raise ConfigError(
                f"{option} {name}={value!r} is not a number.",
                hint=f"For instance {option} {name}=0.7.",
            ) from None
    return found
