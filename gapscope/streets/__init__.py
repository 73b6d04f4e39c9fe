"""The embedded data: made-up streets, ray traced in three styles, with exact boxes.

Open first: render.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.streets.render import Street as Street, render as render
    from gapscope.streets.write import Recipe as Recipe, write_domain as write_domain

__all__ = open_room(
    __name__,
    {
        "render": "Street, render",
        "write": "Recipe, write_domain",
    },
)
