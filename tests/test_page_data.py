"""Data, training and provenance: every number is a file's, and what is not there is said."""

import base64
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up_run import write_made_up_run
from small_data import coco_folder, write_coco

from gapscope.config import Experiment
from gapscope.data.leak_shares import SEEN
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.findings.domain_facts import LEAK_WORDS, domain_facts
from gapscope.findings.domain_file import LeakCounts
from gapscope.findings.environment_file import RunEnvironment
from gapscope.findings.findings import find
from gapscope.findings.result_tables import UNDEFINED
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.findings.stage_times import stage_times
from gapscope.findings.training_files import TrainingRecord, TrainingSummary
from gapscope.findings.training_rows import CHANGED, UNCHANGED, not_begun, training_rows
from gapscope.page.page import page_environment, page_names
from gapscope.page.page_context import material
from gapscope.page.provenance import compressed_grid, provenance
from gapscope.page.run_files import CONTENTS, file_groups
from gapscope.page.training_charts import training_curves
from gapscope.run_folder import RunFolder, RunName
from gapscope.study.domain_files import write_domain_files
from gapscope.study.domains import prepare_domain
from gapscope.words import byte_size, duration

pytestmark = pytest.mark.slow

EVIL = "</td><script>alert(1)</script>"
SECTIONS = ("data", "training", "provenance")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_made_up_run(tmp_path_factory.mktemp("data") / "run", seeds=(0,))
    (run / "stages").mkdir()
    for unit, seconds in (("train/u-real/seed0", 90), ("train/u-synthetic/seed0", 60.5), ("data/camera", 2)):
        record = {"unit": unit, "key": "k", "files": [], "seconds": seconds}
        (run / "stages" / f"{unit.replace('/', '--')}.json").write_text(json.dumps(record))
    return run


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


@pytest.fixture(scope="module")
def html(results: Results) -> dict[str, str]:
    return sections(results)


def sections(results: Results) -> dict[str, str]:
    """The HTML of each of the sections."""
    environment, findings = page_environment(), find(results)
    more = {"material": material(findings), "provenance": provenance(results), "environment": results.environment}
    context = page_names(findings) | more
    return {name: environment.get_template(f"sections/{name}.html.j2").render(context) for name in SECTIONS}


def with_summary(results: Results, domain: str, **changes: object) -> Results:
    return replace(results, summaries=results.summaries | {domain: replace(results.summaries[domain], **changes)})


def with_training(
    results: Results, arm: str, summary: TrainingSummary | None, epochs: list[dict] | None = None
) -> Results:
    """The same results with another training of an arm."""
    old = results.trainings[RunName(arm, 0)]
    new = TrainingRecord(summary, old.epochs if epochs is None else tuple(epochs))
    return replace(results, trainings=results.trainings | {RunName(arm, 0): new})


def row_of(results: Results, arm: str):
    return next(row for row in training_rows(results) if row.run.arm == arm)


def cells(html: str, first: str) -> list[str]:
    """The cells of the first table row that begins with a cell of this text, without mark-up."""
    rows = (
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows_of(html)
    )
    return next(row for row in rows if row and row[0] == first)


def rows_of(html: str) -> list[str]:
    return re.findall(r"<tr.*?</tr>", html, flags=re.S)


def test_counts_per_split_are_those_of_the_summary(run, html):
    summary = json.loads((run / "data/camera/summary.json").read_text())
    boxes = summary["boxes"]["train"]
    found = cells(html["data"], "Camera")
    assert found == ["Camera", "train", "36", str(sum(boxes.values())), *map(str, boxes.values()), "0"]


def test_shares_of_classes_are_of_the_training_boxes(results):
    counts = {"camera": (30, 10, 0), "engine": (10, 10, 0)}
    for domain, (person, car, bus) in counts.items():
        train = {"person": person, "car": car, "bus": bus}
        results = with_summary(results, domain, boxes={"train": train, "val": {}, "test": {}})
    rows = {row.name: row for row in domain_facts(results).shares}
    assert rows["person"].shares == (0.75, 0.5) and rows["person"].factor == pytest.approx(1.5)
    assert rows["car"].shares == (0.25, 0.5) and not rows["car"].marked
    assert rows["bus"].shares == (0, 0) and rows["bus"].factor is None and not rows["bus"].marked
    assert domain_facts(results).most == 0.75


