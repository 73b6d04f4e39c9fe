"""The shipped plan of remedies: which arms are worth trying against the gap of a study, as arms of its file."""

from collections.abc import Iterator, Sequence
from typing import Any

import tomli_w

from gapscope.arms import frozen_ranges, is_plain, roots
from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config

HEAD = "75-106"


def with_remedies(
    text: str, name: str = "experiment", *, budgets: Sequence[int] = (), block: str = "", teacher: bool = False
) -> tuple[str, list[str]]:
    """A study's file with the arms of the plan at its end, and their names; those that are there already are left out.

    Args:
        text: Of the experiment file.
        name: What messages call it.
        budgets: Numbers of labelled real images, each of which is tried alone, mixed and by fine-tuning. Where they, or
            what follows, are not given, [remedies] of the file says them; without either there are only remedies that
            need no training.
        block: Layers that are fine-tuned alone too, such as `62-74`.
        teacher: Whether a mean teacher is tried, beside as much further training without one.

    Raises:
        InputError: The file is wrong, its arms have several networks, or there is no pair of arms with a gap: one
            trained on a real domain, one on synthetic ones, both unfrozen.
    """
    experiment = parse_config(text, name)
    if len(experiment.networks) > 1:
        raise InputError(
            f"{name}: its arms have {len(experiment.networks)} networks, and the plan is for the arms of one. Give a "
            "file with the arms of one of them."
        )
    chosen = experiment.remedies
    budgets, block = budgets or chosen.budgets, block or chosen.block
    arms = dict(remedy_arms(experiment, budgets, block, teacher=teacher or chosen.teacher))
    new = {arm: settings for arm, settings in arms.items() if arm not in experiment.arms}
    if not new:
        return text, []
    whole = f"{text.rstrip()}\n\n# Remedies, added by: gapscope remedies\n\n{tomli_w.dumps({'arms': new})}"
    parse_config(whole, name)
    return whole, list(new)


def remedy_arms(
    experiment: Experiment, budgets: Sequence[int], block: str, *, teacher: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and settings of all arms of the plan. Layers of none are recorded, which would take longer than the rest.

    Raises:
        InputError: As `with_remedies`.
    """
    real, synthetic = gap_arms(experiment)
    home, away = experiment.arms[real], experiment.arms[synthetic]
    target, quiet = home.domains[0], {"record": False}
    yield f"{synthetic}-adapted", {"start": synthetic, "adapt": {"batchnorm": target}, **quiet}
    if roots(experiment, real) == roots(experiment, synthetic):
        chosen = {"average": [synthetic, real], "choose": [target, *away.domains]}
        yield f"average-of-{synthetic}-{real}", chosen | quiet
    if teacher:
        longer = {"domains": away.domains, "start": synthetic, "keep_head": True, **quiet}
        yield f"{synthetic}-longer", longer
        yield f"{synthetic}-taught", longer | {"adapt": {"teacher": target}}
    for count in sorted(set(budgets)):
        for name, arm in budget_arms(experiment, real, synthetic, count, block).items():
            yield name, arm
            yield f"{name}-adapted", {"start": name, "adapt": {"batchnorm": target}, **quiet}


def budget_arms(experiment: Experiment, real: str, synthetic: str, count: int, block: str) -> dict[str, dict[str, Any]]:
    """Every way to use so many labelled images of the real arm's domain."""
    home, away = experiment.arms[real], experiment.arms[synthetic]
    target = home.domains[0]
    few = {"images": {target: count}, "record": False}
    tuned = {"domains": [target], "start": synthetic, "keep_head": True, **few}
    ways = {
        f"{real}-{count}": {"domains": [target], "start": home.start, **few},
        f"mixed-{count}": {"domains": [*away.domains, target], "start": away.start, **few},
        f"tuned-{count}": tuned,
        f"tuned-head-{count}": tuned | {"train": HEAD},
    }
    return ways | ({f"tuned-block-{count}": tuned | {"train": block}} if block else {})


def gap_arms(experiment: Experiment) -> tuple[str, str]:
    """The arm that was trained on a real domain alone, and the one that was trained on synthetic ones alone.

    Raises:
        InputError: One of them is missing.
    """
    found: dict[str, str] = {}
    for name in experiment.reported_arms:
        arm = experiment.arms[name]
        roles = {experiment.domains[domain].role for domain in arm.domains}
        if is_plain(experiment, name) and not frozen_ranges(experiment, name) and not arm.has_diet and len(roles) == 1:
            found.setdefault(roles.pop(), name)
    missing = [role for role in ("real", "synthetic") if role not in found]
    if missing:
        raise InputError(
            f"no arm is trained on {' and none on '.join(missing)} domains alone, with nothing frozen, so there is no "
            "gap to close. Add such an arm to the file."
        )
    return found["real"], found["synthetic"]
