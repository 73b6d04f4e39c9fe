"""The package's docstrings -> docs/architecture.md and the README's table of rooms.

    python scripts/write_architecture.py            # or: make architecture

A room is a folder of gapscope/. Its docstring (in __init__.py) says what it is for and names the file to open first.
A file's line is the first line of its docstring. Orders are kept as the page has them wherever they are valid, so the
page is the one owner of the order of rooms and files: to move a file up, move its row and run this again. Files that
are new stand after the last one that they import.
"""

import ast
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gapscope"
PAGE = ROOT / "docs/architecture.md"
README = ROOT / "README.md"
COMMENTS = {
    ".js": re.compile(r"// (.*)"),
    ".css": re.compile(r"/\* (.*?) \*/", re.S),
    ".toml": re.compile(r"# (.*)"),
    ".j2": re.compile(r"\{# (.*?) #\}", re.S),
}
"""Suffix -> the comment with which a file that is no Python may open."""
README_TABLE = re.compile(r"(?<=<!-- rooms -->\n\n).*?(?=\n?<!-- end of rooms -->)", re.S)

MARKER = "<!-- from here on written by scripts/write_architecture.py -->\n"
"""What stands above it on the page is written by people, and kept."""


class HouseError(Exception):
    """The page cannot be written: files import each other in a circle, or a room names no file to open first."""


@dataclass
class Folder:
    """A folder of Python files."""

    path: str
    """Below gapscope/, with a slash at its end; "" is the package itself."""
    summary: str = ""
    """First line of its docstring."""
    notes: str = ""
    """The rest of its docstring, without the line that names the file to open first."""
    first: str = ""
    """The file to open first, a path below the folder."""
    children: list[str] = field(default_factory=list)
    """Files and folders in it, in the order of the page; folders end in a slash."""
    others: list[str] = field(default_factory=list)
    """Files that are no Python, such as templates, below the folder."""


def modules() -> list[str]:
    """All Python files below gapscope/, without __init__.py."""
    files = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return sorted(file for file in files if not file.endswith("__init__.py"))


def docstring(file: str) -> str:
    return ast.get_docstring(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))) or ""


