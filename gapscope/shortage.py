"""Disk and memory that run out: what libraries raise then, and what it is."""

import errno
import os
import re
import shutil
import sys
from pathlib import Path
from typing import IO

LITTLE = 2**16
"""A disk with fewer free bytes is full."""
ADVICE_MEMORY = (
    "there is not enough memory. Lower [train] batch_size, [record] memory or --jobs, or end other programs, and give "
    "the same command again: it goes on where this one stopped."
)


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR)
"""What the system says when a disk is full or a place must not be written to: the user's to mend, no bug of ours."""


def told_of_shortage(error: BaseException) -> str | None:
    """What to say of a disk or a memory that did not suffice, and what to do; None of any other error."""
    if isinstance(error, OSError) and error.errno in DISK:
        place = f"{error.filename}: " if error.filename else ""
        return (
            f"{place}{error.strerror}. Make room, allow writing or name another place, and give the same command "
            "again. Files that were there before are whole."
        )
    return ADVICE_MEMORY if is_out_of_memory(error) else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is what Python, numpy or PyTorch raise when memory runs out, on a CPU or a GPU."""
    names = {kind.__name__ for kind in type(error).__mro__}
    allocator = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return isinstance(error, MemoryError) or "OutOfMemoryError" in names or allocator


def writing_trouble(error: BaseException, path: Path) -> OSError | None:
    """What the system said when a library could not write a file, whatever the library made of it; None if nothing.

    safetensors keeps the system's number in its message; Pillow says neither what nor why, so the disk is looked at.
    """
    number = re.search(r"\(os error (\d+)\)", str(error))
    if number is not None:
        return OSError(int(number[1]), os.strerror(int(number[1])), str(path))
    nameless = isinstance(error, OSError) and error.errno is None
    if (nameless or isinstance(error, RuntimeError)) and shutil.disk_usage(path.parent).free < LITTLE:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return None


def keep_no_bytecode(error: BaseException) -> None:
    """After a disk was full, Python keeps no compiled modules: 3.11 leaves them cut off there, and no later start reads
    them."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        sys.dont_write_bytecode = True


class Remembering:
    """A file that remembers why it could not be written, for libraries that forget it.

    Args:
        stream: Open for writing.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.error: OSError | None = None

    def write(self, content: bytes) -> int:
        """Write, and note what goes wrong."""
        try:
            return self.stream.write(content)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """Likewise."""
        try:
            self.stream.flush()
        except OSError as error:
            self.error = self.error or error
            raise
