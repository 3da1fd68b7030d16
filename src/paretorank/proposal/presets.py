"""Ready-made choices of tasks, architecture, relation and balancer for a proposal.

qq_kandian, Source: zhongzhao, "Application practice of multi-objective ranking models in QQ Kandian
    recommendation", Tencent PCG, 2021, of which only the opening is public; the rest is *our
    reconstruction* from second-hand summaries, no reproduction: experts with scaled context
    attention, a click head, reading time conditional on click, interactions conditional on click
    and chained over all impressions (Ma et al., ESMM, SIGIR 2018), uncertainty weights for losses
    of mixed kinds (Kendall, Gal, Cipolla, CVPR 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.proposal.tasks import ProposedTask

_CLICK = "click"


@dataclass(frozen=True)
class Preset:
    """Lines of TOML, and whether all other tasks are conditional on the click."""

    lines: tuple[str, ...]
    is_conditional: bool


PRESETS: Mapping[str, Preset] = {
    "qq_kandian": Preset(
        (
            "# Preset qq_kandian: our reconstruction of a published practice, no reproduction.",
            "[model]",
            'relations = { kind = "esmm" }  # interactions: P(click) times P(interaction | click)',
            "[model.architecture]",
            'kind = "attention_mmoe"  # each task owns a learned context that queries the experts',
            'scoring = "scaled_dot"',
            "",
            "[balancer]",
            'kind = "uncertainty"',
            "",
        ),
        is_conditional=True,
    )
}


def find_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"--preset {name!r} does not exist.", hint=did_you_mean(name, PRESETS))
    return PRESETS[name]


def conditional_on_click(tasks: Sequence[ProposedTask]) -> tuple[ProposedTask, ...]:
    """Return the tasks with all but the click observed where the click happened.

    Raises:
        ConfigError: no binary task is called click or is the parent of another.
    """
    parents = {task.parent for task in tasks}
    binary = [task for task in tasks if task.kind == "binary"]
    named = [task for task in binary if task.name == _CLICK]
    found = named or [task for task in binary if task.name in parents]
    if not found:
        names = ", ".join(task.name for task in tasks) or "none"
        raise ConfigError(
            f"The preset needs a task for the click; the tasks found are: {names}.",
            hint="Name the column click or is_click, or write the configuration without --preset.",
        )
    click = found[0]
    return tuple(
        replace(task, parent=None, observed_when=None, remarks=())
        if task is click
        else replace(task, parent=click.name, observed_when=click.name, remarks=("", ""))
        for task in tasks
    )
