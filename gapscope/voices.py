"""What processes say to the one that started them: each has a pipe of its own.

One queue for all of them has one lock, and a process that is killed while it writes never gives it back: then nobody is
heard again, and all wait for ever.
"""

import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any


class Voice:
    """The end of a pipe that a process gets; threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._cut_off = False

    def __getstate__(self) -> Connection:
        return self._connection

    def __setstate__(self, connection: Connection) -> None:
        self.__init__(connection)  # type: ignore[misc]

    def say(self, *message: Any) -> None:
        """Send it; nothing is sent after one that was cut off in the middle, which could not be told from its rest."""
        with self._lock:
            if self._cut_off:
                return
            self._cut_off = True
            try:
                self._connection.send(message)
            except BrokenPipeError:
                return  # nobody listens any more, which is no concern of the work
            self._cut_off = False

    def close(self) -> None:
        """For the process that has given it away: only then is it heard when the other one ends."""
        self._connection.close()


def voice() -> tuple[Connection, Voice]:
    """The end to listen at and the end to give away."""
    ear, mouth = Pipe(duplex=False)
    return ear, Voice(mouth)


def heard_at(ears: Sequence[Connection], timeout: float | None = None) -> Iterator[tuple[Connection, tuple[Any, ...]]]:
    """One message from each of those that have one; an empty one of a process that has ended, however it did.

    Args:
        ears: From `voice`, whose other ends have been closed here.
        timeout: Seconds to wait for the first; None waits on.
    """
    for ear in wait(ears, timeout):
        assert isinstance(ear, Connection)
        try:
            yield ear, ear.recv()
        except (EOFError, OSError):  # the second of one that was killed while it wrote
            yield ear, ()
