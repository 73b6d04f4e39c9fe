"""What lies in a data set's folder and is not read: told, lest it be missed; a hint where nothing is read at all."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gapscope.data.image_names import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from gapscope.data.problems import Problems, writable
from gapscope.data.readers.folders import LABEL_SUFFIXES
from gapscope.data.readers.format import Request
from gapscope.data.readers.name_files import may_hold_names
from gapscope.data.readers.yolo import is_label_text
from gapscope.data.table import AnnotationTable

MOST_KINDS = 5
"""How many kinds of files are named."""
MOST_LOOKED_AT = 20
"""The first few label files stand for all."""


def unread_notes(request: Request, table: AnnotationTable, label_suffixes: tuple[str, ...]) -> list[str]:
    """Sentences about images and label files that are not part of a table.

    Args:
        request: What was read.
        table: What came of it.
        label_suffixes: Endings of the label files that its format reads; none if its reader tells by itself what it
            leaves out.
    """
    files = files_below(request.images or request.root)
    others = [path for path in files if path.suffix.lower() in OTHER_IMAGE_SUFFIXES]
    notes = [f"{_counted(others)} not read, for only {', '.join(IMAGE_SUFFIXES)} are: convert what belongs to the set."]
    if not label_suffixes:
        return notes if others else []
    known = {*(str(table.root / path) for path in table.paths.tolist()), *_files_of(request.problems)}
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES and str(path) not in known]
    labels = [path for path in files if path.suffix.lower() in {*LABEL_SUFFIXES} - {*label_suffixes}]
    labels = [path for path in labels if not may_hold_names(path.name)]
    if not any(path.suffix != ".txt" or is_label_text(path) for path in labels[:MOST_LOOKED_AT]):
        labels = []  # read-me's and lists of images
    notes += [f"{_counted(images)} not part of it: the labels that were read do not know them."]
    notes += [f"{_counted(labels)} not read: labels in another format?"]
    return [note for note, about in zip(notes, (others, images, labels), strict=True) if about]


def _files_of(problems: Problems) -> set[str]:
    """Files that were left out for something that is told already."""
    return {problem.file for problem in problems.found}


def what_is_there(request: Request) -> str:
    """What a folder holds that no format claims, and which option may lead on; sentences that follow each other."""
    root = request.root
    files = files_below(root)
    kinds = Counter(path.suffix.lower() or path.name for path in files)
    if not kinds:
        return f" {root} holds no files."
    said = [f" Found below it: {_named(kinds)}."]
    images = sum(kinds[suffix] for suffix in IMAGE_SUFFIXES)
    others = [suffix for suffix in kinds if suffix in OTHER_IMAGE_SUFFIXES]
    if others and not images:
        said.append(
            f" Images in {', '.join(others)} are not read; convert them to one of {', '.join(IMAGE_SUFFIXES)}, for "
            "example with: mogrify -format png."
        )
    elif not images:
        said.append(" None of them is an image that can be read: name a folder that holds images and labels.")
    texts = next((path for path in files if path.suffix == ".txt" and is_label_text(path)), None)
    if texts is not None and images:
        said.append(
            f" {texts.relative_to(root)} has rows of yolo, but no image of its name lies beside it, or in images/ "
            "beside labels/: name both folders, --image-folder and --labels (in a study images and annotations)."
        )
    return "".join(said)


def files_below(folder: Path) -> list[Path]:
    """All files but hidden ones."""
    return [
        Path(place, name) for place, _, names in os.walk(folder) for name in sorted(names) if not name.startswith(".")
    ]


def _named(kinds: Counter[str]) -> str:
    shown = [f"{count} {writable(kind)}" for kind, count in kinds.most_common(MOST_KINDS)]
    left = sum(kinds.values()) - sum(count for _, count in kinds.most_common(MOST_KINDS))
    return ", ".join(shown) + (f" and {left} other files" if left else "")


def _counted(files: Sequence[Path]) -> str:
    kinds = sorted({writable(path.suffix.lower()) for path in files})
    shown = f"({', '.join(kinds)}; the first is {writable(files[0].name)})" if files else ""
    return f"1 file {shown} is" if len(files) == 1 else f"{len(files)} files {shown} are"
