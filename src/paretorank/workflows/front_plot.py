"""A picture of a front, where altair is installed."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from paretorank.foundation.files import atomic_path
from paretorank.workflows.front import FrontReport


def write_plot(report: FrontReport, folder: Path) -> Path | None:
    """Draw the first two objectives; None where altair is not installed.

    A picture where vl-convert is installed too, a page that loads its scripts otherwise.
    """
    if find_spec("altair") is None:
        return None
    alt = import_module("altair")
    across, up = (objective.name for objective in report.front.objectives[:2])
    rows = [
        {"name": name, "x": values[0], "y": values[1], "on front": is_on_front}
        for name, values, is_on_front in zip(
            report.front.names,
            report.front.values.tolist(),
            report.front.is_on_front.tolist(),
            strict=True,
        )
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("x:Q", title=across, scale=alt.Scale(zero=False)),
        y=alt.Y("y:Q", title=up, scale=alt.Scale(zero=False)),
        tooltip=["name:N", "x:Q", "y:Q"],
    )
    line = base.transform_filter(alt.datum["on front"]).mark_line(strokeDash=[4, 4])
    dots = base.mark_point(filled=True, size=60).encode(color="on front:N")
    names = base.transform_filter(alt.datum["on front"]).mark_text(align="right", dx=-6, dy=8)
    names = names.encode(text="name:N")
    path = folder / ("front.svg" if find_spec("vl_convert") else "front.html")
    with atomic_path(path) as temporary:
        (line + dots + names).save(str(temporary), format=path.suffix[1:])
    return path
