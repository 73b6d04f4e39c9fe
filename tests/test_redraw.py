"""Figures are drawn anew when what they show has changed, and only then."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from gapscope.findings.estimates import Estimate
from gapscope.paper.fingerprint import fingerprint
from gapscope.paper.planned import Planned
from gapscope.paper.redraw import MADE_FROM, Redrawn, redraw
from gapscope.plot.style import ONE_COLUMN, TWO_COLUMNS

LETTERS = ("a", "b")


def drawing(text: str, beside: str | None, width: float) -> Figure:
    """A figure that takes no time."""
    figure = Figure(figsize=(width / 4, 0.5))
    figure.text(0, 0.5, f"{text} {beside or ''}")
    return figure


def planned(*texts: str) -> list[Planned]:
    return [Planned(name, drawing, (text,), shows_wide=("",)) for name, text in zip(LETTERS, texts, strict=False)]


def drawn(folder: Path, *texts: str, **how: object) -> set[str]:
    return set(redraw(planned(*texts), folder, **({"formats": ("png",), "dpi": 30} | how)).drawn)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((["a"], "b"), (["a", "b"],)),
        ((1,), (1.0,)),
        ((None,), ("None",)),
        ((np.zeros((2, 3)),), (np.zeros((3, 2)),)),
        ((np.zeros(2),), (np.zeros(2, np.float32),)),
        ((np.array([0.0, 1.0]),), (np.array([0.0, np.nextafter(1, 2)]),)),
        (({"a": 1},), ({"b": 1},)),
        ((Estimate(1.0),), (Estimate(1.0, 0.5, 2.0),)),
        ((xr.Dataset({"a": ("x", [1])}),), (xr.Dataset({"a": ("x", [2])}),)),
        ((drawing,), (planned,)),
    ],
)
def test_what_differs_in_anything_has_another_fingerprint(one, other):
    assert fingerprint(*one) == fingerprint(*one) != fingerprint(*other)


@pytest.mark.parametrize("unknown", [lambda: 0, partial(drawing, "a"), {1, 2}, object()])
def test_what_might_hide_a_number_has_no_fingerprint(unknown):
    with pytest.raises(TypeError, match="what a figure is made from holds a"):
        fingerprint([unknown])


def test_only_what_changes_is_drawn(tmp_path):
    assert drawn(tmp_path, "one", "two") == {"a", "b"}
    before = content(tmp_path)
    assert drawn(tmp_path, "one", "two") == set() and content(tmp_path) == before
    assert drawn(tmp_path, "one", "three") == {"b"}
    assert content(tmp_path)["a.png"] == before["a.png"] and content(tmp_path)["b.png"] != before["b.png"]
    assert drawn(tmp_path, "one", "two") == {"b"} and content(tmp_path) == before


def test_other_sizes_dots_and_formats_are_drawn(tmp_path):
    assert drawn(tmp_path, "one") == {"a"}
    assert drawn(tmp_path, "one", width=4.0) == {"a"} and drawn(tmp_path, "one", width=4.0) == set()
    assert drawn(tmp_path, "one", dpi=40) == {"a"}
    there = (tmp_path / "a.png").stat().st_mtime_ns
    assert drawn(tmp_path, "one", dpi=40, formats=("png", "svg")) == {"a"}
    assert (tmp_path / "a.png").stat().st_mtime_ns == there, "the format that was there is not written again"


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_a_deleted_or_damaged_file_is_drawn_again(tmp_path, harm):
    drawn(tmp_path, "one", "two")
    before = content(tmp_path)
    harm(tmp_path / "b.png")
    assert drawn(tmp_path, "one", "two") == {"b"} and content(tmp_path) == before


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"a.png": 1}', '{"a.png": {"made_from": ""}}', "[" * 100_000])
def test_where_nobody_knows_what_files_are_made_from_all_are_drawn(tmp_path, text):
    drawn(tmp_path, "one", "two")
    before = content(tmp_path)
    (tmp_path / MADE_FROM).unlink() if text is None else (tmp_path / MADE_FROM).write_text(text)
    assert drawn(tmp_path, "one", "two") == {"a", "b"} and content(tmp_path) == before


def test_a_figure_that_the_run_has_no_longer_is_deleted_and_nothing_else(tmp_path):
    folder = tmp_path / "figures"
    drawn(folder, "one", "two")
    (tmp_path / "mine.png").touch()
    (folder / "mine.png").touch()
    about = json.loads((folder / MADE_FROM).read_text())
    (folder / MADE_FROM).write_text(json.dumps(about | {"../mine.png": about["a.png"]}))
    assert drawn(folder, "one", others={"b"}) == set() and (folder / "b.png").is_file()
    assert drawn(folder, "one") == set()
    assert {path.name for path in folder.iterdir()} == {"a.png", "mine.png", MADE_FROM}
    assert (tmp_path / "mine.png").is_file() and set(json.loads((folder / MADE_FROM).read_text())) == {"a.png"}


def test_what_only_a_wide_figure_shows_leaves_the_narrow_one_as_it_is():
    one, other = (Planned("a", drawing, ("one",), shows_wide=(text,)) for text in ("left", "right"))
    assert one.made_from(ONE_COLUMN) == other.made_from(ONE_COLUMN)
    assert one.made_from(TWO_COLUMNS) != other.made_from(TWO_COLUMNS)


def test_a_figure_drawn_at_one_width_counts_as_drawn():
    both = Redrawn(frozenset("a"), frozenset("b")) | Redrawn(frozenset(), frozenset("ab"))
    assert str(both) == "1 drawn, 1 kept"
