"""What is an arm made of? The layers that it trains, the arms before it, what it has seen; and which are grafted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gapscope.config import Arm, Experiment
from gapscope.detector.layers import layer_ranges
from gapscope.networks import layer_map, layers_of
from gapscope.run_folder import RunName


def trained_layers(experiment: Experiment, name: str) -> NDArray[np.bool_]:
    """Whether each layer (layers,) of an arm was trained with its own seed, by it or by an arm that it is made from.

    Only such layers can show what another seed changes. A layer that is frozen as it stands in a weights file is the
    same with every seed, and one that is frozen as it was drawn at random has learnt nothing with any. Networks that
    were trained elsewhere are taken to have been trained in all layers.
    """
    arm, network = experiment.arms[name], layer_map(experiment, name)
    if arm.is_given:
        return np.ones(len(network.layers), dtype=bool)
    if not arm.is_trained:
        before = [trained_layers(experiment, one) for one in arms_before(experiment, name)]
        return np.any(before, axis=0) if before else np.zeros(len(network.layers), dtype=bool)
    trained = ~frozen_layers(experiment, name)
    if arm.start in experiment.arms:
        taken = (np.arange(len(trained)) <= network.backbone_last) | arm.keep_head  # any other head starts at random
        trained |= taken & trained_layers(experiment, arm.start)
    return trained


def frozen_layers(experiment: Experiment, name: str) -> NDArray[np.bool_]:
    """The layers (layers,) that an arm's training leaves as they are."""
    arm, network = experiment.arms[name], layer_map(experiment, name)
    frozen = np.zeros(len(network.layers), dtype=bool)
    if arm.train:
        frozen[:] = True
        frozen[list(layers_of(arm.train, network))] = False
    elif arm.freeze:
        frozen[list(layers_of(arm.freeze, network))] = True
    return frozen


def grafted_runs(experiment: Experiment) -> Iterator[tuple[RunName, RunName]]:
    """Host and donor of one seed, pair of arms by pair of arms; none without [graft]."""
    for host, donor in experiment.grafted_pairs:
        for seed in experiment.seeds:
            yield RunName(host, seed), RunName(donor, seed)


def frozen_ranges(experiment: Experiment, name: str) -> str:
    """What an arm keeps frozen, as the experiment file would write it: its `freeze`, or all but its `train`."""
    arm = experiment.arms[name]
    return arm.freeze if not arm.train else layer_ranges(np.flatnonzero(frozen_layers(experiment, name)).tolist())


def arms_before(experiment: Experiment, name: str) -> list[str]:
    """The arms whose weights an arm begins with: those that it averages, or the one that it starts from."""
    arm = experiment.arms[name]
    if arm.average:
        return [one for one in arm.average if one in experiment.arms]
    return [arm.start] if arm.start in experiment.arms else []


def all_before(experiment: Experiment, name: str) -> list[str]:
    """The arms that an arm is made from, and those that these are made from, each once, nearest first."""
    found: dict[str, None] = {}
    for one in arms_before(experiment, name):
        found |= dict.fromkeys([one, *all_before(experiment, one)])
    return list(found)


def models_before(experiment: Experiment, name: str) -> list[str]:
    """The models that an arm goes on from: of `all_before` those that are more than start weights, nearest first.

    An arm that no table shows (`report = false`) is start weights, as a public file would be, where its backbone alone
    is taken, or where every arm that tables show goes on from it: what it was trained on is not counted as part of an
    arm's diet.
    """
    arm, found = experiment.arms[name], dict[str, None]()
    for one in arms_before(experiment, name):
        whole = not arm.is_trained or arm.keep_head
        if experiment.arms[one].report or (whole and not is_start_of_all(experiment, one)):
            found |= dict.fromkeys([one, *models_before(experiment, one)])
    return list(found)


def is_start_of_all(experiment: Experiment, name: str) -> bool:
    """Whether all arms of its network that tables show go on from an arm that none shows."""
    model = experiment.arms[name].model
    shown = [one for one, arm in experiment.arms.items() if arm.report and arm.model == model]
    return not experiment.arms[name].report and all(name in all_before(experiment, one) for one in shown)


def labelled_domains(experiment: Experiment, name: str) -> list[str]:
    """The domains whose labelled training images an arm has learnt from, itself or through the models before it."""
    return _domains(experiment, name, lambda arm: experiment.arms[arm].domains)


def unlabelled_domains(experiment: Experiment, name: str) -> list[str]:
    """The domains whose training images it has seen without their labels, and whose labels nothing of it has seen."""
    labelled = labelled_domains(experiment, name)
    seen = _domains(experiment, name, lambda arm: images_without_labels(experiment.arms[arm]))
    return [domain for domain in seen if domain not in labelled]


