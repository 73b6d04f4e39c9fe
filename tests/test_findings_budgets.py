"""Label budgets by hand: which arms make a curve, where synthetic images stop helping, and when that cannot be told."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_readable
from small_evaluations import evaluation
from small_remedies import ADAPTED, STEPS, scored
from test_findings_remedies import training

from gapscope import plot
from gapscope.errors import InputError
from gapscope.findings.budgets import Budgets, ends_at, ends_sentence
from gapscope.findings.evaluation_file import parse_evaluation
from gapscope.findings.findings import find
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import run_numbers
from gapscope.page.page import page_environment, page_names
from gapscope.page.remedy_section import remedy_section
from gapscope.paper.remedy_figures import remedy_figures
from gapscope.paper.verdict_files import verdict_content, verdict_markdown
from gapscope.run_folder import RunName

COUNTS = (10, 100)
HOME = {"alone": (0.3, 0.5), "mixed": (0.4, 0.48), "tuned": (0.42, 0.52)}
"""mAP with each count of labelled images."""


def arms_of(count: int) -> str:
    few, tuned = f"images = {{ photos = {count} }}\n", 'domains = ["photos"]\nstart = "synthetic"\nkeep_head = true\n'
    return (
        f'[arms.alone-{count}]\ndomains = ["photos"]\n{few}'
        f'[arms.mixed-{count}]\ndomains = ["renders", "photos"]\n{few}'
        f"[arms.tuned-{count}]\n{tuned}{few}"
        f'[arms.head-{count}]\n{tuned}{few}train = "75-106"\n'
        f'[arms.block-{count}]\n{tuned}{few}train = "62-74"\n'
        f'[arms.mixed-{count}-adapted]\nstart = "mixed-{count}"\nadapt = {{ batchnorm = "photos" }}\n'
    )


MORE = ADAPTED + "".join(map(arms_of, COUNTS))


def tried(
    slope: float = 0.0, seeds: tuple[int, ...] = (0, 1), frozen: float | None = None, **maps: tuple[float, ...]
) -> Results:
    """A study whose arms have these mAPs with 10 and 100 labelled images; only mixing moves from draw to draw."""

    def one(value: float, moves: float = 0.0) -> list[dict[str, Any]]:
        return [evaluation(value, draws=[value + moves * step for step in STEPS])] * len(seeds)

    found = {"real": one(0.6), "synthetic": one(0.2), "adapted": one(0.25)}
    found |= {} if frozen is None else {"frozen": one(frozen)}
    counted, records = {}, {}
    for way, values in maps.items():
        for count, value in zip(COUNTS, values, strict=True):
            found[f"{way}-{count}"] = one(value, slope if way == "mixed" else 0.0)
            counted[f"{way}-{count}"] = count
    results = scored(MORE, seeds, **found)
    for arm, count in counted.items():
        for seed in seeds:
            records[RunName(arm, seed)] = training(60.0, images={"photos": count})
    for seed in seeds:
        records[RunName("real", seed)] = training(60.0, images={"photos": 400})
    return replace(results, trainings=records)


def budgets_of(results: Results) -> Budgets:
    (found,) = run_numbers(results).budgets
    return found


def test_curves_are_arms_that_differ_in_their_number_of_labels_alone():
    found = budgets_of(tried(**HOME, head=(0.3, 0.31), block=(0.35, 0.4)))
    counts = {curve.name: [point.labels for point in curve.points] for curve in found.curves}
    assert counts == {
        "labelled images alone": [10, 100, 400],  # with all of them it is the arm that is at home
        "mixed": [10, 100],
        "fine-tuned": [10, 100],
        "fine-tuned, head alone": [10, 100],
        "fine-tuned, layers 62-74 alone": [10, 100],
    }
    assert [point.map50.value for point in found.curves[0].points] == pytest.approx([0.3, 0.5, 0.6])


def test_an_adapted_arm_makes_a_curve_of_its_own_way():
    results = tried(alone=(0.3, 0.5), mixed=(0.4, 0.48))
    runs = [(count, seed) for count in COUNTS for seed in (0, 1)]
    some = {
        (RunName(f"mixed-{count}-adapted", seed), "photos"): results.evaluations[
            RunName(f"mixed-{count}", seed), "photos"
        ]
        for count, seed in runs
    }
    found = budgets_of(replace(results, evaluations={**results.evaluations, **some}))
    adapted = next(curve for curve in found.curves if curve.adapted)
    assert adapted.name == "mixed, adapted" and [point.labels for point in adapted.points] == [10, 100]
    assert all(not end.curve.adapted for end in found.ends)  # there is nothing adapted to hold it against


def test_without_two_numbers_of_labels_there_is_no_curve():
    assert not run_numbers(scored(real=[evaluation(0.6)] * 2, synthetic=[evaluation(0.2)] * 2)).budgets


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ((1.0, 1.0, 1.0), math.inf),
        ((-1.0, 0.0, -1.0), 0.0),
        ((1.0, -1.0, -1.0), math.sqrt(10 * 100)),  # halfway on the logarithmic axis
        ((3.0, -1.0, -2.0), 10 * 10**0.75),
        ((-1.0, 1.0, -1.0), math.sqrt(100 * 1000)),  # the last time that they help is what counts
    ],
)
def test_help_ends_where_the_gain_crosses_nothing_on_the_logarithmic_axis(gains, expected):
    assert ends_at((10, 100, 1000), np.array(gains)) == pytest.approx(expected)


def test_the_count_at_which_synthetic_images_stop_helping_has_an_interval_over_paired_draws():
    """Mixing gains 10 points with 10 labels and loses 2 with 100; from draw to draw both move by up to 1 point."""
    found = budgets_of(tried(slope=0.02, **HOME))
    mixed = next(end for end in found.ends if end.curve.way == "mixed")
    assert mixed.gains == pytest.approx((10, -2)) and mixed.is_told
    assert mixed.at.value == pytest.approx(10 * 10 ** (10 / 12))
    assert mixed.at.low == pytest.approx(10 * 10 ** (9.05 / 12), rel=0.02)
    assert mixed.at.high == pytest.approx(10 * 10 ** (10.95 / 12), rel=0.02)
    (said, _) = find(tried(slope=0.02, **HOME)).verdict["When do synthetic images stop helping?"]
    assert said == (
        "Mixed (synthetic images as in Synthetic) against labelled images alone, AP points: +10.0 with 10, -2.0 with "
        "100. Synthetic images stop helping at about 68 labelled images (95 % interval about 57 to about 82; by seed "
        "about 68, about 68)."
    )


def test_where_they_still_help_with_the_most_that_were_tried_no_count_is_made_up():
    results = tried(**HOME)
    tuned = next(end for end in budgets_of(results).ends if end.curve.way == "fine-tuned")
    assert math.isinf(tuned.at.value) and math.isinf(tuned.at.low)
    said = ends_sentence(results, budgets_of(results), tuned)
    assert said.endswith(
        "Synthetic images still help with 100, the most that were tried; by seed more than 100, more than 100."
    )


def test_where_they_never_help_that_is_said():
    results = tried(alone=(0.3, 0.5), mixed=(0.2, 0.4))
    (end,) = budgets_of(results).ends
    said = ends_sentence(results, budgets_of(results), end)
    assert "Synthetic images do not help, not even with 10, the fewest that were tried" in said


def test_what_other_test_images_could_turn_around_both_ways_cannot_be_told():
    results = tried(slope=0.5, alone=(0.3, 0.5), mixed=(0.31, 0.49))
    (end,) = budgets_of(results).ends
    assert (end.at.low, end.at.high) == (0, math.inf) and not end.is_told
    said = ends_sentence(results, budgets_of(results), end)
    assert said.endswith("cannot be told with 10 to 100 labelled images and these test images.")


def test_one_seed_says_nothing_of_seeds():
    (said, _) = find(tried(seeds=(0,), **HOME)).verdict["When do synthetic images stop helping?"]
    assert "by seed" not in said


def test_tables_8_and_9_hold_ranking_and_curves():
    tables = {table.number: table for table in find(tried(**HOME)).tables}
    assert tables[8].rows[0][:4] == ("photos", "Synthetic", "tuned-100", "0.520")
    assert tables[9].rows[0] == ("photos", "labelled images alone", "10", "0.300", "0.300 to 0.300", "0.300 0.300")
    assert list(tables[9].numbers["labels"]) == [10, 100, 400, 10, 100, 10, 100]
    assert len(tables[8].numbers) == len(tables[8].rows) == 5


def test_labelled_images_alone_stand_once_beside_the_gap_whose_images_were_used_with_them():
    plain, both = tried(**HOME), tried(frozen=0.1, **HOME)
    assert {gap.other for gap in run_numbers(both).gaps} >= {"synthetic", "frozen"}
    assert budgets_of(both).gap.other == "synthetic"
    assert find(both).tables[-1].rows == find(plain).tables[-1].rows
    alone = tried(frozen=0.1, alone=HOME["alone"])
    assert [curve.way for curve in budgets_of(alone).curves] == ["labelled images alone"]  # and no second time


def test_an_arm_of_few_labels_that_learned_little_takes_no_verdict_away_and_has_no_gap_of_its_own():
    """It was tried against the gap of the whole one: what it loses elsewhere is nobody's question."""
    few = tried(alone=(0.02, 0.3))
    on_renders = {"synthetic": 0.5, "real": 0.2} | {f"alone-{count}": 0.01 for count in COUNTS}
    scores = {
        (RunName(arm, seed), "renders"): parse_evaluation(evaluation(value))
        for arm, value in on_renders.items()
        for seed in (0, 1)
    }
    results = replace(few, evaluations={**few.evaluations, **scores})
    assert {gap.other for gap in run_numbers(results).gaps} <= {"synthetic", "real"}
    assert not any("did not learn" in said for said in find(results).verdict["How big is the gap?"])


