"""Formats of labels: each module reads one layout into an AnnotationTable and states its pixel convention.

A new format is a module beside these that makes a `Format`, an entry in detect.py and a row in docs/formats.md.

Open first: format.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.data.readers.detect import FORMATS as FORMATS, read_annotations as read_annotations
    from gapscope.data.readers.format import Format as Format, Request as Request

__all__ = open_room(
    __name__,
    {
        "format": "Format, Request",
        "detect": "FORMATS, read_annotations",
    },
)
