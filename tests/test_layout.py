"""How the source is laid out: small files, short functions, nothing dangerous."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "paretorank"
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_LINE = 350, 60, 100
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff"}
SOURCES = {
    str(path.relative_to(SOURCE)): path.read_text(encoding="utf-8")
    for path in sorted(SOURCE.rglob("*.py"))
}
TREES = {name: ast.parse(text) for name, text in SOURCES.items()}


def calls(tree: ast.AST) -> set[str]:
    """Return what is called, such as "print" or "torch.load"."""
    return {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    }


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def width(line: str) -> int:
    """Return how wide a line is without remarks to tools, which the linter does not count."""
    return len(re.sub(r"\s*# (noqa|type: ignore).*", "", line))


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 100


def test_files_are_short_enough_to_be_read_in_one_go() -> None:
    long = {name: n for name, text in SOURCES.items() if (n := text.count("\n")) > LONGEST_FILE}
    assert not long


def test_lines_are_short_enough_to_stand_beside_each_other() -> None:
    wide = {
        f"{name}:{number}": width(line)
        for name, text in SOURCES.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if width(line) > LONGEST_LINE
    }
    assert not wide


def test_functions_fit_on_a_screen() -> None:
    long = {
        f"{name}: {node.name}": length
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert not long


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert not [name for name in SOURCES if set(Path(name).with_suffix("").parts) & NAMELESS]


def test_every_file_begins_by_saying_what_is_inside() -> None:
    silent = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]
    assert not silent


def test_nothing_is_evaluated_or_unpickled() -> None:
    dangerous = {
        name: found
        for name, tree in TREES.items()
        if (found := calls(tree) & {"eval", "exec", "__import__", "torch.load", "torch.save"})
    }
    assert not dangerous
    picklers = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
    assert not [name for name, tree in TREES.items() if picklers & set(imported(tree))]
    assert not [name for name, text in SOURCES.items() if "allow_pickle=True" in text]


def test_only_the_command_line_prints() -> None:
    talkative = [
        name
        for name, tree in TREES.items()
        if not name.startswith("cli/")
        if "print" in calls(tree) or {"rich", "typer"} & {n.split(".")[0] for n in imported(tree)}
    ]
    assert not talkative


def test_nobody_draws_from_a_global_generator() -> None:
    own = {"np.random.default_rng", "np.random.Generator", "np.random.PCG64"}
    seeds = {"torch.manual_seed", "torch.seed"}
    drawn = {
        name: found
        for name, tree in TREES.items()
        if (
            found := {
                call
                for call in calls(tree) - own
                if call.startswith(("np.random.", "random.")) or call in seeds
            }
        )
    }
    assert not drawn


def test_packages_re_export_and_do_nothing_else() -> None:
    plain = ast.Import | ast.ImportFrom | ast.Assign | ast.Expr
    busy = [
        name
        for name, tree in TREES.items()
        if name.endswith("/__init__.py") and not all(isinstance(n, plain) for n in tree.body)
    ]
    assert not busy


def test_no_test_reads_a_place_that_only_one_machine_has() -> None:
    bound = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__)
        if re.search(r"[\"'](/home|/root|/mnt|/work)/", path.read_text(encoding="utf-8"))
    ]
    assert not bound
