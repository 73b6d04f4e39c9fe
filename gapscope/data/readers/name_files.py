"""Which file says what class numbers are called, and what it says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from reprlib import Repr
from typing import Any

import yaml

from gapscope.data.problems import Problems
from gapscope.data.readers.label_texts import texts_in
from gapscope.data.readers.shallow_yaml import compose_yaml
from gapscope.data.readers.text import decode_label_text, read_label_text
from gapscope.errors import InputError
from gapscope.files import parse_json

NAME_FILES = ("classes.txt", "data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "notes.json")
"""Names of files that hold class names: Label Studio's notes.json and FiftyOne's dataset.yaml among them."""
NAME_SUFFIXES = (".names", ".labels", ".yaml", ".yml")
"""Darknet's obj.names, Roboflow's _darknet.labels; other YAML files count if they have `names`."""

LONGEST_NUMBER = 10
"""Digits of a number in it, and one."""

_BRIEF = Repr()
_BRIEF.maxlevel = 2
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}


@dataclass(frozen=True)
class ClassNames:
    """Names in the order of their numbers, and where they stand."""

    names: tuple[str, ...]
    file: PurePath
    keypoints: int = 0
    """Numbers that follow the box in a row, by `kpt_shape` of Ultralytics' data.yaml."""
    notes: tuple[str, ...] = ()


def may_hold_names(name: str) -> bool:
    """Whether a file of this name may be one of class names."""
    return name in NAME_FILES or name.endswith(NAME_SUFFIXES)


def find_names(root: Path, folders: Iterable[Path]) -> ClassNames | None:
    """The class names that count for label files in these folders: those of the nearest file, from the folder itself
    up to the root and one level above it; None if there is none.

    Raises:
        InputError: Two files that are as near, or those of two folders, do not say the same; or one holds no names.
    """
    found = _nearest(folders, lambda folder: _upwards(Path(folder), root), cache(_names_in))
    return found or _nearest([root.parent], lambda folder: [folder], lambda folder: _names_in(folder, root.name))


def packed_names(archive: Path) -> ClassNames | None:
    """The same for label texts in an archive, from its own name files.

    Raises:
        InputError: As for `find_names`, or the archive is broken.
    """
    known: dict[PurePath, list[ClassNames]] = {}
    folders: set[PurePath] = set()
    for name, content in texts_in(archive, (".txt", ".json", *NAME_SUFFIXES)):
        if may_hold_names(name.name):
            with Problems().at(archive / name):
                found = _parsed(decode_label_text(content), archive / name)
                known.setdefault(name.parent, []).extend([found] if found else [])
        elif name.suffix == ".txt":
            folders.add(name.parent)
    return _nearest(folders or known, lambda folder: [folder, *folder.parents], lambda place: known.get(place, []))


def parse_names(text: str, path: Path | PurePosixPath) -> tuple[str, ...]:
    """Class names from the text of a name file.

    Raises:
        InputError: It holds no names.
    """
    found = _parsed(text, path)
    if found is None:
        raise InputError(f"{path} has no names of classes - expected one per class. Fill it in.")
    return found.names


def _nearest(
    folders: Iterable[PurePath],
    upwards: Callable[[PurePath], list[PurePath]],
    listed: Callable[[PurePath], list[ClassNames]],
) -> ClassNames | None:
    """What the nearest name files of all folders say, if they agree; a note tells of farther ones that do not."""
    near: list[ClassNames] = []
    far: dict[PurePath, ClassNames] = {}
    for folder in sorted(set(folders)):
        first, *others = [some for place in upwards(folder) if (some := listed(place))] or [[]]
        near += first
        far |= {one.file: one for some in others for one in some}
    if not near:
        return None
    chosen, other = near[0], next((one for one in near if one.names != near[0].names), None)
    if other is not None:
        raise InputError(
            f"{chosen.file} and {other.file} name different classes: {_BRIEF.repr(list(chosen.names))} and "
            f"{_BRIEF.repr(list(other.names))} - expected the same. Correct or remove one of them."
        )
    unlike = [str(file) for file, one in far.items() if one.names != chosen.names]
    said = f"Class names are those of {chosen.file}, which is nearest to the labels; {', '.join(unlike)} has others."
    keypoints = max(one.keypoints for one in (*near, *far.values()))
    return ClassNames(chosen.names, chosen.file, keypoints, (said,) if unlike else ())


def _upwards(folder: Path, root: Path) -> list[PurePath]:
    """The folder and those above it up to the root; where it lies elsewhere, the one above it and the root."""
    if folder.is_relative_to(root):
        return [place for place in (folder, *folder.parents) if place.is_relative_to(root)]
    return [folder, folder.parent, root]