@cache
def imported_by(file: str) -> frozenset[str]:
    """Modules of the package that a file imports, anywhere in it; for a name that a room offers, its own module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gapscope":
            names = [home_of(str(node.module), alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("gapscope.")]
        for name in names:
            below = name.replace(".", "/").removeprefix("gapscope").lstrip("/")
            if (PACKAGE / f"{below}.py").is_file():
                found.add(f"{below}.py")
            elif below and (PACKAGE / below / "__init__.py").is_file() and f"{below}/__init__.py" != file:
                found |= imported_by(f"{below}/__init__.py")
    return frozenset(found)


def home_of(module: str, name: str) -> str:
    """The module that `from module import name` is about: where `module` is a room, one of its modules."""
    folder = PACKAGE / module.replace(".", "/").removeprefix("gapscope").lstrip("/")
    if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
        return f"{module}.{name}"
    if (folder / "__init__.py").is_file():
        for node in ast.walk(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and name in (alias.asname or alias.name for alias in node.names):
                return str(node.module)
    return module


def order_on_page(text: str) -> dict[str, list[str]]:
    """Folder -> its files and folders in the order in which the page lists them."""
    found: dict[str, list[str]] = {"": []}
    folder = ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = re.fullmatch(r"##+ `gapscope/(.+/)`", line)
            folder = heading[1] if heading else ""
            if heading and folder.count("/") == 1:
                found[""].append(folder)
        elif line.startswith("### "):
            folder = re.fullmatch(r"### `gapscope/(.+/)`", line)[1]  # type: ignore[index]
        elif row := re.match(r"\| `([\w/]+(?:\.py)?)` \|", line):
            found.setdefault(folder, []).append(row[1])
    return {folder: list(dict.fromkeys(names)) for folder, names in found.items()}


def in_order(names: set[str], needs: dict[str, set[str]], before: list[str]) -> list[str]:
    """Each after those it needs, and otherwise as before; what is new stands after the last that it needs.

    Raises:
        HouseError: Some need each other.
    """
    wished = [name for name in before if name in names]
    new = sorted(names - set(wished))
    while new:
        name = next((one for one in new if not needs[one] & set(new)), new[0])
        new.remove(name)
        wished.insert(max((wished.index(one) + 1 for one in needs[name] & set(wished)), default=0), name)
    found: list[str] = []
    while wished:
        ready = next((name for name in wished if needs[name] <= set(found)), None)
        if ready is None:
            raise HouseError(f"these import each other, at once or by way of others: {', '.join(wished)}")
        wished.remove(ready)
        found.append(ready)
    return found


def child_of(folder: str, file: str) -> str | None:
    """The file or folder right below a folder in which a file lies."""
    if not file.startswith(folder):
        return None
    first, slash, _ = file.removeprefix(folder).partition("/")
    return first + slash


def folders(text: str) -> list[Folder]:
    """The package and all folders in it, in the order of the page; files in an order in which imports go upwards.

    Args:
        text: The page as it is.
    """
    before, files = order_on_page(text), modules()
    found: list[Folder] = []

    def add(path: str) -> None:
        needs: dict[str, set[str]] = {}
        for file in files:
            if child := child_of(path, file):
                parts = {child_of(path, other) for other in imported_by(file)} - {None, child}
                needs.setdefault(child, set()).update(part for part in parts if part)
        folder = described(path, in_order(set(needs), needs, before.get(path, [])))
        found.append(folder)
        for child in folder.children:
            if child.endswith("/"):
                add(path + child)

    add("")
    return found


def described(path: str, children: list[str]) -> Folder:
    """A folder with what its docstring says."""
    text = docstring(f"{path}__init__.py") if (PACKAGE / path / "__init__.py").is_file() else ""
    first = re.search(r"^Open first: ([\w./]+)$", text, re.M)
    if path and not (first and (PACKAGE / path / first[1]).is_file()):
        say = f"'Open first: {children[0]}'"
        raise HouseError(f"gapscope/{path}__init__.py must say which of its files to read first, as in {say}")
    summary, _, notes = re.sub(r"^Open first: .*\n?", "", text, flags=re.M).partition("\n")
    python = {PACKAGE / path / child for child in children if child.endswith("/")}
    inside = (file for file in (PACKAGE / path).rglob("*") if path and file.is_file() and file.suffix != ".pyc")
    others = [file for file in inside if file.suffix != ".py" and not any(room in file.parents for room in python)]
    names = sorted(file.relative_to(PACKAGE / path).as_posix() for file in others)
    return Folder(path, summary, notes.strip(), first[1] if first else "", children, names)


def comment(file: Path) -> str:
    """The comment that a file opens with, its first sentence; nothing if it opens otherwise."""
    found = COMMENTS[file.suffix].match(file.read_text(encoding="utf-8")) if file.suffix in COMMENTS else None
    return re.split(r"(?<=[.?!])\s", " ".join(found[1].split()))[0] if found else ""


def table(head: str, rows: list[tuple[str, str]]) -> list[str]:
    shown = [f"| {name} | {what.replace('|', chr(92) + '|')} |" for name, what in rows]
    return [f"| {head} | |", "|---|---|", *shown, ""]


def room_section(room: Folder) -> list[str]:
    """A room: what it is for, what to open first, and its files."""
    level = "##" if room.path.count("/") == 1 else "###"
    lines = [f"{level} `gapscope/{room.path}`", "", room.summary, ""]
    lines += [room.notes, ""] if room.notes else []
    lines += [f"Open first: **`{room.first}`**", ""] if room.first else []
    rows = [(f"`{child}`", line_of(room.path + child)) for child in room.children]
    lines += table("file", rows)
    told = [(f"`{name}`", comment(PACKAGE / room.path / name)) for name in room.others]
    lines += table("not Python", [row for row in told if row[1]]) if any(what for _, what in told) else []
    if rest := [name for name, what in told if not what]:
        lines += [f"Also: {', '.join(rest)}", ""]
    return lines


def line_of(path: str) -> str:
    """What a file or a folder is for, in one line."""
    return docstring(f"{path}__init__.py" if path.endswith("/") else path).split("\n")[0]


def heading_of_loose(files: list[str], children: list[str]) -> str:
    """Files that lie in no room, between two rooms."""
    start, end = children.index(files[0]), children.index(files[-1]) + 1
    above = children[start - 1].rstrip("/") if start else None
    below = children[end].rstrip("/") if end < len(children) else None
    if above and below:
        return f"## Between {above} and {below}"
    return "## Before all rooms" if below else "## After all rooms"


def architecture(found: list[Folder], text: str) -> str:
    """The text of docs/architecture.md, anew below the marker."""
    package, rooms = found[0], {room.path: room for room in found[1:]}
    lines = ["| room | holds | open first |", "|---|---|---|"]
    for path in (child for child in package.children if child.endswith("/")):
        name = path.rstrip("/")
        lines.append(f"| [{name}](#gapscope{name}) | {rooms[path].summary} | `{rooms[path].first}` |")
    lines.append("")
    for is_room, some in groupby(package.children, key=lambda child: child.endswith("/")):
        names = list(some)
        if not is_room:
            lines += [heading_of_loose(names, package.children), ""]
            lines += table("file", [(f"`{name}`", line_of(name)) for name in names])
        for name in names if is_room else []:
            for room in (room for path, room in rooms.items() if path.startswith(name)):
                lines += room_section(room)
    return text.partition(MARKER)[0] + MARKER + "\n" + "\n".join(lines).rstrip() + "\n"


def room_table(found: list[Folder]) -> str:
    """The README's table: a line per room."""
    rooms = {room.path: room for room in found[1:]}
    lines = ["| `gapscope/` | holds | open first |", "|---|---|---|"]
    for path in (child for child in found[0].children if child.endswith("/")):
        lines.append(f"| `{path}` | {rooms[path].summary} | `{rooms[path].first}` |")
    return "\n".join(lines) + "\n"


def main() -> None:
    before = PAGE.read_text(encoding="utf-8")
    try:
        found = folders(before)
    except HouseError as error:
        sys.exit(f"write_architecture: {error}")
    PAGE.write_text(architecture(found, before), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    README.write_text(README_TABLE.sub(lambda _: room_table(found), readme), encoding="utf-8")


if __name__ == "__main__":
    main()
