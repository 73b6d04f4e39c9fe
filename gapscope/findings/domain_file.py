"""What does `data/<domain>/summary.json` hold? A domain in numbers, as values with names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Counts = Mapping[str, int]


@dataclass(frozen=True)
class SplitOverlap:
    """What a held-out split shares with an earlier one."""

    held_out: str
    seen_in: str
    images: int
    counts: Counts
    """By what was looked for: see `gapscope.data.leak_shares`."""
    examples: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class LeakCounts:
    """Images of held-out splits that training has seen, or nearly."""

    shared_groups: int = 0
    near_duplicates: int = 0
    adjacent_frames: int = 0
    examples: tuple[tuple[str, str], ...] = ()
    overlaps: tuple[SplitOverlap, ...] | None = None
    """None in summaries of before shares were noted."""

    @property
    def any(self) -> bool:
        return bool(self.shared_groups or self.near_duplicates or self.adjacent_frames)


@dataclass(frozen=True)
class DomainSummary:
    """What the data stage left of one domain; counts are of boxes unless they say images."""

    images: Counts
    """By split."""
    boxes: Mapping[str, Counts]
    """By split and common label."""
    ignored: Counts
    """Ignore regions by split."""
    label_map: Mapping[str, Counts]
    """By common label and the domain's own name."""
    dropped: Counts
    """By the domain's own name."""
    ignored_sources: Counts
    """Likewise."""
    removed: Counts
    """By the filter that removed them."""
    fingerprint: str
    split: str
    """How the images were split, in words."""
    leaks: LeakCounts
    root: str = "."
    """Folder of the images, from that of the domain."""
    image_size: tuple[float, float] | None = None
    """Median width and height, pixels."""
    distributions: Mapping[str, Any] = field(default_factory=dict)
    """As `gapscope.data.distributions` shapes them; empty in summaries of before there were any."""
    notes: tuple[str, ...] = ()
    left_out: Counts | None = None
    """What was left out as broken, by what was wrong; None where nobody looked."""

    @property
    def used(self) -> Counts:
        """Boxes by common label, of all splits together."""
        labels = dict.fromkeys(label for counts in self.boxes.values() for label in counts)
        return {label: sum(counts.get(label, 0) for counts in self.boxes.values()) for label in labels}

    @property
    def held_out(self) -> int:
        """Images that no training takes."""
        return self.images["val"] + self.images["test"]


def parse_summary(found: Mapping[str, Any]) -> DomainSummary:
    """The JSON of a summary.

    Raises:
        KeyError, TypeError, ValueError: If a part that every version has is missing, or one is not what it should be.
    """
    size = found.get("image_size")
    return DomainSummary(
        **{name: found[name] for name in ("images", "boxes", "ignored", "label_map", "dropped", "ignored_sources")},
        removed=found["removed"],
        fingerprint=found["fingerprint"],
        split=found["split"],
        leaks=_leaks(found["leaks"]),
        root=found.get("root", "."),
        image_size=(size[0], size[1]) if size else None,
        distributions=found.get("distributions", {}),
        notes=tuple(found.get("notes", ())),
        left_out=found.get("left_out"),
    )


def _leaks(found: Mapping[str, Any]) -> LeakCounts:
    overlaps = found.get("overlaps")
    return LeakCounts(
        **{name: found.get(name) or 0 for name in ("shared_groups", "near_duplicates", "adjacent_frames")},
        examples=tuple((a, b) for a, b in found.get("examples", ())),
        overlaps=None if overlaps is None else tuple(map(_overlap, overlaps)),
    )


def _overlap(found: Mapping[str, Any]) -> SplitOverlap:
    examples = {key: (a, b) for key, (a, b) in found["examples"].items()}
    return SplitOverlap(found["held_out"], found["seen_in"], found["images"], found["counts"], examples)
