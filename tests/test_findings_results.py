"""What the report reads of probes, sizes and effects, and which seeds count as a ceiling where."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up_run import write_made_up_run

from gapscope.findings.findings import find
from gapscope.findings.layer_curves import (
    BIASED,
    PairCurve,
    average,
    ceiling_curve,
    largest,
    least,
    pair_curve,
    untrained_by_all,
)
from gapscope.findings.layer_differences import by_bands
from gapscope.findings.layer_findings import layer_findings
from gapscope.findings.part_gaps import low_bars, part_gaps, trainings_test
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.paper.paper_figures import all_figures, heatmaps
from gapscope.run_folder import RunName

pytestmark = pytest.mark.slow

BACKBONE = np.arange(107) <= 74
REAL, SYNTHETIC, FROZEN = (RunName(arm, 0) for arm in ("u-real", "u-synthetic", "f-synthetic"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("results") / "run", sizes=(160, 96, 32), also=("engine",))


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


def with_arm(results: Results, arm: str, **changes: object) -> Results:
    """The same results, with another plan of an arm."""
    arms = results.experiment.arms | {arm: results.experiment.arms[arm].model_copy(update=changes)}
    return replace(results, experiment=results.experiment.model_copy(update={"arms": arms}))


def of_one_size(results: Results) -> Results:
    record = results.experiment.record.model_copy(update={"sizes": (160,)})
    experiment = results.experiment.model_copy(update={"record": record})
    statistics = {key: value for key, value in results.statistics.items() if key[1] == 160}
    grids = {key: value for key, value in results.grids.items() if key[2] == 160}
    return replace(results, experiment=experiment, statistics=statistics, grids=grids)


def test_every_size_and_probe_is_read_from_its_own_file(run, results):
    assert results.sizes == (160, 96, 32) and results.probes == ["camera", "engine"]
    for domain in results.probes:
        seen = results.seen_at(domain)
        assert seen.probe == domain and seen.folder == results.folder
        for size in results.sizes:
            stem = f"u-real-seed0--u-synthetic-seed0--{domain}-{size}.nc"
            grid = xr.load_dataset(run / "similarity" / stem, engine="h5netcdf")
            xr.testing.assert_identical(seen.grids[REAL, SYNTHETIC, size], grid)
            effect = xr.load_dataset(run / "similarity" / f"effect--{stem}", engine="h5netcdf")
            xr.testing.assert_identical(seen.effects[REAL, SYNTHETIC, size], effect)
            recording = xr.load_dataset(run / f"recordings/u-real-seed0--{domain}-{size}.nc", engine="h5netcdf")
            xr.testing.assert_identical(seen.statistics[REAL, size], recording)


def test_looking_at_another_probe_and_back_changes_nothing(results):
    there = results.seen_at("engine")
    assert there.grids is not results.grids and there.seen_at("engine") is there
    back = there.seen_at("camera")
    assert (back.probe, back.grids, back.effects, back.statistics) == (
        "camera",
        results.grids,
        results.effects,
        results.statistics,
    )
    with pytest.raises(KeyError):
        results.seen_at("game")


def test_a_broken_effect_is_named(run, tmp_path):
    name = "effect--u-real-seed0--u-synthetic-seed0--engine-32.nc"
    (tmp_path / "similarity").mkdir()
    (tmp_path / "experiment.resolved.toml").write_bytes((run / "experiment.resolved.toml").read_bytes())
    (tmp_path / "similarity" / name).write_bytes((run / "similarity" / name).read_bytes()[:700])
    with pytest.raises(Exception, match=re.escape(name) + " cannot be read"):
        read_results(tmp_path)


def test_tables_and_figures_of_the_second_size_need_a_second_size(results):
    one = of_one_size(results)
    assert [table.number for table in find(one).tables] == [1, 2, 3, 5]
    assert [number for number, _ in all_figures(layer_findings(one))] == [1, 2, 3, 4, 5, 6]
    assert [table.number for table in find(results).tables] == [1, 2, 3, 4, 5]
    assert [item.size for item in heatmaps(results) if item.number == 7] == [96]


def test_tables_name_the_probe_that_they_are_about(results):
    (table,) = [table for table in find(results.seen_at("engine")).tables if table.number == 3]
    assert "from the Engine test set" in table.caption
    expected = [float(results.seen_at("engine").statistics[REAL, 160]["std"].mean())]
    numbers = table.numbers
    chosen = numbers[(numbers.arm == "u-real") & (numbers.seed == 0) & (numbers.statistic == "std")]
    assert chosen.value.tolist() == pytest.approx(expected)


def test_an_arm_has_no_ceiling_at_layers_it_kept_as_its_start_file_has_them(results):
    seeds = pair_curve(results, FROZEN, RunName("f-synthetic", 1), 160)
    ceiling = ceiling_curve(results, "f-synthetic", 160)
    assert seeds is not None and ceiling is not None
    assert (seeds.value[BACKBONE] == 1).all()  # by construction, which is what must not count
    for name in ("value", "interval_low", "interval_high", "floor_low", "floor_high"):
        assert np.isnan(getattr(ceiling, name)[BACKBONE]).all()
        np.testing.assert_array_equal(getattr(ceiling, name)[~BACKBONE], getattr(seeds, name)[~BACKBONE])
    biased = ceiling_curve(results, "f-synthetic", 160, BIASED)
    assert biased is not None and np.isnan(biased.value[BACKBONE]).all()


def test_frozen_layers_that_an_arm_before_trained_have_that_arms_seeds_as_ceiling(results):
    ceiling = ceiling_curve(with_arm(results, "f-synthetic", start="base"), "f-synthetic", 160)
    assert ceiling is not None and np.isfinite(ceiling.value).all()


def test_the_ceiling_of_a_pair_is_that_of_whichever_arm_trained_the_layer(results):
    free, frozen = layer_findings(results).ceilings_of(["u-synthetic", "f-synthetic"])
    np.testing.assert_array_equal(least([free, frozen], "value")[BACKBONE], free.value[BACKBONE])
    np.testing.assert_array_equal(average([free, frozen])[BACKBONE], free.value[BACKBONE])
    both = np.array([free.value, frozen.value])[:, ~BACKBONE]
    np.testing.assert_array_equal(least([free, frozen], "value")[~BACKBONE], both.min(0))
    np.testing.assert_array_equal(largest([free, frozen], "value")[~BACKBONE], both.max(0))
    np.testing.assert_allclose(average([free, frozen])[~BACKBONE], both.mean(0))


def curve(value: list[float], half: float = 0.05) -> PairCurve:
    middle = np.array(value)
    none = np.zeros(len(value))
    return PairCurve("made up", np.arange(len(value)), middle, middle - half, middle + half, none, none)


def test_a_layer_without_any_ceiling_is_not_below_it():
    pair, nan = curve([0.3, 0.3, 0.3, 0.8]), np.nan
    found = by_bands(pair, [curve([0.9, nan, nan, 0.9]), curve([0.9, 0.9, nan, 0.9])], "cka_debiased")
    assert found.layers.tolist() == [0, 1] and found.looked == 3
    assert np.isnan(average([curve([nan]), curve([nan])])).all()


def against_ceiling(results: Results, pair: str) -> str:
    said = find(results).verdict["Where in the network is it?"]
    (sentence,) = [one for one in said if one.startswith(f"{pair}: mean similarity")]
    return sentence


def test_layers_that_no_arm_of_a_pair_trained_are_told(results):
    both = with_arm(results, "u-real", start="streets", freeze="0-11")
    assert untrained_by_all(both, ["u-real", "f-synthetic"]).tolist() == list(range(12))
    assert untrained_by_all(both, ["u-real", "u-synthetic"]).tolist() == []
    sentence = against_ceiling(both, "U-Real vs F-Synthetic")
    assert "F-Synthetic did not train layers 12-74: its seeds do not count there." in sentence
    assert "Layers 0-11 were trained in neither arm and have no ceiling." in sentence


def test_the_verdict_measures_layers_against_the_ceiling_of_who_trained_them(results):
    sentence = against_ceiling(results, "U-Synthetic vs F-Synthetic")
    free = ceiling_curve(results, "u-synthetic", 160)
    assert free is not None
    assert f"reach {free.mean('backbone'):.2f} in the backbone" in sentence
    assert "F-Synthetic did not train layers 0-74: its seeds do not count there." in sentence


def test_a_ceiling_is_low_only_against_the_layers_that_it_has(results):
    """A frozen arm's heads may be less alike than two arms on the whole; they count against the heads of these."""
    seeds = (FROZEN, RunName("f-synthetic", 1), 160)
    grid = results.grids[seeds].copy(deep=True)
    head = np.arange(75, 107)
    grid["value"].loc[{"measure": "cka_debiased"}].values[head, head] = 0.72
    lowered = replace(results, grids=results.grids | {seeds: grid})
    assert "The ceiling is no ceiling" not in [item.title for item in find(lowered).confounds]
    grid["value"].loc[{"measure": "cka_debiased"}].values[head, head] = 0.1
    (item,) = [item for item in find(lowered).confounds if item.title == "The ceiling is no ceiling"]
    assert "on average over layers 75-106, but two seeds of F-Synthetic only 0.10." in item.texts[0]


