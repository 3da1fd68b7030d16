"""`paretorank data`: built-in data and adapters for public data sets."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from paretorank.cli.console import echo, echo_json, echo_table
from paretorank.cli.options import AsJson

data = typer.Typer(help="Built-in data and adapters for public data sets.", no_args_is_help=True)

_KNOWN = {
    "feed": ("built in", "simulated short-video feed whose true probabilities are known"),
    "kuairand": (
        "--from FOLDER",
        "KuaiRand-Pure or -1K, Gao et al., CIKM 2022 (CC BY-SA 4.0): short video, 12 feedbacks",
    ),
}


@data.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the data sets that can be made or adapted."""
    if as_json:
        echo_json([{"name": n, "source": s, "what": w} for n, (s, w) in _KNOWN.items()])
        return
    rows = [[name, source, what] for name, (source, what) in _KNOWN.items()]
    echo_table("", ["name", "source", "what it is"], rows)


@data.command()
def get(
    name: Annotated[str, Argument(help="A name from `paretorank data list`.")],
    source: Annotated[
        Path | None, Option("--from", help="Folder with the published files.")
    ] = None,
    out: Annotated[Path | None, Option(help="Folder to write; data/NAME by default.")] = None,
    rows: Annotated[int, Option(min=100, help="feed: impressions to simulate.")] = 200_000,
    seed: Annotated[int, Option(help="feed: seed of the simulation.")] = 0,
    relatedness: Annotated[
        float,
        Option(min=-0.9, max=0.9, help="feed: cosine between passive and active tasks."),
    ] = 0.3,
    as_json: AsJson = False,
) -> None:
    """Write a log and a configuration that is ready to train."""
    target = out or Path("data") / name
    config = _prepare(name, source, target, rows, seed, relatedness)
    if as_json:
        echo_json({"config": str(config)})
    else:
        echo(f"{config}: next, paretorank audit {config} && paretorank train {config}")


def _prepare(
    name: str, source: Path | None, target: Path, rows: int, seed: int, relatedness: float
) -> Path:
    from paretorank.datasets import FeedConfig, prepare_kuairand, write_feed  # Polars is slow
    from paretorank.foundation.errors import ConfigError
    from paretorank.foundation.suggestions import did_you_mean

    if name == "feed":
        return write_feed(target, FeedConfig(n_rows=rows, seed=seed, relatedness=relatedness))
    if name != "kuairand":
        raise ConfigError(f"There is no data set {name!r}.", hint=did_you_mean(name, _KNOWN))
    if source is None:
        raise ConfigError(
            "kuairand is not shipped with paretorank.",
            hint="Download it from kuairand.com and give its folder: "
            "paretorank data get kuairand --from FOLDER.",
        )
    return prepare_kuairand(source, target)
