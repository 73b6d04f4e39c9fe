"""read_annotations: which format does a folder have?"""

from pathlib import Path

from gapscope.data.problems import Problems
from gapscope.data.readers.coco import COCO
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.voc import VOC
from gapscope.data.readers.yolo import YOLO
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

FORMATS: dict[str, Format] = {format.name: format for format in (COCO, YOLO, VOC)}
"""By name, in the order in which a folder is tried: what is told apart by its first bytes comes first."""


def read_annotations(
    root: Path,
    format: str | None = None,
    *,
    images: Path | None = None,
    labels: Path | None = None,
    clip: bool = False,
    problems: Problems | None = None,
) -> AnnotationTable:
    """Read a data set, finding its format from the folder. Each reader says what it makes of pixels.

    Args:
        root: The data set's folder; the table's paths are relative to it.
        format: One of `FORMATS`, to skip the search for the others.
        images: Folder of the images, below the root, where it is not in the usual place.
        labels: File or folder of the labels, likewise.
        clip: Cut boxes at the border of their image; otherwise one that leaves it by over a pixel is refused.
        problems: Where broken rows and images are told; strict if left out.

    Raises:
        InputError: The folder is missing, fits no format, or holds something broken.
    """
    request = Request(root, images, labels, clip, problems or Problems())
    _check(request, format)
    tried = [FORMATS[format]] if format else list(FORMATS.values())
    for candidate in tried:
        found = candidate.find(request)
        if found is not None:
            return candidate.read(request, found)
    wanted = "; ".join(candidate.layout for candidate in tried)
    raise InputError(
        f"{root} fits no known format - looked in it and its subfolders for: {wanted}. Arrange the files so."
    )


def _check(request: Request, format: str | None) -> None:
    if format is not None and format not in FORMATS:
        raise InputError(f"format '{format}' is unknown - expected one of {', '.join(FORMATS)}.")
    places = ((request.root, "folder"), (request.images, "images folder"), (request.labels, "labels"))
    for path, what in places:
        if path is not None and not path.exists():
            raise InputError(f"{path} is missing - expected the {what} of a data set. Check the path.")
    images = request.images
    if images is not None and not images.resolve().is_relative_to(request.root.resolve()):
        raise InputError(
            f"{images} is not below {request.root} - expected the images inside the root. Name a folder above both."
        )
