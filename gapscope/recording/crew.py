"""Threads that share the work of a recording on a CPU: some compute layers, others what is kept of the layers before.

One layer is little work: to cut each of its steps over all cores, as torch and BLAS do, leaves cores waiting for one
another hundreds of times. Here each piece of work keeps to one thread. Numbers are many short calls of numpy, and
threads that make such calls wait for Python's lock: two of them are hardly quicker than one, but one is not slowed by
others that compute layers.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch
from threadpoolctl import ThreadpoolController

R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    """A piece of work, and where its result goes."""

    future: Future[Any]
    work: Callable[[], Any]
    numbers: bool
    """Whether it belongs to a layer's numbers; otherwise it computes a layer."""

    def do(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except BaseException as error:  # of whatever kind: whoever waits for the result gets it
            self.future.set_exception(error)


class Threads:
    """The thread that gives the work and others beside it, of which each computes with one core.

    Args:
        number: How many in all.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.users = 0
        self.room = threading.local()
        """Memory of each thread, kept from one piece of work to the next: fresh memory costs more than arithmetic."""
        self.limit: Any = None
        self.layers: deque[Job] = deque()
        self.numbers: deque[Job] = deque()
        self._news = threading.Condition()
        self._ended = number == 1
        if not self._ended:
            ready, before = threading.Barrier(number), torch.get_num_threads()
            for _ in range(number - 1):
                threading.Thread(target=self._work, args=(ready,), daemon=True).start()
            ready.wait()
            torch.set_num_threads(before)  # theirs has become that of all threads to come

    def add(self, job: Job) -> None:
        """Have something done; at once, if there is nobody else to do it."""
        with self._news:
            if not self._ended:
                (self.numbers if job.numbers else self.layers).append(job)
                self._news.notify()
                return
        job.do()

    def help(self, until: Future[Any], *queues: deque[Job]) -> None:
        """Do what waits in these queues, the first one first, until something is done, and wait for it."""
        while not until.done():
            with self._news:
                job = next((queue.popleft() for queue in queues if queue), None)
            if job is None:
                break
            job.do()
            if not job.future.cancelled() and isinstance(error := job.future.exception(), KeyboardInterrupt):
                raise error  # it was this thread's, whoever waits for that work
        wait([until])

    def end(self) -> None:
        """Let the threads go, when they have done what they were given."""
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _work(self, ready: threading.Barrier) -> None:
        torch.get_num_threads()  # which sets what is asked for next, if it comes first
        torch.set_num_threads(1)
        ready.wait()
        with torch.no_grad():  # which a thread does not inherit
            while (job := self._next()) is not None:
                job.do()
                del job  # nothing is held while waiting

    def _next(self) -> Job | None:
        """Numbers before layers, which the thread that waits for them computes itself; None at the end."""
        with self._news:
            while True:
                for queue in (self.numbers, self.layers):
                    if queue:
                        return queue.popleft()
                if self._ended:
                    return None
                self._news.wait()


class Crew:
    """The threads at the service of one recording, or of one layer."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._open: set[Future[Any]] = set()

    @property
    def number(self) -> int:
        """How many threads there are."""
        return self._threads.number

    @property
    def room(self) -> threading.local:
        """Memory that each thread keeps from one piece of work to the next."""
        return self._threads.room

    @property
    def backlog(self) -> int:
        """Pieces of numbers that wait to be begun."""
        return len(self._threads.numbers)

    def start(self, work: Callable[[], R], *, numbers: bool = True) -> Future[R]:
        """Have something done, which belongs to a layer's numbers or computes a layer."""
        future: Future[R] = Future()
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        self._threads.add(Job(future, work, numbers))
        return future

    def result(self, future: Future[R]) -> R:
        """The result of what was started, helping meanwhile."""
        self._threads.help(future, self._threads.numbers, self._threads.layers)
        return future.result()

    def compute(self, work: Sequence[Callable[[], R]]) -> list[R]:
        """Have parts of a layer computed, one thread each; their results, in order."""
        futures = [self.start(one, numbers=False) for one in work[1:]]
        found = [one() for one in work[:1]]
        for future in futures:
            self._threads.help(future, self._threads.layers)
        return found + [future.result() for future in futures]

    def settle(self) -> None:
        """Take back what has not begun, and wait for the rest: what it reads and writes may go."""
        wait([future for future in list(self._open) if not future.cancel()])


_threads: dict[tuple[int, int], Threads] = {}
_lock = threading.Lock()


@contextmanager
def crew(number: int | None = None) -> Iterator[Crew]:
    """So many threads, this one among them, or as many as torch has; meanwhile BLAS keeps to one in each.

    They are kept as long as torch's number stays: making them takes as long as a small layer. At the end, also after an
    error, none of them is at work any more.
    """
    threads, hands = _enter(number or torch.get_num_threads()), None
    try:
        hands = Crew(threads)
        yield hands
    finally:
        if hands is not None:
            hands.settle()
        _leave(threads)


def _enter(number: int) -> Threads:
    key = number, os.getpid()  # a fork has none of its parent's threads
    with _lock:
        if key not in _threads:
            for (_, process), one in _threads.items():
                if process == key[1]:
                    one.end()
            _threads.clear()
            _threads[key] = Threads(number)
        found = _threads[key]
        found.users += 1
        if found.users == 1:
            found.limit = _blas().limit(limits=1, user_api="blas")
    return found


def _leave(threads: Threads) -> None:
    with _lock:
        threads.users -= 1
        if not threads.users:
            threads.limit.restore_original_limits()
            threads.room = threading.local()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """So many threads for torch's own work: one, where a crew shares the work out."""
    before = torch.get_num_threads()
    if number != before:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number != before:
            torch.set_num_threads(before)


def keep_process_to(number: int) -> None:
    """So many threads for all that this process does: torch's, and those of numpy's BLAS, which torch does not see."""
    torch.set_num_threads(number)
    _blas().limit(limits=number, user_api="blas")
