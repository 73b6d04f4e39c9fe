"""The Performance section and Table 2: their numbers are those of the evaluation files, whatever these hold."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined
from made_up_run import write_made_up_run
from small_evaluations import before_there_were_intervals, evaluation, study, two_arms

from gapscope.evaluation.bootstrap import interval
from gapscope.findings.findings import find
from gapscope.findings.result_tables import UNDEFINED, ResultTable, performance_table, printed
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers, run_numbers
from gapscope.findings.run_reader import read_results
from gapscope.findings.suggestion import sentence
from gapscope.page.mistake_tables import calibration_table, confusion_tables, error_tables, outcome_tables
from gapscope.page.page import _share, page_names
from gapscope.page.page_context import performance_section
from gapscope.page.performance_charts import performance_data
from gapscope.page.performance_tables import best_tables, class_tables, rule_table, size_tables
from gapscope.page.screens import first_screens
from gapscope.paper.table_files import to_csv, to_latex
from gapscope.run_folder import RunName

pytestmark = pytest.mark.slow

EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("performance") / "run", sizes=(160,))


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


@pytest.fixture(scope="module")
def html(results: Results) -> str:
    return sections(results)


def sections(results: Results) -> str:
    """The first screen, what weakens it and Performance, without the rest of the page."""
    environment = Environment(
        loader=PackageLoader("gapscope.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "plain": printed, "sentence": sentence}
    findings = find(results)
    context = page_names(findings) | {"performance": performance_section(findings), "short": first_screens(findings)}
    names = ("gap", "next", "caveats", "performance")
    return "".join(environment.get_template(f"sections/{name}.html.j2").render(context) for name in names)


def table_2(results: Results) -> ResultTable:
    return performance_table(run_numbers(results))


def numbers_of(*arms: list[dict], **more: object) -> RunNumbers:
    """Those of two arms by hand."""
    return run_numbers(two_arms(*arms, **more))


def file_of(run: Path, name: str) -> dict:
    return json.loads((run / "evaluation" / f"{name}.json").read_text())


def words(html: str) -> str:
    """What a reader sees."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_table_2_prints_the_interval_of_the_mean_over_the_seeds(run, results):
    files = [file_of(run, f"u-real-seed{seed}--camera")["rules"]["coco"] for seed in (0, 1)]
    mean = fmean(found["headline_map50"] for found in files)
    low, high = interval(np.mean([found["headline_draws"] for found in files], axis=0), mean)
    assert table_2(results).rows[0][4] == f"{low:.3f}\u2013{high:.3f}"
    assert f"{low:.3f}--{high:.3f}" in to_latex(table_2(results))


def test_table_2_has_the_intervals_of_single_seeds_and_of_the_mean_in_its_csv(run, results):
    rows = list(csv.DictReader(io.StringIO(to_csv(table_2(results)))))

    def row(**wanted):
        (found,) = [row for row in rows if wanted.items() <= row.items()]
        return [float(found[name]) for name in ("value", "low", "high")]

    whole = file_of(run, "u-synthetic-seed1--camera")["rules"]["paper"]
    start = {"arm": "u-synthetic", "seed": "1", "domain": "camera", "rule": "paper"}
    assert row(**start, metric="headline_map50") == [whole["headline_map50"], *whole["interval"]["headline_map50"]]
    assert row(**start, metric="ap50 car") == [whole["ap50"]["car"], *whole["interval"]["ap50"]["car"]]
    value, low, high = row(**start | {"seed": "mean"}, metric="headline_map50")
    both = [file_of(run, f"u-synthetic-seed{seed}--camera")["rules"]["paper"]["headline_map50"] for seed in (0, 1)]
    assert low < value < high
    assert value == pytest.approx(fmean(both))


def test_with_one_seed_the_interval_stands_beside_its_number():
    table = table_2(two_arms([evaluation(0.5, reach=0.1)], [evaluation(0.4)]))
    assert [name for _, name in table.columns] == ["Model", "seed 0", "95 %"]
    assert table.rows[0] == ("Real", "0.500", "0.405\u20130.595")
    assert "mean" not in to_csv(table)


