"""Did you mean ...?"""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return a sentence that names the closest allowed name, or lists what is allowed.

    >>> did_you_mean("clik", ["click", "like"])
    "Did you mean 'click'?"
    >>> did_you_mean("zebra", ["click", "like"])
    "Allowed: 'click', 'like'."
    """
    names = sorted({str(candidate) for candidate in allowed})
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return "Nothing is allowed here."
    shown = ", ".join(repr(candidate) for candidate in names[:12])
    return f"Allowed: {shown}{', ...' if len(names) > 12 else ''}."  # noqa: PLR2004 - a screen line
