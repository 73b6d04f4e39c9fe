"""The page in a browser: it draws what it should, asks for nothing, shuts nobody out, and runs nothing it is given."""

import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from in_browser import FIRST, SECTIONS, draw_all, serious, text_of, unfold
from made_up_run import write_made_up_run

from gapscope.errors import InputError
from gapscope.findings.findings import find
from gapscope.findings.run_reader import read_results
from gapscope.page.page import render_page

pytestmark = pytest.mark.slow

EVIL = "</script><script>hacked = 1</script><img src=x onerror=hacked=2>"
EVIL_CLASS = "<img src=x onerror=hacked=3>"
A4 = 703
"""Pixels between its margins."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("browser") / "run")


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("one-seed") / "run", seeds=(0,))


@pytest.fixture(scope="module")
def page_file(run: Path) -> Path:
    return written(run)


@pytest.fixture(scope="module")
def small_page(one_seed: Path) -> Path:
    """Half as much to draw, where that does not matter."""
    return written(one_seed)


def written(run: Path) -> Path:
    """The run's page as a file, named so that a link would have to be escaped."""
    path = run.with_name(f"{run.name} #1 report.html")
    path.write_text(render_page(find(read_results(run))), encoding="utf-8")
    return path


def overflow(page: Any) -> dict[str, Any]:
    """By how many pixels the page is wider than its window, and what sticks out."""
    return page.evaluate(
        """() => ({
            pixels: document.documentElement.scrollWidth - document.documentElement.clientWidth,
            of: [...document.querySelectorAll("main *")]
                .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
                .filter((e) => !e.closest(".scroll, pre, .js-plotly-plot, svg, .unseen"))
                .map((e) => `${e.tagName}.${e.className}#${e.id}`).slice(0, 5),
        })"""
    )


def test_every_section_is_there_and_every_chart_is_drawn(browser, page_file):
    page = browser.open(page_file)
    assert draw_all(page) >= 7
    assert [s.get_attribute("id") for s in page.locator("main section[id]").all()] == list(SECTIONS)
    assert "not there yet" not in text_of(page)


def test_the_page_opens_before_plotly_is_read_and_draws_only_what_is_near(browser, small_page):
    page = browser.window()
    page.add_init_script("window.began = performance.now()")
    page.goto(small_page.as_uri(), wait_until="domcontentloaded")
    assert page.evaluate("typeof Plotly") == "undefined"
    unfold(page)
    page.locator("#plot-performance").scroll_into_view_if_needed()
    page.wait_for_function("() => typeof Plotly === 'object'")
    far = page.locator("#training .plot").first
    assert far.evaluate("(chart) => chart.childElementCount") == 0
    far.scroll_into_view_if_needed()
    page.wait_for_function("(chart) => chart.childElementCount > 0", arg=far.element_handle())
    assert small_page.stat().st_size < 8e6


def test_headings_and_landmarks_are_in_order(browser, small_page):
    page = browser.open(small_page)
    levels = [
        int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map((h) => h.tagName)")
    ]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for landmark in ("header", "nav", "main", "footer"):
        assert page.locator(f"body > {landmark}").count() == 1


def test_the_navigation_leads_to_each_section_and_marks_the_one_that_is_read(browser, small_page):
    page = browser.open(small_page)
    for section in SECTIONS:
        page.click(f"nav a[href='#{section}']")
        page.wait_for_function("(id) => document.querySelector('nav [aria-current]')?.hash === `#${id}`", arg=section)
        assert page.locator("nav [aria-current]").count() == 1


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(browser, small_page):
    page = browser.open(small_page)
    page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert page.evaluate(f"{focused}.className") == "skip" and page.locator(".skip").bounding_box()["x"] > 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focused}.closest('main') !== null")
    assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") != "none"


def test_every_control_has_a_name_and_every_table_a_caption(browser, small_page):
    page = browser.open(small_page)
    unnamed = "(all) => all.filter((c) => !c.labels?.length && !c.getAttribute('aria-label')).map((c) => c.outerHTML)"
    assert page.locator("select, input").evaluate_all(unnamed) == []
    assert page.locator("table:not(:has(caption))").count() == 0
    assert page.locator(".plot:not([aria-label]), [role=img]:not([aria-label])").count() == 0


