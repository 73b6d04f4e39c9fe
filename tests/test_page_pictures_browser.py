"""Pictures in a browser: filters, the confidence that one looks from, and the larger view, with the keyboard too."""

import shutil
from pathlib import Path

import pytest
from small_run import write_small_run

from gapscope.findings.findings import find
from gapscope.findings.run_reader import read_results
from gapscope.page.page import page_environment, page_names
from gapscope.page.page_context import material

pytestmark = pytest.mark.slow

CAR, VAN = (10.0, 10.0, 30.0, 30.0), (60.0, 10.0, 90.0, 40.0)
LABELS = [[("car", *CAR)], [("car", *CAR)], [("van", *VAN)]]
FOUND = {
    "one": [[("car", *CAR, 0.9)], [("van", *CAR, 0.6)], [("van", *VAN, 0.3)]],
    "two": [[("car", *CAR, 0.4)], [("car", *CAR, 0.8)], []],
}
"""The second image holds a classification error of the first arm, the third one a van that the second arm misses."""

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>pictures</title>
<style>{% include "page.css.j2" %}</style></head><body><main>
<section id="pictures">{% include "sections/pictures.html.j2" %}</section>
</main>
<script>"use strict"; {% include "scripts/look.js" %}
{% include "scripts/inflate.js" %}
{% include "scripts/pictures.js" %}
document.documentElement.dataset.ready = "yes";</script></body></html>"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The section alone, as the page has it."""
    return write_section(write_small_run(tmp_path_factory.mktemp("pictures") / "run", LABELS, FOUND))


def write_section(run: Path) -> Path:
    results = read_results(run)
    findings = find(results)
    context = page_names(findings) | {"material": material(findings)}
    path = results.folder / "page.html"
    path.write_text(page_environment().from_string(PAGE).render(context), encoding="utf-8")
    return path


def shown(page) -> list[str]:
    """Their names in order. Chromium gives a picture that it has yet to draw (`content-visibility`) no inner text."""
    return page.locator(".picture:visible h4").all_text_contents()


def said(page, picture: str, arm: str) -> str:
    panel = page.locator(f".picture:has-text('{picture}') .panel[data-arm={arm}]")
    assert panel.locator("svg").get_attribute("aria-label") == panel.locator("figcaption").text_content()
    return panel.locator("figcaption").text_content()


def test_pictures_are_filtered_by_kind_class_and_arm(browser, page_file):
    page = browser.open(page_file)
    assert shown(page) == ["test-1.png", "test-2.png", "test-0.png"]  # the most disputed first
    page.select_option("#picture-kind", "classification")
    assert shown(page) == ["test-1.png"]
    page.select_option("#picture-arm", "two")
    assert shown(page) == [] and "None of the 3 pictures" in page.locator("#picture-count").inner_text()
    page.select_option("#picture-kind", "missed")
    assert shown(page) == ["test-2.png"]
    assert page.locator(".panel[data-arm]:visible").evaluate_all("all => all.map((p) => p.dataset.arm)") == ["two"]
    page.select_option("#picture-kind", "")
    page.select_option("#picture-arm", "")
    page.select_option("#picture-class", "van")  # as a label, or as what a car was taken for
    assert shown(page) == ["test-1.png", "test-2.png"]


def test_the_confidence_changes_what_is_found_missed_and_wrong(browser, page_file):
    page = browser.open(page_file)
    assert said(page, "test-0.png", "two") == "Arm <two>: 1 right"
    page.locator("#picture-confidence").fill("0.5")
    assert said(page, "test-0.png", "two") == "Arm <two>: 0 right, 1 missed"
    assert said(page, "test-1.png", "one") == "one: 0 right, 1 classification"
    page.locator("#picture-confidence").fill("0.7")
    assert said(page, "test-1.png", "one") == "one: 0 right, 1 missed"
    page.select_option("#picture-kind", "classification")
    assert shown(page) == []


def test_the_larger_view_opens_turns_pages_and_closes_by_keyboard(browser, page_file):
    page = browser.open(page_file)
    button = page.get_by_role("button", name="Enlarge test-1.png")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="test-1.png")
    assert dialog.is_visible() and dialog.locator("svg").count() == 3
    dialog.get_by_text("Every box in words").click()
    cells = dialog.locator("tbody tr").all_inner_texts()
    assert [row.split("\t") for row in cells] == [
        ["car", "label", ""],
        ["van, the label says car", "classification", "0.60"],
        ["car", "right", "0.80"],
    ]
    page.keyboard.press("ArrowRight")
    turned = page.get_by_role("dialog", name="test-2.png")
    assert turned.is_visible() and turned.locator("details[open]").count() == 1  # words stay where they were asked for
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # there is none before the first
    assert page.get_by_role("dialog", name="test-1.png").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    assert button.evaluate("(one) => one === document.activeElement")


def test_the_larger_view_opens_by_a_click_on_a_picture(browser, page_file):
    page = browser.open(page_file, width=390)
    page.locator(".picture .panel svg").nth(1).click()
    dialog = page.get_by_role("dialog", name="test-1.png")
    assert dialog.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_boxes_of_another_seed_are_shown_when_it_is_chosen(browser, tmp_path):
    """With seed 1 the arms have changed places."""
    run = write_small_run(tmp_path / "run", LABELS, FOUND)
    config = run / "experiment.resolved.toml"
    config.write_text(config.read_text().replace("seeds = [0]", "seeds = [0, 1]"))
    for arm, other in (("one", "two"), ("two", "one")):
        there = run / "evaluation"
        shutil.copy(there / f"{arm}-seed0--road.detections.npz", there / f"{other}-seed1--road.detections.npz")
    page = browser.open(write_section(run))
    first = {arm: said(page, "test-1.png", arm).partition(": ")[2] for arm in ("one", "two")}
    assert first["one"] != first["two"]
    for seed, seen in (("1", ("two", "one")), ("0", ("one", "two"))):
        page.select_option("#picture-seed", seed)
        captions = page.locator(".picture:has-text('test-1.png') .panel[data-arm=one] figcaption")
        captions.filter(has_text=f": {first[seen[0]]}").wait_for()
        assert [said(page, "test-1.png", arm).partition(": ")[2] for arm in ("one", "two")] == [first[s] for s in seen]
