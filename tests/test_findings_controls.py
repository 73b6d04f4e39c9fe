"""Control arms by hand: which two differ in looks alone, how much of a gap that is, and what any two sets differ by."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_data import table_of
from small_evaluations import evaluation, study
from small_remedies import STEPS

from gapscope.data.subsets import half_of
from gapscope.experiment_file import parse_config
from gapscope.findings.controls import Controls, control_sentences, find_controls, kind_of
from gapscope.findings.estimates import Estimate
from gapscope.findings.evaluation_file import parse_evaluation
from gapscope.findings.findings import find
from gapscope.findings.part_gaps import PartGap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import run_numbers
from gapscope.run_folder import RunName

HALVES = (
    '[arms.one]\ntitle = "One half"\ndomains = ["photos"]\nhalf = "first"\n'
    '[arms.two]\ntitle = "Other half"\ndomains = ["photos"]\nhalf = "second"\n'
)


def streets(**domains: str) -> str:
    """Domains of generated streets by name, each with an arm of its own called `u-<name>`."""
    text = 'name = "by-hand"\nseeds = [0, 1]\n[data]\nclasses = ["person", "car"]\nimage_size = 64\n'
    for name, generate in domains.items():
        role = "real" if name == "camera" else "synthetic"
        text += f'[domains.{name}]\nrole = "{role}"\ngenerate = {{ images = 40, {generate} }}\n'
    for name in domains:
        text += f'[arms.u-{name}]\ndomains = ["{name}"]\n'
    return text + '[probe]\ndomain = "camera"\nimages = 8\n'


CLONES = streets(
    camera='style = "camera", seed = 1, same_scenes = true',
    engine='style = "engine", seed = 1, same_scenes = true',
    other='style = "engine", seed = 2, same_scenes = true',
    again='style = "camera", seed = 3, same_scenes = true',
)


def found(
    text: str, maps: Mapping[str, float], slopes: Mapping[str, float] | None = None, domain: str = "camera"
) -> Results:
    """A study whose arms have these mAPs with both seeds; draw i is that and i times the slope."""
    evaluations = {}
    for arm, value in maps.items():
        one = evaluation(value, draws=[value + (slopes or {}).get(arm, 0.0) * step for step in STEPS])
        evaluations |= {(RunName(arm, seed), domain): parse_evaluation(one) for seed in (0, 1)}
    by_hand = study({}, more=text if domain == "photos" else "")
    experiment = by_hand.experiment if domain == "photos" else parse_config(text, "by hand")
    return replace(by_hand, experiment=experiment, evaluations=evaluations, probe=domain)


def controls_of(results: Results) -> Controls:
    (controls,) = run_numbers(results).controls
    return controls


def test_what_two_domains_of_streets_differ_in_follows_from_what_was_drawn():
    experiment = parse_config(CLONES)
    kinds = {name: kind_of(experiment, "u-camera", f"u-{name}") for name in ("engine", "other", "again")}
    assert kinds == {"engine": "looks", "other": "whole", "again": "same"}
    loose = parse_config(CLONES.replace(", same_scenes = true", ""))
    assert kind_of(loose, "u-camera", "u-engine") == "whole"  # nobody said that the scenes are the same
    foggy = parse_config(CLONES.replace('"camera", seed = 3', '"camera", severity = 0.9, seed = 3'))
    assert kind_of(foggy, "u-camera", "u-again") is None
    frozen = parse_config(CLONES.replace('["engine"]\n', '["engine"]\nfreeze = "0-10"\n'))
    assert kind_of(frozen, "u-camera", "u-engine") is None  # something else differs too


def test_of_sets_on_disk_only_the_part_that_they_play_is_known():
    experiment = study(
        {}, more='[domains.more]\nrole = "real"\nroot = "more"\n[arms.more]\ndomains = ["more"]\n' + HALVES
    ).experiment
    kinds = {name: kind_of(experiment, "real", name) for name in ("synthetic", "frozen", "more", "one")}
    assert kinds == {"synthetic": "whole", "frozen": None, "more": "set", "one": None}
    assert kind_of(experiment, "one", "two") == "half" == kind_of(experiment, "two", "one")


def test_how_much_of_the_gap_goes_with_looks_is_paired_draw_by_draw():
    """The whole gap is 20 points, 15 with the same scenes; all arms move together, so nothing is unsure."""
    together = dict.fromkeys(("u-camera", "u-engine", "u-other"), 0.1)
    controls = controls_of(found(CLONES, {"u-camera": 0.5, "u-engine": 0.35, "u-other": 0.3}, together))
    assert (controls.looks.value, controls.looks.low, controls.looks.high) == pytest.approx((0.75, 0.75, 0.75))
    assert [one.kind for one in controls.found] == ["whole", "looks"]


def test_all_controls_stand_beside_each_other_in_words():
    results = found(CLONES, {"u-camera": 0.5, "u-engine": 0.35, "u-other": 0.3, "u-again": 0.49}, {"u-again": 0.02})
    said = find(results).verdict["Is it looks, content, or any two sets?"]
    assert said[0].startswith(
        "On camera, against u-camera: u-other (other scenes with another look) loses 20.0 AP points (a gap of 20.0, "
        "95 % interval 20.0 to 20.0 over 200 test images; by seed 20.0, 20.0); u-engine (the same scenes with another "
        "look) loses 15.0 AP points"
    )
    assert said[1:] == [
        "So 75 % (75 to 75) of that gap are there with the same scenes: they go with looks. The rest, 25 %, goes with "
        "which scenes were shown.",
        "u-again (other scenes with the same look) shows what is there without another look: 1.0 of 20.0 AP points.",
    ]


def test_where_the_same_scenes_lose_as_much_no_part_is_given_to_content():
    results = found(CLONES, {"u-camera": 0.5, "u-engine": 0.3, "u-other": 0.31}, {"u-engine": 0.1})
    said = find(results).verdict["Is it looks, content, or any two sets?"][1]
    assert said.startswith("So 105 % (") and said.endswith("That content has a part in it is not told.")


def test_what_is_there_between_two_sets_of_one_kind_may_be_as_much_as_the_gap():
    maps = {"u-camera": 0.5, "u-engine": 0.47, "u-again": 0.46}
    results = found(CLONES, maps, {"u-engine": 0.05, "u-again": 0.05})
    said = find(results).verdict["Is it looks, content, or any two sets?"]
    assert "The scenes are the same, so what is lost there goes with looks; content was not tried." in said
    assert any("not told from the gap" in sentence for sentence in said)


def test_two_halves_of_the_same_images_are_held_against_each_other():
    values: dict[str, Any] = {"real": 0.6, "synthetic": 0.3, "one": 0.5, "two": 0.49}
    results = found(HALVES, values, domain="photos")
    numbers = run_numbers(results)
    assert {(gap.home, gap.other) for gap in numbers.gaps} == {("real", "synthetic")}  # the whole arm is at home
    (controls,) = numbers.controls
    assert (controls.home, [one.kind for one in controls.found]) == ("one", ["half"])
    said = list(control_sentences(results, controls))
    assert "Other half (the other half of the same images) loses 1.0 AP points" in said[0]


def test_a_study_without_control_arms_says_nothing_of_them():
    results = found("", {"real": 0.6, "synthetic": 0.3}, domain="photos")
    assert not run_numbers(results).controls and "Is it looks, content, or any two sets?" not in find(results).verdict


def test_dissimilarity_stands_beside_the_gap():
    results = found(CLONES, {"u-camera": 0.5, "u-engine": 0.35})
    numbers = run_numbers(results)
    layers = numbers.layers
    part = PartGap("backbone", 0.9, 0.95, Estimate(0.05, 0.04, 0.06))
    seen = replace(layers, part_gaps={(("u-engine", "u-camera"), layers.main_size): [part]})
    (controls,) = find_controls(results, numbers.scores, numbers.gaps, seen)
    said = list(control_sentences(results, controls))[-1]
    assert said == (
        "Layers fall short of those of two seeds, against u-camera: u-engine by 0.05 (0.04 to 0.06) in the backbone "
        "(the same scenes with another look)."
    )


@pytest.mark.parametrize(
    ("high", "rest"),
    [
        (0.14, "in these networks the rest goes with which scenes were shown"),
        (0.19, "their intervals meet: that content has a part is not told"),
    ],
)
def test_how_much_of_what_layers_lack_is_there_with_the_same_scenes_is_said(high, rest):
    results = found(CLONES, {"u-camera": 0.5, "u-engine": 0.35, "u-other": 0.3})
    numbers = run_numbers(results)
    whole, looks = Estimate(0.2, 0.18, 0.22), Estimate(0.12, 0.1, high)
    parts = {
        (("u-other", "u-camera"), numbers.layers.main_size): [PartGap("head", 0.6, 0.8, whole)],
        (("u-engine", "u-camera"), numbers.layers.main_size): [PartGap("head", 0.68, 0.8, looks)],
    }
    (controls,) = find_controls(results, numbers.scores, numbers.gaps, replace(numbers.layers, part_gaps=parts))
    said = list(control_sentences(results, controls))[-1]
    assert said == f"In the head, 60 % of the lack of likeness is there with the same scenes (0.12 of 0.20; {rest})."


@pytest.mark.parametrize("groups", [None, [f"ride{i // 4}" for i in range(31)]])
def test_two_halves_are_all_images_once_and_whole_groups(groups):
    table = table_of([(("car", 1, 1, 9, 9),)] * 31, groups=groups or ())
    first, second = (half_of(table, first=first) for first in (True, False))
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(31))
    assert abs(len(first) - len(second)) <= (1 if groups is None else 4)
    if groups is not None:
        assert not {groups[i] for i in first} & {groups[i] for i in second}
    np.testing.assert_array_equal(first, half_of(table, first=True))
