"""Gaps by hand: how big, how sure, what they are made of, and what is said and advised about them."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from small_evaluations import before_there_were_intervals, evaluation, study, summary, two_arms

from gapscope.findings import checks
from gapscope.findings.evaluation_file import parse_evaluation
from gapscope.findings.findings import find
from gapscope.findings.gap_sentences import class_words, gap_sentence, kind_words, made_of
from gapscope.findings.gaps import Gap
from gapscope.findings.headline import scores_of
from gapscope.findings.outcomes import outcome_of
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import run_numbers
from gapscope.run_folder import RunName

UPWARDS = [i / 100 for i in range(101)]
"""Draws whose 2.5 and 97.5 % are 0.025 and 0.975, and half of which lie below 0.5."""


def the_gap(results: Results) -> Gap:
    (gap,) = run_numbers(results).gaps
    return gap


def the_sentence(results: Results) -> str:
    return gap_sentence(results, scores_of(results), the_gap(results))


def because(results: Results, words: str) -> str:
    """What speaks for the suggestion with these words; empty where it is not made."""
    return " ".join(text for item in find(results).advice if words in item.do for text in item.because)


def test_the_interval_of_a_gap_is_that_of_the_differences_draw_by_draw():
    results = two_arms([evaluation(0.9, draws=UPWARDS)], [evaluation(0.4, draws=[0.0] * 101)])
    gap = the_gap(results)
    assert gap.mean == pytest.approx(50)
    assert (gap.estimate.low, gap.estimate.high) == pytest.approx((2.5, 97.5))


def test_what_moves_both_arms_alike_does_not_widen_a_gap():
    results = two_arms([evaluation(0.7, draws=[x + 0.2 for x in UPWARDS])], [evaluation(0.5, draws=UPWARDS)])
    gap = the_gap(results)
    assert (gap.estimate.low, gap.mean, gap.estimate.high) == pytest.approx((20, 20, 20))


def test_seeds_are_averaged_within_a_draw():
    home = [evaluation(0.5, draws=UPWARDS), evaluation(0.5, draws=UPWARDS[::-1])]
    gap = the_gap(two_arms(home, [evaluation(0.0, draws=[0.0] * 101)] * 2))
    assert (gap.estimate.low, gap.estimate.high) == pytest.approx((50, 50))
    assert gap.spread == 0


def test_a_draw_in_which_an_arm_has_no_target_counts_for_nothing():
    home = evaluation(0.5, draws=[None, *UPWARDS])
    gap = the_gap(two_arms([home], [evaluation(0.0, draws=[0.3, *[0.0] * 101])]))
    assert (gap.estimate.low, gap.estimate.high) == pytest.approx((2.5, 97.5))


def test_the_mean_of_the_seeds_has_the_interval_of_its_own_draws():
    home = [evaluation(0.5, draws=UPWARDS), evaluation(0.7, draws=[0.7] * 101)]
    results = two_arms(home, home)
    score = scores_of(results).of("real", "photos")
    mean = score.mean
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.6, 0.3625, 0.8375))
    assert score.seeds[0].has_interval


@pytest.mark.parametrize("draws", [None, [0.4] * 50])
def test_without_draws_in_common_a_gap_has_no_interval_and_says_so(draws):
    other = evaluation(0.4, draws=draws) if draws else before_there_were_intervals(evaluation(0.4))
    results = two_arms([evaluation(0.6)] * 2, [other] * 2)
    gap = the_gap(results)
    assert gap.mean == pytest.approx(20) and not gap.estimate.has_interval
    assert "no interval: the evaluation files hold none" in the_sentence(results)


def test_the_arm_to_compare_with_is_the_one_trained_on_the_fewest_domains():
    found = {(arm, 0, "photos"): evaluation(0.5) for arm in ("real", "synthetic", "frozen", "both")}
    results = study(found, seeds=[0], more='[arms.both]\ndomains = ["renders", "photos"]')
    arms = results.experiment.arms
    turned = {name: arms[name] for name in ("both", "real", "synthetic", "frozen")}
    results = replace(results, experiment=results.experiment.model_copy(update={"arms": turned}))
    assert [(gap.home, gap.other) for gap in run_numbers(results).gaps] == [("real", "synthetic"), ("real", "frozen")]


def test_seeds_without_both_arms_are_left_out_of_a_gap():
    found = {("real", 0, "photos"): evaluation(0.6), ("real", 1, "photos"): evaluation(0.9)}
    gap = the_gap(study(found | {("synthetic", 0, "photos"): evaluation(0.5)}))
    assert gap.seeds == (0,) and gap.points == pytest.approx((10,))


def test_there_is_no_gap_where_no_arm_of_the_domain_was_evaluated():
    assert run_numbers(study({("synthetic", 0, "photos"): evaluation(0.5)})).gaps == []
    assert run_numbers(two_arms([evaluation(None)], [evaluation(0.5)])).gaps == []


@pytest.mark.parametrize(
    ("home", "other", "said", "in_short"),
    [
        (
            (0.40, 0.44),
            (0.10, 0.12),
            "It is larger than what a change of seed does to either arm (4.0 at most, 2 seeds).",
            "2 seeds agree (an arm's at most 4.0 points apart; too few to measure chance)",
        ),
        (
            (0.40, 0.44),
            (0.38, 0.41),
            "It is no larger than what a change of seed does to one arm (4.0, 2 seeds).",
            "2 seeds agree (an arm's at most 4.0 points apart",
        ),
        ((0.40, 0.44), (0.42, 0.40), "The seeds disagree about its sign", "its 2 seeds disagree about the sign"),
        (
            (0.404, 0.401),
            (0.40, 0.40),
            "The interval holds zero, so with other test images",
            "Over test images it may be none",
        ),
        ((0.40,), (0.10,), "from one seed only", "with one seed, what another would change is unknown"),
    ],
)
def test_no_more_is_said_of_a_gap_than_images_and_seeds_allow(home, other, said, in_short):
    # Draws of the two arms run against each other, so that a gap's interval is twice as wide as theirs.
    up = [[x + 0.01 * (i - 50) / 50 for i in range(101)] for x in home]
    down = [[x - 0.01 * (i - 50) / 50 for i in range(101)] for x in other]
    results = two_arms(
        [evaluation(x, draws=d) for x, d in zip(home, up, strict=True)],
        [evaluation(x, draws=d) for x, d in zip(other, down, strict=True)],
    )
    gap = the_gap(results)
    assert said in the_sentence(results)
    assert in_short in find(results).answers[1].text
    assert gap.estimate.high - gap.estimate.low == pytest.approx(3.8)


def test_the_sentence_holds_the_numbers():
    sentence = the_sentence(two_arms([evaluation(0.40), evaluation(0.44)], [evaluation(0.10), evaluation(0.12)]))
    assert "Real (trained there) reaches mAP 0.420 (0.400, 0.440)" in sentence
    assert "a gap of 31.0 AP points (95 % interval 31.0 to 31.0 over 200 test images; by seed 30.0, 32.0)" in sentence


def test_a_negative_gap_is_no_loss_and_is_not_explained():
    results = two_arms([evaluation(0.3)] * 2, [evaluation(0.5)] * 2)
    assert the_gap(results).mean == pytest.approx(-20)
    assert "What is it made of?" not in find(results).verdict
    assert find(results).advice == []


def by_class(person: float, car: float, **more):
    return evaluation((person + car) / 2, classes={"person": person, "car": car}, **more)


def test_classes_share_a_gap_by_what_each_of_them_loses():
    results = two_arms([by_class(0.8, 0.5), by_class(0.7, 0.5)], [by_class(0.4, 0.4), by_class(0.5, 0.4)])
    person, car = the_gap(results).parts.classes
    assert (person.name, person.change, person.share) == ("person", pytest.approx(-30), pytest.approx(0.75))
    assert (car.name, car.change, car.share) == ("car", pytest.approx(-10), pytest.approx(0.25))
    assert sum(part.change for part in (person, car)) / 2 == pytest.approx(-the_gap(results).mean)
    words = class_words([person, car])
    assert words.startswith(
        "most is lost in person (30.0 points of its AP, 75 % of the gap). The 95 % intervals are apart"
    )
    assert "person and car" in words


def test_a_class_is_called_apart_only_if_it_is_at_every_seed():
    home, other = [by_class(0.8, 0.5), by_class(0.8, 0.5)], [by_class(0.4, 0.4), by_class(0.79, 0.4)]
    parts = the_gap(two_arms(home, other)).parts.classes
    assert {part.name: part.apart for part in parts} == {"person": False, "car": True}
    wide = [by_class(0.8, 0.5, reach=0.3)] * 2, [by_class(0.5, 0.4, reach=0.3)] * 2
    parts = the_gap(two_arms(*wide)).parts.classes
    assert "For no class by itself are the 95 % intervals apart at every seed." in class_words(parts)


def test_of_old_files_nothing_is_said_about_intervals_of_classes():
    old = [before_there_were_intervals(by_class(*ap)) for ap in ((0.8, 0.5), (0.4, 0.4))]
    results = two_arms([old[0]] * 2, [old[1]] * 2)
    assert all(part.apart is None for part in the_gap(results).parts.classes)
    (sentence,) = made_of(results, the_gap(results))
    assert "interval" not in sentence and "person" in sentence
    assert the_gap(results).parts.kinds == () and the_gap(results).parts.outcomes.parts == {}
    assert the_gap(results).parts.sizes == ()


def test_a_class_that_a_seed_has_no_ap_of_is_left_out():
    home = [evaluation(0.8, classes={"person": 0.8, "car": None})] * 2
    results = two_arms(home, [by_class(0.4, 0.4)] * 2)
    assert [part.name for part in the_gap(results).parts.classes] == ["person"]


def test_mistakes_are_named_where_they_cost_more_at_every_seed():
    home = [evaluation(0.8, kinds={"missed": 0.02, "localization": 0.05})] * 2
    other = [
        evaluation(0.4, kinds={"missed": 0.10, "localization": 0.10, "background": 0.005}),
        evaluation(0.4, kinds={"missed": 0.12, "localization": 0.04, "background": 0.005}),
    ]
    results = two_arms(home, other)
    missed = the_gap(results).parts.kinds[0]
    assert (missed.name, missed.change) == ("missed", pytest.approx(9))
    words = kind_words(results, the_gap(results), the_gap(results).parts.kinds)
    assert "missed (11.0 AP points if all were mended, Real 2.0)" in words
    assert "localization" not in words  # less at one seed
    assert "background" not in words  # half a point


COUNTS = {
    "person": {"person": 6, "car": 1, "background": 3},
    "car": {"car": 8, "background": 2},
    "background": {"person": 5, "car": 5},
}


def test_what_becomes_of_labelled_boxes_is_counted_by_hand():
    outcome = outcome_of(parse_evaluation(evaluation(0.5, confusion=COUNTS, num_images=4)))
    assert (outcome.found, outcome.confused) == pytest.approx((14 / 20, 1 / 20))
    assert outcome.false == pytest.approx(10 / 4)
    assert outcome_of(parse_evaluation(evaluation(0.5))) is None
    assert outcome_of(parse_evaluation(before_there_were_intervals(evaluation(0.5)))) is None


MISSES = {"person": {"person": 2, "background": 8}, "car": {"car": 5, "background": 5}, "background": {"car": 2}}


def test_the_verdict_says_what_is_found_beside_the_arm_at_home():
    results = two_arms([evaluation(0.8, confusion=COUNTS)] * 2, [evaluation(0.4, confusion=MISSES)] * 2)
    said = " ".join(find(results).verdict["What is it made of?"])
    assert "at confidence 0.25 it finds 35 % of the labelled boxes (Real 70 %)" in said
    assert "takes 0 % for another class (5 %)" in said
    assert "0.01 objects per image where nothing is labelled (0.05)" in said


def test_fewer_boxes_found_ask_for_more_varied_training_images():
    results = two_arms([evaluation(0.8, confusion=COUNTS)] * 2, [evaluation(0.4, confusion=MISSES)] * 2)
    assert because(results, "images of renders more") == "Synthetic on photos: 35 % of boxes found, Real 70 %."
    assert not because(results, "label maps") and not because(results, "nothing is labelled")
    same = two_arms([evaluation(0.8, confusion=COUNTS)] * 2, [evaluation(0.4, confusion=COUNTS)] * 2)
    assert not because(same, "images of renders more")


def test_more_confused_classes_ask_for_a_look_at_the_label_maps():
    mixed = {"person": {"person": 4, "car": 6}, "car": {"car": 9, "person": 1}, "background": {"car": 40}}
    results = two_arms([evaluation(0.8, confusion=COUNTS)] * 2, [evaluation(0.4, confusion=mixed)] * 2)
    assert (
        "35 % of the labelled boxes are taken for another class, 5 % by Real; above all person for car (60 %)"
        in because(results, "label maps")
    )
    assert "0.20 such detections per image, 0.05 by Real" in because(results, "sees where nothing is labelled")


def test_badly_placed_boxes_ask_for_a_look_at_how_boxes_are_drawn():
    home, other = (
        [evaluation(0.8, kinds={"localization": 0.02})] * 2,
        [evaluation(0.4, kinds={"localization": 0.08})] * 2,
    )
    assert "8.0 AP points, 2.0 in Real" in because(two_arms(home, other), "how boxes are drawn")


def test_small_boxes_that_are_lost_first_ask_for_larger_images():
    home = [evaluation(0.8, sizes={"small": 0.5, "medium": 0.8})] * 2
    lost = two_arms(home, [evaluation(0.4, sizes={"small": 0.1, "medium": 0.6})] * 2)
    assert "of small boxes 20 % of the AP at home is left, of larger ones 75 % or more" in because(
        lost, "smallest boxes"
    )
    evenly = two_arms(home, [evaluation(0.4, sizes={"small": 0.3, "medium": 0.5})] * 2)
    assert not because(evenly, "smallest boxes")


def test_a_class_that_training_lacks_is_to_be_added():
    summaries = {"photos": summary(boxes={"person": 100, "car": 100}), "renders": summary(boxes={"car": 90})}
    results = two_arms([evaluation(0.8)] * 2, [evaluation(0.4)] * 2, summaries=summaries)
    assert because(results, "Add person to the training images of renders") == (
        "renders has 0 training boxes of person, another domain 100."
    )
    assert not because(results, "Add car")


def test_wide_intervals_ask_for_more_images_and_say_how_many():
    home = evaluation(0.5, draws=[0.5 + 0.4 * (x - 0.5) for x in UPWARDS])
    results = two_arms([home] * 2, [evaluation(0.4, draws=[0.4] * 101)] * 2)
    said = because(results, "Test on more images")
    # The interval is 10 +- 19 AP points; it has to shrink to 10, which takes (19 / 10)^2 = 3.61 times 200 images.
    assert "10.0 AP points, 95 % interval -9.0 to 29.0 over 200 test images" in said
    assert "about 730 would tell it from none" in said
    turned = two_arms([evaluation(0.4, draws=[0.4] * 101)] * 2, [home] * 2)
    assert "-10.0 AP points" in because(turned, "Test on more") and "about 730" in because(turned, "Test on more")
    assert not because(two_arms([evaluation(0.8)] * 2, [evaluation(0.4)] * 2), "Test on more images")
    same = two_arms([evaluation(0.4)] * 2, [evaluation(0.4)] * 2)
    assert not because(same, "Test on more images")  # the same detections: no image tells them apart


def test_a_gap_within_the_seeds_asks_for_more_seeds():
    results = two_arms([evaluation(0.4), evaluation(0.5)], [evaluation(0.38), evaluation(0.46)])
    assert "3.0 AP points, while seeds of one arm lie up to 10.0 apart" in because(results, "more seeds")
    assert because(two_arms([evaluation(0.8)], [evaluation(0.4)]), "one more seed")


def test_leaks_ask_for_another_split_before_anything_else():
    summaries = {"renders": summary(boxes={"car": 90}, near_duplicates=10)}
    results = two_arms([evaluation(0.8)], [evaluation(0.4)], summaries=summaries)
    first = find(results).advice[0]
    assert first.do == "Split renders anew, by whole groups and without repeated images."
    assert first.because == ("renders: its splits leak.",)
    assert first.snippet == '[domains.renders.split]\nmethod = "group"'


def test_a_frozen_arm_is_recommended_only_where_it_is_better_beyond_images_and_seeds():
    found = {("real", seed, "photos"): evaluation(0.8) for seed in (0, 1)}
    found |= {("synthetic", seed, "photos"): evaluation(0.4) for seed in (0, 1)}
    better = study(found | {("frozen", seed, "photos"): evaluation(0.5) for seed in (0, 1)})
    assert "On photos it is better by 10.0 AP points" in because(better, "Build on Frozen rather than on Synthetic")
    worse = study(found | {("frozen", seed, "photos"): evaluation(0.3) for seed in (0, 1)})
    assert because(worse, "Build on Synthetic rather than on Frozen")
    unsure = study(found | {("frozen", 0, "photos"): evaluation(0.5), ("frozen", 1, "photos"): evaluation(0.35)})
    assert not because(unsure, "Build on")
    control = '[domains.game]\nrole = "control"\nroot = "game"\n[evaluate]\ndomains = ["photos", "game"]'
    played = {(arm, s, "game"): evaluation(ap) for arm, ap in (("synthetic", 0.4), ("frozen", 0.6)) for s in (0, 1)}
    assert not because(study(found | played, more=control), "Build on")


def effects(backbone: float, head: float) -> xr.Dataset:
    layers = np.arange(107)
    effect = np.where(layers <= 74, backbone, head)
    effect[3] = np.nan  # undefined layers take no part
    columns = {"effect": effect, "similarity": effect, "shortfall_low": 1 - effect}
    columns |= {"ceiling": np.ones(107), "ceiling_min": np.ones(107)}
    return xr.Dataset({name: ("layer", column) for name, column in columns.items()}, coords={"layer": layers})


@pytest.mark.parametrize(
    ("backbone", "head", "words"),
    [
        (0.9, 0.5, "on the frozen backbone of Synthetic"),
        (0.4, 0.3, "in the backbone: more varied"),
        (0.9, 0.85, ""),
    ],
)
def test_where_the_arms_part_decides_what_to_train_again(backbone, head, words):
    results = two_arms([evaluation(0.8)] * 2, [evaluation(0.4)] * 2)
    found = {(RunName("real", s), RunName("synthetic", s), 416): effects(backbone, head) for s in (0, 1)}
    results = replace(results, effects=found)
    said = [item for item in find(results).advice if "head" in item.do or "backbone" in item.do]
    assert [words in item.do for item in said] == ([True] if words else [])
    assert all(
        f"mean effect {backbone:.2f} in the backbone, {head:.2f} in the head" in item.because[0] for item in said
    )
    sentence = find(results).verdict["Where in the network is it?"][-1]
    assert f"{backbone:.2f} ({backbone:.2f}, {backbone:.2f}) in the backbone and {head:.2f}" in sentence


def test_the_confidence_to_begin_at_is_compared_with_that_on_the_arms_own_images():
    found = {("real", 0, "photos"): evaluation(0.8), ("synthetic", 0, "photos"): evaluation(0.4, best={"car": 0.1})}
    own = {("synthetic", 0, "renders"): evaluation(0.9, best={"car": 0.4, "person": 0.6})}
    assert "from confidence 0.10 on, on renders from 0.50 on" in because(
        study(found | own, seeds=[0]), "least confidence"
    )
    assert not because(study(found, seeds=[0]), "least confidence")


def test_advice_is_about_real_images_where_something_is_lost_there():
    found = {
        ("real", 0, "photos"): evaluation(0.8, confusion=COUNTS),
        ("real", 0, "renders"): evaluation(0.4, confusion=MISSES),
    }
    found |= {("synthetic", 0, "renders"): evaluation(0.8, confusion=COUNTS)}
    real = found | {("synthetic", 0, "photos"): evaluation(0.4, confusion=MISSES)}
    assert because(study(real, seeds=[0]), "images of renders more") and not because(
        study(real, seeds=[0]), "images of photos more"
    )
    none = found | {("synthetic", 0, "photos"): evaluation(0.9, confusion=COUNTS)}
    assert because(study(none, seeds=[0]), "images of photos more")


def test_a_study_without_evaluations_is_advised_nothing():
    assert find(study({})).advice == [] and find(study({})).verdict == {}


def test_leaks_are_told_as_shares_of_the_held_out_images():
    results = study({}, summaries={"photos": summary(boxes={"car": 9}, near_duplicates=5, shared_groups=2)})
    said = list(checks.leaking_splits(run_numbers(results)))
    assert said[0] == "Of 50 held-out images of photos, 5 (10 %) have a near-duplicate in an earlier split."
    assert "2 groups" in said[1] and "may be too high" in said[2]
    assert not list(checks.leaking_splits(run_numbers(study({}, summaries={"photos": summary(boxes={"car": 9})}))))


def test_few_images_wide_intervals_and_seeds_are_warned_about():
    home = evaluation(0.5, draws=UPWARDS, num_images=40)
    other = evaluation(0.4, draws=[0.4] * 101, num_images=40)
    numbers = run_numbers(two_arms([home, evaluation(0.9, num_images=40)], [other] * 2))
    assert list(checks.few_images(numbers)) == ["photos has 40 test images; intervals over so few are too narrow."]
    assert not list(checks.wide_intervals(numbers))  # of the second seed there are other draws, so no interval
    assert "while seeds of one arm lie up to 40.0 apart" in next(checks.seeds_as_large(numbers))
    wide = run_numbers(two_arms([home], [evaluation(0.4, draws=[0.4] * 101)]))
    assert "a gap of 10.0 AP points, 95 % interval -37.5 to 57.5" in next(checks.wide_intervals(wide))


def test_sound_evaluations_are_not_warned_about():
    results = two_arms([evaluation(0.8), evaluation(0.79)], [evaluation(0.4), evaluation(0.41)])
    for check in (
        checks.few_images,
        checks.wide_intervals,
        checks.seeds_as_large,
        checks.hardly_learned,
        checks.one_seed,
    ):
        assert list(check(run_numbers(results))) == []


def test_domains_that_ignore_other_shares_of_their_boxes_are_warned_about():
    summaries = {"photos": summary(boxes={"car": 30}, ignored=30), "renders": summary(boxes={"car": 30})}
    (said,) = checks.label_policies(run_numbers(study({}, summaries=summaries)))
    assert "photos 25 %, renders 0 %" in said
    assert not list(
        checks.label_policies(run_numbers(study({}, summaries={n: summaries["photos"] for n in summaries})))
    )
