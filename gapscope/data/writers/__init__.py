"""Formats that a table can be written in: each module writes one layout that its reader reads back.

Open first: coco.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.data.writers.coco import write_coco as write_coco
    from gapscope.data.writers.yolo import write_yolo as write_yolo

__all__ = open_room(
    __name__,
    {
        "coco": "write_coco",
        "yolo": "write_yolo",
    },
)