def paper(page: Any) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_colours_follow_the_system_until_the_reader_chooses(browser, small_page):
    page = browser.open(small_page)
    light = paper(page)
    page.emulate_media(color_scheme="dark")
    dark = paper(page)
    assert dark != light
    page.select_option("#theme", "light")
    assert paper(page) == light
    page.reload()
    assert paper(page) == light and page.input_value("#theme") == "light"
    page.select_option("#theme", "auto")
    assert paper(page) == dark


def test_charts_change_colour_with_the_page(browser, small_page):
    page = browser.open(small_page)
    chart = page.locator("#training .plot").first
    chart.scroll_into_view_if_needed()
    axis = chart.locator(".xtitle").first
    axis.wait_for(state="attached")
    ink = axis.evaluate("(a) => getComputedStyle(a).fill")
    page.select_option("#theme", "dark")
    assert axis.evaluate("(a) => getComputedStyle(a).fill") != ink


def test_no_page_is_wider_than_its_window(browser, page_file):
    page = browser.open(page_file, width=320)
    draw_all(page)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    for width in (320, 360, 768):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)  # charts follow a moment later
        assert overflow(page) == {"pixels": 0, "of": []}, width


def test_print_shows_what_is_open_in_black_on_white_and_is_no_wider_than_paper(browser, small_page):
    from pypdf import PdfReader

    page = browser.open(small_page, dark=True, folded=True)
    page.select_option("#theme", "dark")
    page.click("nav a[href='#training']")
    page.wait_for_selector("#plot-loss .main-svg", state="attached")
    pdf = small_page.with_suffix(".pdf")
    page.pdf(path=pdf, prefer_css_page_size=True)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    pages = PdfReader(pdf).pages
    assert len(pages) <= 12 and float(pages[0].mediabox.width) == pytest.approx(595, abs=2)
    words = re.sub(r"\s+", " ", " ".join(one.extract_text() for one in pages))
    for section in FIRST:
        assert text_of(page, f"#h-{section}") in words
    assert "How every training went" in words and "Layer against layer" not in words  # only the one that was opened
    page.set_viewport_size({"width": A4, "height": 990})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert overflow(page) == {"pixels": 0, "of": []}
    assert paper(page) == "rgb(255, 255, 255)"


def test_axe_finds_no_serious_barrier(browser, small_page):
    """Before charts are drawn; in the page of a real run, below, they are."""
    page = browser.open(small_page, dark=True)
    assert serious(page, "color-contrast") == []
    page.select_option("#theme", "light")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert serious(page) == []


def test_no_chart_offers_to_send_itself_anywhere(browser, small_page):
    page = browser.open(small_page)
    draw_all(page)
    offers = page.locator(".modebar-btn").evaluate_all("(all) => all.map((b) => b.ariaLabel || b.dataset.title)")
    assert "Download plot" in offers and not [one for one in offers if re.search("share|cloud|send", one, re.I)]


def test_without_javascript_everything_but_charts_can_be_read(browser, small_page, one_seed):
    page = browser.window(java_script_enabled=False)
    page.goto(small_page.as_uri())
    for summary in page.locator("details.more > summary").all():
        summary.click()
    text = text_of(page)
    assert "JavaScript is off" in text and not page.locator("#theme").is_visible()
    score = json.loads((one_seed / "evaluation/u-real-seed0--camera.json").read_text())["rules"]["coco"][
        "headline_map50"
    ]
    assert f"{score:.3f}" in text


def test_a_browser_that_cannot_inflate_says_so_in_the_place_of_every_chart(one_browser, small_page):
    page = one_browser.window()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(small_page.as_uri())
    page.wait_for_selector(".plot .missing", state="attached")
    charts = page.locator(".plot")
    assert all("it has no DecompressionStream" in text for text in charts.all_text_contents())
    unfold(page)
    assert page.locator("#table2").is_visible()
    complaints, one_browser.heard.complaints = one_browser.heard.complaints, []
    one_browser.close()
    assert len(complaints) == 1 and "DecompressionStream" in complaints[0]


def test_a_script_that_is_not_ours_does_not_run_whatever_brings_it_onto_the_page(one_browser, small_page):
    page = one_browser.open(small_page)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.hacked = 2'>");
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked === undefined")
    complaints, one_browser.heard.complaints = one_browser.heard.complaints, []
    one_browser.close()
    assert any("Content Security Policy" in text for text in complaints)


