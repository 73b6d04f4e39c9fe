"""Frames with their labels, as BDD100K, Scalabel and SHIFT write them: which kind is it, and what does it hold?"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gapscope.data.image_names import (
    FOUND_BY_END,
    can_be_below,
    file_below,
    is_absolute,
    plain,
    stays_below,
    without_root,
)
from gapscope.data.problems import Problem, RowError
from gapscope.data.readers.build import NOT_STATED, TableBuilder
from gapscope.data.readers.folders import files_in
from gapscope.data.readers.format import Request
from gapscope.data.readers.json_files import take
from gapscope.data.readers.json_stream import JsonFile, opening
from gapscope.data.table import AnnotationTable

BDD_2018, BDD_OLD, BDD_DET20, SCALABEL = "bdd100k-2018", "bdd100k-old", "bdd100k-det20", "scalabel"
SNIFFED_EACH = 20
"""In a folder with more JSON files, the first few stand for all."""
PIXELS = {"pixels": ("inclusive", "edges")}
"""The reader option of formats whose boxes end at their last pixel."""

_RIDE = re.compile(r"([0-9a-f]{8})-[0-9a-f]{8}")
_YES_NO = {True: True, False: False, None: None, "true": True, "false": False}


def kind_of(path: Path) -> str | None:
    """The format of a JSON file by its first bytes, None if it holds no frames."""
    content = opening(path)
    frames = content.get("frames") if isinstance(content, dict) else content
    frames = [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []
    if isinstance(content, dict) and any("objects" in frame for frame in frames):
        return BDD_OLD
    names = [frame["name"] for frame in frames if isinstance(frame.get("name"), str)]
    if not names or not any("labels" in frame for frame in frames):
        return None
    if not all(_RIDE.fullmatch(PurePosixPath(name).stem) for name in names) or any("videoName" in f for f in frames):
        return SCALABEL
    lists = [frame["labels"] for frame in frames if isinstance(frame.get("labels"), list)]
    labels = [label for some in lists for label in some if isinstance(label, dict)]
    return BDD_2018 if any("manualShape" in label or type(label.get("id")) is int for label in labels) else BDD_DET20


def find_frame_files(request: Request, kind: str, patterns: Iterable[str]) -> tuple[Path, ...]:
    """The label files of one kind: those that the request names, else those of the first pattern that has any.

    Where the request names the format, any file with frames is taken for it.
    """
    if request.labels is not None and request.labels.is_file():
        return _of_kind([request.labels], request, kind)
    if request.labels is not None:
        return _of_kind(files_in(request.labels, "**/*.json"), request, kind)
    groups = (_of_kind(files_in(request.root, pattern), request, kind) for pattern in patterns)
    return next((files for files in groups if files), ())


def _of_kind(files: list[Path], request: Request, kind: str) -> tuple[Path, ...]:
    wanted = {kind} if request.format is None or kind == BDD_OLD else {BDD_2018, BDD_DET20, SCALABEL}
    if len(files) <= SNIFFED_EACH:
        return tuple(path for path in files if kind_of(path) in wanted)
    return tuple(files) if all(kind_of(path) in wanted for path in files[:3]) else ()


def frames_in(path: Path) -> Iterator[Any]:
    """The frames of a file that is a list of them, or an object with `frames` (and perhaps `groups`, `config`).

    Raises:
        RowError: It is neither.
        InputError: It is no JSON.
    """
    file = JsonFile(path)
    key = "frames" if isinstance(opening(path), dict) else ""
    if key and not file.has_list(key):
        raise RowError("has no list 'frames'", "a list of frames, or an object that holds one. Replace the file.")
    yield from file.entries(key)


def size_for_all(path: Path) -> tuple[float, float] | None:
    """(width, height) from Scalabel's `config.imageSize`, which stands once for all frames of a file.

    Raises:
        RowError: It is no size.
        InputError: The file is no JSON.
    """
    file = JsonFile(path)
    config = file.value("config") if file.mentions("imageSize") else None
    return _size(config.get("imageSize")) if isinstance(config, dict) else None


def pixel_of(request: Request) -> int:
    """What is to be added to x2 and y2 so that they are edges, by the reader option `pixels`."""
    return int(request.options.get("pixels", "inclusive") == "inclusive")


def ride_of(name: str) -> str:
    """The first id of BDD100K's two, which images of one ride share; "" for other names."""
    match = _RIDE.match(name)
    return match[1] if match else ""