def test_sizes_of_differences_are_those_of_the_files_seed_by_seed(results):
    gaps = {gap.part: gap for gap in part_gaps(results, "u-real", "u-synthetic", 160)}
    effects = [results.effect("u-real", "u-synthetic", seed=seed) for seed in (0, 1)]
    stage = [effect.sel(part="stage 4") for effect in effects]
    assert gaps["stage 4"].shortfall.value == pytest.approx(np.mean([float(one["part_shortfall"]) for one in stage]))
    assert gaps["stage 4"].shortfall.low == min(float(one["part_shortfall_band_low"]) for one in stage)
    assert gaps["stage 4"].sure and list(gaps)[:3] == ["backbone", "head", "stem"]
    frozen = {gap.part for gap in part_gaps(with_arm(results, "u-real", start="streets", freeze="0-11"), *PAIRED)}
    assert frozen == set(gaps)  # ceilings are the files' own
    without = replace(results, effects={})
    assert part_gaps(without, "u-real", "u-synthetic", 160) == [] and low_bars(without, "u-real", "u-synthetic") == []


PAIRED = ("u-real", "u-synthetic", 160)


def test_two_seeds_an_arm_allow_no_p_below_a_third_and_the_verdict_says_so(results):
    test = trainings_test(results, "u-real", "u-synthetic")
    assert test is not None and test.seeds == 2 and test.layers == 107
    assert test.result.p == test.result.least_p == pytest.approx(1 / 3)
    frozen = trainings_test(results, "u-real", "f-synthetic")
    assert frozen is not None and frozen.layers == 32 and frozen.parts == ["head 32", "head 16", "head 8"]
    said = " ".join(find(results).verdict["Where in the network is it?"])
    assert "over trainings p = 0.33" in said and "2 seeds an arm allow no p below 0.33; 4 would allow 0.03." in said
    assert "They are about these networks, not about other trainings." in said
    assert not re.search(r"\d+ of \d+ layers", said) and "corrected" not in said