def test_table_2_of_old_files_has_dashes_for_intervals():
    old = before_there_were_intervals(evaluation(0.5))
    assert table_2(two_arms([old] * 2, [old] * 2)).rows[0] == ("Real", "0.500", "0.500", "0.500", UNDEFINED)


def test_numbers_of_every_part_are_on_the_page(run, html):
    shown = words(html)
    camera = [file_of(run, f"u-synthetic-seed{seed}--camera") for seed in (0, 1)]
    for name in ("person", "bus"):
        assert f"{fmean(found['rules']['coco']['ap50'][name] for found in camera):.3f}" in shown
    costs = [found["errors"]["kinds"]["missed"]["delta_map50"] for found in camera]
    assert f"{100 * fmean(costs):+.1f}" in shown
    assert f"{fmean(found['calibration']['error_from'] for found in camera):.3f}" in shown
    home = [file_of(run, f"u-real-seed{seed}--camera") for seed in (0, 1)]
    scores = [[found["rules"]["coco"]["headline_map50"] for found in arm] for arm in (home, camera)]
    gap = [100 * (a - b) for a, b in zip(*scores, strict=True)]
    assert f"{fmean(gap):.1f}" in shown and f"{gap[0]:.1f}, {gap[1]:.1f}" in shown
    assert "12 test images" in shown


def test_charts_get_the_files_numbers(run, results):
    data = performance_data(run_numbers(results))
    arm, domain = data["arms"].index("U-Synthetic"), data["domains"].index("Camera")
    found = file_of(run, "u-synthetic-seed1--camera")
    (point,) = [p for p in data["points"] if (p["arm"], p["domain"], p["seed"]) == (arm, domain, 1)]
    low, high = found["rules"]["coco"]["interval"]["headline_map50"]
    assert (point["low"], point["high"]) == pytest.approx((low, high), abs=1e-4)
    (one,) = [r for r in data["runs"] if (r["arm"], r["domain"], r["seed"]) == (arm, domain, 1)]
    car = data["classes"].index("car")
    assert one["curves"]["coco"][car] == [round(1000 * p) for p in found["curves"]["coco"]["car"]["precision"]]
    assert one["best"][car][3] == round(1000 * found["curves"]["coco"]["car"]["best"]["f1"])
    assert sum(n for _, _, n in one["confusion"]) == sum(
        sum(row.values()) for row in found["confusion"]["counts"].values()
    )
    missed = [n for true, taken_for, n in one["confusion"] if (true, taken_for) == (car, len(data["classes"]))]
    assert missed == [found["confusion"]["counts"]["car"]["background"]]
    assert [count for count, _, _ in one["bins"]] == [b["count"] for b in found["calibration"]["bins"]]
    assert json.dumps(data, allow_nan=False)


def test_charts_get_shares_in_thousandths_and_null_where_there_is_none():
    one = evaluation(0.5, best={"car": 0.4567})
    one["curves"]["coco"]["car"] |= {"precision": [1.0, 0.6666, 0.0], "confidence": [0.98765, 0.1234, None]}
    (run,) = performance_data(run_numbers(study({("real", 0, "photos"): one}, seeds=[0])))["runs"]
    car = 1
    assert run["curves"]["coco"][car] == [1000, 667, 0]
    assert run["confidence"][car] == [988, 123, None]
    assert run["best"] == {car: [457, 500, 500, 500]}


def table_of(part, row: int) -> tuple:
    (table,) = part.tables
    return table.rows[row]


