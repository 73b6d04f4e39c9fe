"""Leaks: does a held-out split hold what training has seen? The same images, near-duplicates, rides, next frames."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.data.image_hashes import NEAR_BITS, hash_images, nearest_hashes
from gapscope.data.splits import SPLITS, Splits
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.progress import Progress, silent

FRAME_NAME = re.compile(r"(\d{3})_(\d{5})")
"""Sequence and frame of "Playing for Benchmarks" (the paper's GTAV), without the suffix."""
RIDE_NAME = re.compile(r"([0-9a-f]{8})-[0-9a-f]{8}")
"""Ride and clip of BDD100K, without the suffix."""


@dataclass(frozen=True)
class Leaks:
    """What later splits share with earlier ones (train before val before test)."""

    shared_groups: int
    """Groups that have images in more than one split."""
    near_duplicates: int
    """Images of val and test with a near-duplicate in an earlier split."""
    adjacent_frames: int
    """Images of val and test next to a frame of the same video in an earlier split."""
    examples: list[tuple[str, str]]
    """A few pairs (held-out image, image of an earlier split), duplicates first."""

    @property
    def found(self) -> bool:
        return bool(self.shared_groups or self.near_duplicates or self.adjacent_frames)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def find_leaks(
    table: AnnotationTable,
    splits: Splits,
    *,
    pixels: bool = True,
    near_bits: int = NEAR_BITS,
    frame_distance: int = 1,
    max_examples: int = 10,
    hashes: NDArray[np.uint64] | None = None,
    progress: Progress = silent,
) -> Leaks:
    """Look for images on both sides of a split: by group, by frame number, and by what they show.

    Args:
        table: The images.
        splits: Image indices by split.
        pixels: Hash every image to find near-duplicates; the slow part (measured: 0.8 ms per image and core at
            640 x 360, 1.6 at 1280 x 720; two minutes of one core for 80,000 images).
        near_bits: Difference hashes (`difference_hash`) at most so many bits of 256 apart are near-duplicates.
        frame_distance: Frames of one video so close in number are adjacent. A video is a sequence in names like
            007_00123, or a group whose names end in numbers.
        max_examples: How many pairs to name.
        hashes: What `difference_hash` found in every image of the table, (n, 4), if that is known already.
        progress: Told how many images are hashed.

    Raises:
        InputError: An image cannot be read.
    """
    twins = _duplicates(table, splits, near_bits, hashes, progress) if pixels else []
    keys = frame_keys(table.paths, table.groups)
    neighbours = _pairs(splits, lambda held, earlier: nearest_frames(keys[held], keys[earlier], frame_distance))
    names = list(dict.fromkeys([*twins, *neighbours]))[:max_examples]
    return Leaks(
        shared_groups=_shared_groups(table.groups, splits),
        near_duplicates=len(twins),
        adjacent_frames=len(neighbours),
        examples=[(str(table.paths[a]), str(table.paths[b])) for a, b in names],
    )


def groups_from_names(names: Sequence[str] | NDArray[np.str_], pattern: str | None = None) -> list[str]:
    """The group in each file name, "" where there is none.

    Without a pattern: the sequence of SSS_FFFFF and the ride of BDD100K names. A pattern is a regular expression that
    is searched in the name without its suffix; its first bracket, or all of it, is the group.

    Raises:
        InputError: The pattern is no regular expression.
    """
    stems = [PurePosixPath(name).stem for name in map(str, names)]
    if pattern is None:
        matches = [FRAME_NAME.fullmatch(stem) or RIDE_NAME.fullmatch(stem) for stem in stems]
        return [match[1] if match else "" for match in matches]
    try:
        search = re.compile(pattern)
    except re.error as error:
        raise InputError(f"group pattern '{pattern}' is no regular expression: {error}. Fix it.") from error
    found = [search.search(stem) for stem in stems]
    return [match[min(1, search.groups)] or "" if match else "" for match in found]


def with_groups(table: AnnotationTable, groups: Sequence[str]) -> AnnotationTable:
    """The same table with these groups."""
    return replace(table, groups=np.array(groups, dtype=np.str_))


Partners = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


def _pairs(splits: Splits, partners: Partners) -> list[tuple[int, int]]:
    """(held-out image, its partner) where `partners(held-out, earlier)` gives a position in earlier, or -1."""
    pairs = []
    earlier = splits.get(SPLITS[0], np.zeros(0, dtype=np.int64))
    for name in SPLITS[1:]:
        held = splits.get(name, np.zeros(0, dtype=np.int64))
        if len(held) and len(earlier):
            found = partners(held, earlier)
            pairs += [(int(a), int(earlier[b])) for a, b in zip(held, found, strict=True) if b >= 0]
        earlier = np.concatenate([earlier, held])
    return pairs


def _duplicates(
    table: AnnotationTable,
    splits: Splits,
    near_bits: int,
    known: NDArray[np.uint64] | None,
    progress: Progress,
) -> list[tuple[int, int]]:
    used = np.sort(np.concatenate([splits[name] for name in splits]))
    hashes = hash_images(table, used, progress) if known is None else known

    def partners(held: NDArray[np.int64], earlier: NDArray[np.int64]) -> NDArray[np.int64]:
        bits, nearest = nearest_hashes(hashes[held], hashes[earlier])
        return np.where(bits <= near_bits, nearest, -1)

    return _pairs(splits, partners)


_SPAN = 1 << 40  # more than any frame number, so that frames of two videos are never close


def frame_keys(paths: Sequence[str] | NDArray[np.str_], groups: Sequence[str] | NDArray[np.str_]) -> NDArray[np.int64]:
    """One number per image: those of neighbouring frames of a video are neighbours; -1 is no frame of any.

    A video is a sequence in names like 007_00123, or a group whose names end in numbers.
    """
    frames: list[tuple[str, int] | None] = []
    for text, group in zip(map(str, paths), map(str, groups), strict=True):
        stem = PurePosixPath(text).stem
        named, ending = FRAME_NAME.fullmatch(stem), re.search(r"(\d{1,9})$", stem)
        if named:
            frames.append((f"{group or PurePosixPath(text).parent}/{named[1]}", int(named[2])))
        else:
            frames.append((f"{group}/{stem[: ending.start()]}", int(ending[1])) if group and ending else None)
    return _numbered(frames)


def _numbered(frames: Sequence[tuple[str, int] | None]) -> NDArray[np.int64]:
    """One number per frame: close numbers are close frames of one video; -1 is no frame."""
    videos: Mapping[str, int] = {name: i for i, name in enumerate(sorted({frame[0] for frame in frames if frame}))}
    return np.array([videos[f[0]] * _SPAN + f[1] if f else -1 for f in frames], dtype=np.int64)


def nearest_frames(held: NDArray[np.int64], earlier: NDArray[np.int64], distance: int) -> NDArray[np.int64]:
    """The position in `earlier` of each frame's nearest neighbour within `distance`, or -1."""
    order = np.argsort(earlier, kind="stable")
    ranked = earlier[order]
    after = np.searchsorted(ranked, held).clip(0, len(ranked) - 1)
    before = (after - 1).clip(0)
    nearer = np.where(np.abs(ranked[after] - held) <= np.abs(ranked[before] - held), after, before)
    close = (np.abs(ranked[nearer] - held) <= distance) & (held >= 0) & (ranked[nearer] >= 0)
    return np.where(close, order[nearer], -1)


def _shared_groups(groups: NDArray[np.str_], splits: Splits) -> int:
    kinds = [set(np.unique(groups[indices])) - {""} for indices in splits.values()]
    return len({group for i, some in enumerate(kinds) for group in some if any(group in o for o in kinds[:i])})
