"""The house is as docs/architecture.md says: every module has its line, imports go upwards, no room is too large."""

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "scripts"))
script = importlib.import_module("write_architecture")

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
LARGEST_ROOM = 0.16
"""Share of the package's lines of Python that one folder's own files may have; see the page."""


def listed() -> list[str]:
    """Python files below gapscope/ in the order of the page: a folder stands where its row does."""
    order = script.order_on_page(PAGE)

    def below(folder: str) -> list[str]:
        found = []
        for name in order[folder]:
            found += below(folder + name) if name.endswith("/") else [folder + name]
        return found

    return below("")


def lines(file: str) -> int:
    return len((ROOT / "gapscope" / file).read_text(encoding="utf-8").splitlines())


def test_the_page_and_the_readmes_table_are_what_the_docstrings_say():
    """After a module or its docstring has changed: python scripts/write_architecture.py."""
    found = script.folders(PAGE)
    assert script.architecture(found, PAGE) == PAGE
    assert script.room_table(found) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_lists_every_module_and_no_other():
    assert sorted(listed()) == script.modules()


@pytest.mark.parametrize("file", script.modules())
def test_a_module_imports_only_from_modules_above_it(file):
    order = {name: place for place, name in enumerate(listed())}
    assert [name for name in script.imported_by(file) if order[name] >= order[file]] == []


@pytest.mark.parametrize("file", script.modules())
def test_a_module_says_in_one_line_what_it_is_for(file):
    assert script.docstring(file).split("\n")[0].endswith((".", "?"))


def test_rooms_import_each_other_in_one_direction_only():
    files = script.modules()
    arrows = {(a.split("/")[0], b.split("/")[0]) for a in files for b in script.imported_by(a)}
    assert {(a, b) for a, b in arrows if a != b and (b, a) in arrows} == set()


def test_no_room_is_larger_than_one_can_know():
    sizes: dict[str, int] = {}
    for file in script.modules():
        folder = file.rpartition("/")[0]
        sizes[folder] = sizes.get(folder, 0) + lines(file)
    limit = LARGEST_ROOM * sum(sizes.values())
    assert {folder: size for folder, size in sizes.items() if size > limit} == {}
    assert f"{LARGEST_ROOM:.0%}".replace("%", " %") in PAGE


def test_files_that_room_docstrings_name_are_there():
    for folder in script.folders(PAGE)[1:]:
        for name in re.findall(r"[\w/]+\.py\b|\btemplates/", folder.notes):
            assert (ROOT / "gapscope" / folder.path / name).exists(), f"{folder.path}__init__.py names {name}"


class TestOrder:
    """The order of a room's files: as it is wherever that is valid."""

    def test_stays_as_it_is_where_imports_allow_it(self):
        assert script.in_order({"a", "b", "c"}, {"a": set(), "b": set(), "c": {"b"}}, ["b", "c", "a"]) == [
            "b",
            "c",
            "a",
        ]

    def test_puts_a_new_file_after_the_last_one_that_it_imports(self):
        needs = {"a": set(), "b": {"a"}, "c": set(), "new": {"a", "b"}}
        assert script.in_order(set(needs), needs, ["a", "b", "c"]) == ["a", "b", "new", "c"]

    def test_moves_a_file_below_a_new_one_that_it_imports_and_no_further(self):
        needs = {"a": {"new"}, "b": set(), "new": set(), "c": set()}
        assert script.in_order(set(needs), needs, ["a", "b", "c"]) == ["new", "a", "b", "c"]

    def test_forgets_files_that_are_gone(self):
        assert script.in_order({"a"}, {"a": set()}, ["gone", "a"]) == ["a"]

    def test_refuses_a_circle(self):
        with pytest.raises(script.HouseError, match=r"import each other.*: a, b$"):
            script.in_order({"a", "b"}, {"a": {"b"}, "b": {"a"}}, ["a", "b"])


def test_a_name_that_a_room_offers_counts_as_the_module_it_is_from():
    """`from gapscope.config import Train` may not hide that a module stands above the settings."""
    assert "config/training.py" in script.imported_by("training/optimization.py")
