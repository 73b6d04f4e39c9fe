"""Arms of different networks in one study: what is refused, what is compared with what, and what may be said of it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from small_evaluations import evaluation, study
from small_recordings import features, recorded
from two_domains import TEXT

from gapscope.arms import shared_names
from gapscope.config import DEFAULT, Similarity
from gapscope.detector.network_map import darknet_map, yolov3_map
from gapscope.detector.plans import built_in_plan
from gapscope.errors import InputError
from gapscope.evaluation.bands import band
from gapscope.experiment_file import parse_config
from gapscope.findings.findings import find
from gapscope.findings.run_numbers import run_numbers
from gapscope.run_folder import RunFolder
from gapscope.several.cross_grids import CrossGrid, matches_by_part, order_kept
from gapscope.several.line_up import line_up
from gapscope.several.network_gaps import network_differences
from gapscope.several.network_runs import network_runs, shared_titles
from gapscope.several.network_sentences import difference_sentences, gap_sentence
from gapscope.several.run_gaps import Comparable
from gapscope.several.statements import STATEMENTS
from gapscope.several.statements_by_parts import BY_PARTS, _backbone, _detections, _early, statements_of
from gapscope.study.made_from import deciding
from gapscope.study.similarities import grid_across
from gapscope.study.stages import compared_pairs, pairs_across, units_of
from gapscope.study.study import Study
from gapscope.study.units import keys_of

TINY = """
[models.tiny]
name = "yolov3-tiny"
width = 0.0625
[arms.u-real-tiny]
model = "tiny"
domains = ["real"]
[arms.f-game-tiny]
model = "tiny"
domains = ["game"]
freeze = "backbone"
"""


# What an experiment file may say


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "[arms.x]\nmodel = 'tinny'\ndomains = ['real']",
            r"\[arms.x\] model: there is no network 'tinny'. Did you mean",
        ),
        (
            "[models.spare]\nname = 'yolov3-spp'",
            r"\[models.spare\]: no arm has this network. Give an arm model = 'spare'",
        ),
        (
            "[models.default]\nname = 'yolov3-spp'",
            r"\[models.default\]: so the network of \[model\] is called. Take an",
        ),
        (
            "[models.same]\nwidth = 0.0625\n[arms.x]\nmodel = 'same'\ndomains = ['real']",
            r"\[models.same\]: says the same as \[model\]. Give its arms that one, and leave this out",
        ),
        (
            "[models.none]\nname = 'yolov9'\n[arms.x]\nmodel = 'none'\ndomains = ['real']",
            r"\[models.none\] name = 'yolov9': there is no such network",
        ),
        (
            "[arms.x]\nmodel = 'tiny'\ndomains = ['real']\nstart = 'u-real'",
            r"\[arms.x\] start: 'u-real' has another network \(YOLOv3, here it is yolov3-tiny\). Name an arm of",
        ),
        (
            "[arms.x]\naverage = { u-real = 0.5, u-real-tiny = 0.5 }",
            r"\[arms.x\] average: 'u-real-tiny' has another network",
        ),
        (
            "[arms.x]\nmodel = 'tiny'\ndomains = ['real']\nfreeze = '0-74'",
            r"\[arms.x\] freeze: layers 0-74 are out of range - this network has layers 0-23",
        ),
        (
            "[arms.x]\nmodel = 'tiny'\ndomains = ['real']\nstart = 'streets'",
            r"\[arms.x\]: start = 'streets' is a backbone of YOLOv3, and this is yolov3-tiny",
        ),
        (
            "[graft]\npairs = [['u-real', 'u-real-tiny']]",
            r"\[graft\] pairs: 'u-real' and 'u-real-tiny' have different networks. Name two arms of one network",
        ),
        ("[graft]\nparts = ['head 8', 'backbone']", r"parts: yolov3-tiny: 'head 8' names no layers of yolov3-tiny"),
    ],
)
def test_what_does_not_fit_a_network_is_one_sentence(more, message):
    with pytest.raises(InputError, match=message):
        parse_config(TEXT + TINY + more)


def test_an_arm_that_names_a_network_where_none_is_told_how_to_add_one():
    with pytest.raises(
        InputError, match=r"there is no network 'tiny'. No \[models.<name>\] is there: add one, or leave"
    ):
        parse_config(TEXT + "[arms.x]\nmodel = 'tiny'\ndomains = ['real']")


def test_networks_of_one_file_are_studies_that_stand_alone():
    whole = parse_config(TEXT + TINY)
    assert whole.networks == [DEFAULT, "tiny"]
    assert whole.of_network(DEFAULT) == parse_config(TEXT)
    tiny = whole.of_network("tiny")
    assert (list(tiny.arms), tiny.model.name, tiny.networks) == (
        ["u-real-tiny", "f-game-tiny"],
        "yolov3-tiny",
        [DEFAULT],
    )


# Which units there are


def units(text, root):
    for name in ("real", "game"):
        if not (root / name).exists():
            (root / name).mkdir()
            (root / name / "data.yaml").write_text("names: [car, bus]\n")
    made = Study(parse_config(text), RunFolder(root / "run"), root)
    found = units_of(made)
    return {unit.name: unit for unit in found}, keys_of(found, made.folder)


def test_a_second_network_leaves_every_unit_of_the_first_as_it_was(tmp_path):
    _, alone = units(TEXT, tmp_path)
    _, both = units(TEXT + TINY, tmp_path)
    assert {name: key for name, key in both.items() if name in alone and name != "report"} == {
        name: key for name, key in alone.items() if name != "report"
    }


def test_the_settings_of_a_network_decide_and_not_where_they_stand(tmp_path):
    named = TEXT.replace("[model]\nwidth = 0.0625", "[models.thin]\nwidth = 0.0625").replace(
        "[arms.u-real]", "[arms.u-real]\nmodel = 'thin'"
    )
    other, key = units(named.replace("[arms.f-game]", "[arms.f-game]\nmodel = 'thin'"), tmp_path)
    before, keys = units(TEXT, tmp_path)
    trained = [name for name in before if name.startswith("train/")]
    assert trained and all(key[name] == keys[name] for name in trained)
    wide = '[models.wide]\nwidth = 0.125\n[arms.f-game]\nmodel = "wide"'
    wider, _ = units(TEXT.replace("[arms.f-game]", wide), tmp_path)
    changed = {name for name in trained if deciding(wider[name].made_from) != deciding(before[name].made_from)}
    assert changed == {"train/f-game/seed0", "train/f-game/seed1"}
    assert other.keys() == before.keys()


def test_layers_are_compared_within_a_network_and_across_only_of_twins_with_the_first_seed():
    experiment = parse_config(TEXT + TINY)
    arms = {(a.arm, b.arm) for a, b in compared_pairs(experiment)}
    assert ("u-real", "f-game") in arms and ("u-real-tiny", "f-game-tiny") in arms
    assert not {pair for pair in arms if ("tiny" in pair[0]) != ("tiny" in pair[1])}
    across = [(str(a), str(b)) for a, b in pairs_across(experiment)]
    assert across == [("u-real-seed0", "u-real-tiny-seed0"), ("f-game-seed0", "f-game-tiny-seed0")]


def test_arms_are_lined_up_by_what_they_see_and_freeze_not_by_names_starts_or_rates():
    more = "[arms.another]\nmodel = 'tiny'\ndomains = ['game']\nlearning_rate = 0.1\n"
    found = shared_names(parse_config(TEXT + TINY + more))
    assert found == {"u-real": "u-real", "f-game": "f-game", "u-real-tiny": "u-real", "f-game-tiny": "f-game"} | {
        "another": "another"  # not frozen, and no arm of the first network sees this domain unfrozen
    }


def test_layers_of_two_architectures_are_no_counterparts_even_if_there_are_as_many():
    shared = features(12, 5, 0)
    a, b = recorded(shared, features(12, 5, 1)), recorded(features(12, 5, 2), shared + 0.1 * features(12, 5, 3))
    grid = grid_across(a, b, Similarity(measures=["cka_debiased"], permutations=20, bootstraps=20))
    assert "layer" not in grid.dims and "interval_low" not in grid
    assert grid["best"].values[0, 0] == 1 and grid["best_floor_mean"].shape == (1, 2)


# What is said of gaps


MORE = """
[models.tiny]
name = "yolov3-tiny"
[models.spp]
name = "yolov3-spp"
[arms.real-tiny]
title = "Real, tiny"
model = "tiny"
domains = ["photos"]
[arms.synthetic-tiny]
title = "Synthetic, tiny"
model = "tiny"
domains = ["renders"]
[arms.real-spp]
title = "Real, spp"
model = "spp"
domains = ["photos"]
[arms.synthetic-spp]
title = "Synthetic, spp"
model = "spp"
domains = ["renders"]
"""
RNG = np.random.default_rng(0)
SHAKEN = {
    name: 0.02 * RNG.standard_normal(400)
    for name in ("real", "synthetic", "real-tiny", "synthetic-tiny", "real-spp", "synthetic-spp")
}


def three_networks(seeds=(0.4, 0.4), **away):
    """Each loses so much mAP away from home; draws shake every arm by itself."""
    found = {}
    for arm, shaken in SHAKEN.items():
        for seed, at_home in enumerate(seeds):
            value = at_home - (away.get(arm, 0.1) if arm.startswith("synthetic") else 0)
            found[arm, seed, "photos"] = evaluation(value, draws=(value + shaken).tolist())
    return study(found, seeds=range(len(seeds)), more=MORE)


def lined_up(results):
    """The gaps of its networks, taken to be measured on the same test images, which only files can tell."""
    side = line_up(network_runs(results))
    gaps = tuple(replace(gap, alike=("the same images",)) for gap in side.gaps if gap.kind[2] == "synthetic")
    return replace(side, gaps=gaps, comparables=(Comparable(gaps),))


def test_findings_are_those_of_one_network():
    results = three_networks()
    with pytest.raises(
        InputError, match=r"has 3 networks \(default, tiny, spp\), whose findings stand apart. Take those"
    ):
        run_numbers(results)
    with pytest.raises(InputError, match=r"no arm of by-hand has the network 'tinny'. Did you mean 'tiny'\?"):
        results.of_network("tinny")
    arms = {(gap.home, gap.other) for gap, _ in find(results.of_network("tiny")).gaps}
    assert arms == {("real-tiny", "synthetic-tiny")}


def test_a_gap_stands_between_arms_of_one_network_and_is_told_for_each():
    side = lined_up(three_networks(**{"synthetic": 0.2, "synthetic-tiny": 0.3, "synthetic-spp": 0.0}))
    assert [round(gap.gap.mean) for gap in side.gaps] == [20, 30, 0]
    said = gap_sentence(side, side.gaps)
    assert said.startswith("On photos, Synthetic against Real loses AP points surely in 2 of 3 networks: YOLOv3 at 1.0")
    assert "yolov3-tiny 30.0 (" in said and "yolov3-spp 0.0 (" in said and "cannot be told from none" in said


def test_networks_are_held_against_each_other_on_the_same_draws_for_all_pairs_together():
    side = lined_up(three_networks(**{"synthetic": 0.1, "synthetic-tiny": 0.3, "synthetic-spp": 0.12}))
    (found,) = network_differences(side).values()
    assert [(one.a.run.letter, one.b.run.letter) for one in found] == [("B", "A"), ("C", "A"), ("C", "B")]
    assert [round(one.estimate.value) for one in found] == [20, 2, -18]
    drawn = np.stack([SHAKEN[f"real{n}"] - SHAKEN[f"synthetic{n}"] for n in ("", "-tiny", "-spp")], axis=1) * 100
    apart = np.stack([drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0], drawn[:, 2] - drawn[:, 1]], axis=1)
    low, high = band(apart)
    for at, one in enumerate(found):
        assert one.estimate.low < one.alone.low < one.alone.high < one.estimate.high
        assert one.estimate.high - one.estimate.low == pytest.approx(high[at] - low[at], rel=0.15)
    assert [one.is_told for one in found] == [True, False, True]
    said = list(difference_sentences(found))
    assert said[0].startswith("yolov3-tiny loses 20.0 points more than YOLOv3 at 1.0 of its width, ")
    assert said[1].endswith(": cannot be told.") and said[2].startswith(
        "yolov3-tiny loses 18.0 points more than yolov3-spp"
    )
    assert said[3] == "Intervals hold for all 3 pairs of networks together."


def test_without_draws_of_one_network_no_interval_claims_to_hold_for_all_pairs():
    side = lined_up(three_networks(**{"synthetic": 0.1, "synthetic-tiny": 0.3}))
    last = side.gaps[-1]
    without = replace(last, networks=tuple(replace(one, draws=None) for one in last.networks))
    (found,) = network_differences(replace(side, comparables=(Comparable((*side.gaps[:-1], without)),))).values()
    assert found[0].alone.has_interval and not any(one.estimate.has_interval or one.is_told for one in found)
    assert all(said.endswith(": cannot be told.") for said in difference_sentences(found))


def test_one_pair_of_networks_needs_no_correction():
    side = lined_up(three_networks())
    two = replace(side, comparables=(Comparable(side.gaps[:2]),))
    (one,) = next(iter(network_differences(two).values()))
    assert one.estimate == one.alone


def test_networks_whose_seeds_reach_each_other_are_not_told_apart():
    results = three_networks(**{"synthetic": 0.1, "synthetic-tiny": 0.2})
    side = lined_up(results)
    wide = replace(side.gaps[0], gap=replace(side.gaps[0].gap, points=(-5.0, 25.0)))
    (one, *_) = next(iter(network_differences(replace(side, comparables=(Comparable((wide, side.gaps[1])),))).values()))
    assert one.estimate.low > 0 and one.seeds_overlap and not one.is_told
    (said,) = difference_sentences([one])
    assert said.endswith("cannot be told (a seed of one reaches a seed of the other).")


def test_a_network_that_has_not_learned_has_no_verdict():
    found = {(arm, 0, "photos"): evaluation(0.4) for arm in ("real", "synthetic", "real-spp", "synthetic-spp")}
    found |= {(arm, 0, "photos"): evaluation(0.001) for arm in ("real-tiny", "synthetic-tiny")}
    side = lined_up(study(found, seeds=[0], more=MORE))
    assert "yolov3-tiny 0.0, no verdict: its arms hardly learned" in gap_sentence(side, side.gaps)


@pytest.mark.parametrize(
    ("titles", "shared"),
    [
        (("Real", "Real, tiny", "Real (spp)"), "Real"),
        (("YOLOv3: U-Real", "tiny: U-Real", "spp: U-Real"), "U-Real"),
        (("U-Real", "U-Real-tiny", "U-Real-spp"), "U-Real"),
        (("Photos", "real", "R"), "Photos"),
    ],
)
def test_arms_of_several_networks_are_called_what_their_titles_share_or_as_the_first(titles, shared):
    results = three_networks()
    arms = dict(results.experiment.arms)
    for name, title in zip(("real", "real-tiny", "real-spp"), titles, strict=True):
        arms[name] = arms[name].model_copy(update={"title": title})
    assert (
        shared_titles(replace(results, experiment=results.experiment.model_copy(update={"arms": arms})))["real"]
        == shared
    )


# What is said of layers


def test_of_yolov3_the_parts_say_what_the_papers_numbers_say():
    network, curves = yolov3_map(), np.random.default_rng(1).random((5, 107))
    assert statements_of(network, 107) == list(STATEMENTS)
    for make, letter in ((_early, "a"), (_detections, "d"), (_backbone, "e")):
        (by_parts,) = make(network, 107)
        paper = next(one for one in STATEMENTS if one.letter == letter)
        assert np.allclose(by_parts.contrast(curves), paper.contrast(curves))


def test_another_network_is_asked_by_its_parts():
    network = darknet_map(built_in_plan("yolov3-tiny"))
    found = {one.letter: one for one in statements_of(network, 24)}
    assert {letter: one.inside_name for letter, one in found.items()} == {
        "a": "layers 0-3",
        "b": "layers 9-16",
        "c": "layer 20",
        "d": "layers 15-16, 22-23",
        "e": "layers 0-12",
    }
    curve = np.where(np.arange(24) <= 12, 0.9, 0.2)
    assert found["e"].contrast(curve) == pytest.approx(0.7)
    assert [one.title for one in found.values()] == list(BY_PARTS.values())


def test_a_network_without_joins_and_detection_layers_is_not_asked_about_them():
    plain = replace(darknet_map(built_in_plan("yolov3-tiny")), joins=(), detections=())
    assert [one.letter for one in statements_of(plain, 24)] == ["a", "b", "e"]


def test_best_matches_are_counted_by_part():
    layers = {"layer_a": np.arange(4), "layer_b": np.arange(24)}
    columns = {
        "best": [0, 1, 20, -1],
        "best_value": [0.9, 0.7, 0.5, np.nan],
        "best_floor_mean": [0.1, 0.1, 0.3, np.nan],
    }
    columns |= {"best_floor_p_all": [0.01, 0.2, 0.01, np.nan]}
    grid = xr.Dataset({name: ("layer_a", values) for name, values in columns.items()}, coords=layers)
    mine = SimpleNamespace(ranges={"backbone": (0, 1), "head": (2, 3)})
    theirs = darknet_map(built_in_plan("yolov3-tiny"))
    cross = SimpleNamespace(grid=grid, maps=(mine, theirs))
    backbone, head = matches_by_part(cross)  # type: ignore[arg-type]
    assert (backbone.layers, backbone.sure, backbone.in_backbone) == (2, 1, 2)
    assert (backbone.similarity, backbone.floor) == pytest.approx((0.8, 0.1))
    assert (head.layers, head.sure, head.in_backbone) == (1, 1, 0)
    assert order_kept(cross) == pytest.approx(1) and CrossGrid  # type: ignore[arg-type]
