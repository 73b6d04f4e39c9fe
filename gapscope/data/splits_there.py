"""Which splits does a data set come with? Folders called train, val and test, what its data.yaml names, or lists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from gapscope.data.image_names import KnownImages, plain
from gapscope.data.problems import Problems
from gapscope.data.readers.folders import SPLIT_FOLDERS, split_of_folder
from gapscope.data.readers.shallow_yaml import compose_yaml
from gapscope.data.readers.text import read_label_text
from gapscope.data.splits import SPLITS, Splits, default_split, read_list, splits_that_are_there
from gapscope.data.table import AnnotationTable

YAML_FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LIST_FOLDERS = ("ImageSets/Main", "ImageSets", "splits", "lists", "")
"""Where lists called train.txt, val.txt and test.txt lie: Pascal VOC's place first."""
WORDS = {
    "folders": "by the folders train, val and test that are there",
    "subsets": "by the subsets that the labels name",
    "data.yaml": "as data.yaml names them",
}
KINDS = ("folders", "subsets", "data.yaml", "lists")


@dataclass(frozen=True)
class FoundSplits:
    """Splits that lie with the data, of one kind."""

    kind: str
    """One of `KINDS`."""
    places: Mapping[str, str]
    """Split -> the folder or list below the root that says it; folders that are not alike are left out."""
    images: Splits
    """Empty for a split that is not there."""

    @property
    def names(self) -> list[str]:
        """The splits that are there."""
        return [split for split in SPLITS if len(self.images[split])]

    @property
    def are_whole(self) -> bool:
        return len(self.names) == len(SPLITS)


def auto_split(table: AnnotationTable, fractions: Sequence[float], seed: int) -> tuple[Splits, str]:
    """The splits that are there, if all three are; else they are drawn, by group where any is known; and how.

    Folders come before what a data.yaml says. Where only some splits are there, the sentence says that they were not
    taken.
    """
    there = [by_folders(table), *filter(None, [by_subsets(table), by_yaml(table)])]
    whole = next((found for found in there if found.are_whole), None)
    if whole is not None:
        return whole.images, WORDS[whole.kind]
    splits, sentence = default_split(table, fractions, seed)
    part = next((found for found in there if found.names), None)
    if part is None:
        lists = by_lists(table)
        if lists is None or len(lists.names) < 2:
            return splits, sentence
        named = ", ".join(lists.places[split] for split in lists.names)
        return splits, f'{sentence}; not by the lists that are there ({named}), which method = "lists" takes'
    only = {"folders": "there are only folders for", "subsets": "labels only name"}.get(
        part.kind, "data.yaml only names"
    )
    return splits, f"{sentence}; drawn anew, since {only} {', '.join(part.names)}"


def found_splits(table: AnnotationTable) -> list[FoundSplits]:
    """All that say at least training images and others, the kinds in their order."""
    every = (by_folders(table), by_subsets(table), by_yaml(table), by_lists(table))
    return [found for found in every if found and len(found.names) > 1 and "train" in found.names]


def by_folders(table: AnnotationTable) -> FoundSplits:
    """By the first folder of an image's path that is called as a split is."""
    images = splits_that_are_there(table)
    places = {}
    for split, indices in images.items():
        prefixes = {_up_to_split(str(path)) for path in table.paths[indices]}
        if len(prefixes) == 1:
            places[split] = prefixes.pop()
    return FoundSplits("folders", places, images)


def by_subsets(table: AnnotationTable) -> FoundSplits | None:
    """By what the labels call an image's subset, where CVAT's or several COCO files do; None where none does."""
    told = [split_of_folder(str(subset)) for subset in table.attributes.get("subset", ())]
    images = {split: np.flatnonzero([name == split for name in told]).astype(np.int64) for split in SPLITS}
    return FoundSplits("subsets", {}, images) if any(told) else None


