"""A study of two networks, from its file to its pages: each is judged for itself, and one page holds both."""

import csv
import json
import shutil
from pathlib import Path
from unittest import mock

import pytest
import xarray as xr
from command import gapscope
from two_domains import write_two_domains

from gapscope.detector.guests import load_network
from gapscope.findings.run_reader import read_results
from gapscope.paper.redraw import Redrawn
from gapscope.run_folder import RunFolder, RunName
from gapscope.several.report import render_report
from gapscope.several.run_gaps import run_gaps
from gapscope.several.runs import read_runs

pytestmark = pytest.mark.slow

TEXT = """
name = "networks"
title = "Two <b>networks</b>"
seeds = [0]
[data]
classes = ["car", "bus"]
image_size = 32
[model]
width = 0.05
[models.tiny]
name = "yolov3-tiny"
width = 0.05
[domains.real]
role = "real"
root = "real"
[domains.game]
role = "synthetic"
root = "game"
[arms.u-real]
title = "U-Real"
domains = ["real"]
[arms.u-game]
title = "U-Game"
domains = ["game"]
[arms.u-real-tiny]
title = "U-Real (tiny)"
model = "tiny"
domains = ["real"]
[arms.u-game-tiny]
title = "U-Game (tiny)"
model = "tiny"
domains = ["game"]
[train]
device = "cpu"
epochs = 1
[evaluate]
bootstraps = 50
[probe]
domain = "real"
images = 5
[record]
sizes = [32]
[similarity]
measures = ["cka_debiased"]
permutations = 20
bootstraps = 20
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With its data, its file and its finished run."""
    place = tmp_path_factory.mktemp("networks")
    write_two_domains(place / "data")
    (place / "study.toml").write_text(TEXT)
    with mock.patch("gapscope.page.page.draw_report_figures", return_value=Redrawn()) as drawn:  # which takes most
        done = gapscope("run", place / "study.toml", "--data-root", place / "data", "--out", place / "run")
    assert done.returncode == 0, done.stderr
    assert "No verdict: the arms of no network have learned" in " ".join(done.stdout.split())
    folders = [call.args[1] for call in drawn.call_args_list]
    assert folders == [place / "run" / "networks" / name / "figures" for name in ("default", "tiny")]
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    return place / "run"


def test_every_arm_is_trained_with_its_own_network(run):
    folder = RunFolder(run)
    assert len(load_network(folder.weights(RunName("u-real", 0)), "yolov3").plan.layers) == 107
    assert len(load_network(folder.weights(RunName("u-real-tiny", 0)), "yolov3-tiny").plan.layers) == 24


def test_nothing_is_left_to_be_done(place, run):
    done = gapscope("run", place / "study.toml", "--data-root", place / "data", "--out", run, "--dry")
    assert "nothing is to be done" in done.stdout


