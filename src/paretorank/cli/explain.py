"""`paretorank explain`."""

from dataclasses import asdict
from typing import Annotated

from typer import Argument, Option

from paretorank.cli.console import echo, echo_json, echo_table, note


def explain(
    key: Annotated[
        str, Argument(help="A key such as training.early_stopping; all sections where absent.")
    ] = "",
    schema: Annotated[
        bool, Option("--schema", help="Print the JSON schema of a configuration.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print the answer for programs.")] = False,
) -> None:
    """Say what a configuration key means, its type, default, allowed values and source."""
    from paretorank.config.explain import explain_key, json_schema  # imports torch

    if schema:
        echo_json(json_schema())
        return
    answers = explain_key(key)
    if as_json:
        echo_json([asdict(answer) for answer in answers])
        return
    for answer in answers:
        lines = (
            ("", answer.key),
            ("", answer.meaning),
            ("of", answer.section),
            ("type", answer.type),
            ("default", answer.default),
            ("source", answer.source),
        )
        for label, text in lines:
            if text:
                echo(f"{label}: {text}" if label else text)
        if answer.choices:
            has_sources = any(choice.source for choice in answer.choices)
            columns = ["kind", "meaning", "source"][: 3 if has_sources else 2]
            for group in dict.fromkeys(choice.group for choice in answer.choices):
                members = [choice for choice in answer.choices if choice.group == group]
                rows = [[choice.name, choice.meaning, choice.source] for choice in members]
                echo_table(group, columns, [row[: len(columns)] for row in rows], whole=1)
        if answer.keys:
            rows = [[entry.name, entry.type, entry.default, entry.meaning] for entry in answer.keys]
            echo_table("", ["key", "type", "default", "meaning"], rows)
    if not key:
        note("Next: paretorank explain data.split, or paretorank explain balancer")
