"""Image names as lists and label files write them: which file is meant?"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Endings of the images that are read."""
OTHER_IMAGE_SUFFIXES = (".bmp", ".dib", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif", ".jp2", ".jpg2", ".jfif")
"""Endings of images that are not."""
FOUND_BY_END = "Images are named by absolute paths; each is the file here that shares the longest end with its path."
"""What is told of a set whose image files were found so."""


def plain(name: str) -> str:
    """A name with forward slashes, without './', '//', 'a/../', a leading slash, and what leads above the start."""
    parts: list[str] = []
    for part in name.replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def stays_below(name: str) -> bool:
    """Whether a name is that of a file below the folder where it starts, as Linux and as Windows understand it."""
    return not is_absolute(name) and can_be_below(name)


def is_absolute(name: str) -> bool:
    """Whether a name starts at a drive, a share or the root: on this machine, or on that where it was written."""
    return PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).anchor)


def can_be_below(name: str) -> bool:
    """Whether a file below a folder can be meant: by a name that `stays_below`, or by a path of another machine."""
    depth = 0
    for part in name.replace("\\", "/").split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return False
    return depth > 0 and "\0" not in name


def without_root(name: str) -> str:
    """A `plain` name without the drive that it starts at."""
    drive = PureWindowsPath(name).drive
    return plain(name.removeprefix(drive) if drive.endswith(":") else name)


def file_below(folders: Sequence[Path], name: str) -> Path | None:
    """The first file of this name below one of the folders: as it is written, else with backslashes as separators.

    Of an absolute path, which another machine may have written, it is the file that shares the longest end with it, in
    a folder of the same name at least: the last name alone does not decide.
    """
    if is_absolute(name):
        ends = [end for end in _endings(without_root(name)) if "/" in end]
        places = [place for end in ends for folder in folders for place in ((folder, end), *_as_its_own(folder, end))]
    else:
        places = [(folder, written) for folder in folders for written in dict.fromkeys((name, plain(name)))]
    for folder, written in places:
        try:
            if (folder / written).is_file():
                return folder / written
        except (OSError, ValueError):  # a name can be longer than any file's
            continue
    return None


def _as_its_own(folder: Path, end: str) -> list[tuple[Path, str]]:
    """What a path names in a folder, if it begins with that folder's name."""
    first, _, rest = end.partition("/")
    return [(folder, rest)] if first == folder.resolve().name else []


class KnownImages:
    """The images of a data set, to be found by what lists call them.

    A list may give an image's path from the data set's folder, a part of it that begins at some folder inside or is
    the bare name, or more than it (an absolute path, or one from a folder above), each with or without the suffix, and
    with `./`, `//`, `a/../` or backslashes. Folders that an entry names must be the image's: the last name alone does
    not decide.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        """`paths` from the data set's folder, with forward slashes."""
        self.exact = {path: i for i, path in enumerate(paths)}
        self.whole: dict[str, int] = {}
        """A path as `plain` writes it, with and without its suffix -> its first image."""
        self.endings: dict[str, int] = {}
        """Each ending of such a path in whole names, likewise."""
        self.shared: set[str] = set()
        """Endings of several paths."""
        self.are_flat = not any("/" in path for path in paths)
        for i, path in enumerate(paths):
            for name in (plain(path), _without_suffix(plain(path))):
                self.whole.setdefault(name, i)
                for ending in _endings(name):
                    if self.endings.setdefault(ending, i) != i:
                        self.shared.add(ending)

    def find(self, entry: str) -> int | None:
        """The image that an entry of a list means, the first if it `fits_several`; None if there is none."""
        if entry in self.exact:
            return self.exact[entry]
        written = plain(entry)
        if written in self.exact:
            return self.exact[written]
        for name in dict.fromkeys((written, _without_suffix(written))):
            if name in self.endings:
                return self.endings[name]
            longer = next((part for part in _endings(name) if part in self.whole), None)
            if longer is not None and ("/" in longer or self.are_flat):
                return self.whole[longer]
        return None

    def fits_several(self, entry: str) -> bool:
        """Whether more than one image has what an entry names."""
        written = plain(entry)
        if entry in self.exact or written in self.exact:
            return False
        name = next((name for name in (written, _without_suffix(written)) if name in self.endings), None)
        return name in self.shared

    def namesake(self, entry: str) -> int | None:
        """An image with the last name of an entry, in whatever folder."""
        last = plain(entry).rpartition("/")[2]
        return self.endings.get(last, self.endings.get(_without_suffix(last)))


def _without_suffix(name: str) -> str:
    """Without the ending of an image; other ends, such as that of frame.0001, belong to the name."""
    stem, dot, suffix = name.rpartition(".")
    return stem if stem and f"{dot}{suffix}".lower() in (*IMAGE_SUFFIXES, *OTHER_IMAGE_SUFFIXES) else name


def _endings(name: str) -> list[str]:
    """a/b/c, b/c, c."""
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]
