"""What is wrong with a data set? Every label row is read and every image decoded, before hours are spent on it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gapscope.data.images import check_decodes, find_images, look_at_all
from gapscope.data.problems import FileError, Problem, Problems
from gapscope.data.readers.detect import KNOWN, read_annotations
from gapscope.data.repeats import near_repeats
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import write_text
from gapscope.progress import Progress, silent


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    table: AnnotationTable | None
    """The images and boxes that can be used as they are; None where nothing can be read at all."""
    problems: tuple[Problem, ...]
    decoded: int
    """Images that were decoded, the broken ones included."""
    near_repeats: int = 0
    """Pairs of boxes of one class in one image that overlap nearly in full: a hint, no problem."""


@dataclass(frozen=True)
class ProblemKind:
    """Problems that differ only in names and numbers."""

    what: str
    problems: tuple[Problem, ...]


def check_folder(
    root: Path | str,
    format: str | None = None,
    *,
    images: Path | str | None = None,
    labels: Path | str | None = None,
    clip: bool = False,
    labels_only: bool = False,
    progress: Progress = silent,
) -> Checked:
    """Read all labels and decode all images of a data set; no file is changed.

    Args:
        root: The data set's folder.
        format: Its format, found out from the folder if left out.
        images: Folder of the images, below the root, where it is not in the usual place.
        labels: File or folder of the labels, likewise.
        clip: Boxes that reach out of their image are no problem.
        labels_only: No image is decoded; of each no more than its size is read.
        progress: Told how many images are decoded.

    Raises:
        InputError: `root`, `images` or `labels` does not exist, or `format` is unknown.
    """
    root = Path(root)
    images = None if images is None else Path(images)
    labels = None if labels is None else Path(labels)
    if format is not None and format not in KNOWN:
        raise InputError(f"format '{format}' is unknown - expected one of {', '.join(KNOWN)}.")
    for path in filter(None, (root, images, labels)):
        if not path.exists():
            raise InputError(f"{path} is missing - expected a data set, or part of one. Check the path.")
    problems = Problems(strict=False, told=[])
    table: AnnotationTable | None = None
    try:
        table = read_annotations(root, format, images=images, labels=labels, clip=clip, problems=problems)
    except InputError as error:
        problems.add(as_problem(error, root))
    paths = [table.path(i) for i in range(len(table))] if table else _images_below(images or root)
    paths = [] if labels_only else paths
    broken = dict(broken_images(paths, progress))
    found = (*problems.found, *broken.values(), *(problems.told or ()), *(twins(table) if table else ()))
    if table and broken:
        table = table.select([i for i in range(len(table)) if i not in broken])
    return Checked(table, found, len(paths), near_repeats(table) if table else 0)


def _images_below(folder: Path) -> list[Path]:
    try:
        return find_images(folder)
    except InputError:  # a name that cannot be written, which is among the problems already
        return []


def broken_images(paths: Sequence[Path], progress: Progress = silent) -> Iterator[tuple[int, Problem]]:
    """Position and problem of every image that cannot be decoded."""
    for i, refusal in enumerate(look_at_all(paths, check_decodes, what="decoding images", progress=progress)):
        if isinstance(refusal, InputError):
            yield i, as_problem(refusal, paths[i])


def as_problem(error: InputError, file: Path) -> Problem:
    """A refusal as a problem of a file, of the one that it names itself if it does."""
    if isinstance(error, FileError):
        return Problem(error.file, "", error.wrong, error.expected)
    return Problem(str(file), "", str(error).removeprefix(f"{file} ").removeprefix(f"{file}: "), "")


def twins(table: AnnotationTable) -> list[Problem]:
    """Images of one folder whose names differ only in case or suffix: tools, lists and label files mix them up."""
    same: dict[str, list[str]] = defaultdict(list)
    for path in map(str, table.paths):
        same[PurePosixPath(path).with_suffix("").as_posix().lower()].append(path)
    expected = "names that differ in more than case and suffix. Rename one, with its labels."
    return [
        Problem(str(table.root / other), "", f"has nearly the name of {PurePosixPath(first).name}", expected)
        for first, *others in same.values()
        for other in others
    ]


def kinds_of(problems: Sequence[Problem]) -> list[ProblemKind]:
    """Problems sorted into kinds, the most frequent first."""
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[_kind(problem)].append(problem)
    return sorted(
        (ProblemKind(what, tuple(some)) for what, some in kinds.items()), key=lambda kind: -len(kind.problems)
    )


def _kind(problem: Problem) -> str:
    """What is wrong, without the names and numbers of this one case; what was expected where nothing else is left."""
    text = re.sub(r"b?'[^']*'|b?\"[^\"]*\"", "'...'", problem.wrong)
    text = re.sub(r"\[[^\]]*\]|\([^)]*\)", "(...)", text)
    text = re.sub(r"\S*/\S*[^\s.,;:]", "...", text)
    text = re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?", "N", text)
    return text if re.search("[a-z]", text) else f"{text} instead of {problem.expected.partition('. ')[0]}"


def write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Write one JSON object per line: file, row, wrong, expected."""
    write_text(path, "".join(json.dumps(problem.as_dict(), ensure_ascii=False) + "\n" for problem in problems))
