"""No test asks anything of a network: a connection to anything but this machine fails the test that makes it.

Importing this module is enough; what is imported after it is looked at too.
"""

import socket
import sys
from typing import Any

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
ASKING = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
"""Events of Python, raised before it is done. What other processes do is theirs."""

OWN = {"", socket.gethostname()}
"""What this machine is called."""


def look_at_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ASKING:
        return
    place = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
    if isinstance(place, tuple):  # of a socket between processes it is a path
        place = place[0]
    elif event in ("socket.connect", "socket.sendto"):
        return
    name = place.decode() if isinstance(place, bytes) else place
    if name is not None and not str(name).startswith(LOCAL) and name not in OWN:
        raise AssertionError(f"{event}: a test asks {name} for something, and tests ask no network")


sys.addaudithook(look_at_event)
