"""convert: a data set in any known format -> a new folder in COCO or YOLO form; the old one stays as it is."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from gapscope.data.readers.folders import IMAGE_FOLDERS
from gapscope.data.table import AnnotationTable
from gapscope.data.writers.coco import write_coco
from gapscope.data.writers.yolo import write_yolo
from gapscope.errors import InputError
from gapscope.leftovers import OWNER, temporary_folder
from gapscope.progress import Progress, silent

WRITERS: dict[str, Callable[[AnnotationTable, Sequence[str], Path], None]] = {"coco": write_coco, "yolo": write_yolo}


def convert(
    table: AnnotationTable, to: str, out: Path | str, *, copy: bool = False, progress: Progress = silent
) -> None:
    """Write images and labels to a new folder, whole or not at all.

    Args:
        table: What is written; the files of its images must be there.
        to: "coco" or "yolo".
        out: The new folder; its images lie in `out`/images.
        copy: Copy the images; otherwise they are links to the old ones, which must stay where they are.
        progress: Told how many images are in place.

    Raises:
        InputError: `out` is there already or inside the old folder, `to` is unknown, links cannot be made, or YOLO
            cannot tell two images apart.
    """
    out = Path(out)
    if to not in WRITERS:
        raise InputError(f"format '{to}' cannot be written - expected one of {', '.join(WRITERS)}.")
    if out.exists():
        raise InputError(f"{out} is there already - expected a new folder, so that nothing is mixed. Name another.")
    if out.resolve().is_relative_to(table.root.resolve()):
        raise InputError(
            f"{out} is inside {table.root} - expected a place outside the data that is read. Name another."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(out.parent, f".{out.name}-") as temporary:
        names = image_names(table)
        _place_images(table, names, temporary / "images", copy, progress)
        WRITERS[to](table, names, temporary)
        temporary.chmod(0o755)
        (temporary / OWNER).unlink()
        temporary.replace(out)


def image_names(table: AnnotationTable) -> list[str]:
    """Names of the images below the new images folder: the old paths without parts that are called images."""
    paths = [PurePosixPath(str(path)) for path in table.paths]
    short = ["/".join(part for part in path.parts if part not in IMAGE_FOLDERS) for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _place_images(table: AnnotationTable, names: list[str], folder: Path, copy: bool, progress: Progress) -> None:
    for i, name in enumerate(names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if copy:
                shutil.copyfile(table.path(i), target)
            else:
                target.symlink_to(os.path.realpath(table.path(i)))
        except OSError as error:
            hint = "Free some space, or choose another place." if copy else "Copy them instead, with --copy."
            raise InputError(f"{name} cannot be put into {folder}: {error.strerror}. {hint}") from error
        if i % 100 == 99 or i == len(names) - 1:
            progress("placing images", i + 1, len(names))
