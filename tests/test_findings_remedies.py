"""What closes a gap, by hand: which arm is a remedy for which, how much it regains, and what may be said of that."""

import math
from dataclasses import replace
from typing import Any

import pytest
from small_evaluations import evaluation, study, summary
from small_remedies import ADAPTED, scored, twice

from gapscope.arms import baseline_of, labelled_domains, unlabelled_domains
from gapscope.findings.advice import suggestions
from gapscope.findings.beside_paper import paper_model
from gapscope.findings.findings import find
from gapscope.findings.remedies import Remedy
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import run_numbers
from gapscope.findings.training_files import TrainingRecord, parse_training
from gapscope.run_folder import RunName


def remedies(results: Results) -> dict[str, Remedy]:
    return {one.arm: one for one in run_numbers(results).remedies}


def test_what_an_arm_has_seen_is_what_the_arms_before_it_have_seen_too():
    experiment = scored().experiment
    assert labelled_domains(experiment, "adapted") == ["renders"] and unlabelled_domains(experiment, "adapted") == [
        "photos"
    ]
    assert set(labelled_domains(experiment, "average")) == {"renders", "photos"}
    assert labelled_domains(experiment, "tuned") == ["renders", "photos"]
    assert not unlabelled_domains(experiment, "average")


@pytest.mark.parametrize("arm", ["adapted", "average", "mixed", "tuned"])
def test_every_kind_of_remedy_is_compared_with_the_arm_that_lacks_it(arm):
    experiment = scored().experiment
    assert baseline_of(experiment, list(experiment.arms), arm, "photos") == "synthetic"


@pytest.mark.parametrize("arm", ["real", "synthetic", "frozen"])
def test_plain_arms_are_no_remedies(arm):
    experiment = scored().experiment
    assert baseline_of(experiment, list(experiment.arms), arm, "photos") is None


def test_a_frozen_remedy_is_compared_with_the_frozen_arm():
    mixed = '[arms.mixed]\ndomains = ["renders", "photos"]\nfreeze = "0-74"\n'
    experiment = scored(mixed).experiment
    assert baseline_of(experiment, list(experiment.arms), "mixed", "photos") == "frozen"


def test_the_share_closed_is_paired_draw_by_draw():
    """All three arms move together by 0.1 from draw to draw, so nothing is unsure about the share."""
    results = scored(real=twice(0.6, 0.1), synthetic=twice(0.2, 0.1), adapted=twice(0.4, 0.1))
    found = remedies(results)["adapted"]
    assert found.regained.mean == pytest.approx(20)
    assert (found.share.value, found.share.low, found.share.high) == pytest.approx((0.5, 0.5, 0.5))


def test_the_interval_of_the_share_is_that_of_its_draws():
    """Only the remedy moves: by 0.1 times -0.5 to 0.5, in a gap of 0.4."""
    results = scored(real=twice(0.6), synthetic=twice(0.2), adapted=twice(0.4, 0.1))
    found = remedies(results)["adapted"].share
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - 0.475 / 4, 0.5 + 0.475 / 4))


def test_the_home_arm_closes_all_of_it_and_the_arm_without_none():
    same = scored(real=twice(0.6, 0.1), synthetic=twice(0.2, 0.1), average=twice(0.6, 0.1), adapted=twice(0.2, 0.1))
    found = remedies(same)
    assert found["average"].share.value == pytest.approx(1) and found["adapted"].share.value == pytest.approx(0)
    assert not found["adapted"].is_gain
    assert [one.arm for one in run_numbers(same).remedies] == ["average", "adapted"]  # what regains most first


def test_of_a_gap_that_is_not_told_from_none_no_share_is_given():
    results = scored(real=twice(0.4, 1.0), synthetic=twice(0.35), adapted=twice(0.5))
    found = remedies(results)["adapted"]
    assert math.isnan(found.share.value) and found.regained.mean == pytest.approx(15)
    (said,) = find(results).verdict["What closes it?"]
    assert "15.0 AP points more than Synthetic" in said and "closes" not in said


@pytest.mark.parametrize(
    ("slope", "said"), [(0.1, ", which closes nothing"), (0.5, ", which is not told from closing nothing")]
)
def test_what_is_surely_worse_closes_nothing(slope, said):
    """0.1 less, by draws of 0.05 and of 0.25 to either side."""
    results = scored(real=twice(0.6), synthetic=twice(0.2), adapted=twice(0.1, slope))
    (sentence,) = find(results).verdict["What closes it?"]
    assert "10.0 AP points less than Synthetic" in sentence and f"{said} of the gap." in sentence