@pytest.mark.parametrize(("cars", "marked", "said"), [(40, False, "2.0"), (10, True, "8.0"), (0, True, "none in one")])
def test_a_class_is_marked_where_its_shares_are_far_apart(results, cars, marked, said):
    one = with_summary(results, "camera", boxes={"train": {"person": 20, "car": 80}, "val": {}, "test": {}})
    two = with_summary(one, "engine", boxes={"train": {"person": 100 - cars, "car": cars}, "val": {}, "test": {}})
    row = next(row for row in domain_facts(two).shares if row.name == "car")
    assert row.marked == marked
    line = next(line for line in rows_of(sections(two)["data"]) if "80.0 %" in line)
    assert f"<td>{said}" in line and ("uneven" in line) == marked


def test_leaks_are_told_as_shares_of_the_held_out_images(html):
    found = cells(html["data"].partition("Do the splits leak?")[2], "Engine")
    unknown = ["not looked for"] * 2
    assert found == ["Engine", "test", "train", "leaks", "12", "0 (0.0 %)", *unknown, "2 (16.7 %)"]
    assert "images/engine-00050.png" in html["data"] and set(LEAK_WORDS) == set(SEEN)


def test_a_run_of_before_shares_were_noted_tells_its_counts(results):
    leaks = LeakCounts(shared_groups=3, adjacent_frames=7, examples=(("a.png", "b.png"),))
    page = sections(with_summary(results, "camera", leaks=leaks))["data"]
    assert "Camera: 3 shared groups, 0 near-duplicates, 7 adjacent frames across splits." in page
    assert "a.png ~ b.png" in page and "<code>gapscope data leaks --run</code>" in page


def small_study(root: Path, tmp_path: Path) -> dict:
    """The summary that the data stage writes for a folder whose second half repeats the first."""
    config = f"""
name = "small"
[data]
classes = ["car"]
image_size = 96
[domains.road]
role = "real"
root = "{root}"
drop = ["van"]
split = {{ method = "lists", train = "train.txt", val = "val.txt", test = "test.txt" }}
[arms.one]
domains = ["road"]
[probe]
domain = "road"
images = 4
"""
    experiment: Experiment = parse_config(config, "small.toml")
    domain, folder = experiment.domains["road"], RunFolder(tmp_path / "run")
    prepared = prepare_domain("road", domain, experiment.data, root)
    write_domain_files("road", experiment, prepared, folder)
    return json.loads((folder.domain("road") / "summary.json").read_text())


def test_the_data_stage_notes_which_share_of_the_held_out_images_was_seen(tmp_path):
    content = coco_folder(tmp_path / "road", num_images=12)
    for copy, original in ((8, 0), (9, 1)):
        shutil.copy(tmp_path / f"road/images/{original:03}.png", tmp_path / f"road/images/{copy:03}.png")
    write_coco(tmp_path / "road", content)
    for split, images in (("train", range(6)), ("val", range(6, 8)), ("test", range(8, 12))):
        (tmp_path / f"road/{split}.txt").write_text("".join(f"{i:03}.png\n" for i in images))
    leaks = small_study(tmp_path / "road", tmp_path)["leaks"]
    found = {(one["held_out"], one["seen_in"]): one for one in leaks["overlaps"]}
    assert set(found) == {("val", "train"), ("test", "train"), ("test", "val")}
    test = found["test", "train"]
    assert (test["images"], test["counts"]["near_duplicate"], test["counts"]["same_name"]) == (4, 2, 0)
    assert test["examples"]["near_duplicate"] == ["images/008.png", "images/000.png"]
    assert leaks["near_duplicates"] == 2


