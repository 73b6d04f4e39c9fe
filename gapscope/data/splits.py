"""Splits: which images train, which choose the epoch, which are held out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from gapscope.data.image_names import KnownImages
from gapscope.data.readers.folders import split_of_folder
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import parse_json, read_text, write_text
from gapscope.intact import check_intact
from gapscope.words import number_of

SPLITS = ("train", "val", "test")
Indices = NDArray[np.int64]
Splits = dict[str, Indices]
"""Image indices of a table, in rising order, by the name of their split; no image is in two."""

PAPER_FRACTIONS = (0.6, 0.2, 0.2)


def random_split(n: int, fractions: Sequence[float] = PAPER_FRACTIONS, seed: int = 0) -> Splits:
    """Draw images one by one. Right for unrelated photographs; frames of one video leak (see `group_split`).

    >>> {name: len(images) for name, images in random_split(10).items()}
    {'train': 6, 'val': 2, 'test': 2}
    """
    ends = np.rint(np.cumsum(_checked(fractions)) * n).astype(int)
    order = np.random.default_rng(seed).permutation(n)
    parts = np.split(order, ends[:-1])
    return {name: np.sort(part).astype(np.int64) for name, part in zip(SPLITS, parts, strict=True)}


def group_split(
    groups: Sequence[str] | NDArray[np.str_], fractions: Sequence[float] = PAPER_FRACTIONS, seed: int = 0
) -> Splits:
    """Keep every group (ride, sequence, photographer) whole; an image of group "" stands alone.

    Largest group first (ties in random order), each goes to the split that lacks most images, so that the shares come
    near `fractions`; but no split with a share stays empty.

    Raises:
        InputError: There are fewer groups than splits to fill.

    >>> rides = ["a", "a", "a", "b", "b", "c"]
    >>> {name: images.tolist() for name, images in group_split(rides, (0.5, 0.3, 0.2)).items()}
    {'train': [0, 1, 2], 'val': [3, 4], 'test': [5]}
    """
    shares = _checked(fractions)
    names = np.array([group or f"\0{i}" for i, group in enumerate(groups)], dtype=np.str_)
    unique, member, sizes = np.unique(names, return_inverse=True, return_counts=True)
    wanted = shares * len(names)
    if len(unique) < (shares > 0).sum():
        raise InputError(
            f"only {number_of(len(unique), 'group')} of images for {number_of(int((shares > 0).sum()), 'split')} - "
            "expected at least one each, "
            "since groups stay whole. Use more groups, another grouping, or a random split."
        )
    order = np.random.default_rng(seed).permutation(len(unique))
    order = order[np.argsort(-sizes[order], kind="stable")]
    held = np.zeros(len(SPLITS))
    split_of_group = np.zeros(len(unique), dtype=int)
    for left, group in zip(range(len(order), 0, -1), order, strict=True):
        empty = (held == 0) & (shares > 0)
        lack = np.where(shares > 0, wanted - held, -np.inf)
        if empty.sum() >= left:
            lack[~empty] = -np.inf
        split_of_group[group] = np.argmax(lack)
        held[split_of_group[group]] += sizes[group]
    split_of_image = split_of_group[member]
    return {name: np.flatnonzero(split_of_image == i) for i, name in enumerate(SPLITS)}


def default_split(
    table: AnnotationTable, fractions: Sequence[float] = PAPER_FRACTIONS, seed: int = 0
) -> tuple[Splits, str]:
    """By group where any group is known, else at random; and a sentence that says which."""
    share = "/".join(f"{100 * fraction:g}" for fraction in fractions)
    if (table.groups != "").any():
        return group_split(table.groups, fractions, seed), f"whole groups, about {share} %, seed {seed}"
    return random_split(len(table), fractions, seed), f"single images at random, {share} %, seed {seed}"


def splits_that_are_there(table: AnnotationTable) -> Splits:
    """Images by the first folder of their path that is called as a split is; images in no such folder are left out."""
    told = [next(filter(None, map(split_of_folder, str(path).split("/")[:-1])), "") for path in table.paths]
    return {split: np.flatnonzero([name == split for name in told]).astype(np.int64) for split in SPLITS}


def split_from_folders(table: AnnotationTable, prefixes: Mapping[str, str]) -> Splits:
    """Split by where the image files lie: `{"train": "train/", "test": "val/images"}`, relative to the root.

    A split without a prefix is empty; images under no prefix are left out.

    Raises:
        InputError: A prefix fits no image, or an image fits two splits.
    """
    splits = {name: np.zeros(0, dtype=np.int64) for name in SPLITS}
    for name, prefix in prefixes.items():
        folder = PurePosixPath(prefix)
        hits = [i for i, path in enumerate(table.paths) if PurePosixPath(str(path)).is_relative_to(folder)]
        if prefix and not hits:
            raise InputError(f"split {name}: no image lies under '{prefix}' in {table.root} - check the folder's name.")
        splits[name] = np.array(hits if prefix else [], dtype=np.int64)
    return _checked_disjoint(splits, table.paths)


def split_from_lists(
    table: AnnotationTable, lists: Mapping[str, Iterable[str]], *, allow_missing: bool = False
) -> Splits:
    """Split by lists of image names: paths, or bare file names, with or without the suffix, see `KnownImages`.

    Images in no list are left out. With `allow_missing`, names without an image are passed over (the authors' lists
    name images of which a part may be at hand).

    Raises:
        InputError: A name fits no image or several, or an image is in two lists.
    """
    known = KnownImages(table.paths.tolist())
    splits = {name: np.zeros(0, dtype=np.int64) for name in SPLITS}
    for name, entries in lists.items():
        found = {entry: _listed_image(table, known, entry) for entry in entries}
        missing = [entry for entry, image in found.items() if image is None]
        if missing and not allow_missing:
            alike = known.namesake(missing[0])
            other = "" if alike is None else f" ({table.paths[alike]} shares only its last name)"
            raise InputError(
                f"split {name}: {len(missing)} of {len(found)} listed images are not in {table.root}, such as "
                f"{missing[0]}{other} - expected all of them. Restore the files, or take the names off the list."
            )
        several = [entry for entry, image in found.items() if image is not None and known.fits_several(entry)]
        if several:
            raise InputError(f"split {name}: '{several[0]}' fits several images. List it with its folder.")
        splits[name] = np.unique(np.array([i for i in found.values() if i is not None], dtype=np.int64))
    return _checked_disjoint(splits, table.paths)


def take_val_from_train(table: AnnotationTable, splits: Splits, fraction: float, seed: int = 0) -> Splits:
    """Move a share of the training images to val, whole groups where groups are known."""
    train = splits["train"]
    parts, _ = default_split(table.select(train), (1 - fraction, fraction, 0.0), seed)
    return {**splits, "train": train[parts["train"]], "val": train[parts["val"]]}


def limit_splits(splits: Splits, max_images: Mapping[str, int | None], seed: int = 0) -> Splits:
    """At most so many images per split, drawn at random; the larger limit's images contain the smaller's."""
    limited = dict(splits)
    for name, most in max_images.items():
        if most is not None and len(splits[name]) > most:
            order = np.random.default_rng([seed, SPLITS.index(name)]).permutation(len(splits[name]))
            limited[name] = np.sort(splits[name][order[:most]])
    return limited


def read_list(path: Path) -> list[str]:
    """Image names, one per line; blank lines and lines that start with # are skipped.

    A name in double quotes is JSON: so are names written that would not come back as they are, see `write_list`.
    """
    check_intact(path)
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InputError(f"{path} cannot be read as a list: {why}. Name a text file, one image per line.") from error
    return [_read_name(line.strip()) for line in lines if line.strip() and not line.startswith("#")]


def write_list(path: Path, names: Iterable[str], first: str = "") -> None:
    """Write image names, one per line; those with line ends, outer spaces, quotes or a # at the start as JSON.

    Args:
        path: Where.
        names: Of the images.
        first: A line to begin with, which starts with #.
    """
    lines = [json.dumps(name) if _is_odd(name) else name for name in names]
    write_text(path, "".join(f"{line}\n" for line in ([first] if first else []) + lines))


def _is_odd(name: str) -> bool:
    return name.splitlines() != [name] or name != name.strip() or name[0] in '#"'


def _read_name(line: str) -> str:
    if len(line) > 1 and line[0] == line[-1] == '"':
        try:
            return str(parse_json(line))
        except ValueError:  # somebody's name, quotes and all
            return line
    return line


def _listed_image(table: AnnotationTable, known: KnownImages, entry: str) -> int | None:
    """The image that an entry means; an absolute path that leads to another file means none."""
    image = known.find(entry)
    if image is None or not Path(entry).is_absolute():
        return image
    here, there = table.path(image), Path(entry)
    return image if not (here.exists() and there.exists()) or here.samefile(there) else None


def _checked(fractions: Sequence[float]) -> NDArray[np.float64]:
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (len(SPLITS),) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise InputError(f"fractions {list(fractions)} - expected three shares ({', '.join(SPLITS)}) with sum 1.")
    return shares


def _checked_disjoint(splits: Splits, paths: NDArray[np.str_]) -> Splits:
    images, times = np.unique(np.concatenate(list(splits.values())), return_counts=True)
    if (times > 1).any():
        twice = paths[images[times > 1][0]]
        raise InputError(
            f"{number_of(int((times > 1).sum()), 'image is', 'images are')} in two splits, such as {twice} - expected "
            "one split each."
        )
    return splits
