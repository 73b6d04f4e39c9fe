"""What a process reports to the one that started it, through a pipe of its own.

One queue for several processes has one lock, and a process that is killed while it writes never gives it back: then no
other's message arrives, and all wait for ever.
"""

import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any


class Sender:
    """The end of a pipe that is given to a process; its threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._cut_off = False

    def __getstate__(self) -> Connection:
        return self._connection

    def __setstate__(self, connection: Connection) -> None:
        self.__init__(connection)  # type: ignore[misc]

    def send(self, *message: Any) -> None:
        """Send it; nothing is sent after a message that was cut off, whose rest the next one would be taken for."""
        with self._lock:
            if self._cut_off:
                return
            self._cut_off = True
            try:
                self._connection.send(message)
            except BrokenPipeError:
                return  # nobody receives any more, which is no concern of the work
            self._cut_off = False

    def close(self) -> None:
        """For the process that has given it away: only then does it learn that the other one has ended."""
        self._connection.close()


def new_pipe() -> tuple[Connection, Sender]:
    """The end that receives, which stays here, and the one to give away."""
    receiver, connection = Pipe(duplex=False)
    return receiver, Sender(connection)


def received(
    receivers: Sequence[Connection], timeout: float | None = None
) -> Iterator[tuple[Connection, tuple[Any, ...]]]:
    """One message from each pipe that holds one; an empty one of a process that has ended, however it did.

    Args:
        receivers: From `new_pipe`; their other ends have been closed in this process.
        timeout: Seconds to wait for the first message; None waits on.
    """
    for receiver in wait(receivers, timeout):
        assert isinstance(receiver, Connection)
        try:
            yield receiver, receiver.recv()
        except (EOFError, OSError):  # the second of a process that was killed while it wrote
            yield receiver, ()