def test_names_that_were_ignored_or_dropped_stand_in_the_label_map(results):
    changed = with_summary(results, "engine", ignored_sources={"crowd": 5})
    table = find(changed).tables[0]
    assert table.rows[-2:] == (("(ignored)", UNDEFINED, "crowd (5)"), ("(dropped)", UNDEFINED, "traffic cone (14)"))
    numbers = table.numbers[table.numbers.fate != "label"]
    assert numbers[["fate", "domain", "source", "boxes"]].values.tolist() == [
        ["ignored", "engine", "crowd", 5],
        ["dropped", "engine", "traffic cone", 14],
    ]


def test_what_was_left_out_as_broken_is_told(results, html):
    changed = with_summary(results, "camera", left_out={"class N": 3}, notes=["Two files were empty."])
    page = sections(changed)["data"]
    assert "data/camera/left_out.jsonl" in page and "3 x class N" in page and "Two files were empty." in page
    assert "none was left out as broken" in sections(with_summary(results, "camera", left_out={}))["data"]
    assert "left out as broken" not in html["data"]  # an older run did not note it


def test_a_source_that_is_not_stated_is_asked_for(results):
    domains = dict(results.experiment.domains)
    domains["camera"] = domains["camera"].model_copy(update={"generate": None, "source": ""})
    changed = replace(results, experiment=results.experiment.model_copy(update={"domains": domains}))
    assert (
        "No source or licence is stated (<code>source</code> in <code>[domains.camera]</code>)"
        in sections(changed)["data"]
    )


def test_quantiles_of_sizes_and_looks_are_those_of_the_summary(results):
    quantiles = {"median": 17.2, "p5": 11.4, "p95": 44.6}
    spread = {"box_side": {"quantiles": quantiles, "counts": [1]}, "boxes_per_image": {"quantiles": {}}}
    facts = domain_facts(with_summary(results, "camera", distributions=spread)).facts
    assert [fact.values for fact in facts] == [("160 x 120", "160 x 120"), ("17 (11 to 45)", "")]


def test_a_finished_training_is_told_as_its_files_tell_it(run, results, html):
    summary = json.loads((run / "arms/f-synthetic/seed0/summary.json").read_text())
    row = row_of(results, "f-synthetic")
    assert (row.epochs, row.best_epoch, row.best_val_map50) == (12, summary["best_epoch"], summary["best_val_map50"])
    assert row.frozen == UNCHANGED and row.state == "went through all epochs"
    assert (row.epoch_seconds, row.images_per_second, row.data_wait) == (6.0, 50.0, pytest.approx(0.02))
    assert cells(html["training"], "F-Synthetic, seed 0")[4:7] == ["12 of 100", "9", "0.580"]
    assert "72 s" not in html["training"] and "1 min" in html["training"] and "2.0 %" in html["training"]


def test_a_training_that_stopped_early_or_thawed_says_so(results):
    summary = results.trainings[RunName("f-synthetic", 0)].summary
    changed = with_training(results, "f-synthetic", replace(summary, stopped_early=True, frozen_hash_after="cd" * 32))
    row = row_of(changed, "f-synthetic")
    assert row.state == "stopped early: no better for 10 epochs" and row.frozen == CHANGED
    assert "hash changed" in sections(changed)["training"]


def test_a_training_that_goes_on_is_told_as_far_as_it_is(results):
    lines = [{"epoch": 1, "loss": 9.0, "val_map50": None}, {"epoch": 2, "loss": 8.0, "val_map50": 0.25}]
    changed = with_training(results, "u-real", None, [*lines, {"epoch": 3, "loss": 7.0, "val_map50": 0.2}])
    gone = {run: one for run, one in changed.trainings.items() if run.arm != "f-synthetic"}
    changed = replace(changed, trainings=gone)
    row = row_of(changed, "u-real")
    assert (row.epochs, row.best_epoch, row.best_val_map50, row.finished) == (3, 2, 0.25, False)
    assert not_begun(changed) == ["F-Synthetic, seed 0"]
    page = sections(changed)["training"]
    assert "U-Real, seed 0: 3 of at most 100 epochs." in page and "still running, or interrupted" in page
    assert "Not begun, or in their first epoch: F-Synthetic, seed 0" in page