def test_another_size_that_turns_backbone_and_head_round_is_told(results):
    def said(found: Results) -> str:
        return " ".join(find(found).verdict["Where in the network is it?"])

    assert "turn the order round" not in said(results)
    turned = dict(results.effects)
    for key, effect in results.effects.items():
        if key[2] == 32 and (key[0].arm, key[1].arm) == ("u-real", "u-synthetic"):
            backbone, head = (float(effect["part_shortfall"].sel(part=part)) for part in ("head", "backbone"))
            turned[key] = effect.assign(part_shortfall=effect["part_shortfall"].copy())
            turned[key]["part_shortfall"].loc[{"part": "backbone"}] = backbone
            turned[key]["part_shortfall"].loc[{"part": "head"}] = head
    sentence = "U-Real vs U-Synthetic: images of 32 x 32 pixels turn the order round: there the shortfall is"
    assert sentence in said(replace(results, effects=turned))


def test_what_is_alike_without_learning_stands_beside_what_is_alike(results):
    never = {key: effect.assign(untrained=0 * effect["similarity"] + 0.25) for key, effect in results.effects.items()}
    backbone, head = low_bars(replace(results, effects=never), "u-real", "u-synthetic")
    curves = [
        pair_curve(results, RunName("u-real", s), RunName("u-synthetic", s), 160, "cka_deconfounded") for s in (0, 1)
    ]
    assert backbone.beyond_pixels == pytest.approx(np.mean([curve.mean("backbone") for curve in curves]))
    assert (backbone.untrained, head.untrained) == (0.25, 0.25)
    (found,) = [
        one
        for one in find(replace(results, effects=never)).verdict["Where in the network is it?"]
        if one.startswith("U-Real vs U-Synthetic: without what pixels explain")
    ]
    assert "to untrained networks of their shape it is 0.25 in the backbone and 0.25 in the head." in found


def test_copies_and_few_groups_among_probe_images_are_warned_of(results):
    def warned(**attributes: int) -> dict[str, str]:
        grids = {key: grid.assign_attrs(attributes) for key, grid in results.grids.items()}
        return {item.title: " ".join(item.texts) for item in find(replace(results, grids=grids)).confounds}

    assert "24 probe images are as good as the same" in warned(duplicates=24)["Probe images that are the same"]
    few = warned(groups=0, known_groups=3)["A probe of few groups"]
    assert "The 48 probe images are of 3 groups (drives, sequences), too few to draw from." in few
    for known, groups in ((12, 12), (48, 0)):
        assert "A probe of few groups" not in warned(groups=groups, known_groups=known)
    assert "Under 8 images there are no intervals." in warned(n=6)["Few probe images"]
