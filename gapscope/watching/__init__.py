"""A run in the browser while it goes on.

Open first: watch.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.watching.live import LiveView as LiveView
    from gapscope.watching.watch import has_screen as has_screen, make_server as make_server, watch as watch

__all__ = open_room(
    __name__,
    {
        "live": "LiveView",
        "watch": "watch, make_server, has_screen",
    },
)
