"""What a terminal offers: each command reads its arguments, calls one function, says where the result went.

Open first: study.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.commands.app import app as app

__all__ = open_room(
    __name__,
    {
        "app": "app",
    },
)
