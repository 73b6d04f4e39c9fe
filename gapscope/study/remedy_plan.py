"""The shipped plan of remedies: which arms are worth trying against the gap of a study, as arms of its file."""

from collections.abc import Iterator, Sequence
from typing import Any

import tomli_w

from gapscope.arms import frozen_ranges, is_plain, roots
from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.networks import check_network, layer_map

ROLES = ("real", "synthetic")
"""Of the domains whose arms have a gap."""


def with_remedies(
    text: str,
    name: str = "experiment",
    *,
    budgets: Sequence[int] = (),
    block: str = "",
    teacher: bool = False,
    network: str = "",
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
        network: Of a study of several networks the one whose arms are meant; left out, every one with a gap.

    Raises:
        InputError: The file is wrong, no arm has that network, or there is no pair of arms with a gap: one
            trained on a real domain, one on synthetic ones, both unfrozen.
    """
    experiment = parse_config(text, name)
    chosen = experiment.remedies
    budgets, block = budgets or chosen.budgets, block or chosen.block
    arms: dict[str, dict[str, Any]] = {}
    for one in networks_with_a_gap(experiment, network):
        model, suffix = ({"model": one}, f"-{one}") if one in experiment.models else ({}, "")
        of_one, taught = experiment.of_network(one), teacher or chosen.teacher
        planned = remedy_arms(of_one, budgets, block, teacher=taught, suffix=suffix)
        arms |= {arm: model | settings for arm, settings in planned}
    new = {arm: settings for arm, settings in arms.items() if arm not in experiment.arms}
    if not new:
        return text, []
    whole = f"{text.rstrip()}\n\n# Remedies, added by: gapscope remedies\n\n{tomli_w.dumps({'arms': new})}"
    parse_config(whole, name)
    return whole, list(new)


def networks_with_a_gap(experiment: Experiment, network: str = "") -> list[str]:
    """The networks whose arms the plan is for: one that is named, or every one that has both arms of a gap.

    Raises:
        InputError: No arm has the network, or there is no gap.
    """
    known = experiment.networks
    if network:
        check_network(network, known)
    asked = [network] if network else known
    found = [one for one in asked if len(arms_by_role(experiment.of_network(one))) == len(ROLES)]
    return found or asked[:1]  # of which the plan says what is missing


def remedy_arms(
    experiment: Experiment, budgets: Sequence[int], block: str, *, teacher: bool = False, suffix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and settings of all arms of the plan. Layers of none are recorded, which would take longer than the rest.

    Args:
        experiment: Of one network.
        budgets, block, teacher: As `with_remedies` takes them.
        suffix: Of the names that would be another network's as well.

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
        for name, arm in budget_arms(experiment, real, synthetic, count, block, suffix).items():
            yield name, arm
            yield f"{name}-adapted", {"start": name, "adapt": {"batchnorm": target}, **quiet}


def budget_arms(
    experiment: Experiment, real: str, synthetic: str, count: int, block: str, suffix: str = ""
) -> dict[str, dict[str, Any]]:
    """Every way to use so many labelled images of the real arm's domain."""
    home, away = experiment.arms[real], experiment.arms[synthetic]
    target, end = home.domains[0], f"{count}{suffix}"
    few = {"images": {target: count}, "record": False}
    tuned = {"domains": [target], "start": synthetic, "keep_head": True, **few}
    ways = {
        f"{real}-{count}": {"domains": [target], "start": home.start, **few},
        f"mixed-{end}": {"domains": [*away.domains, target], "start": away.start, **few},
        f"tuned-{end}": tuned,
    }
    network = layer_map(experiment, synthetic)
    head = {"head": network.words_of("head")} if "head" in network.ranges else {}
    parts = head | ({"block": block} if block else {})
    return ways | {f"tuned-{part}-{end}": tuned | {"train": layers} for part, layers in parts.items()}


def arms_by_role(experiment: Experiment) -> dict[str, str]:
    """The first arm that was trained on real domains alone, and the first of synthetic ones, both whole and plain."""
    found: dict[str, str] = {}
    for name in experiment.reported_arms:
        arm = experiment.arms[name]
        roles = {experiment.domains[domain].role for domain in arm.domains}
        if is_plain(experiment, name) and not frozen_ranges(experiment, name) and not arm.has_diet and len(roles) == 1:
            found.setdefault(roles.pop(), name)
    return {role: found[role] for role in ROLES if role in found}


def gap_arms(experiment: Experiment) -> tuple[str, str]:
    """The arm that was trained on a real domain alone, and the one that was trained on synthetic ones alone.

    Raises:
        InputError: One of them is missing.
    """
    found = arms_by_role(experiment)
    missing = [role for role in ROLES if role not in found]
    if missing:
        raise InputError(
            f"no arm is trained on {' and none on '.join(missing)} domains alone, with nothing frozen, so there is no "
            "gap to close. Add such an arm to the file."
        )
    return found["real"], found["synthetic"]
