"""Results show themselves: a line or a few in a terminal, a small table in a notebook."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_up_run import write_made_up_run
from small_recordings import recorded, two_networks

import gapscope
from gapscope.errors import InputError
from gapscope.evaluation.shown import Scores
from gapscope.run_folder import RunName
from gapscope.showing import first_and_last, html_table

EVIL = '<script>alert(1)</script> & "x"'


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and its caption."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("shown") / "run", sizes=(160,), first_arm="A <b>bold</b> arm")


def test_a_recording_says_in_a_line_what_it_is_of():
    a, _ = two_networks(n=30)
    assert repr(a) == "<Recording of u-real-seed0: 3 layers (0 ... 2), 30 images of 32 x 32 pixels, network 0>"


def test_a_recording_is_a_table_in_a_notebook_and_text_in_it_is_text():
    one = recorded(np.eye(5), skipped={"boxes": "why"}, provenance={"model": EVIL})
    found = Cells(one._repr_html_())
    rows = {name: cell for name, cell in found.rows}
    assert rows["layers"] == "1: 0" and rows["images"] == "5: 0.png ... 4.png"
    assert rows["not recorded"] == "1: boxes" and rows["model"] == EVIL
    assert "script" not in found.tags


def test_blocks_list_their_ranges():
    found = gapscope.find_blocks(gapscope.compare(*two_networks(), permutations=0, bootstraps=0), count=1)
    assert repr(found) == "<1 block of 3 layers: 0-2; 0 % of the variance lies between them>"
    assert Cells(found._repr_html_()).rows == [["block", "first layer", "last layer", "layers"], ["0", "0", "2", "3"]]


def test_scores_are_json_and_tables_at_once(run):
    file = run / "evaluation" / "u-real-seed0--camera.json"
    scores = Scores(json.loads(file.read_text()))
    assert json.loads(json.dumps(scores)) == json.loads(file.read_text())
    assert "Errors at IoU 0.5" in repr(scores) and "person" in repr(scores)
    rows = {row[0]: row for row in Cells(scores._repr_html_()).rows}
    assert rows["person"][1] == str(scores["targets"]["person"])


def test_a_run_says_what_it_holds(run):
    results = gapscope.read_results(str(run))
    assert f"Run A made-up study in {run}" in repr(results)
    assert "8 of 8 trainings, 12 evaluations, 6 recordings, 15 grids, 6 effects" in repr(results)
    rows = {name: text for name, text in Cells(results._repr_html_()).rows}
    assert rows["arms"].startswith("u-real (A <b>bold</b> arm)")


def test_a_runs_tables_are_tables_in_a_notebook(run):
    table = gapscope.tables(gapscope.read_results(run))[1]
    rows = Cells(table._repr_html_()).rows
    assert [tuple(row) for row in rows[1:]] == list(table.rows)


def test_a_grid_is_found_by_arms_seeds_and_size(run):
    results = gapscope.read_results(run)
    assert (
        results.grid("u-real", "u-synthetic", seed=1)
        is results.grids[RunName("u-real", 1), RunName("u-synthetic", 1), 160]
    )
    assert (
        results.grid("u-real", "u-real", seed=(0, 1)) is results.grids[RunName("u-real", 0), RunName("u-real", 1), 160]
    )
    assert "effect" in results.effect("u-real", "u-synthetic")
    with pytest.raises(
        InputError, match=r"has no grid of u-real-seed0 and u-real-seed7 at 160 pixels. Arms, to be named"
    ):
        results.grid("u-real", "u-real", seed=(0, 7))


def test_lists_are_shown_by_their_ends():
    assert first_and_last(["a"]) == "a" and first_and_last([1, 2, 3]) == "1 ... 3" and first_and_last([]) == "none"
    assert Cells(html_table("c", [("a", "b")])).rows == [["a", "b"]]


@pytest.mark.slow
def test_importing_gapscope_brings_neither_torch_nor_matplotlib_and_a_report_needs_no_torch():
    code = (
        "import sys, gapscope; assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "import gapscope.page.page, gapscope.paper.paper_output\n"
        "assert not {'torch', 'scipy.stats'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
