"""Where does the loss sit? What each part of one arm does in another, and what may be said of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gapscope.findings.estimates import Estimate
from gapscope.findings.results import Results
from gapscope.grafting.plan import CONTROL, REWIND, UNTRAINED
from gapscope.grafting.result import BlockResult, Change, Grafts, Interval
from gapscope.grafting.verdicts import CANNOT_BE_TOLD, GAINS, LOSES, NO_CHANGE
from gapscope.run_folder import RunName

OWN, ESTIMATED = "own", "estimated"
TOLD = (GAINS, LOSES, NO_CHANGE)
"""Verdicts that say something of the donor's part; the other one is `CANNOT_BE_TOLD`."""


@dataclass(frozen=True)
class GraftedPart:
    """One part of the donor in the host. Changes are of the host's mAP@0.5 (0 to 1), paired over the test images."""

    name: str
    """`stage 3`, or the range that the experiment names."""
    layers: tuple[int, ...]
    """Indices, rising."""
    alone: Estimate
    """What the donor's part alone changes."""
    left_out: Estimate | None
    """What it changes to leave this part out once all others are the donor's; None where this was not asked for."""
    control: Estimate | None
    """What the same part of another seed of the host's arm changes; None without one."""
    rewind: Estimate | None
    """What this part changes as it was before training."""
    untrained: Estimate | None
    """What this part changes as if it had learnt nothing."""
    share: Estimate | None
    """Of the gap, a Shapley value; None where none was taken, or it cannot be told from the control's."""
    share_error: float
    """Its standard error over drawn orders; 0 where all count, NaN without a share."""
    verdict: str
    """One of `VERDICTS`: gains, loses, no change, cannot be told."""
    why: str
    """Why it cannot be told, in words; empty otherwise."""

    @property
    def told(self) -> bool:
        """Whether the change is the donor's, not what any foreign part does."""
        return self.verdict in TOLD


@dataclass(frozen=True)
class GraftedPair:
    """One network's parts in another of the same seed, on one domain, with one kind of batch statistics."""

    host: RunName
    donor: RunName
    domain: str
    statistics: str
    """`own` or `estimated`."""
    host_map50: float
    all_grafted: float
    """mAP@0.5 of the host with all parts of the donor: the donor itself, where the parts are all layers."""
    gap: Estimate
    """`all_grafted` minus `host_map50`."""
    control_map50: float | None
    """The same of all parts of another seed of the host's arm."""
    parts: tuple[GraftedPart, ...]
    """In the order of the layers."""
    num_images: int
    grafts: Grafts
    """All of it as the file holds it, cuts from the front and from the back too."""

    def part_of(self, layer: int) -> GraftedPart | None:
        """The part that a layer is in; None for one that was not grafted."""
        return next((part for part in self.parts if layer in part.layers), None)

    def with_verdict(self, *words: str) -> list[GraftedPart]:
        """The parts of which this may be said."""
        return [part for part in self.parts if part.verdict in words]


@dataclass(frozen=True)
class GraftFindings:
    """All grafts of a run; empty where nothing was grafted yet, or is not to be."""

    pairs: Sequence[GraftedPair]
    """Pair of arms by pair of arms as the experiment names them, by seed, domain and kind of statistics."""

    def of(
        self,
        host: str | None = None,
        donor: str | None = None,
        *,
        seed: int | None = None,
        domain: str | None = None,
        statistics: str | None = None,
    ) -> list[GraftedPair]:
        """Those of these arms (all, if none is named) with this kind of statistics, if none is named their own ones, or
        where a run has none of these, what it has."""
        kind = statistics or (OWN if OWN in self.kinds else ESTIMATED)
        asked = ((host, "host.arm"), (donor, "donor.arm"), (seed, "host.seed"), (domain, "domain"))
        return [
            pair
            for pair in self.pairs
            if pair.statistics == kind and all(wanted is None or wanted == _deep(pair, name) for wanted, name in asked)
        ]

    @property
    def kinds(self) -> list[str]:
        """The kinds of batch statistics that there are."""
        return list(dict.fromkeys(pair.statistics for pair in self.pairs))


def _deep(pair: GraftedPair, name: str) -> object:
    first, _, rest = name.partition(".")
    found = getattr(pair, first)
    return getattr(found, rest) if rest else found


def graft_findings(results: Results) -> GraftFindings:
    """From the files of the graft stage."""
    return GraftFindings(list(_pairs(results)))


def _pairs(results: Results) -> Iterator[GraftedPair]:
    for (host, donor, domain), result in results.grafts.items():
        for grafts in result.grafts:
            yield GraftedPair(
                host=host,
                donor=donor,
                domain=domain,
                statistics=grafts.statistics,
                host_map50=grafts.host,
                all_grafted=grafts.all_grafted,
                gap=_estimate(grafts.gap, grafts.gap_interval),
                control_map50=grafts.control,
                parts=tuple(_part(block) for block in grafts.blocks),
                num_images=int(result.about["num_images"]),
                grafts=grafts,
            )


def _part(block: BlockResult) -> GraftedPart:
    share = block.share if block.share is not None and block.share.told is not False else None
    return GraftedPart(
        name=block.name,
        layers=layers_of(block.layers),
        alone=_change(block.alone),
        left_out=None if block.left_out is None else _change(block.left_out),
        **{name: _control(block, name) for name in (CONTROL, REWIND, UNTRAINED)},
        share=None if share is None else _estimate(share.value, share.interval),
        share_error=float("nan") if share is None else share.order_error,
        verdict=block.verdict,
        why=_why(block),
    )


def _why(block: BlockResult) -> str:
    if block.verdict != CANNOT_BE_TOLD:
        return ""
    return (
        block.untold or "another seed's part changes as much or more, or the change is not sure beside all other parts"
    )


def _control(block: BlockResult, name: str) -> Estimate | None:
    return _change(block.controls[name]) if name in block.controls else None


def _change(change: Change) -> Estimate:
    return _estimate(change.change, change.interval)


def _estimate(value: float, interval: Interval) -> Estimate:
    return Estimate(value, *(interval or ()))


def layers_of(ranges: str) -> tuple[int, ...]:
    """`0-4, 62` as indices.

    >>> layers_of("0-2, 62")
    (0, 1, 2, 62)
    """
    ends = [[int(number) for number in part.split("-")] for part in ranges.split(", ")]
    return tuple(layer for first, *last in ends for layer in range(first, (last or [first])[0] + 1))