def test_a_remedy_is_no_gap_of_its_own_and_a_mixed_arm_is_named():
    results = scored(real=twice(0.6), synthetic=twice(0.2), mixed=twice(0.65), adapted=twice(0.3), tuned=twice(0.5))
    numbers = run_numbers(results)
    assert {(gap.home, gap.other) for gap in numbers.gaps} == {("real", "synthetic")}
    sentences = find(results).verdict["What closes it?"]
    assert [sentence.split(" (")[0] for sentence in sentences] == [
        "On photos, Mixed",
        "On photos, Tuned",
        "On photos, Adapted",
    ]
    assert "(trained on renders and photos) reaches mAP 0.650" in sentences[0]
    assert "which closes 113 % (113 to 113) of the gap to Real" in sentences[0]
    assert "(trained on photos, from Synthetic on)" in sentences[1]
    assert "(Synthetic with BatchNorm statistics of images of photos, not trained)" in sentences[2]
    assert not any("trained elsewhere" in sentence for sentence in sentences)


def test_where_all_arms_mix_the_one_with_fewest_domains_is_still_at_home():
    mixed = '[arms.mixed]\ndomains = ["renders", "photos"]\n'
    results = scored(mixed, mixed=twice(0.6), synthetic=twice(0.2))
    numbers = run_numbers(results)
    assert [(gap.home, gap.other) for gap in numbers.gaps] == []  # `real` is at home, and was not evaluated
    assert not numbers.remedies


def test_what_is_lost_at_home_is_said_with_its_interval():
    both = {("real", 0, "photos"): evaluation(0.6), ("synthetic", 0, "photos"): evaluation(0.2)}
    both |= {("adapted", 0, "photos"): evaluation(0.4), ("adapted", 0, "renders"): evaluation(0.3, draws=[0.3] * 100)}
    both |= {("synthetic", 0, "renders"): evaluation(0.5, draws=[0.5 + i / 1000 for i in range(-50, 50)])}
    results = study(both, seeds=(0,), more=ADAPTED)
    (found,) = run_numbers(results).remedies
    assert found.elsewhere["renders"].mean == pytest.approx(-20)
    (said,) = find(results).verdict["What closes it?"]
    assert "On renders it has 20.0 AP points less (95 % interval 15.3 to 24.7 over 200 test images)." in said
    assert "It is from one seed only." in said


def test_a_remedy_that_learns_little_or_sees_more_images_weakens_no_verdict():
    few = '[arms.few]\ndomains = ["photos"]\nimages = { photos = 5 }\n'
    mixed = '[arms.mixed]\ndomains = ["renders", "photos"]\n'
    results = scored(few + mixed, real=twice(0.6), synthetic=twice(0.2), few=twice(0.02), mixed=twice(0.65))
    counts = {"real": 80, "synthetic": 80, "few": 5, "mixed": 160}
    trainings = {
        RunName(arm, seed): training(1.0, train_images=count) for arm, count in counts.items() for seed in (0, 1)
    }
    found = find(replace(results, trainings=trainings))
    assert found.answers[0].key == "gap" and "40.0 AP points are lost" in found.answers[0].text
    titles = {one.title for one in found.confounds}
    assert not {"An arm hardly learned", "Unequal training sets"} & titles


def training(seconds: float, **more: Any) -> TrainingRecord:
    facts = {"epochs": 1, "best_epoch": 1, "best_val_map50": 0.1, "stopped_early": False, "freeze": ""}
    facts |= {"train_images": 80, "parameters": 1, "trainable_parameters": 1, "weights_sha256": "", "device": "cpu"}
    return TrainingRecord(parse_training(facts | {"seconds": seconds} | more), ())


def test_the_cost_is_what_the_arm_without_the_remedy_did_not_need():
    results = scored(real=twice(0.6), synthetic=twice(0.2), adapted=twice(0.3), average=twice(0.5), mixed=twice(0.6))
    seconds = {"real": 600.0, "synthetic": 700.0, "average": 4.0, "mixed": 1200.0}
    trainings = {RunName(arm, seed): training(took) for arm, took in seconds.items() for seed in (0, 1)}
    for seed, took in ((0, 2.0), (1, 4.0)):
        trainings[RunName("adapted", seed)] = training(took, trained=False, unlabelled_images={"photos": 200})
    summaries = study({}, summaries={"photos": summary(boxes={"car": 9})}).summaries
    found = remedies(replace(results, trainings=trainings, summaries=summaries))
    costs = {arm: one.cost for arm, one in found.items()}
    assert (costs["adapted"].labelled_images, costs["adapted"].unlabelled_images, costs["adapted"].seconds) == (
        0,
        200,
        3,
    )
    assert (costs["average"].labelled_images, costs["average"].seconds) == (80, 604)
    assert (costs["mixed"].labelled_images, costs["mixed"].seconds) == (80, 1200)
    assert found["mixed"].points_per_labelled_image == pytest.approx(40 / 80)
    assert found["adapted"].points_per_labelled_image == math.inf
    assert found["average"].points_per_minute == pytest.approx(30 / (604 / 60))


