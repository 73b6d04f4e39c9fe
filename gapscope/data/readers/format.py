"""What every reader offers: how to know its format from a folder, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gapscope.data.problems import Problems
from gapscope.data.table import AnnotationTable


@dataclass(frozen=True)
class Request:
    """A data set that is to be read."""

    root: Path
    """Its folder; paths of the table are relative to it."""
    images: Path | None = None
    """Folder of the images, below the root, where it is not in the usual place."""
    labels: Path | None = None
    """File or folder of the labels, likewise."""
    clip: bool = False
    """Cut boxes at the border of their image, however far they reach out."""
    problems: Problems = field(default_factory=Problems)


@dataclass(frozen=True)
class Format:
    """One way to write labels."""

    name: str
    layout: str
    """What `find` looks for, in words: for the message when nothing fits."""
    find: Callable[[Request], Any]
    """What there is to read (files, folders: whatever `read` wants), or None if the folder has another format. Quick:
    looks at names and at the first bytes of files."""
    read: Callable[[Request, Any], AnnotationTable]
