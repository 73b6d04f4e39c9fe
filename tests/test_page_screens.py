"""The first three screens: short, drawn without scripts, readable for everyone, and as far down as three laptops."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from in_browser import FIRST, serious, text_of
from made_up_run import write_made_up_run

from gapscope.config import Arm
from gapscope.data.distributions import distributions
from gapscope.detector.network_map import yolov3_map
from gapscope.findings.fates import FATES
from gapscope.findings.findings import Findings, find
from gapscope.findings.network_parts import PartLikeness, named_parts
from gapscope.findings.result_tables import label_map_table, printed
from gapscope.findings.run_reader import read_results
from gapscope.findings.test_boxes import domain_table
from gapscope.page.arms_shown import MOST_ARMS, arms_shown
from gapscope.page.chart_fates import shown_fates
from gapscope.page.chart_gap import gap_chart
from gapscope.page.chart_parts import parts_chart
from gapscope.page.page import render_page
from gapscope.paper.domain_figures import spread_figure

pytestmark = pytest.mark.slow

MOST_PIXELS, MOST_WORDS, MOST_BYTES = 2700, 450, 4_000_000
WORDS = """(sections) => sections.map((section) => {
  const words = document.createTreeWalker(section, NodeFilter.SHOW_TEXT); let text = "";
  while (words.nextNode()) {
    const inside = words.currentNode.parentElement;
    if (!inside.closest("svg") && inside.checkVisibility()) text += ` ${words.currentNode.textContent}`;
  }
  return text.trim().split(/\\s+/).length;
}).reduce((a, b) => a + b)"""


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return find(read_results(write_made_up_run(tmp_path_factory.mktemp("screens") / "run")))


@pytest.fixture(scope="module")
def page_file(findings: Findings) -> Path:
    path = findings.results.folder / "report.html"
    path.write_text(render_page(findings, "appendix.html"), encoding="utf-8")
    return path


def drawn(page: Any) -> list[dict[str, float]]:
    """Where the three charts are, those that are to be seen."""
    return [chart.bounding_box() for chart in page.locator("svg.drawn:visible").all()]


def test_answers_and_charts_lie_within_three_screens_without_any_script(browser, page_file):
    page = browser.window(width=1440, java_script_enabled=False)
    page.goto(page_file.as_uri())
    charts = drawn(page)
    assert len(charts) == 3 and all(box["width"] > 900 and box["height"] > 150 for box in charts)
    assert page.locator("#more").bounding_box()["y"] <= MOST_PIXELS
    assert page.locator(".bracket:visible").count() == 1 and page.locator(".said:visible").count() >= 3
    assert page.locator("details.more[open]").count() == 0


def test_it_is_short_and_small_and_reads_plotly_only_when_a_section_is_opened(browser, page_file):
    page = browser.open(page_file, width=1440, folded=True)
    assert page.locator("header, section.first").evaluate_all(WORDS) <= MOST_WORDS
    assert page_file.stat().st_size <= MOST_BYTES
    page.wait_for_timeout(600)
    assert page.evaluate("typeof Plotly") == "undefined"
    page.locator("#training summary").first.click()
    page.locator("#plot-loss").scroll_into_view_if_needed()
    page.wait_for_selector("#plot-loss .main-svg", state="attached")


def test_the_switch_shows_another_gap_and_a_link_opens_what_it_leads_to(browser, page_file, findings):
    page = browser.open(page_file, folded=True)
    for i, (_, sentence) in enumerate(findings.gaps):
        page.check(f"#gap{i}")
        assert page.locator(".said[class*=gap]:visible").all_inner_texts() == [sentence]
        assert page.locator(f".bracket.gap{i}:visible").count() == page.locator(".bracket:visible").count() == 1
    meanings = page.locator(".chips a").evaluate_all("links => links.map(link => link.title)")
    assert meanings == [chip.meaning for chip in findings.chips] and all(one.endswith(".") for one in meanings)
    page.click(".chips a[href='#training']")
    assert page.locator("#training details.more").get_attribute("open") is not None
    assert page.locator("#performance details.more").get_attribute("open") is None


@pytest.mark.parametrize("dark", [False, True])
def test_nobody_is_shut_out_on_a_laptop_or_a_phone(browser, page_file, dark):
    page = browser.open(page_file, width=1440, dark=dark, folded=True)
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert serious(page) == [] and len(drawn(page)) == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    size = "(t) => Math.hypot(t.getScreenCTM().a, t.getScreenCTM().b) * parseFloat(getComputedStyle(t).fontSize)"
    small = page.locator("svg.narrow text").evaluate_all(f"(all) => Math.min(...all.map({size}))")
    assert small >= 10.5


def test_on_paper_the_three_screens_take_few_pages(browser, page_file):
    from pypdf import PdfReader

    page = browser.open(page_file, dark=True, folded=True)
    pdf = page_file.with_suffix(".pdf")
    page.pdf(path=pdf, prefer_css_page_size=True)
    pages = PdfReader(pdf).pages
    assert len(pages) <= 12
    words = re.sub(r"\s+", " ", " ".join(one.extract_text() for one in pages))
    assert all(text_of(page, f"#h-{section}") in words for section in FIRST)


def test_texts_tables_and_charts_print_the_same_numbers(findings, page_file):
    page, results = page_file.read_text(encoding="utf-8"), findings.results
    table = next(table for table in findings.tables if table.number == 2)
    chart = str(gap_chart(findings))
    for arm in results.arms:
        for domain in results.test_domains:
            mean = printed(findings.numbers.scores.of(arm, domain).known_mean, "{:.3f}")
            assert any(mean in cell for row in table.rows for cell in row)  # Table 2
            assert f">{mean}</text>" in chart  # chart A
    gap, sentence = findings.gaps[0]
    assert f"{gap.mean:z.1f} AP points" in sentence and f"{gap.mean:z.1f} points" in chart
    assert f"<b>{printed(gap.mean, '{:z.1f}')}</b>" in page  # the table of gaps
    strip = str(parts_chart(findings))
    row = findings.part_rows[0]
    for part, (similarity, ceiling) in zip(findings.parts, row.cells, strict=True):
        assert f">{similarity:.2f}</text>" in strip and f">{ceiling:.2f}</text>" in strip
        assert (f"{part.mean:.2f}", f"{part.ceiling:.2f}") == (f"{similarity:.2f}", f"{ceiling:.2f}")
    for one in findings.fates:
        assert sum(one.shares[name].mean for name in FATES) == pytest.approx(1)
        counted = findings.numbers.arms[one.arm, one.domain].outcomes["found"]
        assert one.shares["found"].values == pytest.approx(counted.values)  # the table of what is found
        boxes = {sum(file.targets.values()) for file in results.evaluations_of(one.arm, one.domain)}
        assert boxes == {one.num_boxes}  # the test boxes of the tables per class


def test_every_count_of_boxes_has_one_base(findings):
    """Label map, class shares, figure and splits count the boxes that are used; what labels hold beyond is named."""
    results, shares = findings.results, findings.domains.shares
    splits = findings.domains.splits
    names = results.experiment.data.classes
    for i, (domain, summary) in enumerate(results.summaries.items()):
        title = results.domain_title(domain)
        by_split = [row.classes for row in splits if row.domain == title]
        assert [sum(counts) for counts in zip(*by_split, strict=True)] == [row.boxes[i] for row in shares]
        assert [summary.used[name] for name in names] == [row.boxes[i] for row in shares]
    hooded = {**results.summaries["engine"].label_map, "car": {"car": summary.used["car"] + 400}}
    changed = {**results.summaries, "engine": replace(results.summaries["engine"], label_map=hooded)}
    row = next(row for row in label_map_table(replace(results, summaries=changed)).rows if row[0] == "car")
    used = [results.summaries[name].used["car"] for name in ("camera", "engine")]
    assert row[1:] == (f"car ({used[0]})", f"car ({used[1] + 400}); used {used[1]}")
    table = domain_table(results, "engine")
    assert table is not None
    figure = spread_figure({"Engine": distributions(table, sample=0)})
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx([row.shares[1] for row in shares], abs=1e-9)


def test_the_place_is_said_with_the_band_of_its_distance(findings):
    said = next(answer.text for answer in findings.answers if answer.key == "where")
    gaps = findings.numbers.layers.part_gaps[findings.results.pairs[0], findings.results.sizes[0]]
    part = next(one.part for one in gaps if f": {one.part} (layer" in said)
    gap = next(one for one in gaps if one.part == part)
    low, value, high = (f"{one:z.2f}" for one in (gap.shortfall.low, gap.shortfall.value, gap.shortfall.high))
    assert f": by {value} (95 % band over images {low} to {high}" in said
    assert ("perhaps none" in said) == (not gap.sure)


ENDS = """(all) => all.map((t) => {
  const box = t.getBoundingClientRect(), whole = t.ownerSVGElement.getBoundingClientRect();
  const scale = t.ownerSVGElement.viewBox.baseVal.width / whole.width;
  return [(box.left - whole.left) * scale, (box.right - whole.left) * scale];
})"""


def foreign_parts(layers: int) -> list[PartLikeness]:
    """Parts of a network that is not YOLOv3; the last one has a name that must be shown and not run."""
    parts = [
        PartLikeness(name, first, last, 0.0, 0.9, (0.3 + 0.6 * first / layers, 0.4), {64: (0.2,)})
        for name, first, last in named_parts(yolov3_map(), layers)
    ]
    return [*parts[:-1], replace(parts[-1], name="<b onclick=x>&amp; a part with a long name")]


@pytest.mark.parametrize("layers", [3, 20, 107, 300])
def test_networks_of_any_depth_and_names_are_drawn_within_both_widths(findings, browser, tmp_path, layers):
    drawing = parts_chart(replace(findings, parts=foreign_parts(layers)))
    assert "<b onclick" not in drawing and "&lt;b" in drawing
    page = browser.window(width=1440)
    page.set_content(f"<style>svg {{ font: 13px sans-serif }}</style>{drawing}")
    for svg in page.locator("svg.drawn").all():
        room = svg.evaluate("(one) => one.viewBox.baseVal.width")
        ends = svg.locator("text").evaluate_all(
            "(all) => all.map((t) => [t.getBBox().x, t.getBBox().x + t.getBBox().width])"
        )
        upright = svg.locator("text[transform]").count()
        assert upright or all(-1 <= low and high <= room + 1 for low, high in ends)


def test_five_arms_leave_the_first_screens_as_short(findings, browser, tmp_path):
    results = findings.results
    more = {
        "adapted": Arm(title="Adapted", start="u-synthetic", adapt={"batchnorm": "camera"}),
        "average": Arm(title="Average", average={"u-real": 0.5, "u-synthetic": 0.5}),
        "given": Arm(
            title="Theirs_in_one_word_" * 4,
            domains=["engine"],
            detections={one: ["0", "1"] for one in results.test_domains},
        ),
    }
    evaluations = dict(results.evaluations)
    for (run, domain), file in results.evaluations.items():
        if run.arm == "u-synthetic":
            evaluations |= {(run._replace(arm=name), domain): file for name in more}
    experiment = results.experiment.model_copy(update={"arms": results.experiment.arms | more})
    five = find(replace(results, experiment=experiment, evaluations=evaluations))
    assert len(five.gaps) > len(findings.gaps)  # of what was trained elsewhere; remedies have none of their own
    assert {gap.other for gap, _ in five.gaps}.isdisjoint({"adapted", "average"})
    path = tmp_path / "five.html"
    path.write_text(render_page(five), encoding="utf-8")
    page = browser.open(path, width=1440, folded=True)
    assert page.locator("header, section.first").evaluate_all(WORDS) <= MOST_WORDS
    assert page.locator("#more").bounding_box()["y"] <= 1.3 * MOST_PIXELS
    assert page.locator("svg.wide text:visible", has_text="… (at home)").count() == 1
    for width in (1440, 390):  # names without a place to break them too
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_of_two_dozen_arms_the_charts_show_those_of_the_gaps_and_the_best_remedies(findings, browser, tmp_path):
    """As `gapscope remedies` with two budgets makes them. All of them stand in the sections."""
    results = findings.results
    more = {f"tried-{i}": Arm(start="u-synthetic", adapt={"batchnorm": "camera"}) for i in range(24)}
    evaluations, best = dict(results.evaluations), ["tried-7", "tried-21"]
    for (run, domain), file in results.evaluations.items():
        like = {"u-synthetic": [name for name in more if name not in best], "u-real": best}.get(run.arm, [])
        evaluations |= {(run._replace(arm=name), domain): file for name in like}
    experiment = results.experiment.model_copy(update={"arms": results.experiment.arms | more})
    many = find(replace(results, experiment=experiment, evaluations=evaluations))
    shown = arms_shown(many)
    assert len(shown) == MOST_ARMS
    assert {arm for gap, _ in many.gaps for arm in (gap.home, gap.other)} | set(best) <= set(shown)
    assert arms_shown(findings) == list(results.arms)
    assert {one.arm for one in shown_fates(many)} <= set(shown)
    path = tmp_path / "many.html"
    path.write_text(render_page(many), encoding="utf-8")
    page = browser.open(path, width=1440, folded=True)
    assert page.locator("header, section.first").evaluate_all(WORDS) <= MOST_WORDS
    assert page.locator("#more").bounding_box()["y"] <= 1.3 * MOST_PIXELS
    left_out = len(many.results.arms) - MOST_ARMS
    assert f"{left_out} further arms: Performance, Remedies." in " ".join(
        page.locator("#gap figcaption").inner_text().split()
    )


def test_one_arm_and_one_domain_say_what_they_can(findings):
    results = findings.results
    experiment = results.experiment
    alone = experiment.model_copy(
        update={
            "arms": {"u-real": experiment.arms["u-real"].model_copy(update={"start": "scratch", "title": "A & B"})},
            "domains": {"camera": experiment.domains["camera"]},
            "evaluate": experiment.evaluate.model_copy(update={"domains": ["camera"]}),
        }
    )
    kept = {key: one for key, one in results.evaluations.items() if (key[0].arm, key[1]) == ("u-real", "camera")}
    summaries = {"camera": results.summaries["camera"]}
    trainings = {run: one for run, one in results.trainings.items() if run.arm == "u-real"}
    parts = {"summaries": summaries, "trainings": trainings, "evaluations": kept, "grids": {}, "effects": {}}
    found = find(replace(results, experiment=alone, **parts))
    assert [one.key for one in found.answers] == ["trust"] and found.parts == []
    page = render_page(found)
    assert (
        "Of A &amp; B alone layers are recorded" in page and "No gap can be told" in page and "No suggestions" in page
    )
    assert "svg" in str(gap_chart(found)) and "bracket" not in str(gap_chart(found))
