"""What every reader offers: how to know its format from a folder, and how to read it."""

from collections.abc import Callable, Mapping
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
    options: Mapping[str, str] = field(default_factory=dict)
    """What only one format can be told, such as `columns` of VIPER; `read_annotations` refuses what `Format.options`
    does not name."""
    sizes: tuple[int, int] | None = None
    """(width, height): the images are not at hand, and one whose labels state no size has this one."""
    names: tuple[str, ...] = ()
    """Class names in order, for labels that hold numbers and come without names."""
    format: str | None = None
    """The format that was asked for; None if it is to be found out."""


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
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Option -> the values it may have; the first is what it is when not given."""
    suffixes: tuple[str, ...] = ()
    """Endings of its label files, where no others belong to it: label files that end otherwise are told as not read."""
    alone: bool = False
    """Whether its labels can be read without their images, see `Request.sizes`."""