def test_a_class_shows_how_far_the_intervals_of_its_seeds_reach():
    home = [
        evaluation(0.5, classes={"person": 0.5, "car": None}),
        evaluation(0.7, classes={"person": 0.7, "car": None}),
    ]
    results = two_arms(home, [evaluation(0.4)] * 2)
    labels, (cell, _) = table_of(class_tables(run_numbers(results)), 0)
    assert labels == ("person", "40")
    assert (cell.text, cell.note, cell.bar) == ("0.600", "0.49\u20130.71", pytest.approx(0.6))
    assert table_of(class_tables(run_numbers(results)), 1)[1][0].text == UNDEFINED


def test_the_other_rule_is_shown_only_where_it_prints_other_numbers():
    same = two_arms([evaluation(0.5, paper=0.5001)], [evaluation(0.4)])
    assert rule_table(run_numbers(same)) is None
    table = rule_table(numbers_of([evaluation(0.5, paper=0.48)], [evaluation(0.4)]))
    assert table is not None and table.rows[0][1][0].text == "0.480"
    assert "No number is further than 2.0 AP points" in table.caption


def test_sizes_without_boxes_have_no_row():
    sizes = {"small": 0.2, "medium": 0.6}
    home = evaluation(0.5, sizes=sizes)
    home["rules"]["coco"]["by_size"]["large"] = {"targets": 0, "map50": None, "map50_95": None, "ap50": {}}
    (table,) = size_tables(numbers_of([home] * 2, [home] * 2)).tables
    assert [labels for labels, _ in table.rows] == [("small: up to 32 x 32", "30"), ("medium: up to 96 x 96", "30")]
    assert table.rows[1][1][0].text == "0.600" and table.rows[1][1][0].note == "0.60, 0.60"


def test_mistakes_are_shown_in_ap_points_and_their_bars_share_a_scale():
    home, other = evaluation(0.5, kinds={"missed": 0.02}), evaluation(0.4, kinds={"missed": 0.08, "both": -0.01})
    (table,) = error_tables(numbers_of([home], [other])).tables
    rows = {labels[0]: cells for labels, cells in table.rows}
    assert [cell.text for cell in rows["missed"]] == ["+2.0", "+8.0"]
    assert [cell.bar for cell in rows["missed"]] == pytest.approx([0.25, 1])
    assert (rows["both"][1].text, rows["both"][1].bar) == ("-1.0", 0)


COUNTS = {"person": {"person": 6, "car": 3, "background": 1}, "car": {"car": 4}, "background": {"car": 8}}


def test_confusions_are_shares_of_the_true_class_and_the_largest_come_first():
    more = {"person": {"person": 9, "car": 1}, "car": {"car": 1, "person": 3}}
    results = two_arms([evaluation(0.5, confusion=COUNTS)], [evaluation(0.4, confusion=more)])
    assert table_of(confusion_tables(run_numbers(results)), 0)[0] == ("car", "person")
    assert [cell.text for cell in table_of(confusion_tables(run_numbers(results)), 0)[1]] == ["0.0 %", "75.0 %"]
    assert [cell.text for cell in table_of(confusion_tables(run_numbers(results)), 1)[1]] == ["30.0 %", "10.0 %"]
    found, confused, false = (cells[0].text for _, cells in outcome_tables(run_numbers(results)).tables[0].rows)
    assert (found, confused, false) == ("71 %", "21 %", "0.04")


def test_the_best_confidence_is_told_seed_by_seed():
    home = [evaluation(0.5, best={"car": at}) for at in (0.3, 0.45)]
    (table,) = best_tables(numbers_of(home, [evaluation(0.4)] * 2)).tables
    rows = {labels[0]: cells for labels, cells in table.rows}
    assert (rows["car"][0].text, rows["car"][0].note) == ("0.50", "from 0.30, 0.45")
    assert rows["person"][0].text == UNDEFINED


def test_calibration_errors_are_averaged_over_the_seeds():
    home = [evaluation(0.5), evaluation(0.5)]
    home[1]["calibration"] = home[1]["calibration"] | {"error_from": 0.4, "error": None}
    table = calibration_table(numbers_of(home, [evaluation(0.4)] * 2))
    assert table is not None
    assert (table.rows[0][1][0].text, table.rows[0][1][0].note) == ("0.300", "of all: 0.100")
    assert "from confidence 0.25 on" in table.caption