def by_yaml(table: AnnotationTable) -> FoundSplits | None:
    """As train, val and test of a data.yaml in the root say: folders, or lists of images; None where none does."""
    file = next((table.root / name for name in YAML_FILES if (table.root / name).is_file()), None)
    said = _yaml_texts(read_label_text(file, Problems())) if file else {}
    start = next(iter(said.get("path", [])), "")
    entries = {split: [(start, entry) for entry in said.get(split, [])] for split in SPLITS}
    return _named(table, "data.yaml", entries) if any(entries.values()) else None


def by_lists(table: AnnotationTable) -> FoundSplits | None:
    """As lists called train.txt, val.txt and test.txt say; None where there are none."""
    for place in LIST_FOLDERS:
        there = {split: [("", name) for name in _lists(table.root, place, split)] for split in SPLITS}
        found = _named(table, "lists", there)
        if found.names:
            return found
    return None


def _lists(root: Path, place: str, split: str) -> list[str]:
    """The list of a split, by any of the names that folders have: CVAT's is valid.txt."""
    names = (f"{place}/{word}.txt".lstrip("/") for word in SPLIT_FOLDERS[split])
    return [name for name in names if (root / name).is_file()][:1]


def _up_to_split(path: str) -> str:
    """`images/train/day/1.png` as `images/train`."""
    parts = path.split("/")[:-1]
    at = next((i for i, part in enumerate(parts) if split_of_folder(part)), len(parts))
    return "/".join(parts[: at + 1])


def _yaml_texts(text: str) -> dict[str, list[str]]:
    """The keys of a YAML file whose values are texts or lists of texts; nothing of what cannot be read."""
    try:
        top = compose_yaml(text)
    except ValueError:  # who reads the class names says so
        return {}
    pairs = top.value if isinstance(top, yaml.MappingNode) else []
    found = {}
    for key, value in pairs:
        nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if isinstance(key, yaml.ScalarNode):
            found[str(key.value)] = [node.value for node in nodes if isinstance(node, yaml.ScalarNode) and node.value]
    return found


def _named(table: AnnotationTable, kind: str, entries: Mapping[str, Sequence[tuple[str, str]]]) -> FoundSplits:
    known = KnownImages(table.paths.tolist())
    places: dict[str, str] = {}
    images: dict[str, set[int]] = {}
    for split, said in entries.items():
        found = [place for start, entry in said if (place := _below(table.root.resolve(), start, entry)) is not None]
        images[split] = {image for place in found for image in _images_of(table, known, place)}
        if len(found) == 1:
            places[split] = found[0]
    if images["val"] & (images["train"] | images["test"]):  # one folder for both: it is no validation set of its own
        images["val"] = set()
    if images["test"] & images["train"]:
        images["test"] = set()
    splits = {split: np.array(sorted(found), dtype=np.int64) for split, found in images.items()}
    return FoundSplits(kind, {split: place for split, place in places.items() if len(splits[split])}, splits)


def _below(root: Path, start: str, entry: str) -> str | None:
    """The file or folder below the root that an entry of a data.yaml means, as the root sees it.

    Roboflow writes `../train/images` of the folder train beside the file.
    """
    for written in dict.fromkeys((f"{start}/{entry}" if start else entry, entry, plain(entry))):
        try:
            place = (root / written).resolve()
            there = place.exists()
        except (OSError, ValueError):  # longer than any file's name, or with a zero byte in it
            continue
        if there and place.is_relative_to(root):
            return place.relative_to(root).as_posix()
    return None


def _images_of(table: AnnotationTable, known: KnownImages, place: str) -> Iterator[int]:
    """The images that a folder or a list names."""
    if (table.root / place).is_dir():
        folder = PurePosixPath(place)
        yield from (i for i, path in enumerate(table.paths) if PurePosixPath(str(path)).is_relative_to(folder))
    elif Path(place).suffix == ".txt":
        for entry in read_list(table.root / place):
            image = known.find(entry)
            if image is not None and not known.fits_several(entry):
                yield image