@pytest.mark.parametrize("width", [plot.ONE_COLUMN, plot.TWO_COLUMNS])
def test_budgets_are_lines_over_a_logarithmic_axis_and_remedies_bars_before_the_gap(width):
    numbers = run_numbers(tried(slope=0.02, **HOME, head=(0.3, 0.31), block=(0.35, 0.4)))
    ranking, curves = (one.draw(width) for one in remedy_figures(numbers))
    for figure in (ranking, curves):
        check_readable(figure, width)
    axes = curves.axes[0]
    assert axes.get_xscale() == "log" and [tick.get_text() for tick in axes.get_xticklabels()] == ["10", "100", "400"]
    alone = next(line for line in axes.lines if line.get_label() == "labelled images alone")
    np.testing.assert_allclose(alone.get_xdata(), [10, 100, 400], rtol=0.1)  # lines stand a little beside each other
    assert alone.get_ydata().tolist() == [0.3, 0.5, 0.6]
    bars = ranking.axes[0]
    assert max(bar.get_width() for bar in bars.patches) == pytest.approx(32)
    assert next(line for line in bars.lines if line.get_label() == "the whole gap").get_xdata()[0] == pytest.approx(40)


def test_what_is_no_table_of_remedies_is_refused():
    with pytest.raises(InputError, match=r"a dict holds no budgets. Give tables/table9.csv of a run, read by pandas"):
        plot.budgets({})
    with pytest.raises(InputError, match="a DataFrame holds no remedies"):
        plot.remedies(pd.DataFrame({"a": [1]}))
    empty = pd.DataFrame(columns=["remedy", "regained", "regained_low", "regained_high"])
    with pytest.raises(InputError, match="the table of remedies has no row"):
        plot.remedies(empty)