def hostile_run(folder: Path) -> Path:
    """A run whose every name is an attack."""
    run = write_made_up_run(folder / "run", seeds=(0,), title=EVIL, first_arm=EVIL)
    for name in ("experiment.toml", "experiment.resolved.toml"):
        text = (run / name).read_text(encoding="utf-8").replace('"truck"', json.dumps(EVIL_CLASS))
        (run / name).write_text(
            text.replace('title = "Camera"', f"title = {json.dumps(EVIL)}") + f"\n# {EVIL}\n", encoding="utf-8"
        )
    for path in (*run.glob("data/*/*"), *run.glob("evaluation/*.json")):
        if path.suffix in (".json", ".txt"):
            text = path.read_text(encoding="utf-8").replace('"truck"', json.dumps(EVIL_CLASS))
            path.write_text(text.replace("traffic cone", EVIL_CLASS), encoding="utf-8")
    environment = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps(environment | {"command": EVIL, "device_name": EVIL}))
    summary = run / "data/engine/summary.json"
    leaks = {"leaks": {"shared_groups": 1, "near_duplicates": 1, "adjacent_frames": 0, "examples": [[EVIL, EVIL]]}}
    summary.write_text(json.dumps(json.loads(summary.read_text()) | leaks))
    return run


def test_hostile_names_are_shown_and_not_run_whatever_is_switched(browser, tmp_path):
    page = browser.open(written(hostile_run(tmp_path)))
    draw_all(page)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    switches = page.locator("main select:visible")
    assert switches.count() >= 8
    for switch in switches.all():
        for value in switch.evaluate("(s) => [...s.options].map((o) => o.value)")[:6]:
            switch.select_option(value)
    for box in page.locator("main input[type=checkbox]:visible, main input[type=radio]:visible").all():
        box.click()
    assert page.evaluate("typeof hacked") == "undefined"
    assert text_of(page, "h1") == EVIL and page.title().startswith(EVIL)
    assert page.locator("main script, main img[src=x]").count() == 0
    shown = page.locator("main").text_content()
    for section in ("gap", "next", "performance", "data", "training"):
        assert "onerror=hacked" in page.locator(f"#{section}").text_content(), section
    assert EVIL_CLASS in shown


MADE_BY = {
    "data": ("data/*/summary.json", "data/*/*.txt", "data/*/annotations.npz", "probe/*"),
    "train": ("arms/*/*/*",),
    "evaluate": ("evaluation/*",),
    "record": ("recordings/*",),
    "compare": ("similarity/*",),
}
"""What each stage leaves, of what a made-up run has."""


@pytest.mark.parametrize("stage", MADE_BY)
def test_a_run_without_a_stage_has_a_page_that_says_so(browser, one_seed, tmp_path, stage):
    begun = shutil.copytree(one_seed, tmp_path / "run")
    for pattern in MADE_BY[stage]:
        for path in begun.glob(pattern):
            path.unlink()
    page = browser.open(written(begun))
    draw_all(page)
    assert [s.get_attribute("id") for s in page.locator("main section[id]").all()] == list(SECTIONS)
    assert re.search(rf"stage {stage}", text_of(page, "main"))