def _names_in(folder: PurePath, known_as: str = "") -> list[ClassNames]:
    """What the name files of one folder say; in a folder of several sets, those alone that are for any set or for the
    one that is `known_as` this."""
    try:
        files = sorted(path for path in Path(folder).iterdir() if may_hold_names(path.name) and path.is_file())
    except OSError:  # it is not there, or must not be looked into: whoever reads the labels says so
        return []
    if known_as:
        files = [path for path in files if path.name in (*NAME_FILES, "obj.names") or path.stem == known_as]
    found = (_parsed(read_label_text(path, Problems()), path) for path in files)
    return [names for names in found if names is not None]


def _parsed(text: str, path: PurePath) -> ClassNames | None:
    """The names of a file; None if it is a JSON or YAML file about something else."""
    keypoints = 0
    if path.suffix == ".json":
        names = _note_names(text)
    elif path.suffix in (".yaml", ".yml"):
        names, keypoints = _yaml_names(text, path)
    else:
        names = [line.strip() for line in text.splitlines()]
        while names and not names[-1]:
            names.pop()
    if names is None:
        return None
    if not names or not all(names):
        raise InputError(f"{path} has an empty class name or none at all - expected one name per class. Fill it in.")
    return ClassNames(tuple(names), path, keypoints)


def _note_names(text: str) -> list[str] | None:
    """The names of Label Studio's notes.json: `categories` with numbers from 0."""
    try:
        content = parse_json(text)
    except (ValueError, RecursionError):
        return None
    listed = content.get("categories") if isinstance(content, dict) else None
    entries = listed if isinstance(listed, list) else []
    objects = [entry for entry in entries if isinstance(entry, dict)]
    by_id = {entry["id"]: entry.get("name") for entry in objects if isinstance(entry.get("id"), int)}
    names = [by_id.get(i) for i in range(len(entries))]
    return [str(name) for name in names] if names and all(isinstance(name, str) for name in names) else None


def _yaml_names(text: str, path: PurePath) -> tuple[list[str] | None, int]:
    """`names` as they are written, and the numbers of `kpt_shape`.

    YAML reads off and no as false, 0x10 as 16 and 2024-01-01 as a date; here every name is the text that stands there.
    """
    try:
        top = compose_yaml(text)
    except ValueError as error:
        if path.name not in NAME_FILES:
            return None, 0
        raise InputError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}. Fix the file.") from error
    entries = [(_text(key), value) for key, value in top.value] if isinstance(top, yaml.MappingNode) else []
    listed = [value for key, value in entries if key == "names"]
    if not listed and path.name not in NAME_FILES:
        return None, 0
    if len(listed) > 1:
        raise InputError(f"{path} has 'names' {len(listed)} times - expected it once. Remove the others.")
    node = listed[0] if listed else None
    names = _names_of(node, path)
    if names is None:
        raise InputError(
            f"{path}: names is {_BRIEF.repr(_brief(node))} - expected a list of names, or numbers from 0 to names. "
            "Fix it."
        )
    shapes = [_names_of(value, path) for key, value in entries if key == "kpt_shape"]
    shape = shapes[0] if shapes else None
    sides = [int(side) for side in shape or () if side.isdecimal() and len(side) < LONGEST_NUMBER]
    return names, sides[0] * sides[1] if len(sides) == 2 and shape is not None and len(shape) == 2 else 0


def _names_of(node: yaml.Node | None, path: PurePath) -> list[str] | None:
    """The texts of a list, or of a mapping whose keys are the numbers from 0."""
    if isinstance(node, yaml.SequenceNode):
        values = node.value
    elif isinstance(node, yaml.MappingNode) and node.tag in _PLAIN_TAGS:
        by_key = {_text(key): value for key, value in node.value}
        values = [by_key.get(str(i)) for i in range(len(node.value))]
    elif node is not None and node.tag not in _PLAIN_TAGS:
        raise InputError(f"{path} cannot be read as YAML: {node.tag} is no list of names. Fix the file.")
    else:
        return None
    names = [_text(value) for value in values]
    return None if None in names else [name for name in names if name is not None]


def _text(node: Any) -> str | None:
    """A scalar as it is written, without quotes."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _brief(node: yaml.Node | None, depth: int = 2) -> Any:
    """A node as a value to show; what lies deeper is left out, since a few lines of YAML can stand for gigabytes."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return _text(node)
    if depth == 0:
        return "..."
    if isinstance(node, yaml.MappingNode):
        pairs: Mapping[str | None, yaml.Node] = {_text(key): value for key, value in node.value[:6]}
        return {
            int(key) if key and key.isdecimal() and len(key) < LONGEST_NUMBER else key: _brief(value, depth - 1)
            for key, value in pairs.items()
        }
    return [_brief(value, depth - 1) for value in node.value[:6]]
