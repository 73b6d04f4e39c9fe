"""Hears that a training is to stop (Ctrl-C, SIGTERM, SIGHUP), and lets it stop where it can go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from gapscope.interruptions import heard


class Interruption:
    """While the block runs, a signal that interrupts only sets `heard`; a second one interrupts at once.

    A block that ends without having looked at `heard` is followed by KeyboardInterrupt all the same.
    Outside the main thread signals cannot be caught, and the block runs as if this were not there.
    """

    def __init__(self) -> None:
        self.heard = False
        self._patient = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in heard():
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None and self.heard:
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within this block nothing is lost by stopping, so a signal interrupts immediately.

        Raises:
            KeyboardInterrupt: Here, if a signal was heard before.
        """
        self._patient = False
        try:
            if self.heard:
                raise KeyboardInterrupt
            yield
        finally:
            self._patient = True

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.heard or not self._patient:
            raise KeyboardInterrupt
        self.heard = True
