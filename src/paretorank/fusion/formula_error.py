"""What an unreadable formula is refused with: the place, a caret under it, and a hint."""

from paretorank.foundation.errors import ConfigError

_WINDOW = 72
_HINT = "Write for instance: click^1.0 * (like + 0.01)^0.5 * watch^$w."


def formula_error(
    text: str, at: int, problem: str, *, place: str, hint: str = _HINT
) -> ConfigError:
    """Return an error that shows the formula, or the part around the place, with a caret below.

    Args:
        text: the formula.
        at: index of the character that is wrong; the length of the text for its end.
        problem: what is wrong there, without a full stop.
        place: where the formula was written.
        hint: what to do about it.
    """
    start = max(0, min(at - _WINDOW // 2, len(text) - _WINDOW))
    shown = "".join(
        character if character.isprintable() else " " for character in text[start:][:_WINDOW]
    )
    return ConfigError(
        f"{place}: {problem} at character {at + 1}.\n    {shown}\n    {' ' * (at - start)}^",
        hint=hint,
    )
