"""What share of the held-out images has training seen, as copies, near-duplicates, by ride or by the next frame?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.data.image_hashes import NEAR_BITS, nearest_hashes
from gapscope.data.leaks import frame_keys, nearest_frames
from gapscope.errors import InputError

SEEN = {
    "same_name": "are in {} too",
    "same_group": "share a group (ride, sequence) with {}",
    "next_frame": "are next to a frame of {}",
    "near_duplicate": "have a near-duplicate in {}",
}
"""Ways in which a held-out image may be known from another split."""


@dataclass(frozen=True)
class SplitImages:
    """The images of one split: what is known of each."""

    names: NDArray[np.str_]
    """(n,) paths or bare names."""
    groups: NDArray[np.str_]
    """(n,) "" where unknown."""
    hashes: NDArray[np.uint64] | None = None
    """(n, 4) difference hashes, if the images are at hand."""


@dataclass(frozen=True)
class Overlap:
    """How much of one split another one holds already."""

    held_out: str
    seen_in: str
    images: int
    """Held-out images."""
    counts: dict[str, int]
    """By the keys of `SEEN`: held-out images to which it applies; without what could not be looked for."""
    examples: dict[str, tuple[str, str]]
    """By the same keys: the first such image, and its counterpart."""

    def share(self, key: str) -> float:
        """The share of the held-out images, 0 to 1."""
        return self.counts[key] / self.images

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def overlaps(parts: Mapping[str, SplitImages], *, near_bits: int = NEAR_BITS, frame_distance: int = 1) -> list[Overlap]:
    """Compare every split with every split before it.

    Args:
        parts: Images by split, in the order train, val, test; empty splits are passed over.
        near_bits: Difference hashes at most so many bits of 256 apart are near-duplicates.
        frame_distance: Frames of one video so close in number are neighbours.

    Raises:
        InputError: A split lists an image twice.
    """
    for split, part in parts.items():
        names, times = np.unique(part.names, return_counts=True)
        if (times > 1).any():
            raise InputError(f"split {split}: {names[times > 1][0]} is listed {times.max()} times. List it once.")
    filled = [(split, part) for split, part in parts.items() if len(part.names)]
    return [
        _overlap(held_out, held, earlier, seen, near_bits, frame_distance)
        for (earlier, seen), (held_out, held) in combinations(filled, 2)
    ]


def _overlap(
    held_out: str, held: SplitImages, seen_in: str, seen: SplitImages, near_bits: int, distance: int
) -> Overlap:
    names, groups = (np.concatenate([getattr(part, column) for part in (held, seen)]) for column in ("names", "groups"))
    keys = frame_keys(names, groups)  # numbered together: a number means the same video in both
    found = {
        "same_name": _same(held.names, seen.names),
        "next_frame": nearest_frames(keys[: len(held.names)], keys[len(held.names) :], distance),
    }
    if (held.groups != "").any() and (seen.groups != "").any():
        found["same_group"] = _same(held.groups, seen.groups)
    if held.hashes is not None and seen.hashes is not None:
        bits, nearest = nearest_hashes(held.hashes, seen.hashes)
        found["near_duplicate"] = np.where(bits <= near_bits, nearest, -1)
    first = {key: int(np.argmax(partner >= 0)) for key, partner in found.items() if (partner >= 0).any()}
    return Overlap(
        held_out=held_out,
        seen_in=seen_in,
        images=len(held.names),
        counts={key: int((partner >= 0).sum()) for key, partner in found.items()},
        examples={key: (str(held.names[i]), str(seen.names[found[key][i]])) for key, i in first.items()},
    )


def _same(held: NDArray[np.str_], seen: NDArray[np.str_]) -> NDArray[np.int64]:
    """Where in `seen` each entry stands for the first time, -1 where it does not or is empty."""
    known, first = np.unique(seen, return_index=True)
    place = np.searchsorted(known, held).clip(0, len(known) - 1)
    return np.where((known[place] == held) & (held != ""), first[place], -1)


def leak_advice(found: Sequence[Overlap]) -> str:
    """What to do about the overlaps between train and the other splits, one sentence."""
    worst = {key: max((o.share(key) for o in found if key in o.counts), default=0.0) for key in SEEN}
    if worst["same_name"]:
        return "Take every image off all lists but one: what is trained on cannot test."
    if worst["same_group"] or worst["next_frame"]:
        return (
            "Split by whole groups: [domains.<name>.split] method = \"group\", with groups = '<regular expression>' "
            "where names tell the ride or sequence. Numbers from this split are too good."
        )
    if worst["near_duplicate"]:
        return "Look at the examples; remove repeated images, or give what belongs together one group."
    if not any("same_group" in overlap.counts for overlap in found):
        return "Nothing found, but no groups are known: name the ride or sequence with --groups '<regular expression>'."
    return "Nothing is shared that names, groups and pixels could show."