def baseline_of(experiment: Experiment, arms: Sequence[str], arm: str, domain: str) -> str | None:
    """The arm without the remedy: what an arm is to be compared with on a domain; None for an arm that is no remedy.

    It has learnt from no label of the domain and from none that the arm has not learnt from. The arm goes on from it,
    or has more labelled domains, restyled images, or a teacher. Of several: one that the arm goes on from, then the
    plainest, then one as frozen.
    """
    before, labelled = models_before(experiment, arm), set(labelled_domains(experiment, arm))

    def has_more(other: Arm) -> bool:
        """Whether it restyles or is taught and the other is not."""
        mine = experiment.arms[arm]
        return bool(mine.restyle and not other.restyle) or bool(mine.adapt.taught and not other.adapt.taught)

    def fits(other: str) -> bool:
        theirs = set(labelled_domains(experiment, other))
        more = bool(before) or theirs < labelled or has_more(experiment.arms[other])
        return other != arm and domain not in theirs and theirs <= labelled and more

    candidates = [other for other in arms if fits(other) and arm not in models_before(experiment, other)]
    frozen = frozen_ranges(experiment, arm)
    return min(
        candidates,
        key=lambda other: (
            other not in before,
            not is_plain(experiment, other),
            frozen_ranges(experiment, other) != frozen,
            list(arms).index(other),
        ),
        default=None,
    )


def is_plain(experiment: Experiment, arm: str) -> bool:
    """Whether an arm is trained on labelled images alone, as they are, and goes on from no other model."""
    chosen, changed = experiment.arms[arm], experiment.arms[arm].restyle or experiment.arms[arm].adapt.taught
    return (chosen.is_trained or chosen.is_given) and not changed and not models_before(experiment, arm)


def images_without_labels(arm: Arm) -> list[str]:
    """The domains whose images an arm itself is given without labels: for its statistics, to be taught by, to restyle
    others."""
    lent = [one.towards for one in arm.restyle.values() if one.towards]
    return list(dict.fromkeys([*arm.adapt.domains, *filter(None, [arm.adapt.taught]), *lent]))


def statistics_domains(experiment: Experiment, name: str) -> list[str]:
    """Whose training images give an arm that is not trained its batch statistics: as it says, else those of all arms
    that it averages."""
    arm = experiment.arms[name]
    return arm.adapt.domains or (labelled_domains(experiment, name) if arm.average else [])


def roots(experiment: Experiment, name: str) -> set[str]:
    """Where the weights of an arm began, before any arm was trained: `scratch`, `streets` or files."""
    before = arms_before(experiment, name)
    if experiment.arms[name].is_given:
        return {f"the files of '{name}'"}
    return set().union(*(roots(experiment, one) for one in before)) if before else {experiment.arms[name].start}


def _domains(experiment: Experiment, name: str, of_arm: Callable[[str], list[str]]) -> list[str]:
    arms: Iterator[str] = reversed([name, *models_before(experiment, name)])
    return list(dict.fromkeys(domain for arm in arms for domain in of_arm(arm)))


def recipe(experiment: Experiment, name: str) -> tuple[object, ...]:
    """What an arm is, whichever network it has: equal for arms that are alike but for their networks.

    What is chosen network by network is left out: where the weights start, how long and at which rate is trained.
    """
    arm = experiment.arms[name]
    before = arms_before(experiment, name)
    behind = [recipe(experiment, one) for one in before if not arm.is_trained or one in models_before(experiment, name)]
    settings = arm.keep_head, arm.half, arm.choose, arm.report, arm.adapt
    diet = [sorted(arm.domains), *(sorted(table.items()) for table in (arm.images, arm.shares, arm.restyle))]
    shares = list(arm.average.values()) if isinstance(arm.average, dict) else len(arm.average)
    return repr(diet), repr(settings), _frozen_part(experiment, name), repr(shares), *behind


def _frozen_part(experiment: Experiment, name: str) -> str:
    """`backbone`, `head`, what is frozen as the file says it, or nothing."""
    network, frozen = layer_map(experiment, name), frozen_layers(experiment, name)
    for part in ("backbone", "head"):
        first, last = network.ranges.get(part, (0, -1))
        mine = np.arange(len(frozen))
        inside = (mine >= first) & (mine <= last)
        counted = np.isin(mine, network.weighted) if network.weighted else np.ones(len(frozen), bool)
        if frozen.any() and np.array_equal(frozen & counted, inside & counted):
            return part
    return frozen_ranges(experiment, name)


def shared_names(experiment: Experiment) -> dict[str, str]:
    """By arm the first arm of the study that is alike but for its network: the name under which networks line up."""
    first: dict[tuple[object, ...], str] = {}
    found = {}
    for network in experiment.networks:
        met = Counter[tuple[object, ...]]()
        for arm in experiment.arms_of(network):
            mine = recipe(experiment, arm)
            met[mine] += 1
            found[arm] = first.setdefault((*mine, met[mine]), arm)
    return found
