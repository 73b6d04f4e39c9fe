"""The domains side by side, in numbers: images and boxes, classes, sizes, looks, leaks, and what was left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gapscope.data.appearance import LOOKS
from gapscope.findings.domain_file import DomainSummary, LeakCounts
from gapscope.findings.results import Results
from gapscope.words import percent

SKEWED = 3.0
"""Classes whose share of the boxes differs by more than this factor are warned about."""
LEAK_WORDS = {
    "same_name": "in both splits",
    "same_group": "share a group (ride, sequence)",
    "next_frame": "next to a frame of it",
    "near_duplicate": "with a near-duplicate in it",
}
"""Column heads for the keys of `gapscope.data.leak_shares.SEEN`."""
MOST_CLASSES = 12
"""With more classes than this, the table of boxes per split only has totals; shares have a table of their own."""


@dataclass(frozen=True)
class SplitRow:
    """One split of one domain."""

    domain: str
    split: str
    images: int
    boxes: int
    classes: tuple[int, ...]
    """Boxes of each common label; empty with more than `MOST_CLASSES` of them."""
    ignored: int


@dataclass(frozen=True)
class ShareRow:
    """One class: its share of each domain's boxes of all splits, 0 to 1."""

    name: str
    shares: tuple[float, ...]
    boxes: tuple[int, ...]
    factor: float | None
    """Largest share over smallest; None where a domain has none of it."""

    @property
    def marked(self) -> bool:
        """Whether the domains differ so much that a mean over classes would be misleading."""
        return any(self.shares) and (self.factor is None or self.factor > SKEWED)


@dataclass(frozen=True)
class Fact:
    """One quantity in all domains."""

    name: str
    values: tuple[str, ...]
    """As printed: the median and, in brackets, the 5 % and 95 % quantiles."""


@dataclass(frozen=True)
class LeakRow:
    """How much of a held-out split an earlier one holds already."""

    domain: str
    held_out: str
    seen_in: str
    images: int
    found: Mapping[str, str]
    """By the keys of `LEAK_WORDS`: "12 (3.1 %)", or "not looked for"."""
    any: bool
    example: tuple[str, str] | None
    """A held-out image and its counterpart."""


@dataclass(frozen=True)
class DomainFacts:
    """Everything about the domains that is shown side by side."""

    domains: tuple[str, ...]
    """Titles, in the order of the columns."""
    splits: tuple[SplitRow, ...]
    shares: tuple[ShareRow, ...]
    facts: tuple[Fact, ...]
    leaks: tuple[LeakRow, ...]
    """Of the domains whose summary has them."""
    without_shares: Mapping[str, LeakCounts]
    """Domains of runs of older versions, which only noted counts: `leaks` of their summaries."""

    @property
    def most(self) -> float:
        """The largest share, which fills the bars."""
        return max((share for row in self.shares for share in row.shares), default=0.0) or 1.0


def domain_facts(results: Results) -> DomainFacts:
    """What the data stage left, of all domains together."""
    found = {results.domain_title(name): summary for name, summary in results.summaries.items()}
    return DomainFacts(
        domains=tuple(found),
        splits=tuple(_splits(found, results.experiment.data.classes)),
        shares=tuple(_shares(found, results.experiment.data.classes)),
        facts=tuple(_facts(found)),
        leaks=tuple(row for title, summary in found.items() for row in _leaks(title, summary)),
        without_shares={title: summary.leaks for title, summary in found.items() if summary.leaks.overlaps is None},
    )


def _splits(found: Mapping[str, DomainSummary], classes: list[str]) -> Iterator[SplitRow]:
    for title, summary in found.items():
        for split, images in summary.images.items():
            boxes = summary.boxes[split]
            counts = tuple(boxes.get(name, 0) for name in classes)
            shown = counts if len(classes) <= MOST_CLASSES else ()
            yield SplitRow(title, split, images, sum(counts), shown, summary.ignored.get(split, 0))


def _shares(found: Mapping[str, DomainSummary], classes: list[str]) -> Iterator[ShareRow]:
    used = [summary.used for summary in found.values()]
    totals = [sum(boxes.values()) for boxes in used]
    for name in classes:
        counts = tuple(boxes.get(name, 0) for boxes in used)
        shares = tuple(count / total if total else 0.0 for count, total in zip(counts, totals, strict=True))
        yield ShareRow(name, shares, counts, max(shares) / min(shares) if shares and all(shares) else None)


def _facts(found: Mapping[str, DomainSummary]) -> Iterator[Fact]:
    spreads = [summary.distributions for summary in found.values()]
    sizes = [summary.image_size for summary in found.values()]
    if any(sizes):
        words = tuple(f"{size[0]:.0f} x {size[1]:.0f}" if size else "" for size in sizes)
        yield Fact("image size, pixels (median of each side)", words)
    quantities = {
        "box_side": ("side of a square of the box's area, pixels", "{:.0f}"),
        "box_share": ("the same as a share of the image's side", "{:.1%}"),
        "boxes_per_image": ("boxes per image", "{:.0f}"),
        "aspect": ("width over height of the boxes", "{:.2f}"),
        **{look: (f"{look}, 0 to 1", "{:.2f}") for look in LOOKS},
    }
    for key, (name, form) in quantities.items():
        quantiles = [spread.get(key, {}).get("quantiles", {}) for spread in spreads]
        if any(quantiles):
            yield Fact(name, tuple(_printed_spread(one, form) for one in quantiles))


def _printed_spread(quantiles: Mapping[str, float], form: str) -> str:
    if not quantiles:
        return ""
    middle, low, high = (form.format(quantiles[key]).replace("%", " %") for key in ("median", "p5", "p95"))
    return f"{middle} ({low} to {high})"


def _leaks(title: str, summary: DomainSummary) -> Iterator[LeakRow]:
    for one in summary.leaks.overlaps or ():
        found = {
            key: f"{one.counts[key]} ({percent(one.counts[key] / one.images, 1)})"
            if key in one.counts
            else "not looked for"
            for key in LEAK_WORDS
        }
        example = next((one.examples[key] for key in LEAK_WORDS if key in one.examples), None)
        yield LeakRow(title, one.held_out, one.seen_in, one.images, found, any(one.counts.values()), example)
