"""A miniature study, through the command line: every stage for real, every file where it belongs."""

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from command import gapscope
from miniature import MINIATURE

from gapscope.data.table import AnnotationTable
from gapscope.several.report import write_report

pytestmark = pytest.mark.slow

RUNS = [f"{arm}-seed{seed}" for arm in ("u-real", "u-synthetic", "f-synthetic") for seed in (0, 1)]
PAIRS = [("u-real", "u-synthetic"), ("u-real", "f-synthetic"), ("u-synthetic", "f-synthetic")]


def expected_files() -> list[str]:
    """The run folder, as the architecture lists it."""
    files = ["experiment.toml", "experiment.resolved.toml", "environment.json", "probe/camera.txt", "report.html"]
    for domain in ("camera", "engine"):
        names = ("train.txt", "val.txt", "test.txt", "summary.json", "annotations.npz")
        files += [f"data/{domain}/{name}" for name in names]
    for arm in ("base", "u-real", "u-synthetic", "f-synthetic"):
        for seed in (0, 1):
            names = ("weights.safetensors", "metrics.jsonl", "summary.json")
            files += [f"arms/{arm}/seed{seed}/{name}" for name in names]
            files += [f"evaluation/{arm}-seed{seed}--{domain}.json" for domain in ("camera", "engine")]
            files += [f"evaluation/{arm}-seed{seed}--{domain}.detections.npz" for domain in ("camera", "engine")]
    for size in (64, 32):
        files += [f"recordings/{run}--camera-{size}.nc" for run in RUNS]
        files += [f"similarity/{run}--{run}--camera-{size}.nc" for run in RUNS]
        files += [f"similarity/{a}-seed{s}--{b}-seed{s}--camera-{size}.nc" for a, b in PAIRS for s in (0, 1)]
        files += [f"similarity/effect--{a}-seed{s}--{b}-seed{s}--camera-{size}.nc" for a, b in PAIRS for s in (0, 1)]
        arms = ("u-real", "u-synthetic", "f-synthetic")
        files += [f"similarity/{arm}-seed0--{arm}-seed1--camera-{size}.nc" for arm in arms]
    files += [f"tables/table{n}.{form}" for n in range(1, 6) for form in ("csv", "md", "tex")]
    return files + [f"figures/figure{n}.{form}" for n in range(1, 8) for form in ("png", "pdf")]


@pytest.mark.parametrize("file", expected_files())
def test_the_run_folder_holds(finished_run: Path, file):
    assert (finished_run / file).stat().st_size > 0


def test_the_hood_was_rendered_labelled_and_removed(finished_run):
    summary = json.loads((finished_run / "data/engine/summary.json").read_text())
    assert summary["removed"]["hood"] >= 24  # nearly every one of the 32 images shows it
    table = AnnotationTable.load(finished_run / "data/engine/annotations.npz", finished_run / "data/engine")
    wide_and_low = (table.xyxy[:, 3] > 94) & (table.xyxy[:, 2] - table.xyxy[:, 0] > 70) & (table.xyxy[:, 1] > 55)
    assert not wide_and_low.any()


def test_whole_drives_are_split(finished_run):
    lists = {name: (finished_run / f"data/camera/{name}.txt").read_text().split() for name in ("train", "val", "test")}
    assert sum(map(len, lists.values())) == 32
    summary = json.loads((finished_run / "data/camera/summary.json").read_text())
    assert summary["leaks"]["shared_groups"] == 0


def test_the_frozen_part_has_not_changed_and_is_the_base_arms(finished_run):
    for seed in (0, 1):
        summary = json.loads((finished_run / f"arms/f-synthetic/seed{seed}/summary.json").read_text())
        assert summary["frozen_hash_before"] == summary["frozen_hash_after"] is not None
        assert summary["trainable_parameters"] < summary["parameters"]


def test_the_frozen_arms_backbone_differs_between_seeds_since_their_bases_do(finished_run):
    hashes = {
        json.loads((finished_run / f"arms/f-synthetic/seed{seed}/summary.json").read_text())["frozen_hash_after"]
        for seed in (0, 1)
    }
    assert len(hashes) == 2


def test_table_2_prints_what_the_evaluation_files_hold(finished_run):
    table = pd.read_csv(finished_run / "tables/table2.csv")
    found = json.loads((finished_run / "evaluation/u-real-seed1--engine.json").read_text())
    row = table.query("arm == 'u-real' and seed == '1' and domain == 'engine' and rule == 'coco' and metric == 'map50'")
    assert row["value"].item() == pytest.approx(found["rules"]["coco"]["map50"], abs=1e-9)


def test_self_similarity_is_one_on_the_diagonal_wherever_it_is_defined(finished_run):
    grid = xr.load_dataset(finished_run / "similarity/u-real-seed0--u-real-seed0--camera-64.nc", engine="h5netcdf")
    debiased = grid.sel(measure="cka_debiased")
    assert debiased["value"].shape == (107, 107)
    diagonal = debiased["value"].to_numpy().diagonal()
    defined = np.isfinite(diagonal)
    assert diagonal[defined] == pytest.approx(1.0, abs=1e-6)
    # After two epochs a head may still say the same of every image; such a layer is undefined, with a reason.
    assert defined.sum() >= 99
    assert [bool(reason) for reason in debiased["reason_a"].to_numpy()] == (~defined).tolist()


def test_the_frozen_and_unfrozen_arm_share_the_backbone_only_up_to_training(finished_run):
    grid = xr.load_dataset(
        finished_run / "similarity/u-synthetic-seed0--f-synthetic-seed0--camera-64.nc", engine="h5netcdf"
    )
    diagonal = grid["value"].sel(measure="cka_biased").to_numpy().diagonal()
    assert np.nanmin(diagonal) < 0.9999


def test_the_resolved_config_holds_every_default(finished_run):
    resolved = tomllib.loads((finished_run / "experiment.resolved.toml").read_text())
    assert resolved["train"]["patience"] == 10
    assert (finished_run / "experiment.toml").read_text() == MINIATURE


@pytest.fixture
def own_run(finished_run, tmp_path) -> Path:
    """A copy to go on with: other tests read the run meanwhile."""
    return shutil.copytree(finished_run.parent, tmp_path / "study") / "run"


def test_a_second_run_repeats_nothing(own_run):
    before = times(own_run)
    config = own_run.parent / "miniature.toml"
    again = gapscope("run", config, "--out", own_run)
    assert again.returncode == 0, again.stderr
    assert "training" not in again.stdout and "rendering" not in again.stdout
    assert times(own_run) == before


def test_a_lost_file_is_made_again_with_what_depends_on_it_and_nothing_else(own_run):
    lost = own_run / "evaluation/base-seed0--engine.json"
    content, before = lost.read_text(), times(own_run)
    lost.unlink()
    assert gapscope("run", own_run.parent / "miniature.toml", "--out", own_run).returncode == 0
    assert lost.read_text() == content
    changed = {name for name, time in times(own_run).items() if before.get(name) != time}
    assert "evaluate--base--seed0--engine.json" in changed
    assert not [name for name in changed if name.startswith(("train", "record", "compare", "data"))]


def test_status_says_that_all_is_done(finished_run):
    shown = gapscope("status", finished_run)
    assert shown.returncode == 0, shown.stderr
    assert "all done" in shown.stdout and "8/8" in shown.stdout


def test_the_report_can_be_written_again_in_process(own_run):
    assert write_report(own_run).read_text().startswith("<!DOCTYPE html>")


def times(run: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (run / "stages").iterdir()}
