"""What is known of a data set before a study is proposed: format, boxes, splits, what leaks between them, a hood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from gapscope.config import Domain, Split
from gapscope.data.hood import find_hoods
from gapscope.data.image_hashes import hash_images
from gapscope.data.leak_shares import Overlap, SplitImages, overlaps
from gapscope.data.leaks import groups_from_names, with_groups
from gapscope.data.problems import Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.splits import Splits
from gapscope.data.splits_there import WORDS, found_splits
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.progress import Progress, silent
from gapscope.study.domains import split_domain
from gapscope.words import number_of, percent

MOST_COMPARED = 3000
"""Images of a set, up to which they are compared by what they show; a thousand take some seconds."""
VAL_FROM_TRAIN = 0.2
"""Where there is no split for choosing the epoch."""
NUMBERED = re.compile(r"^(.*?)[-_. ]?\d+$")


@dataclass(frozen=True)
class ProposedSplit:
    """How the images of a set are to be split, and why so."""

    settings: Split
    why: str
    """For people: what was found, and what was not taken."""

    @property
    def is_default(self) -> bool:
        """Whether a study does so when it is told nothing."""
        return self.settings == Split()


@dataclass(frozen=True)
class SetFacts:
    """One of the two data sets."""

    root: Path
    role: Literal["real", "synthetic"]
    table: AnnotationTable
    left_out: int
    """Broken rows and images."""
    split: ProposedSplit
    splits: Splits
    overlaps: tuple[Overlap, ...]
    compared: bool
    """Whether images were compared by what they show."""
    groups: str
    """A pattern that may tell drives or sequences from names, for people to confirm; "" where names tell none."""
    hood: str
    """What looks like the hood of the camera's own car, in words; "" if nothing does."""

    @property
    def broken_words(self) -> str:
        """`1 broken row or image`."""
        return number_of(self.left_out, "broken row or image", "broken rows or images")


def look_at_set(root: Path, role: Literal["real", "synthetic"], progress: Progress = silent) -> SetFacts:
    """Read a data set and look at it; nothing is changed, and broken rows are counted.

    Raises:
        InputError: The folder is missing, fits no format, or has too few images to be split.
    """
    problems = Problems(strict=False)
    table = read_annotations(root, problems=problems)
    if not len(table):
        raise InputError(f"{root} has no images that can be read. Look: gapscope data check {root}.")
    split = proposed_split(table)
    try:
        splits = split_domain(table, Domain(role=role, root=str(root), split=split.settings))[0]
    except InputError as error:
        raise InputError(f"{root}: {error}") from None
    compared = len(table) <= MOST_COMPARED
    try:
        found = seen_images(table, splits, progress if compared else None)
    except InputError:  # an image that cannot be decoded: the data stage names it
        found, compared = seen_images(table, splits, None), False
    pattern = "" if (table.groups != "").any() else group_pattern(table.paths.tolist())
    left_out = len(problems.found)
    return SetFacts(root, role, table, left_out, split, splits, tuple(found), compared, pattern, own_hood(table))


def proposed_split(table: AnnotationTable) -> ProposedSplit:
    """The splits that are there where training and held-out images are told apart; else how they would be drawn."""
    found = found_splits(table)
    whole = next((one for one in found if one.are_whole), None)
    if whole is not None and whole.kind != "lists":
        return ProposedSplit(Split(), WORDS[whole.kind])
    if whole is not None and len(whole.places) == 3:
        return ProposedSplit(Split(method="lists", **whole.places), "the lists that are there")
    for part in found:
        held_out = "test" if "test" in part.names else "val"
        if {"train", held_out} <= set(part.places):
            places = {"train": part.places["train"], "test": part.places[held_out]}
            method: Literal["lists", "folders"] = "lists" if places["train"].endswith(".txt") else "folders"
            settings = Split(method=method, **places, val_from_train=VAL_FROM_TRAIN)
            why = f"the {method[:-1]} {places['train']} is trained on, {places['test']} held out"
            return ProposedSplit(
                settings, f"{why}; there is no third, so {percent(VAL_FROM_TRAIN)} of train become val"
            )
    if (table.groups != "").any():
        return ProposedSplit(Split(), "drawn anew: no splits are there; rides, sequences or cities stay whole")
    return ProposedSplit(Split(), "drawn anew, image by image: no splits are there, and no groups are known")


def seen_images(table: AnnotationTable, splits: Splits, progress: Progress | None) -> list[Overlap]:
    """What held-out splits share with earlier ones: by name, group, next frame and, given a progress, by looks."""
    grouped = table
    if not (table.groups != "").any():
        grouped = with_groups(table, groups_from_names(table.paths))
    used = np.sort(np.concatenate(list(splits.values())))
    hashes = hash_images(table, used, progress) if progress is not None else None
    return overlaps(
        {
            split: SplitImages(table.paths[images], grouped.groups[images], None if hashes is None else hashes[images])
            for split, images in splits.items()
        }
    )


def group_pattern(paths: Sequence[str]) -> str:
    """A pattern whose bracket is what numbered names begin with, if that makes a handful of groups or more."""
    found = [match[1] if (match := NUMBERED.match(Path(path).stem)) else "" for path in paths]
    kinds = len(set(found) - {""})
    return r"^(.*?)[-_. ]?\d+$" if all(found) and 5 <= kinds <= len(paths) / 3 else ""


def own_hood(table: AnnotationTable) -> str:
    """Boxes that may be the camera's own car; without known groups, as if all images were of one drive."""
    known = bool((table.groups != "").any())
    searched = table if known else with_groups(table, ["all"] * len(table))
    found = find_hoods(replace(searched, notes=()))
    boxes = int(found.removed.sum())
    if not boxes:
        return ""
    where = number_of(sum(hood.removed for hood in found.hoods), "group") if known else number_of(len(table), "image")
    return f"{number_of(boxes, 'box', 'boxes')} in {where}, at the lower edge while the scene moves"
