"""The splits of a folder, of a run or of bare lists, as what a leak check compares."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gapscope.data.image_hashes import hash_images
from gapscope.data.image_names import KnownImages, plain
from gapscope.data.leak_shares import SplitImages
from gapscope.data.leaks import groups_from_names, with_groups
from gapscope.data.readers.detect import read_annotations
from gapscope.data.splits import SPLITS, Splits, default_split, read_list, split_from_lists, splits_that_are_there
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, read_json
from gapscope.intact import check_intact
from gapscope.progress import Progress, silent


def parts_of_lists(lists: Mapping[str, Path], groups: str | None = None) -> dict[str, SplitImages]:
    """Splits of which only the names are known, one list each; groups from the names.

    Where lists call one image by different names (with and without its folder or suffix, with './' or backslashes),
    the later ones get the name of the first.

    Raises:
        InputError: A list cannot be read or is empty, or `groups` is no regular expression.
    """
    parts: dict[str, SplitImages] = {}
    earlier: list[str] = []
    for split, path in lists.items():
        names = [plain(name) for name in read_list(path)]
        if not names:
            raise InputError(f"{path} lists no images - expected one name a line. Give the right file.")
        known = KnownImages(earlier)
        same = [known.find(name) for name in names]
        names = [name if at is None else earlier[at] for name, at in zip(names, same, strict=True)]
        parts[split] = SplitImages(np.array(names, np.str_), np.array(groups_from_names(names, groups), np.str_))
        earlier += names
    return parts


def parts_of_folder(
    root: Path, lists: Mapping[str, Path], groups: str | None, format: str | None, progress: Progress = silent
) -> dict[str, SplitImages]:
    """Splits of a data set: by lists, else by folders called train, val and test, else as a study would draw them.

    Raises:
        InputError: The folder cannot be read, a list does not fit it, or there is but one split.
    """
    table = read_annotations(root, format)
    if groups or not (table.groups != "").any():
        table = with_groups(table, groups_from_names(table.paths, groups))
    return _parts(table, _splits(table, lists), progress)


def parts_of_run(
    run: Path, groups: str | None, data_root: Path | None, progress: Progress = silent
) -> dict[str, dict[str, SplitImages]]:
    """Domain -> its splits, as a run's data stage left them; images that are not at hand are compared by name alone.

    Raises:
        InputError: `run` holds no domains.
    """
    found = {}
    for summary in sorted(run.glob("data/*/summary.json")):
        here = summary.parent
        check_intact(summary)
        try:
            root = Path(read_json(summary)["root"])
        except OTHER_CONTENT as error:
            raise InputError(f"{summary} cannot be read: {error}. Delete it and run the study again.") from error
        table = AnnotationTable.load(here / "annotations.npz", here / root)
        if groups:
            table = with_groups(table, groups_from_names(table.paths, groups))
        splits = split_from_lists(table, {split: read_list(here / f"{split}.txt") for split in SPLITS})
        found[here.name] = _parts(table, splits, progress)
    if not found:
        raise InputError(f"{run} holds no finished domains - expected a run folder after its data stage. Name one.")
    return found


def _splits(table: AnnotationTable, lists: Mapping[str, Path]) -> Splits:
    if lists:
        return split_from_lists(table, {split: read_list(path) for split, path in lists.items()})
    named = splits_that_are_there(table)
    if sum(len(images) > 0 for images in named.values()) > 1:
        return named
    return default_split(table)[0]


def _parts(table: AnnotationTable, splits: Splits, progress: Progress) -> dict[str, SplitImages]:
    used = np.sort(np.concatenate(list(splits.values())))
    at_hand = table.root.is_dir() and len(used) > 0 and all(table.path(i).is_file() for i in used)
    hashes = hash_images(table, used, progress) if at_hand else None
    return {
        split: SplitImages(table.paths[images], table.groups[images], None if hashes is None else hashes[images])
        for split, images in splits.items()
    }
