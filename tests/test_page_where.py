"""Where the networks differ: what the page says and draws is what the files hold, and no more."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up_run import write_made_up_run
from made_up_similarity import NOTHING_SHARED

from gapscope.detector.network_map import BLOCKS, yolov3_map
from gapscope.errors import InputError
from gapscope.findings.findings import find
from gapscope.findings.image_influence import extremes
from gapscope.findings.layer_blocks import block_rows, in_words
from gapscope.findings.layer_curves import PairCurve
from gapscope.findings.layer_differences import (
    BAND,
    BANDS,
    INTERVALS,
    SHORTFALL,
    LayerDifference,
    above_floor,
    by_bands,
)
from gapscope.findings.layer_findings import layer_findings
from gapscope.findings.layer_rows import part_rows, seed_rows, untrained_rows
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import run_numbers
from gapscope.findings.run_reader import read_results
from gapscope.page.appendix import blocks_section
from gapscope.page.grid_packing import pack_cells, unpack_cells
from gapscope.page.influential_images import MOST_THUMBNAILS, influence_data
from gapscope.page.page import page_environment, page_names
from gapscope.page.page_context import where_section
from gapscope.page.page_data import network_strip, page_data
from gapscope.page.where_charts import where_data
from gapscope.run_folder import RunName
from gapscope.similarity.blocks import YOLOV3_BLOCKS

pytestmark = pytest.mark.slow

SIZE = 160
REAL, SYNTHETIC = RunName("u-real", 0), RunName("u-synthetic", 0)
PAIR = (REAL, SYNTHETIC, SIZE)
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("where") / "run"
    return write_made_up_run(folder, first_arm=EVIL, sizes=(SIZE,), also=("engine",))


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


@pytest.fixture(scope="module")
def data(results: Results) -> dict:
    return page_data(find(results))


def with_grid(results: Results, change) -> Results:
    """The same results with one grid changed in place by `change`."""
    grid = results.grids[PAIR].copy(deep=True)
    return replace(results, grids=results.grids | {PAIR: change(grid) or grid}, effects={})


def of_one_seed(results: Results) -> Results:
    """What the same run would hold with seed 0 alone, seen on the main probe."""
    probe = results.experiment.probe.model_copy(update={"also": []})
    experiment = results.experiment.model_copy(update={"seeds": [0], "probe": probe})
    grids = {key: grid for key, grid in results.grids.items() if key[0].seed == key[1].seed == 0}
    return replace(results, experiment=experiment, grids=grids, effects={}, others={})


BLOCKS_HTML = '{% from "sections/layer_tables.html.j2" import blocks_table with context %}{{ blocks_table(where) }}'


def section(results: Results) -> str:
    """The section "Layers" and the blocks of the appendix."""
    environment, findings = page_environment(), find(results)
    template = environment.get_template("sections/layers.html.j2")
    page = template.render(where=where_section(findings), **page_names(findings))
    return page + environment.from_string(BLOCKS_HTML).render(where=blocks_section(findings), **page_names(findings))


def difference_of(results: Results, measure: str = "cka_debiased") -> LayerDifference | None:
    return layer_findings(results).difference(REAL, SYNTHETIC, SIZE, measure)


def curve_of(data: dict, measure: str = "cka_debiased", probe: int = 0) -> dict:
    """U-Real against U-Synthetic, seed 0."""
    wanted = (probe, SIZE, measure, 0, 0)
    (found,) = [c for c in data["curves"] if (c["probe"], c["size"], c["measure"], c["pair"], c["seed"]) == wanted]
    return found


def map_of(data: dict, a: str, b: str, probe: int = 0) -> dict:
    names = [run["name"] for run in data["runs"]]
    (found,) = [m for m in data["maps"] if (names[m["a"]], names[m["b"]], m["probe"]) == (a, b, probe)]
    return found


def test_maps_come_back_to_three_decimals_with_undefined_cells_undefined():
    values = np.array([[0.12344, -0.25, 1.0], [np.nan, 1.5707963, 0.0]])
    packed = pack_cells(values)
    assert packed["step"] == 0.001
    assert unpack_cells(packed, 3) == pytest.approx(values, abs=0.0005, nan_ok=True)


def test_a_large_distance_is_packed_in_coarser_steps():
    values = np.array([[0.0, 4000.0, -12.0]])
    assert unpack_cells(pack_cells(values), 3) == pytest.approx(values, abs=4000 / 32767)


def test_a_map_without_any_value_is_packed_too():
    assert np.isnan(unpack_cells(pack_cells(np.full((2, 2), np.nan)), 2)).all()


@pytest.mark.parametrize(("probe", "domain"), [(0, "camera"), (1, "engine")])
def test_maps_and_curves_on_the_page_are_those_of_the_files(run, data, probe, domain):
    path = run / "similarity" / f"u-real-seed0--u-synthetic-seed0--{domain}-{SIZE}.nc"
    with xr.open_dataset(path, engine="h5netcdf") as grid:
        grids = grid.load()
    sent, cells = map_of(data, "u-real-seed0", "u-synthetic-seed0", probe), grids.sel(measure="cka_debiased")["value"]
    assert unpack_cells(sent["values"]["cka_debiased"], 107) == pytest.approx(cells.values, abs=0.0005)
    grid = grids.sel(measure="cka_biased")
    curve = curve_of(data, "cka_biased", probe)
    assert curve["value"] == pytest.approx(np.diagonal(grid["value"].values), rel=1e-3)
    for name in ("interval_low", "floor_high", "floor_z", "floor_q"):
        assert curve[name] == pytest.approx(grid[name].values, rel=1e-3), name
    assert data["probes"][probe] == {"name": domain, "title": domain.title()}


def test_effects_on_the_page_are_those_of_the_files_and_say_why_one_is_undefined(run, data):
    path = run / "similarity" / f"effect--u-real-seed0--u-synthetic-seed0--camera-{SIZE}.nc"
    with xr.open_dataset(path, engine="h5netcdf") as file:
        file = file.load()
    (effect,) = [e for e in data["effects"] if (e["probe"], e["pair"], e["seed"]) == (0, 0, 0)]
    for name in ("effect", "shortfall_low", "ceiling_min"):
        numbers = np.array(effect[name], dtype=float)
        assert numbers == pytest.approx(file[name].values, rel=1e-3, nan_ok=True), name
    assert effect["effect"][NOTHING_SHARED] is None
    assert "nothing to share" in effect["reasons"][effect["reason"][NOTHING_SHARED]]
    assert effect["reasons"][effect["reason"][0]] == ""


def test_most_wanted_maps_are_sent_first_and_the_rest_is_named(results):
    whole, few = where_data(run_numbers(results))["maps"], where_data(run_numbers(results), most_maps=8)["maps"]
    assert len(whole) == len(few) == 2 * (2 * 6 + 3)
    sent = [(m["probe"], m["a"], m["b"], name) for m in few for name in m["values"]]
    assert len(sent) == 8 and {name for *_, name in sent} == {"cka_debiased"}
    assert sorted(probe for probe, *_ in sent) == [0] * 6 + [1] * 2  # the main probe first
    different = [(m["a"], m["b"]) for m in whole if m["probe"] == 0 and m["a"] % 2 == m["b"] % 2 and m["a"] != m["b"]]
    assert len(different) == 6 and set(different) <= {(a, b) for _, a, b, _ in sent}


def test_a_layer_that_is_undefined_is_named_with_its_reason_and_not_drawn(results):
    def constant(grid: xr.Dataset) -> None:
        grid["value"][:, 82, :] = np.nan
        grid["reason_a"] = (("measure", "layer_a"), np.full((len(grid.measure), 107), "", dtype=object))
        grid["reason_a"][:, 82] = "its outputs are the same for all images"

    data = page_data(find(with_grid(results, constant)))
    sent = map_of(data, "u-real-seed0", "u-synthetic-seed0")
    assert sent["undefined"]["cka_debiased"] == [{"82": "its outputs are the same for all images"}, {}]
    assert np.isnan(unpack_cells(sent["values"]["cka_debiased"], 107)[82]).all()
    assert curve_of(data)["value"][82] is None and curve_of(data)["value"][81] is not None


def test_layers_of_the_network_below_the_curve_are_those_of_yolov3():
    strip = network_strip(yolov3_map(classes=80, width=1))
    assert len(strip["shortcuts"]) == 23 and strip["shortcuts"][0] == [1, 4] and strip["shortcuts"][-1] == [71, 74]
    assert strip["routes"] == [[79, 83], [61, 86], [91, 95], [36, 98]]
    assert [i for i, kind in enumerate(strip["kinds"]) if kind == "yolo"] == strip["detections"] == [82, 94, 106]
    assert strip["inputs"][0] == [-1] and strip["inputs"][86] == [85, 61]
    assert [tuple(block) for block in strip["paper"]][3] == (62, 74)


def test_a_layer_differs_where_the_shortfall_is_sure_and_no_pair_of_seeds_is_as_unlike(results):
    effect = results.effects[PAIR].copy(deep=True)
    for name in ("similarity", "ceiling", "ceiling_min", "shortfall_band_low"):
        effect[name] = ("layer", np.full(107, {"similarity": 0.5, "ceiling": 0.9, "ceiling_min": 0.8}.get(name, 0.1)))
    effect["shortfall_band_low"][3] = -0.01  # the band of the shortfall holds 0
    effect["ceiling_min"][4] = 0.4  # one pair of seeds is less alike still
    effect["ceiling"][5:8] = np.nan  # no arm trained these layers
    found = difference_of(replace(results, effects={PAIR: effect}))
    assert found.rule == BAND and found.looked == 104
    assert set(range(107)) - set(found.layers.tolist()) == {3, 4, 5, 6, 7}
    before = effect.drop_vars("shortfall_band_low").assign(shortfall_low=effect["shortfall_band_low"])
    found = difference_of(replace(results, effects={PAIR: before}))
    assert found.rule == SHORTFALL and 3 not in found.layers


def flat_curve(low: float, high: float) -> PairCurve:
    row = np.array([low, low])
    return PairCurve("", np.arange(2), (row + high) / 2, row, np.array([high, high]), row, row)


@pytest.mark.parametrize(
    ("measure", "own", "seeds", "differs"),
    [
        ("cka_debiased", (0.2, 0.4), (0.5, 0.7), True),
        ("cka_debiased", (0.8, 0.9), (0.5, 0.7), False),  # more alike than two seeds
        ("cka_debiased", (0.2, 0.6), (0.5, 0.7), False),
        ("procrustes", (0.8, 0.9), (0.5, 0.7), True),  # a distance: larger is less alike
        ("procrustes", (0.2, 0.4), (0.5, 0.7), False),
        ("procrustes", (0.6, 0.9), (0.5, 0.7), False),
    ],
)
def test_without_effects_whole_intervals_must_lie_on_the_less_alike_side(measure, own, seeds, differs):
    found = by_bands(flat_curve(*own), [flat_curve(*seeds)], measure)
    assert found.rule == INTERVALS and found.looked == 2
    assert found.layers.tolist() == ([0, 1] if differs else [])


def test_bands_decide_where_there_are_bands():
    wide = replace(flat_curve(0.2, 0.4), band_low=np.array([0.1, 0.2]), band_high=np.array([0.6, 0.4]))
    seeds = replace(flat_curve(0.5, 0.7), band_low=np.array([0.5, 0.5]), band_high=np.array([0.7, 0.7]))
    found = by_bands(wide, [seeds], "cka_debiased")
    assert found.rule == BANDS and found.layers.tolist() == [1]


def test_without_intervals_no_layer_is_looked_at(results):
    assert np.isnan(results.grids[PAIR]["interval_low"].sel(measure="rsa")).all()
    assert difference_of(results, "rsa") is None


def test_a_distance_is_sent_as_one_with_its_largest_value(results):
    def as_distance(grid: xr.Dataset) -> xr.Dataset:
        return grid.assign_coords(measure=["cka_debiased", *grid.measure.values[1:-1], "procrustes"])

    measures = {m["key"]: m for m in where_data(run_numbers(with_grid(results, as_distance)))["measures"]}
    assert measures["procrustes"]["distance"] and measures["procrustes"]["high"] == pytest.approx(math.sqrt(2))
    assert not measures["cka_debiased"]["distance"] and next(iter(measures)) == "cka_debiased"


def test_a_measure_that_nobody_knows_is_refused_by_name(results):
    def renamed(grid: xr.Dataset) -> xr.Dataset:
        return grid.assign_coords(measure=[*grid.measure.values[:-1], "cka_debiazed"])

    with pytest.raises(InputError, match="there is no measure 'cka_debiazed'"):
        where_data(run_numbers(with_grid(results, renamed)))


def test_means_by_part_are_means_over_seeds_of_the_layers_there(results):
    row = part_rows(layer_findings(results))[0]
    grids = [results.grids[RunName("u-real", s), RunName("u-synthetic", s), SIZE] for s in (0, 1)]
    values = [np.diagonal(grid["value"].sel(measure="cka_debiased").values) for grid in grids]
    stage = BLOCKS.index(next(block for block in BLOCKS if block.name == "stage 4"))
    assert row.cells[stage][0] == pytest.approx(np.mean([v[37:62].mean() for v in values]))
    assert row.cells[0][0] == pytest.approx(np.mean([v[0] for v in values]))


def test_a_part_that_no_arm_of_a_pair_trained_has_no_ceiling(results):
    arms = results.experiment.arms
    frozen = {name: arm.model_copy(update={"start": "scratch", "freeze": "0-74"}) for name, arm in arms.items()}
    changed = replace(results, experiment=results.experiment.model_copy(update={"arms": frozen}))
    in_backbone, in_head = (
        part_rows(layer_findings(changed))[0].cells[0],
        part_rows(layer_findings(changed))[0].cells[-1],
    )
    assert in_backbone[1] is None and in_head[1] is not None
    assert [row.layers for row in untrained_rows(layer_findings(changed))] == ["0-74"] * 3
    assert not untrained_rows(layer_findings(results))


def test_layers_that_differ_are_counted_among_those_looked_at(results):
    rows = seed_rows(layer_findings(results))
    assert [(row.seed, row.looked) for row in rows] == [(0, 107), (1, 107)] * 3
    expected = difference_of(results)
    assert rows[0].count == len(expected.layers) > 0 and rows[0].above_floor == rows[0].defined == 107


def test_layers_above_the_floor_are_those_whose_p_for_all_layers_is_at_most_a_twentieth(results):
    def partly(grid: xr.Dataset) -> None:
        grid["floor_p_all"][:, 75:] = 0.06

    assert above_floor(with_grid(results, partly).grids[PAIR]) == 75


def test_with_one_seed_nothing_is_said_to_differ(results):
    single = of_one_seed(results)
    assert all(row.count is None and row.beyond == "" for row in seed_rows(layer_findings(single)))
    data = page_data(find(single))
    assert not data["ceilings"] and not data["effects"]
    assert all(curve["rule"] is None and not curve["beyond"] for curve in data["curves"])
    page = section(single)
    assert "There is no second seed, so nothing can be said here" in page
    assert "One seed only: there is no ceiling, so no effect" in page


def test_the_most_and_least_alike_images_are_the_ends_of_the_ranking_and_never_both():
    names = ["a", "b", "c", "d", "e"]
    found = extremes(names, np.array([0.1, -0.5, 0.3, 0.0, -0.2]), count=2)
    assert found == [("c", 0.3), ("a", 0.1), ("b", -0.5), ("e", -0.2)]
    few = extremes(["a", "b", "c"], np.array([0.1, -0.5, 0.3]), count=4)
    assert [name for name, _ in few] == ["c", "b"]


def test_influences_on_the_page_are_those_of_the_files_with_small_pictures(run, data):
    path = run / "similarity" / f"u-real-seed0--u-synthetic-seed0--engine-{SIZE}.nc"
    with xr.open_dataset(path, engine="h5netcdf") as grid:
        influence, names = grid["influence"].values, [str(name) for name in grid["image"].values]
    sent = data["influence"]
    (pair,) = [p for p in sent["pairs"] if (p["probe"], p["pair"], p["seed"]) == (1, 0, 0)]
    best, value = pair["layers"][62][:2]
    assert sent["images"][int(best)]["path"] == names[int(influence[62].argmax())]
    assert value == pytest.approx(influence[62].max(), rel=1e-2)
    worst, value = pair["mean"][8:10]
    assert sent["images"][int(worst)]["path"] == names[int(influence.mean(0).argmin())]
    assert value == pytest.approx(influence.mean(0).min(), rel=1e-2)
    pictures = [image["picture"] for image in sent["images"] if image["picture"]]
    assert sent["here"] and len(sent["images"]) <= 2 * 48 and len(pictures) == min(len(sent["images"]), MOST_THUMBNAILS)
    assert all(picture.startswith("data:image/webp;base64,") for picture in pictures)


def test_of_very_many_pairs_the_first_are_drawn_and_all_are_counted(results, monkeypatch):
    assert "pairs of arms were compared" not in section(results)
    monkeypatch.setattr("gapscope.page.pairs_shown.MOST_PAIRS", 2)
    sent = page_data(find(results))
    assert sent["pairs"] == [[0, 1], [0, 2]]
    for drawn in (sent["curves"], sent["effects"], sent["influence"]["pairs"]):
        assert {one["pair"] for one in drawn} == {0, 1}
    arms = {tuple(sent["runs"][one[side]]["arm"] for side in "ab") for one in sent["maps"]}
    assert arms == {(0, 0), (1, 1), (2, 2), (0, 1), (0, 2)}
    assert "3 pairs of arms were compared" in section(results) and "of the first 2;" in section(results)


def test_no_image_has_an_influence_on_an_undefined_layer(results):
    def undefined(grid: xr.Dataset) -> None:
        grid["influence"][82] = np.nan

    changed = influence_data(run_numbers(with_grid(results, undefined)))["pairs"][0]
    assert changed["layers"][82] is None and len(changed["layers"][81]) == 16 and len(changed["mean"]) == 16


def test_images_that_are_elsewhere_leave_their_names_and_numbers(results):
    summaries = {name: replace(summary, root="elsewhere") for name, summary in results.summaries.items()}
    sent = influence_data(run_numbers(replace(results, summaries=summaries)))
    assert not sent["here"] and sent["images"] and all(image["picture"] is None for image in sent["images"])


def test_blocks_that_are_the_stages_agree_with_them_fully(results):
    def as_stages(grid: xr.Dataset) -> None:
        member = np.concatenate([np.full(last - first + 1, i) for i, (first, last) in enumerate(YOLOV3_BLOCKS)])
        grid["block_a"][:] = member

    row = block_rows(with_grid(results, as_stages))[0]
    assert row.stages.adjusted_rand == 1 and row.stages.p < 0.01 and row.count == 9
    assert row.blocks == in_words(YOLOV3_BLOCKS) == "0, 1-4, 5-11, 12-36, 37-61, 62-74, 75-82, 83-94, 95-106"
    assert row.paper.adjusted_rand < 1


def test_statistics_are_sent_for_every_probe(run, data):
    with xr.open_dataset(run / f"recordings/f-synthetic-seed1--engine-{SIZE}.nc", engine="h5netcdf") as recording:
        std = recording["std"].values
    (sent,) = [s for s in data["statistics"] if (s["probe"], s["arm"], s["seed"]) == (1, 2, 1)]
    assert sent["std"] == pytest.approx(std, rel=1e-3)


def test_a_run_of_before_is_shown_with_what_it_has(results):
    def as_before(grid: xr.Dataset) -> xr.Dataset:
        added = ("influence", "block_a", "block_b", "floor_z", "floor_p", "floor_q", "floor_p_all")
        added += ("band_low", "band_high")
        return grid.drop_vars([name for name in added if name in grid]).sel(measure=["cka_debiased", "cka_biased"])

    old = replace(results, grids={key: as_before(grid) for key, grid in results.grids.items()}, effects={})
    page = section(old)
    assert "No blocks were found in this run" in page and "did not compute it" in page
    assert all(row.above_floor is None and row.rule == INTERVALS for row in seed_rows(layer_findings(old)))
    assert not [p for p in page_data(find(old))["influence"]["pairs"] if p["probe"] == 0]


def test_before_the_networks_were_compared_the_section_says_so(results):
    page = section(replace(of_one_seed(results), grids={}))
    assert "Layer similarities are not there yet: this part fills once the stage <code>compare</code> has run." in page
    assert 'id="map-controls"' not in page


def test_hostile_titles_are_shown_in_the_tables_and_run_nowhere(results):
    page = section(results)
    assert EVIL not in page and "&lt;img src=x onerror=alert(1)&gt; vs U-Synthetic" in page
