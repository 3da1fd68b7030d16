"""The visible list of commands, and what happens when one fails."""

import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # torch's threads must not spin; before torch

import typer

from paretorank.cli.audit import audit
from paretorank.cli.calibrate import calibrate
from paretorank.cli.compare import compare
from paretorank.cli.console import report_error
from paretorank.cli.data import data
from paretorank.cli.demo import demo
from paretorank.cli.doctor import doctor
from paretorank.cli.evaluate import evaluate
from paretorank.cli.explain import explain
from paretorank.cli.front import front
from paretorank.cli.fuse import fuse
from paretorank.cli.ingest import ingest
from paretorank.cli.init import init
from paretorank.cli.off_policy import off_policy
from paretorank.cli.predict import predict
from paretorank.cli.train import train
from paretorank.foundation.errors import ParetorankError

USER_ERROR = 2

app = typer.Typer(
    name="paretorank",
    help="Multi-task, multi-objective deep ranking: from an impression log to an evaluated model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    demo,
    init,
    audit,
    ingest,
    train,
    evaluate,
    calibrate,
    compare,
    fuse,
    off_policy,
    front,
    predict,
    explain,
    doctor,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(data, name="data")


def main() -> None:
    """Run the command line; a mistake of the user exits with 2, a bug with 1, a gate with 3."""
    try:
        app()
    except ParetorankError as error:
        report_error(error)
        sys.exit(USER_ERROR)
