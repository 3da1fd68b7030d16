"""Mutations of configurations."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from paretorank.config import load_config

VALUES = (
    *("true", "-1", "0", "3.7", "nan", "-inf", "1e308", "9" * 30, "9" * 5_000, "-" + "9" * 400),
    *('""', '"x"', '"\\u0000"', '"\U0001d518\u202e\U0001f4a5"', '"~nobody/../"', '"**"'),
    *("1979-05-27T07:32:00Z", "07:32:00", "[]", "{}", "[[[[1]]]]", "{ a = { b = { c = 1 } } }"),
    *("[" * 3_000 + "]" * 3_000, "{ a = " * 1_500 + "1" + " }" * 1_500, f'"{"a" * 100_000}"'),
    *('["click", "click"]', '"not " ', f'"{"not " * 400}click"', f'"{"(" * 300}1{")" * 300}"'),
    *('"a.b == "', '"__import__(1)"', '"like"', '"click"', '{ kind = "mmoe" }', "{ kind = 3 }"),
)
HEADERS = (
    "[data]",
    "[tasks.click]",
    "[x]",
    "[features.price]",
    "[[tasks]]",
    "[" + "a." * 900 + "a]",
)


def toml_cases(
    texts: Sequence[str], count: int, generator: np.random.Generator
) -> Iterator[tuple[str, bytes]]:
    """Return mutated configurations; half of them also change a second time."""
    mutations = (_lines, _characters, _values, _keys, _bytes)
    for at in range(count):
        text = texts[at % len(texts)].encode()
        mutate = mutations[int(generator.integers(len(mutations)))]
        text = mutate(text, generator)
        if generator.random() < 0.5:
            text = mutations[int(generator.integers(len(mutations)))](text, generator)
        yield f"toml{mutate.__name__}", text


class TomlReader:
    """Reads mutated configurations in a folder with the data that they name."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mutated.toml"

    def __call__(self, _kind: str, content: bytes) -> None:
        """Read one case; raises whatever reading raises."""
        self._path.write_bytes(content)
        load_config(self._path)


def _lines(text: bytes, generator: np.random.Generator) -> bytes:
    """Delete, double, swap or insert lines."""
    lines = text.splitlines()
    a, b = (int(at) for at in generator.integers(len(lines), size=2))
    match int(generator.integers(4)):
        case 0:
            del lines[a]
        case 1:
            lines.insert(b, lines[a])
        case 2:
            lines[a], lines[b] = lines[b], lines[a]
        case _:
            lines.insert(a, HEADERS[int(generator.integers(len(HEADERS)))].encode())
    return b"\n".join(lines)


def _characters(text: bytes, generator: np.random.Generator) -> bytes:
    """Replace, delete or insert characters that mean something in TOML."""
    special = "[]{}=\"'#.,\\\n\t \0\x7f\u00e9\U0001f4a5e-+_09"
    characters = list(text.decode(errors="replace"))
    for _ in range(int(generator.integers(1, 6))):
        at = int(generator.integers(len(characters)))
        new = special[int(generator.integers(len(special)))]
        characters[at] = ("", new, characters[at] + new)[int(generator.integers(3))]
        characters = characters or ["a"]
    return "".join(characters).encode()


def _values(text: bytes, generator: np.random.Generator) -> bytes:
    """Give a key another value."""
    lines = text.splitlines()
    with_value = [at for at, line in enumerate(lines) if b"=" in line]
    if with_value:
        at = with_value[int(generator.integers(len(with_value)))]
        key = lines[at].split(b"=", 1)[0]
        lines[at] = key + b"= " + VALUES[int(generator.integers(len(VALUES)))].encode()
    return b"\n".join(lines)


def _keys(text: bytes, generator: np.random.Generator) -> bytes:
    """Give a value the key of another line, or one of another script."""
    lines = text.splitlines()
    with_value = [at for at, line in enumerate(lines) if b"=" in line]
    if with_value:
        a, b = (with_value[int(at)] for at in generator.integers(len(with_value), size=2))
        keys = (lines[b].split(b"=", 1)[0], b'"\xf0\x9f\x92\xa5"', b"a" * 2_000, b'""', b"tasks")
        key = keys[int(generator.integers(len(keys)))]
        lines[a] = key + b"=" + lines[a].split(b"=", 1)[1]
    return b"\n".join(lines)


def _bytes(text: bytes, generator: np.random.Generator) -> bytes:
    """Change bytes, whatever they mean, or cut the text."""
    content = bytearray(text)
    if generator.random() < 0.3:
        return bytes(content[: int(generator.integers(len(content) + 1))]) or b"\n"
    for _ in range(int(generator.integers(1, 4))):
        content[int(generator.integers(len(content)))] = int(generator.integers(256))
    return bytes(content)