def test_old_files_are_named_and_nothing_is_made_up_for_them():
    old = before_there_were_intervals(evaluation(0.5))
    shown = sections(two_arms([old] * 2, [evaluation(0.4, confusion=COUNTS)] * 2))
    assert "2 of 4 evaluation files (first: <code>evaluation/real-seed0--photos.json</code>)" in shown
    assert "Precision against recall" in shown and "0.500" in shown
    shown = sections(two_arms([old] * 2, [old] * 2))
    assert "4 of 4 evaluation files" in shown
    assert "plot-pr" not in shown and "plot-confusion" not in shown and "Which mistakes?" not in shown
    assert "no interval: the evaluation files hold none" in shown


def test_a_domain_or_a_seed_that_is_missing_leaves_the_rest():
    found = {("real", 0, "photos"): evaluation(0.5, confusion=COUNTS), ("synthetic", 1, "photos"): evaluation(0.4)}
    shown = words(sections(study(found)))
    assert "On photos (200 test images)" in shown and "renders (" not in shown
    assert "The gap" not in shown  # no seed has both arms
    shown = words(sections(study({})))
    assert "mAP is not there yet" in shown and "On photos" not in shown


def test_hostile_class_names_are_shown_and_not_run():
    one = evaluation(0.6, classes={EVIL: 0.6, "car": 0.6}, confusion={EVIL: {"car": 5, EVIL: 5}}, best={EVIL: 0.4})
    other = evaluation(0.3, classes={EVIL: 0.1, "car": 0.5}, confusion={EVIL: {"car": 9, EVIL: 1}})
    shown = sections(two_arms([one] * 2, [other] * 2, classes=(EVIL, "car")))
    assert "<img" not in shown and "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "above all &lt;/script&gt;" in shown  # in the advice too


def test_many_classes_are_folded_away():
    names = [f"class {i}" for i in range(80)]
    one = evaluation(0.5, classes=dict.fromkeys(names, 0.5), confusion={n: {n: 1, "background": 1} for n in names})
    shown = sections(two_arms([one], [one], classes=names))
    assert re.search(r"<details><summary>AP of all 80 classes</summary>", shown)
    assert shown.count("<td") < 3000


def test_every_table_of_the_section_has_a_caption_and_every_control_a_label(html):
    assert html.count("<table") == html.count("<caption>") > 10
    assert not re.findall(r"<th(?![^>]*scope)[ >]", html)
    for control in re.findall(r"<select[^>]*>", html):
        assert re.search(rf"<label>[^<]+{re.escape(control)}", html), control


def test_a_broken_evaluation_is_named(run, tmp_path):
    from gapscope.errors import InputError

    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("*.nc", "images"))
    (tmp_path / "run/evaluation/u-real-seed0--camera.json").write_text('{"rules": ')
    with pytest.raises(InputError, match=r"u-real-seed0--camera\.json cannot be read"):
        read_results(tmp_path / "run")


def test_the_biased_estimators_floor_is_warned_about_where_it_makes_up_most_of_the_value(results):
    key = (RunName("u-real", 0), RunName("u-synthetic", 0), 160)
    grid = results.grids[key].copy(deep=True)
    biased = grid["value"].sel(measure="cka_biased").values.diagonal()
    share = np.where(np.isin(np.arange(107), [80, 81, 82]), 0.51, 0.49)  # of the value that shuffled images give too
    for name in ("floor_low", "floor_high"):
        grid[name].loc[{"measure": "cka_biased"}] = share * biased
    found = find(replace(results, grids=results.grids | {key: grid})).confounds
    (warned,) = [item for item in found if item.title == "Much of the biased CKA is its floor"]
    assert warned.texts[0].startswith("U-Real vs U-Synthetic: at 3 of 107 layers more than half")
    assert "layers 80-82" in warned.texts[0]