@pytest.mark.parametrize(("labelled", "unlabelled"), [(20, 200), (80, 0)])
def test_images_seen_without_labels_cost_something_unless_all_have_labels_anyway(labelled, unlabelled):
    """An adapted arm that goes on from one with few labelled images has seen the others too."""
    more = """
    [arms.few]
    domains = ["photos"]
    start = "synthetic"
    [arms.few-adapted]
    start = "few"
    adapt = { batchnorm = "photos" }
    """
    few = {"few": twice(0.4), "few-adapted": twice(0.5)}
    results = scored(more, real=twice(0.6), synthetic=twice(0.2), **few)
    trainings = {
        RunName("few", seed): training(1.0, images={"photos": labelled}, train_images=labelled) for seed in (0, 1)
    }
    for seed in (0, 1):
        trainings[RunName("few-adapted", seed)] = training(1.0, trained=False, unlabelled_images={"photos": 200})
    summaries = study({}, summaries={"photos": summary(boxes={"car": 9})}).summaries
    assert summaries["photos"].images["train"] == 80
    cost = remedies(replace(results, trainings=trainings, summaries=summaries))["few-adapted"].cost
    assert (cost.labelled_images, cost.unlabelled_images) == (labelled, unlabelled)


def test_an_arm_that_goes_on_from_a_model_or_is_made_of_some_is_none_of_the_papers():
    results = scored()
    models = {arm: paper_model(results, arm) for arm in results.arms}
    assert models == {"real": "U-Real", "synthetic": "U-Synthetic", "frozen": "F-Synthetic"} | dict.fromkeys(
        ("adapted", "average", "mixed", "tuned")
    )


def test_what_was_tried_and_regained_most_is_advised_first_and_what_was_tried_in_vain_last():
    """Untried ones stand between; of several arms that did the same the best is told."""
    gained = scored(real=twice(0.6), synthetic=twice(0.2), adapted=twice(0.25), mixed=twice(0.5), tuned=twice(0.58))
    said = [one.do for one in suggestions(run_numbers(gained))]
    train, adapt = "Train on some labelled images of photos too.", "Give Synthetic BatchNorm statistics"
    assert said[0] == train and said[1].startswith(adapt)
    first = suggestions(run_numbers(gained))[0]
    assert first.tried.startswith(
        "tried: Tuned +38.0 AP points, which closes 95 % (95 to 95) of the gap to Real; it took "
    )
    assert first.tried.endswith("; 1 more regain less")
    in_vain = scored(real=twice(0.6), synthetic=twice(0.2), adapted=twice(0.15), mixed=twice(0.5))
    said = [one.do for one in suggestions(run_numbers(in_vain))]
    assert said[0] == train and said[-1].startswith(adapt)
    untried = suggestions(run_numbers(scored(real=twice(0.6), synthetic=twice(0.2))))
    assert not any(one.is_tried for one in untried) and untried[-1].do == train


def test_what_gave_one_arm_nothing_is_suggested_for_another_last_and_with_that_said():
    """Of two arms that lose on one domain both might be given its statistics."""
    of_frozen = "Give Frozen BatchNorm statistics of unlabelled photos images: no training."
    arms = {"real": twice(0.6), "synthetic": twice(0.2), "frozen": twice(0.25)}
    in_vain = suggestions(run_numbers(scored(**arms, adapted=twice(0.19))))
    (one,) = [one for one in in_vain if one.do == of_frozen]
    assert [other for other in in_vain if not other.is_tried][-1] is one
    loses = "Frozen loses 35.0 AP points; its statistics are of its training images"
    assert one.because == (f"{loses}, but new ones gave Synthetic nothing there.",)
    gained = suggestions(run_numbers(scored(**arms, adapted=twice(0.4))))
    (one,) = [one for one in gained if one.do == of_frozen]
    assert one.because == (f"{loses}.",)
