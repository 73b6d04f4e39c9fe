"""The page: what it says, that it says no more than the numbers, and that it runs nothing it is given."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from in_browser import SECTIONS
from made_up_run import write_made_up_run
from page_parts import numbers_of

from gapscope.config import Arm
from gapscope.findings.estimates import Estimate
from gapscope.findings.findings import find
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.page.page import render_appendix, render_page
from gapscope.run_folder import RunName
from gapscope.several.report import write_report

pytestmark = pytest.mark.slow

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("page") / "run", title=EVIL, first_arm="<b>U</b>-Real")


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return render_page(find(results))


def with_map50(results: Results, values: dict[tuple[str, int, str], float]) -> Results:
    """The same results, with other mAPs for (arm, seed, domain)."""
    evaluations = dict(results.evaluations)
    for (arm, seed, domain), value in values.items():
        old = evaluations[RunName(arm, seed), domain]
        coco = old.rules["coco"]
        rules = {"coco": replace(coco, means={**coco.means, "headline_map50": Estimate(value)})}
        evaluations[RunName(arm, seed), domain] = replace(old, rules=rules)
    return replace(results, evaluations=evaluations)


def with_summary(results: Results, arm: str, **changes: object) -> Results:
    """The same results, with other facts about the trainings of an arm."""
    trainings = {
        run: replace(training, summary=replace(training.summary, **changes)) if run.arm == arm else training
        for run, training in results.trainings.items()
    }
    return replace(results, trainings=trainings)


def found(results: Results, title: str) -> str:
    return " ".join(text for item in find(results).confounds if item.title == title for text in item.texts)


def test_write_report_leaves_tables_figures_and_page(tmp_path):
    run = write_made_up_run(tmp_path / "run", seeds=(0,))
    steps = []
    page = write_report(run, progress=lambda what, done, total, note="": steps.append((what, done, total)))
    assert page == run / "report.html" and page.stat().st_size > 2e6
    assert {path.name for path in (run / "tables").iterdir()} == {
        f"table{n}.{s}" for n in range(1, 6) for s in ("csv", "md", "tex")
    }
    numbers = (1, 3, 4, 5, 6, 7)  # Figure 2 is the second seed's
    assert {path.name for path in (run / "figures").iterdir()} == {
        f"figure{n}{e}.{s}" for n in numbers for e in ("", "-paper") for s in ("png", "pdf")
    } | {"made-from.json"}
    assert ("figures", 12, 12) in steps and steps[-1] == ("page", 1, 1)
    text = page.read_text(encoding="utf-8")
    assert "One seed only" in text and "with one seed, what another would change is unknown" in text
    assert (run / "appendix.html").is_file() and 'href="appendix.html"' in text


def test_every_section_is_there_and_the_page_is_small_enough_to_mail(page):
    for name in SECTIONS:
        assert f'<section id="{name}"' in page and f'href="#{name}"' in page
    assert len(page.encode()) < 4e6
    assert "not there yet" not in page


def test_the_page_loads_nothing_from_elsewhere(page):
    ours = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", ours)
    assert "url(" not in ours
    assert "default-src 'none'" in unescape(page)


def test_hostile_names_are_shown_and_not_run(page):
    assert "alert(1)</script>" not in page and "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(2)&gt;" in page
    assert "<b>U</b>" not in page and "&lt;b&gt;U&lt;/b&gt;-Real" in page


def test_the_numbers_on_the_page_keep_their_strings(page):
    data = numbers_of(page)
    assert "<b>U</b>-Real" in data["arms"]
    assert len(data["layers"]) == 107


def test_numbers_in_the_page_are_those_of_the_files(run, page):
    value = json.loads((run / "evaluation/u-synthetic-seed1--engine.json").read_text())["rules"]["coco"]
    assert f"{value['headline_map50']:.3f}</td>" in page
    training = json.loads((run / "arms/f-synthetic/seed0/summary.json").read_text())
    assert f"{training['trainable_parameters']:,}" in page
    domain = json.loads((run / "data/engine/summary.json").read_text())
    assert "60 boxes on the driver's own hood" in page
    assert "gapscope run made-up.toml" in page and "traffic cone (14)" in page
    appendix = render_appendix(find(read_results(run)))
    assert domain["fingerprint"] in appendix and training["weights_sha256"] in appendix
    assert appendix.count("<caption><b>Table") == 5 and EVIL not in appendix


def test_a_stage_that_has_not_run_is_said_in_its_section(run, tmp_path):
    (tmp_path / "experiment.resolved.toml").write_bytes((run / "experiment.resolved.toml").read_bytes())
    begun = render_page(find(read_results(tmp_path)))
    for stage in ("evaluate", "compare", "record", "data", "train"):
        assert f"once the stage <code>{stage}</code> has run" in begun


def test_generated_images_are_no_finding_about_photographs(results, page):
    sentence = "All images are generated: this shows the method, not how photographs fare."
    assert find(results).generated_note == sentence and sentence in page
    domains = dict(results.experiment.domains)
    domains["camera"] = domains["camera"].model_copy(update={"generate": None, "root": "photographs"})
    mixed = replace(results, experiment=results.experiment.model_copy(update={"domains": domains}))
    assert find(mixed).generated_note == "Rendered by gapscope, so no photographs: Engine."


def test_layers_are_called_different_only_against_a_ceiling(results):
    said = find(results).verdict["Where in the network is it?"][0]
    assert re.search(r"These networks fall short of that by [\d.]+ \([\d.]+ to [\d.]+\) in the backbone and", said)
    pairs = {key: grid for key, grid in results.grids.items() if key[0].arm != key[1].arm}
    assert "There is no second seed" in find(replace(results, grids=pairs)).verdict["Where in the network is it?"][0]


def test_leaks_small_probes_and_thin_test_sets_are_warned_about(results):
    assert "Of 24 held-out images of Engine, 2 (8 %) have a near-duplicate" in found(results, "Splits leak")
    assert "48 images" in found(results, "Few probe images")
    assert "person" in found(results, "Few test boxes")


def test_sound_runs_are_not_warned_about(results):
    for title in (
        "A frozen part changed",
        "An arm hardly learned",
        "Unequal training sets",
        "The ceiling is no ceiling",
    ):
        assert not found(results, title)


def test_a_changed_frozen_part_is_warned_about_and_not_called_frozen(results):
    changed = with_summary(results, "f-synthetic", frozen_hash_after="cd" * 32)
    assert "Layers 0-74 of F-Synthetic, seed 1" in found(changed, "A frozen part changed")
    assert "Did frozen layers stay frozen?" not in find(changed).verdict
    assert "same hash" in find(results).verdict["Did frozen layers stay frozen?"][0]


def test_unequal_training_sets_are_warned_about(results):
    assert "U-Synthetic 50" in found(with_summary(results, "u-synthetic", train_images=50), "Unequal training sets")


def test_an_arm_that_learned_nothing_is_warned_about(results):
    changed = with_map50(results, {("u-real", seed, "camera"): 0.01 for seed in (0, 1)})
    assert "reaches mAP 0.010 on Camera" in found(changed, "An arm hardly learned")


def test_a_pair_more_alike_than_two_seeds_is_warned_about(results):
    grids = {
        key: grid * 0.5 if key[0].arm == key[1].arm and key[0] != key[1] else grid
        for key, grid in results.grids.items()
    }
    assert "U-Synthetic vs F-Synthetic" in found(replace(results, grids=grids), "The ceiling is no ceiling")


def test_a_pair_as_alike_as_two_seeds_to_the_digits_printed_is_not_warned_about(results):
    for pairs, warned in ((0.9901, False), (0.999, True)):
        grids = {key: grid * 0 + (0.99 if key[0].arm == key[1].arm else pairs) for key, grid in results.grids.items()}
        assert bool(found(replace(results, grids=grids), "The ceiling is no ceiling")) == warned


def test_nobody_is_told_to_train_longer_what_was_trained_elsewhere(results):
    arms = {
        name: Arm(title=name, domains=arm.domains, detections={one: ["0", "1"] for one in results.test_domains})
        for name, arm in results.experiment.arms.items()
        if arm.report
    }
    given = results.experiment.model_copy(update={"arms": arms})
    on_camera = {("u-real", 0): 0.5, ("u-real", 1): 0.8, ("u-synthetic", 0): 0.45, ("u-synthetic", 1): 0.75}
    apart = with_map50(results, {(arm, seed, "camera"): value for (arm, seed), value in on_camera.items()})
    lost = with_map50(results, {("u-real", seed, "camera"): 0.01 for seed in results.seeds})
    for some, title, do in (
        (apart, "A gap no larger than a change of seed", "Give further trainings of every detector."),
        (lost, "An arm hardly learned", "Check that the classes, their order and the size of the input"),
    ):
        theirs = find(replace(some, experiment=given, trainings={}))
        assert next(one.advice for one in theirs.confounds if one.title == title).startswith(do)
        texts = [*(one.advice for one in theirs.confounds), *(one.do for one in theirs.advice)]
        assert not [text for text in texts if "longer" in text or "Train every" in text or "more seeds" in text]
        assert next(one.advice for one in find(some).confounds if one.title == title) != do
    theirs = find(replace(apart, experiment=given, trainings={}))
    assert "Give further trainings of u-real and u-synthetic." in [one.do for one in theirs.advice]


def test_similarity_that_reaches_the_floor_is_warned_about(results):
    key = (RunName("u-real", 0), RunName("u-synthetic", 0), 160)
    grid = results.grids[key].copy(deep=True)
    grid["interval_low"][:, 75:83] = -0.1
    changed = replace(results, grids={**results.grids, key: grid})
    assert "at layers 75-82 the interval" in found(changed, "Similarity at the floor")
    assert not found(results, "Similarity at the floor")


def test_images_that_are_not_on_this_machine_leave_a_sentence(run, results, tmp_path):
    summaries = {name: replace(summary, root="elsewhere") for name, summary in results.summaries.items()}
    page = render_page(find(replace(results, summaries=summaries)))
    assert "not on this machine as the run read them" in page and "No pictures:" in page
