"""The five answers by hand: what is said, with which numbers, and when nothing is said at all."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_evaluations import evaluation, study, summary, two_arms

from gapscope.data.distributions import EDGES, PLACES, QUANTILES
from gapscope.detector.network_map import yolov3_map
from gapscope.evaluation.columns import Boxes
from gapscope.findings.chips import chips
from gapscope.findings.fates import FATES, fates_of
from gapscope.findings.findings import find
from gapscope.findings.freezing import frozen_words
from gapscope.findings.judged import judge
from gapscope.findings.layer_curves import PairCurve
from gapscope.findings.network_parts import least_alike, named_parts, network_parts
from gapscope.findings.primary_gap import primary_gap
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import run_numbers
from gapscope.findings.starts import start_words
from gapscope.paper.verdict_files import verdict_content, verdict_lines, verdict_markdown

UPWARDS = [i / 100 for i in range(101)]
EVIL = "<img src=x onerror=alert(1)> | **a**\n# b"


def answer(results: Results, key: str) -> str:
    return " ".join(one.text for one in find(results).answers if one.key == key)


def test_the_primary_gap_is_that_of_the_free_synthetic_arm_on_real_images():
    found = {
        (arm, 0, domain): evaluation(0.5) for arm in ("real", "synthetic", "frozen") for domain in ("photos", "renders")
    }
    results = study(found, seeds=[0])
    turned = {name: results.experiment.arms[name] for name in ("frozen", "synthetic", "real")}
    results = replace(results, experiment=results.experiment.model_copy(update={"arms": turned}))
    gap = primary_gap(run_numbers(results))
    assert gap is not None and (gap.domain, gap.home, gap.other) == ("photos", "real", "synthetic")
    others = [(gap.domain, gap.other) for gap, _ in find(results).gaps]
    assert set(others) == {("photos", "synthetic"), ("photos", "frozen"), ("renders", "real")}
    assert primary_gap(run_numbers(study({}))) is None


def test_what_is_kept_and_lost_is_said_in_one_sentence_with_its_interval_and_seeds():
    results = two_arms([evaluation(0.40), evaluation(0.44)], [evaluation(0.10), evaluation(0.12)])
    assert answer(results, "gap") == (
        "On photos, Synthetic keeps 26 % of Real's mAP@0.5 (0.110 of 0.420): 31.0 AP points are lost "
        "(95 % interval 31.0 to 31.0 over 200 test images; seed 0: 30.0; seed 1: 32.0)."
    )
    number = find(results).answers[0].numbers[0]
    assert number.of.value == pytest.approx(31) and number.seeds == pytest.approx({0: 30, 1: 32})
    assert number.files == tuple(
        f"evaluation/{arm}-seed{seed}--photos.json" for arm in ("real", "synthetic") for seed in (0, 1)
    )


def test_a_gap_that_is_none_is_not_called_a_loss():
    results = two_arms([evaluation(0.3)] * 2, [evaluation(0.5)] * 2)
    assert "Synthetic loses nothing on photos: it has 20.0 AP points more than Real" in answer(results, "gap")
    wide = two_arms([evaluation(0.5, draws=UPWARDS)], [evaluation(0.4, draws=[0.4] * 101)])
    assert "10.0 AP points are lost, which cannot be told from none" in answer(wide, "gap")
    assert answer(wide, "sure").startswith("Over test images it may be none; with one seed,")


def with_frozen(free: list[dict], frozen: list[dict]) -> Results:
    found = {("synthetic", seed, "photos"): one for seed, one in enumerate(free)}
    found |= {("frozen", seed, "photos"): one for seed, one in enumerate(frozen)}
    return study(found | {("real", seed, "photos"): evaluation(0.8) for seed in (0, 1)})


def test_what_freezing_changes_is_told_from_paired_draws():
    free, frozen = [evaluation(0.3, draws=UPWARDS)] * 2, [evaluation(0.35, draws=[x + 0.05 for x in UPWARDS])] * 2
    assert "Freezing layers 0-74 (Frozen beside Synthetic) changes AP points by +5.0 (5.0 to 5.0) on photos." in (
        answer(with_frozen(free, frozen), "gap")
    )
    assert (frozen_words("backbone"), frozen_words("stage 1, head")) == ("the backbone", "stage 1, head")
    other = [evaluation(0.35), evaluation(0.25)]
    assert "+0.0 (0.0 to 0.0, perhaps none) on photos" in answer(with_frozen([evaluation(0.3)] * 2, other), "gap")


def test_of_arms_that_hardly_learned_there_is_no_verdict_and_no_advice():
    found = find(two_arms([evaluation(0.04)] * 2, [evaluation(0.03)] * 2))
    assert [one.key for one in found.answers] == ["gap", "trust"] and found.advice == [] and found.gaps == []
    assert found.answers[0].text == (
        "No verdict: the arms did not learn; train longer. On what it was trained on, Real reaches mAP 0.040 on photos."
    )


def look(saturation: tuple[float, float, float]) -> dict:
    """A summary with distributions of nothing but saturation."""

    def spread(name: str, low: float, median: float, high: float) -> dict:
        values = zip(QUANTILES, (low, low, low, median, high, high, high), strict=True)
        return {"quantiles": dict(values), "counts": [0] * (len(EDGES[name]) - 1)}

    known = {"boxes": 0, "classes": {}, "places": np.zeros(PLACES).tolist()}
    known |= {name: spread(name, 0.0, 0.0, 0.0) for name in ("box_side", "boxes_per_image")}
    known["saturation"] = spread("saturation", *saturation)
    return summary(boxes={"car": 90}) | {"distributions": known}


@pytest.mark.parametrize(
    ("own", "hsv", "said"),
    [((0.30, 0.40, 0.46), 0.0, True), ((0.15, 0.40, 0.46), 0.0, False), ((0.30, 0.40, 0.46), 0.7, False)],
)
def test_looks_that_do_not_overlap_are_the_first_thing_to_change_unless_training_bridges_them(own, hsv, said):
    summaries = {"photos": look((0.05, 0.10, 0.17)), "renders": look(own)}
    more = f"[train.augment]\nhsv = [0.0, {hsv}, 0.0]"
    found = {("real", 0, "photos"): evaluation(0.8), ("synthetic", 0, "photos"): evaluation(0.4)}
    advice = [one for one in find(study(found, seeds=[0], summaries=summaries, more=more)).advice]
    about = [one for one in advice if one.do == "Change saturation in training, so that renders looks like photos."]
    assert bool(about) == said
    if said:
        assert "0.30 to 0.46 in renders, 0.05 to 0.17 in photos; training leaves it" in about[0].because[0]
        assert about[0].snippet == "[train.augment]\nhsv = [0.0, 0.75, 0.0]" and about[0].tried == "not tried"


def test_what_an_arm_of_the_run_has_tried_is_told_with_what_it_regained():
    found = {("real", 0, "photos"): evaluation(0.8), ("synthetic", 0, "photos"): evaluation(0.4)}
    more = '[arms.both]\ntitle = "Both"\ndomains = ["photos", "renders"]'
    results = study(found | {("both", 0, "photos"): evaluation(0.7)}, seeds=[0], more=more)
    (mixed,) = [one for one in find(results).advice if one.do == "Train on some labelled images of photos too."]
    assert mixed.tried == (
        "tried: Both +30.0 AP points, which closes 75 % (75 to 75) of the gap to Real; it took labelled images of "
        "photos"
    )
    assert mixed.snippet == '[arms.mixed]\ndomains = ["photos", "renders"]\nstart = "scratch"'


def test_every_labelled_box_has_one_fate():
    square = np.array([0, 0, 10, 10])
    targets = Boxes.of(
        [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [square + 100 * i for i in range(6)], ignore=[0] * 5 + [1]
    )
    found = Boxes.of(
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 1],
        [square, square + 100, square + 200, square + np.array([300, 300, 300, 294]), square + 300],
        [0.9, 0.1, 0.8, 0.7, 0.6],
    )
    # Found; found below 0.25; another class; badly placed, more confident than the other class; never; ignored.
    assert fates_of(targets, judge(targets, found, 1, 2), 0.25) == dict(zip(FATES, (1, 1, 1, 1, 1), strict=True))
    none = Boxes.of([], [], np.empty((0, 4)))
    assert fates_of(targets, judge(targets, none, 1, 2), 0.25)["never"] == 5
    assert sum(fates_of(none, judge(none, found, 1, 2), 0.25).values()) == 0


@pytest.mark.parametrize("layers", [1, 3, 9, 52, 107, 300])
def test_networks_of_any_depth_have_parts_that_tile_them(layers):
    parts = named_parts(yolov3_map(), layers)
    assert len(parts) <= 9 and parts[0][1] == 0 and parts[-1][2] == layers - 1
    assert all(before[2] + 1 == after[1] for before, after in pairwise(parts))
    assert [name for name, _, _ in parts[:2]] == ["stem", "stage 1"] or layers != 107


def test_parts_that_are_not_recorded_are_no_parts_of_the_axis():
    recorded = yolov3_map().blocks[-1].first
    parts = named_parts(replace(yolov3_map(), recorded=recorded), recorded)
    assert [name for name, _, _ in parts] == [block.name for block in yolov3_map().blocks[:-1]]


class Seen:
    """As much of LayerFindings as parts need: two seeds of two arms, made up."""

    def __init__(self, values: dict[int, list[float]], ceiling: list[float] | None) -> None:
        self.values, self.ceiling = values, ceiling
        self.seen = SimpleNamespace(sizes=tuple(values), layer_map=lambda arm: yolov3_map())

    def by_seed(self, pair, size=None):
        return {0: curve(self.values[size or self.seen.sizes[0]])}

    def ceilings_of(self, pair):
        return [] if self.ceiling is None else [curve(self.ceiling)]


def curve(values: list[float]) -> PairCurve:
    zeros, value = np.zeros(len(values)), np.array(values)
    return PairCurve("a vs b", np.arange(len(values)), value, value, value, zeros, zeros)


def test_the_part_that_falls_furthest_below_two_seeds_is_named_and_not_the_lowest():
    parts = network_parts(Seen({64: [0.9, 0.5, 0.3], 32: [0.9, 0.2, 0.4]}, [1.0, 1.0, 0.4]), ("a", "b"))
    assert [part.name for part in parts] == ["0", "1", "2"]
    assert least_alike(parts).name == "1" and least_alike(parts).shortfall == pytest.approx(0.5)
    assert least_alike(network_parts(Seen({64: [0.9, 0.5, 0.3]}, None), ("a", "b"))).name == "2"
    assert parts[1].mean_at(32) == pytest.approx(0.2) and np.isnan(parts[1].mean_at(16))
    assert parts[2].floor == 0


def test_the_start_says_what_it_was_trained_on_and_what_it_is_no_control_of():
    results = two_arms([evaluation(0.5)], [evaluation(0.4)])
    arms = {name: arm.model_copy(update={"start": "streets"}) for name, arm in results.experiment.arms.items()}
    domains = dict(results.experiment.domains)
    rendered = type(domains["renders"]).model_validate({"role": "control", "generate": {"style": "game", "images": 1}})
    for changed, said in ((domains, False), (domains | {"renders": rendered}, True)):
        experiment = results.experiment.model_copy(update={"arms": arms, "domains": changed})
        (words,) = start_words(replace(results, experiment=experiment))
        assert "style game" in words and ("no control of the start" in words) == said


def test_facts_that_bound_the_verdict_warn_where_they_should():
    few = run_numbers(two_arms([evaluation(0.5, num_images=40)], [evaluation(0.4, num_images=40)]))
    assert [(one.number, one.warns) for one in chips(few, [])] == [("40", True), ("1", True)]
    many = run_numbers(two_arms([evaluation(0.5)] * 3, [evaluation(0.4)] * 3))
    assert [(one.number, one.warns) for one in chips(many, [])] == [("200", False), ("3", False)]


def test_terminal_markdown_and_json_say_the_same_sentences(tmp_path):
    found = find(two_arms([evaluation(0.8)] * 2, [evaluation(0.4)] * 2))
    content, text = verdict_content(found), verdict_markdown(found)
    json.dumps(content, allow_nan=False)
    (tmp_path / "verdict.json").write_text(json.dumps(content))
    lines = verdict_lines(tmp_path)
    assert max(map(len, lines)) <= 80
    assert [line.split("  ")[0] for line in lines if not line.startswith(" ")] == ["gap", "how sure", "next", "made by"]
    one_line = " ".join(" ".join(line[10:] for line in lines).split())
    for given, written in zip(found.answers, content["answers"], strict=True):
        assert written["text"] == given.text and given.text in one_line
        assert f"**{given.question}** {given.text}" in text.replace("\\", "")
    assert verdict_lines(Path("nowhere")) == []


def test_names_cannot_forge_lines_of_a_terminal_or_markup_of_a_document(tmp_path):
    results = two_arms([evaluation(0.8)] * 2, [evaluation(0.4)] * 2)
    arms = results.experiment.arms
    evil = {**arms, "real": arms["real"].model_copy(update={"title": f"{EVIL}\x1b[2J"})}
    found = find(replace(results, experiment=results.experiment.model_copy(update={"arms": evil})))
    text = verdict_markdown(found)
    assert "<img" not in text.replace("\\<img", "") and "\n# b" not in text
    (tmp_path / "verdict.json").write_text(json.dumps(verdict_content(found)))
    assert all(line.isprintable() for line in verdict_lines(tmp_path))
