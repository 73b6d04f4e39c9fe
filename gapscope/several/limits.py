"""What of several runs cannot be compared, and why? What can be is; the rest is named here."""

from collections.abc import Callable, Iterator, Sequence

from gapscope.detector.layers import is_yolov3
from gapscope.several.line_up import SideBySide
from gapscope.several.runs import Run, arm_title, groups_of, stages_of
from gapscope.several.several_sentences import letters


def limits(side: SideBySide, checks: "Sequence[Check]" = ()) -> list[str]:
    """A sentence for each limit that these runs have, by some of the checks; by all when left out."""
    return [sentence for check in checks or CHECKS for sentence in check(side)]


def _groups(side: SideBySide) -> Iterator[str]:
    for runs in groups_of(side.runs):
        if len(runs) > 1:
            yield f"{letters(runs)} are one study: the same data and settings, apart from names and seeds."


def _repeated(side: SideBySide) -> Iterator[str]:
    if side.repeated:
        count = len(side.repeated)
        yield (
            f"{count} {'network is' if count == 1 else 'networks are'} part of more than one run, by the hash of the "
            "weights: counted once in means over runs, and no second finding where these runs agree."
        )


def _classes(side: SideBySide) -> Iterator[str]:
    by_classes: dict[tuple[str, ...], list[Run]] = {}
    for run in side.runs:
        by_classes.setdefault(tuple(run.results.experiment.headline_classes), []).append(run)
    if len(by_classes) > 1:
        names = "; ".join(f"{letters(runs)}: {', '.join(classes)}" for classes, runs in by_classes.items())
        yield f"mAP is a mean over other classes ({names}): gaps of such runs are not averaged."


def _draws(side: SideBySide) -> Iterator[str]:
    without = dict.fromkeys(gap.run for gap in side.gaps if not gap.gap.estimate.has_interval)
    if without:
        yield (
            f"{letters(list(without))}: evaluation files without draws of the test images, so gaps have no interval. "
            "Evaluating again writes them."
        )


def _arms(side: SideBySide) -> Iterator[str]:
    for arm in dict.fromkeys(run.called(arm) for run in side.runs for arm in run.results.arms):
        having = [run for run in side.runs if run.own(arm) in run.results.arms]
        if len(having) < len(side.runs):
            title = arm_title(side.runs, arm)
            yield f"The arm {arm} ({title}) is part of {letters(having)} only; arms are lined up by these names."


def _sizes(side: SideBySide) -> Iterator[str]:
    if len(set(side.sizes.values())) > 1:
        sizes = ", ".join(f"{run.letter} {size}" for run, size in side.sizes.items())
        yield f"Layers are compared at each run's main image size, and these differ ({sizes} pixels)."


def _probes(side: SideBySide) -> Iterator[str]:
    compared = [run for run in side.runs if run.results.grids]
    if len(compared) > 1 and not any(len(one.runs) == len(compared) for one in side.across):
        yield (
            "Not all runs recorded the same probe images, pixel by pixel at one size: a difference between curves may "
            "be one of images, and only networks that saw the same are compared across runs."
        )


def _networks(side: SideBySide) -> Iterator[str]:
    if any(len(pair.curves) > 1 and not pair.same_network for pair in side.pairs):
        yield (
            "The networks do not have the same layers: curves are lined up by relative depth, 0 for the first layer "
            "and 1 for the last."
        )
    odd = dict.fromkeys(curve.run for pair in side.pairs for curve in pair.curves if not is_yolov3(curve.layers))
    if odd:
        yield (
            f"{letters(list(odd))}: not the 107 layers of YOLOv3, so backbone and head are that network's own, and the "
            "paper's statements are asked of its parts."
        )


def _recordings(side: SideBySide) -> Iterator[str]:
    if side.without_draws:
        yield (
            f"{letters(side.without_draws)}: not every recording is there, so means and statements have no interval, "
            "and no network is compared across runs."
        )


def _unfinished(side: SideBySide) -> Iterator[str]:
    for run in side.runs:
        left = [f"{one.stage} {one.done} of {one.of}" for one in stages_of(run.results) if one.done < one.of]
        if left:
            yield f"{run.letter} is not finished ({', '.join(left)}); what is there is shown."


Check = Callable[[SideBySide], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    _groups,
    _repeated,
    _classes,
    _draws,
    _arms,
    _sizes,
    _probes,
    _networks,
    _recordings,
    _unfinished,
)
OF_NETWORKS: tuple[Check, ...] = (_draws, _networks, _recordings, _unfinished)
"""Those that may say something of the networks of one study, which share data, sizes and probes."""
