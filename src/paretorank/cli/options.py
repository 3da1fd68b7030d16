"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

ConfigPath = Annotated[Path, Argument(help="TOML file that describes the run.", metavar="CONFIG")]
RunPath = Annotated[Path, Argument(help="Folder of a finished run.", metavar="RUN")]
AsJson = Annotated[bool, Option("--json", help="Print the result as JSON.")]
NoCalibration = Annotated[bool, Option("--no-calibration", help="Scores as the model gives them.")]
Set = Annotated[
    list[str],
    Option("--set", metavar="KEY=VALUE", help="Override a key, such as training.epochs=2."),
]
