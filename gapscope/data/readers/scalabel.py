"""Scalabel JSON, and SHIFT, which is written in it."""

from collections.abc import Iterator
from pathlib import Path

from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.frames import (
    PIXELS,
    SCALABEL as NAME,
    FrameReader,
    find_frame_files,
    frames_in,
    pixel_of,
    size_for_all,
)
from gapscope.data.table import AnnotationTable

SHIFT_LABELS = "det_2d.json"
PATTERNS = (
    *(SHIFT_LABELS, f"*/{SHIFT_LABELS}", f"*/*/{SHIFT_LABELS}", f"discrete/images/*/*/{SHIFT_LABELS}"),
    *("*.json", "labels/*.json", "annotations/*.json", "labels/*/*.json"),
)


def find_scalabel(request: Request) -> tuple[Path, ...] | None:
    """A list of frames, or an object with `frames`, that BDD100K's own formats do not claim."""
    return find_frame_files(request, NAME, PATTERNS) or None


def read_scalabel(request: Request, files: tuple[Path, ...]) -> AnnotationTable:
    """Read frames from one file or several: SHIFT has a det_2d.json per split and view, others one per video.

    Pixel convention: x2 and y2 name the last pixel of the box, so the continuous box ends at x2 + 1, y2 + 1 (cut at the
    border); `pixels = "edges"` takes the numbers as they are.

    Only labels with a `box2d` count. A box that ends before it begins is counted as one without area. `crowd` makes a
    crowd, `ignored` or the id -1 an ignore region; `occluded` and `truncated` are kept, as are the image's attributes.
    The group is the video, or for BDD100K's videos the ride. Classes are the names found, in alphabetical order.
    Images are looked for in img/ (as SHIFT has it), images/ and the folder of the label file, there also in a folder
    with the video's name, and in images/ of the root.

    Raises:
        InputError: A file or a frame is broken, or frames have no image file.
    """
    builder = TableBuilder(request.root, (), request.clip, request.problems, sizes=request.sizes)
    reader = FrameReader(request, builder, pixel_of(request), lambda path: list(_image_folders(request, path)))
    for path in files:
        with request.problems.at(path):
            reader.add_file(path, frames_in(path), size_for_all(path))
    return reader.table()


def _image_folders(request: Request, labels: Path) -> Iterator[Path]:
    if request.images is not None:
        yield request.images
        return
    yield from (labels.parent / "img", labels.parent / "images", request.root / "images", labels.parent, request.root)


SCALABEL = Format(
    name=NAME,
    layout="Scalabel .json with frames, in the folder, labels/ or (SHIFT) SPLIT/VIEW/det_2d.json",
    find=find_scalabel,
    read=read_scalabel,
    options=PIXELS,
    alone=True,
)