def test_page_and_files_tell_of_remedies_what_the_findings_say():
    findings = find(tried(**HOME))
    template = page_environment().get_template("sections/remedies.html.j2")
    html = template.render(remedies=remedy_section(findings), **page_names(findings))
    closes = findings.verdict["What closes it?"][0]
    assert (
        closes in html
        and "Table 8." in html
        and "Table 9." in html
        and html.count('<img class="still" src="data:') == 2
    )
    assert "Synthetic images stop helping at about 68 labelled images" in html
    assert closes in verdict_content(findings)["remedies"]
    assert f"## What closes it?\n\n- {closes}" in verdict_markdown(findings)


@pytest.mark.parametrize("width", [plot.ONE_COLUMN, plot.TWO_COLUMNS])
def test_the_path_of_shares_is_a_line_for_every_domain_and_a_mark_for_every_seed(width):
    average = '[arms.best]\naverage = ["synthetic", "real"]\nchoose = ["photos"]\n'
    maps = {"real": [evaluation(0.6)] * 2, "synthetic": [evaluation(0.2)] * 2, "best": [evaluation(0.5)] * 2}
    records = {}
    for seed, moved in ((0, 0.0), (1, 0.1)):
        path = [
            {"shares": {"synthetic": 1 - share, "real": share}, "val_map50": {"photos": share + moved, "renders": 0.5}}
            for share in (0.0, 0.5, 1.0)
        ]
        records[RunName("best", seed)] = training(3.0, trained=False, path=path)
    numbers = run_numbers(replace(scored(average, **maps), trainings=records))
    _, shares = remedy_figures(numbers)
    assert (
        shares.name == "average-best"
        and "mAP@0.5 of the average of the weights of Synthetic and Real" in shares.caption
    )
    figure = shares.draw(width)
    check_readable(figure, width)
    line, marks = figure.axes[0].lines[:2]
    np.testing.assert_allclose(line.get_xydata(), [[0, 0.05], [0.5, 0.55], [1, 1.05]])
    assert len(marks.get_xdata()) == 6