@dataclass
class FrameReader:
    """Brings frames into a table, and tells about those without an image file when all are read."""

    request: Request
    builder: TableBuilder
    pixel: int
    """What is added to x2 and y2: 1 where they name the last pixel of a box, 0 where they name its edge."""
    folders: Callable[[Path], list[Path]]
    """Label file -> where its images may lie, likely places first."""
    frames: int = 0
    missing: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen: set[Path] = set()

    def add_file(self, path: Path, frames: Iterable[Any], size: tuple[float, float] | None = None) -> None:
        """Add the frames of one file, which have this size (width, height) where they state none."""
        places = self._places(path)
        for number, frame in enumerate(frames, 1):
            self.frames += 1
            name = frame.get("name") if isinstance(frame, dict) else None
            with self.request.problems.at(path, f"frame {name if isinstance(name, str) else number}"):
                self._add_frame(path, frame, places, size)

    def table(self) -> AnnotationTable:
        """The table of all frames that were added.

        Raises:
            InputError: Frames have no image file, or there are none at all.
        """
        if self.missing:
            wrong = f"{len(self.missing)} of {self.frames} frames have no image file, the first is {self.missing[0]}"
            self.request.problems.add(Problem(str(self.request.root), "", wrong, _RESTORE))
        return self.builder.table()

    def _places(self, path: Path) -> list[Path]:
        listed = self.folders(path)
        return listed[:1] if self.request.sizes else [place for place in listed if place.is_dir()]

    def _add_frame(self, path: Path, frame: Any, places: list[Path], size: tuple[float, float] | None) -> None:
        name, video = take(frame, "name", str), frame.get("videoName") or ""
        if not isinstance(video, str) or not can_be_below(name) or not stays_below(f"{video or '.'}/{name}"):
            raise RowError(f"name {name!r}, videoName {video!r}", "names of files below the image folder. Fix them.")
        image = self._image_file(places, video, name)
        if image is None:
            if self.request.problems.strict:  # told with their number at the end
                self.missing.append(name)
                return
            raise RowError(f"image file {name} is missing", _RESTORE)
        if image in self.seen:
            raise RowError("the image has two frames", "one. Remove the other, or read one label file alone.")
        self.seen.add(image)
        labels = _list_or_nothing(frame, "labels")
        number = self.builder.add_image(
            image,
            group=ride_of(video or name) or video,
            declared=_size(frame.get("size")) or size,
            attributes=_texts(frame.get("attributes")),
        )
        for place, label in enumerate(labels):
            with self.request.problems.at(path, f"frame {name}, label {_name_of(label, place)}"):
                self._add_label(number, label)

    def _image_file(self, places: list[Path], video: str, name: str) -> Path | None:
        if self.request.sizes:
            return places[0] / plain(f"{video}/{without_root(name)}")
        inside = file_below(places, f"{video}/{name}") if video and not is_absolute(name) else None
        found = inside or file_below(places, name)
        if found and is_absolute(name):
            self.builder.tell(FOUND_BY_END)
        return found

    def _add_label(self, image: int, label: Any) -> None:
        if not isinstance(label, dict):
            raise RowError(f"is {label!r:.60}", "an object. Fix or remove it.")
        box = label.get("box2d")
        if box is None:  # a lane, an area, a mask: no box
            return
        x1, y1, x2, y2 = (_number(box, key) for key in ("x1", "y1", "x2", "y2"))
        if x2 + self.pixel <= x1 or y2 + self.pixel <= y1:
            self.builder.no_area += 1
            return
        width, height = self.builder.size_of(image)
        flags = _flags(label.get("attributes"))
        self.builder.add_box(
            image,
            self.builder.class_of(take(label, "category", str)),
            (x1, y1, max(x2, min(x2 + self.pixel, width)), max(y2, min(y2 + self.pixel, height))),
            ignore=bool(flags["ignored"]) or str(label.get("id")) == "-1",
            crowd=bool(flags["crowd"]),
            occlusion=NOT_STATED if flags["occluded"] is None else float(flags["occluded"]),
            truncation=NOT_STATED if flags["truncated"] is None else float(flags["truncated"]),
        )


_RESTORE = "each in the image folder. Restore them, or say where the images are. To read labels alone, give their size."


def _list_or_nothing(frame: dict[str, Any], key: str) -> list[Any]:
    value = frame.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"'{key}' is {value!r:.60}", "a list, or null. Fix it.")
    return value


def _size(value: Any) -> tuple[float, float] | None:
    return None if value is None else (take(value, "width", int), take(value, "height", int))


def _texts(attributes: Any) -> dict[str, str]:
    """What is said of an image in a word or a number; keys in lower case."""
    if attributes is None:
        return {}
    if not isinstance(attributes, dict):
        raise RowError(f"'attributes' is {attributes!r:.60}", "an object. Fix or remove it.")
    return {key.lower(): str(value) for key, value in attributes.items() if isinstance(value, str | int | float)}


def _flags(attributes: Any) -> dict[str, bool | None]:
    """What is said of a box; BDD100K has written these keys in both cases."""
    if attributes is not None and not isinstance(attributes, dict):
        raise RowError(f"'attributes' is {attributes!r:.60}", "an object. Fix or remove it.")
    stated = {key.lower(): value for key, value in (attributes or {}).items()}
    return {key: _yes_no(key, stated.get(key)) for key in ("occluded", "truncated", "crowd", "ignored")}


def _yes_no(key: str, value: Any) -> bool | None:
    word = value.lower() if isinstance(value, str) else value
    if isinstance(word, list | dict) or word not in _YES_NO:
        raise RowError(f"'{key}' is {value!r:.60}", "true or false. Fix it.")
    return _YES_NO[word]


def _number(box: Any, key: str) -> float:
    value = box.get(key) if isinstance(box, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RowError(f"box2d is {box!r:.80}", "numbers x1, y1, x2, y2. Fix or remove the label.")
    return value


def _name_of(label: Any, place: int) -> str:
    return str(label.get("id", place)) if isinstance(label, dict) else str(place)