def test_curves_hold_every_epoch_and_null_where_a_line_says_nothing(results):
    lines = [{"epoch": 1, "loss": 9.0, "val_map50": None}, {"epoch": 2, "loss": 8.0, "val_map50": 0.25, "box": 3.0}]
    curves = list(training_curves(find(with_training(results, "u-real", None, lines))))
    curve = next(one for one in curves if one["title"] == "U-Real")
    assert curve["loss"] == [9.0, 8.0] and curve["box"] == [None, 3.0] and curve["val_map50"] == [None, 0.25]
    assert curve["best"] == 2 and json.dumps(curves, allow_nan=False)


def test_times_per_stage_are_the_sums_of_the_records(run, html):
    data, train = stage_times(RunFolder(run))
    assert (data.stage, data.units, data.seconds) == ("data", 1, 2)
    assert (train.units, train.seconds, train.longest, train.longest_seconds) == (2, 150.5, "train/u-real/seed0", 90)
    assert cells(html["provenance"], "train") == ["train", "2", "3 min", "99 %", "train/u-real/seed0 (2 min)"]


def test_a_broken_stage_record_is_refused_by_name(results, tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/train--a.json").write_text('{"unit": 3}')
    with pytest.raises(InputError, match=r"train--a\.json: cannot be read as a stage record"):
        stage_times(RunFolder(tmp_path))


def test_a_record_that_a_killed_process_was_still_writing_is_none(run, tmp_path):
    shutil.copytree(run / "stages", tmp_path / "stages")
    (tmp_path / "stages/.train--u-real--seed0-x1.json").write_text('{"unit": "train/u-re')
    assert stage_times(RunFolder(tmp_path)) == stage_times(RunFolder(run))


def test_configuration_and_hashes_are_those_of_the_run_folder(run, results, html):
    made = provenance(results)
    assert made.given == (run / "experiment.toml").read_text() == made.resolved
    name, uri = made.config_files[1]
    assert name == "experiment.resolved.toml"
    assert base64.b64decode(uri.partition(",")[2]).decode() == (run / name).read_text()
    assert ("weights u-real-seed0", "0" * 64) in made.hashes and ("data camera", "0" * 64) in made.hashes
    assert "gapscope run made-up.toml" in html["provenance"] and "torch 2.14.0" in html["provenance"]


def test_the_probes_hash_is_that_of_its_list(run, results):
    path = run / "probe/camera.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# sha256 {'ef' * 32}\nimages/camera-00048.png\n")
    assert ("probe camera", "ef" * 32) in provenance(results).hashes


@pytest.mark.parametrize(("root", "asked"), [("photos", True), ("/data/photos", False)])
def test_the_command_that_makes_it_again_asks_for_a_data_root_where_one_is_needed(results, root, asked):
    domains = dict(results.experiment.domains)
    domains["camera"] = domains["camera"].model_copy(update={"generate": None, "root": root})
    experiment = results.experiment.model_copy(update={"domains": domains})
    command = provenance(replace(results, experiment=experiment)).command
    assert command.startswith("gapscope run experiment.toml --out made-up-again")
    assert ("--data-root FOLDER" in command) == asked


def test_a_grid_that_is_taken_along_holds_the_files_values(results, tmp_path):
    made = provenance(results)
    assert [grid.path for grid in made.grids] == [
        f"similarity/{a}-seed0--{b}-seed0--camera-160.nc" for a, b in results.pairs
    ]
    content = base64.b64decode(made.grids[0].uri.partition(",")[2])
    (tmp_path / "grid.nc").write_bytes(content)
    with (
        xr.open_dataset(tmp_path / "grid.nc", engine="h5netcdf") as copy,
        xr.open_dataset(results.folder / made.grids[0].path, engine="h5netcdf") as original,
    ):
        assert copy["value"].dims == original["value"].dims
        np.testing.assert_allclose(copy["value"], original["value"], rtol=1e-6)
        assert copy["value"].sel(measure="cka_debiased", layer_a=82, layer_b=82) < 1
    assert len(content) < 300_000 and "influence" not in copy


