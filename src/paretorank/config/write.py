"""A configuration as TOML, with every default written out."""

import json
from collections.abc import Mapping
from typing import Any

from paretorank.config.run import RunConfig


def to_toml(config: RunConfig) -> str:
    """Return the complete configuration; reading it gives an equal one."""
    content = config.model_dump(mode="json", exclude_none=True)
    return "".join(_section((name,), value) for name, value in content.items()).lstrip()


def _section(path: tuple[str, ...], content: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in content.items() if not _is_section(path, key, value)}
    nested = {key: value for key, value in content.items() if key not in plain}
    header = f"\n[{'.'.join(map(_key, path))}]\n" if plain or not nested else ""
    lines = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in plain.items())
    return header + lines + "".join(_section((*path, k), v) for k, v in nested.items())


def _is_section(path: tuple[str, ...], key: str, value: Any) -> bool:
    """Features, statistics and deeper values stay on one line; other mappings get a header."""
    inline = path[0] in {"features", "statistics"} or key == "monitor"
    return isinstance(value, dict) and not inline


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _quoted(value)


def _key(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else _quoted(key)


def _quoted(value: Any) -> str:
    """Return JSON, which TOML reads as well, but for the one character that only JSON allows."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
