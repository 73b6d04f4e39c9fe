"""Images without labels: to look at, to check, to record on."""

from pathlib import Path

from gapscope.data.images import find_images
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.format import Format, Request
from gapscope.data.table import AnnotationTable


def find_unlabelled(request: Request) -> list[Path] | None:
    """All images below the root, or below the request's `images`."""
    return find_images(request.images or request.root) or None


def read_unlabelled(request: Request, images: list[Path]) -> AnnotationTable:
    """The images as a table without classes and boxes.

    Raises:
        InputError: An image cannot be read.
    """
    builder = TableBuilder(request.root, (), request.clip, request.problems, sizes=request.sizes)
    for image in images:
        with request.problems.at(image):
            builder.add_image(image)
    return builder.table()


UNLABELLED = Format(name="unlabelled", layout="images", find=find_unlabelled, read=read_unlabelled, suffixes=("none",))