def test_a_grid_that_is_too_large_is_named_instead(results):
    key = (RunName("u-real", 0), RunName("u-synthetic", 0), 160)
    noise = np.random.default_rng(0).normal(size=(9, 107, 107))
    large = xr.Dataset({"value": (("measure", "layer_a", "layer_b"), noise)})
    assert len(compressed_grid(large)) > 300_000
    changed = replace(results, grids=results.grids | {key: large})
    assert [grid.uri is None for grid in provenance(changed).grids] == [True, False, False]
    said = "too large for this page; it is in <code>similarity/u-real-seed0--u-synthetic-seed0--camera-160.nc</code>"
    assert said in sections(changed)["provenance"]


def test_grids_have_a_room_on_the_page_that_they_share(results, monkeypatch):
    first = len(base64.b64decode(provenance(results).grids[0].uri.partition(",")[2]))
    monkeypatch.setattr("gapscope.page.provenance.ROOM_FOR_GRIDS", first)
    assert [grid.uri is None for grid in provenance(results).grids] == [False, True, True]


def test_every_file_of_the_run_folder_is_listed_once(run, html):
    groups = file_groups(run)
    listed = [path for group in groups for path, _ in group.files]
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert sorted(listed) == sorted(files) and len(set(listed)) == len(listed)
    by_pattern = {group.pattern: group for group in groups}
    assert "*" not in by_pattern, "a file that nothing is said about"
    found = by_pattern["evaluation/*.detections.npz"]
    assert len(found.files) == 6
    assert cells(html["provenance"], "evaluation/*.detections.npz")[1:3] == ["6", byte_size(found.size)]


def test_the_page_itself_and_hidden_files_are_not_listed(tmp_path):
    for name in ("report.html", ".lock", "notes.txt", "data/a/images/.DS_Store", "data/a/images/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    groups = file_groups(tmp_path)
    assert [(group.holds, group.files) for group in groups] == [
        (CONTENTS["data/*"], (("data/a/images/1.png", 1),)),
        ("other files", (("notes.txt", 1),)),
    ]


def test_a_run_that_has_just_begun_says_what_is_missing(run, tmp_path):
    (tmp_path / "experiment.resolved.toml").write_bytes((run / "experiment.resolved.toml").read_bytes())
    page = sections(read_results(tmp_path))
    assert "once the stage <code>data</code> has run" in page["data"]
    assert "once the stage <code>train</code> has run" in page["training"]
    for said in ("No environment is on record", "No stage has finished yet", "No table is there yet"):
        assert said in page["provenance"]


def test_hostile_words_of_files_and_configuration_are_shown_and_not_run(run, results, tmp_path):
    changed = with_summary(results, "camera", notes=[EVIL], split=EVIL, dropped={EVIL: 2}, left_out={EVIL: 1})
    summary = results.trainings[RunName("u-real", 0)].summary
    changed = with_training(changed, "u-real", replace(summary, device=EVIL))
    changed = replace(changed, environment=RunEnvironment(results.environment.facts | {"command": EVIL, EVIL: EVIL}))
    for name, page in sections(changed).items():
        assert "<script>" not in page, name
        assert "&lt;/td&gt;&lt;script&gt;alert(1)" in page, name


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_in_words(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("num_bytes", "said"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (999 * 1024, "999 KiB"),
        (1000 * 1024, "0.977 MiB"),
        (105_200_000, "100 MiB"),
        (4_010_000_000_000, "3.65 TiB"),
    ],
)
def test_sizes_in_words(num_bytes, said):
    assert byte_size(num_bytes) == said
