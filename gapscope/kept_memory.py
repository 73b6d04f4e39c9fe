"""Memory that stays with this process from one large tensor to the next, instead of being fetched anew for each."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4
"""Of glibc's mallopt: free bytes at the heap's end from which on they are given back, bytes that it is made longer by
than needed, bytes from which on a block is fetched from the system alone, and how many such blocks there may be."""
KEPT = ((TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**28), (MMAP_MAX, 0))
"""What the heap is longer by is not touched, so it takes no memory; but a small object that comes to lie where a tensor
was does not leave too little room for the next one there."""
USUAL = ((TRIM_THRESHOLD, 2**26), (TOP_PAD, 2**17), (MMAP_THRESHOLD, 2**25), (MMAP_MAX, 2**16))
"""What glibc's own rule, which learns from what a program frees, comes to once that was a block of 32 MiB."""
CHOSEN = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")
"""Variables of the environment by which people choose how memory is kept, or by what."""

_users = 0
_lock = threading.Lock()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory for what is allocated next; when the last user ends, all that is free is given back.

    A network frees and allocates tensors of many megabytes at every layer. The system fills the pages of a new one with
    zeros at its first touch, which takes as long as a small layer takes to compute. Outside Linux with glibc, and where
    the environment says how memory is to be kept, nothing is done.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _enter(libc)
    try:
        yield
    finally:
        _leave(libc)


def _enter(libc: ctypes.CDLL) -> None:
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _set(libc, KEPT)


def _leave(libc: ctypes.CDLL) -> None:
    global _users
    with _lock:
        _users -= 1
        if not _users:
            _set(libc, USUAL)
            libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, options: tuple[tuple[int, int], ...]) -> None:
    for option, value in options:
        libc.mallopt(option, value)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc and nobody has chosen how it keeps memory."""
    if not sys.platform.startswith("linux") or any(name.startswith(CHOSEN) for name in os.environ):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