BREAKS: dict[str, Callable[[bytes], bytes]] = {
    "experiment.resolved.toml": lambda content: content + b"[oh",
    "environment.json": lambda content: content[:-9],
    "data/camera/summary.json": lambda content: b"[1",
    "arms/u-real/seed0/metrics.jsonl": lambda content: content[:-9],
    "arms/u-real/seed0/summary.json": lambda content: b"",
    "evaluation/u-real-seed0--camera.json": lambda content: content[: len(content) // 2],
    "recordings/u-real-seed0--camera-160.nc": lambda content: content[:100],
    "similarity/u-real-seed0--u-synthetic-seed0--camera-160.nc": lambda content: b"no netCDF",
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_file_is_named(one_seed, tmp_path, name):
    broken = shutil.copytree(one_seed, tmp_path / "run")
    (broken / name).write_bytes(BREAKS[name]((broken / name).read_bytes()))
    with pytest.raises(InputError, match=re.escape(name)):
        render_page(find(read_results(broken)))


def test_a_real_run_looks_as_a_made_up_one_does(browser, finished_run):
    page = browser.open(finished_run / "report.html")
    assert draw_all(page) >= 7
    assert [s.get_attribute("id") for s in page.locator("main section[id]").all()] == list(SECTIONS)
    assert "not there yet" not in text_of(page) and "<b>study</b>" in text_of(page, "h1")
    assert serious(page) == []
    page.set_viewport_size({"width": 360, "height": 800})
    assert overflow(page) == {"pixels": 0, "of": []}


def of_file(run: Path, name: str, measure: str = "cka_debiased") -> Any:
    """A grid of the made-up run, by one measure."""
    with xr.open_dataset(run / f"similarity/{name}--camera-160.nc", engine="h5netcdf") as grid:
        return grid.load().sel(measure=measure)


def test_pointing_at_a_map_shows_the_cell_in_every_map_and_names_both_layers(browser, page_file, run):
    page = browser.open(page_file)
    frame = page.locator(".map-frame").first
    frame.scroll_into_view_if_needed()
    frame.hover()
    readouts = page.locator(".readout").all_text_contents()
    row, column = map(int, re.findall(r"\d+", readouts[0])[:2])
    grids = [of_file(run, f"u-real-seed0--{other}") for other in ("u-synthetic-seed0", "u-real-seed1")]
    values = [float(grid["value"][row, column]) for grid in grids]
    assert readouts == [f"row {row}, column {column}: {value:.3f}" for value in values]
    tip = page.locator(".map-tip")
    assert tip.is_visible() and f"U-Real, seed 0: {row}: " in tip.inner_text()
    assert f"U-Synthetic, seed 0: {column}: " in tip.inner_text() and f"{values[0]:.3f}" in tip.inner_text()
    page.mouse.move(2, 2)
    assert not tip.is_visible()


def test_the_keyboard_walks_over_a_map_and_opens_what_is_known_of_two_layers(browser, page_file, run):
    page = browser.open(page_file)
    page.locator(".map-frame").first.focus()
    for key in ("Home", "Shift+ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight", "d"):
        page.keyboard.press(key)
    grid = of_file(run, "u-real-seed0--u-synthetic-seed0")
    assert text_of(page, "#map-live") == f"row 12, column 12: {float(grid['value'][12, 12]):.3f}"
    page.keyboard.press("Enter")
    card = page.locator("#layer-card")
    assert card.is_visible() and text_of(page, "#card-title") == "Layer 12 against layer 12"
    assert "conv 3x3" in card.inner_text() and "reads layer 11; backbone" in card.inner_text()
    effect = xr.load_dataset(
        run / "similarity/effect--u-real-seed0--u-synthetic-seed0--camera-160.nc", engine="h5netcdf"
    )
    said = re.search(r"Effect: (\S+) \(", card.locator(".effect").inner_text())
    assert said and float(said[1]) == pytest.approx(float(effect["effect"][12]), abs=0.0006)
    cells = card.locator("tbody tr").first.locator("td").all_text_contents()
    assert float(cells[0]) == pytest.approx(float(grid["value"][12, 12]), abs=0.0006)
    low, high = map(float, cells[1].split(" to "))
    assert low == pytest.approx(float(grid["interval_low"][12]), abs=0.0006)
    assert high == pytest.approx(float(grid["interval_high"][12]), abs=0.0006)
    page.keyboard.press("Escape")
    assert not card.is_visible() and page.evaluate("document.activeElement.className") == "map-frame"


def test_curves_say_and_list_the_measure_that_was_chosen(browser, page_file, run):
    page = browser.open(page_file)
    assert "less alike than two seeds" in text_of(page, "#curve-words") and page.locator("#effect-note").is_visible()
    page.select_option("#curve-measure", "cka_biased")
    assert not page.locator("#effect-note").is_visible()
    page.locator("#curve-numbers summary").click()
    grid = of_file(run, "u-real-seed0--u-synthetic-seed0", "cka_biased")
    first = page.locator("#curve-numbers tbody tr").first.locator("th, td").all_text_contents()
    assert first[0] == "0" and text_of(page, "#curve-numbers th:nth-child(2)") == "U-Real vs U-Synthetic"
    assert float(first[1].rstrip(" *")) == pytest.approx(float(grid["value"][0, 0]), abs=0.0006)


def test_layers_can_be_looked_up_by_their_numbers_and_maps_added_and_subtracted(browser, page_file):
    page = browser.open(page_file)
    page.fill("#layer-row", "85")
    page.fill("#layer-column", "61")
    page.click("#layer-form button")
    assert text_of(page, "#card-title") == "Layer 85 against layer 61"
    page.click("#layer-card .close")
    page.click("#map-difference")
    first, second, third = (float(text.split(": ")[1]) for text in page.locator(".readout").all_text_contents())
    assert third == pytest.approx(first - second, abs=0.0021)
    page.click("#map-add")
    assert page.locator(".map-panel").count() == 4 and page.locator("#map-add").is_disabled()