def test_gaps_are_those_of_evaluations_of_one_network_and_stand_in_its_table(run):
    with (run / "tables" / "networks-gaps.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["seed"] == "mean"]
    assert [(row["run"], row["home"], row["other"]) for row in rows if row["role"] == "real"] == [
        ("A", "u-real", "u-game"),
        ("B", "u-real-tiny", "u-game-tiny"),
    ]
    for row in rows:
        home, other = (
            json.loads((run / "evaluation" / f"{row[arm]}-seed0--{row['domain']}.json").read_text())
            for arm in ("home", "other")
        )
        mine, theirs = (one["rules"]["coco"]["headline_map50"] for one in (home, other))
        assert float(row["value"]) == pytest.approx(100 * (mine - theirs))


def test_the_page_holds_both_networks_and_leads_to_the_page_of_each(run):
    page = (run / "report.html").read_text()
    assert "YOLOv3 at 0.05 of its width" in page and "yolov3-tiny at 0.05 of its width" in page
    assert "Two &lt;b&gt;networks&lt;/b&gt;" in page and "Two <b>networks" not in page
    assert (
        "has no such layers" not in page and "107 layers: backbone 0-74" in page and "24 layers: backbone 0-12" in page
    )
    for name in ("default", "tiny"):
        assert f'href="networks/{name}/report.html"' in page
        assert (run / "networks" / name / "appendix.html").is_file()


def test_the_page_of_a_network_speaks_of_it_alone(run):
    tiny, default = ((run / "networks" / name / "report.html").read_text() for name in ("tiny", "default"))
    assert "yolov3-tiny at 0.05 of its width, 32 pixels" in tiny and "YOLOv3 at" not in tiny and "0-74" not in tiny
    assert "U-Real (tiny)" in tiny and "U-Real (tiny)" not in default
    assert 'href="../../report.html"' in tiny
    assert json.loads((run / "networks" / "tiny" / "verdict.json").read_text())["answers"]


def test_layers_of_the_two_networks_are_compared_without_a_diagonal(run):
    paths = sorted(path.name for path in (run / "similarity").glob("u-*.nc") if path.name.count("-tiny") == 1)
    assert paths == ["u-game-seed0--u-game-tiny-seed0--real-32.nc", "u-real-seed0--u-real-tiny-seed0--real-32.nc"]
    with xr.open_dataset(run / "similarity" / paths[0], engine="h5netcdf") as grid:
        assert dict(grid["value"].sizes) == {"measure": 1, "layer_a": 107, "layer_b": 24}
        assert "layer" not in grid.sizes and "best_floor_p_all" in grid
    page = (run / "report.html").read_text()
    assert "more than chance" in page and "by chance" in page


def test_every_network_is_shown_part_by_part_under_its_own_names(run):
    with (run / "tables" / "networks-parts.csv").open() as file:
        parts = [(row["run"], row["part"], int(row["first"]), int(row["last"])) for row in csv.DictReader(file)]
    assert ("A", "stage 5", 62, 74) in parts and ("B", "stage 5", 9, 12) in parts
    assert ("A", "head 8", 95, 106) in parts and ("B", "head 16", 17, 23) in parts


def test_the_verdict_of_the_study_names_every_network(run):
    found = json.loads((run / "verdict.json").read_text())
    assert [one["key"] for one in found["answers"]] == ["gap"]
    assert {name: one["letter"] for name, one in found["networks"].items()} == {"default": "A", "tiny": "B"}
    assert (run / found["networks"]["tiny"]["verdict"]).is_file()
    assert "## B: yolov3-tiny at 0.05 of its width" in (run / "report.md").read_text()


def test_while_a_study_goes_on_its_page_has_no_links_to_files_beside_it(run):
    assert "networks/tiny/report.html" not in render_report(read_results(run))


def test_figures_and_tables_for_a_paper_have_a_folder_for_each_network(run, tmp_path):
    done = gapscope("figures", run, "--only", "tables", "--out", tmp_path / "paper")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "paper").iterdir()} == {"default", "tiny"}
    assert list((tmp_path / "paper" / "tiny" / "tables").glob("*.csv"))


def test_beside_other_runs_each_network_is_a_run(run, tmp_path):
    shutil.copytree(run, tmp_path / "again")
    runs = read_runs([run, tmp_path / "again"])
    assert [one.title.rpartition(", ")[2] for one in runs][:2] == [
        "YOLOv3 at 0.05 of its width",
        "yolov3-tiny at 0.05 of its width",
    ]
    found = [one for one in run_gaps(runs) if one.kind[0] == "real"]
    assert [one.run.letter for one in found] == ["A", "B", "C", "D"]
    assert {one.kind[1:] for one in found} == {("u-real", "u-game")}


def test_remedies_are_ranked_network_by_network(place, tmp_path):
    shutil.copytree(place / "run", tmp_path / "run")
    with mock.patch("gapscope.page.page.draw_report_figures", return_value=Redrawn()):
        done = gapscope("remedies", place / "study.toml", "--data-root", place / "data", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    first, tiny = (done.stdout.index(f"{name} at 0.05 of its width:") for name in ("YOLOv3", "yolov3-tiny"))
    assert "U-Game on real" in done.stdout[first:tiny] and "U-Game (tiny) on real" in done.stdout[tiny:]
    for name in ("default", "tiny"):
        assert f"networks/{name}/tables/table8.csv" in done.stdout.replace("\n", "")
    with (tmp_path / "run/networks/tiny/tables/table8.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["remedy"] for row in rows} == {"u-game-tiny-adapted", "average-of-u-game-tiny-u-real-tiny"}
