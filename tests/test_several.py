"""Several runs on one page: numbers are those of the files, what is not alike is not mixed, and the rest is named."""

import base64
import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import gapscope
from in_browser import draw_all, serious
from made_up_run import write_made_up_run
from scipy.stats import spearmanr
from several_runs import SIZE, copied, features_of, other_networks, write_recordings

from gapscope.errors import InputError
from gapscope.evaluation.bootstrap import interval
from gapscope.findings.estimates import Estimate
from gapscope.findings.evaluation_file import RuleScores
from gapscope.findings.findings import find
from gapscope.run_folder import RunName
from gapscope.several.csv_files import csv_files
from gapscope.several.dots import axis_of, dots
from gapscope.several.limits import limits
from gapscope.several.line_up import SideBySide, line_up
from gapscope.several.ranks import rank_agreements
from gapscope.several.recorded_networks import Recorded, across, recorded_networks
from gapscope.several.run_curves import RunCurve, held, part_means, run_curve
from gapscope.several.run_gaps import comparables, run_gaps
from gapscope.several.runs import Run, read_runs
from gapscope.several.settings import differing, settings, side_by_side
from gapscope.several.several_page import render_several
from gapscope.several.several_sentences import in_short
from gapscope.similarity.cka import linear_cka
from gapscope.similarity.curve_ranks import rank

pytestmark = pytest.mark.slow

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
REAL = ("real", "u-real", "u-synthetic")
ARMS = ("u-real", "u-synthetic")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A, with hostile titles; B, the same data and networks of twice the width; C, the study of A with another seed."""
    place = tmp_path_factory.mktemp("several")
    a = write_made_up_run(place / "a", title=EVIL, first_arm="<b>U</b>-Real", sizes=(SIZE,))
    b = copied(a, place / "b", width="width = 0.5", title='title = "Wide"')
    c = write_made_up_run(place / "c", seeds=(2,), title="More seeds", first_arm="U-Real", sizes=(SIZE,))
    other_networks(a, "thin")
    other_networks(b, "wide", lose=0.05)
    other_networks(c, "thin")
    write_recordings(a, "thin")
    write_recordings(b, "wide")
    write_recordings(c, "thin", seeds=(2,), pixels="other images")
    return [a, b, c]


@pytest.fixture(scope="module")
def bare(folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A and B without what is quick to lose and slow to read: recordings and grids."""
    place = tmp_path_factory.mktemp("bare")
    return [copied(folder, place / folder.name, "recordings", "similarity") for folder in folders[:2]]


@pytest.fixture(scope="module")
def runs(folders: list[Path]) -> list[Run]:
    return read_runs(folders)


@pytest.fixture(scope="module")
def side(runs: list[Run]) -> SideBySide:
    return line_up(runs)


@pytest.fixture(scope="module")
def page(side: SideBySide) -> str:
    return render_several(side)


def with_results(run: Run, **changes: object) -> Run:
    """The same run with other contents of its folder."""
    return replace(run, findings=find(replace(run.results, **changes)))


def headline(run: Path, arm: str, seed: int, domain: str) -> dict:
    return json.loads((run / "evaluation" / f"{arm}-seed{seed}--{domain}.json").read_text())["rules"]["coco"]


def rows_of(side: SideBySide, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_files(side)[f"several-{name}.csv"])))


# What differs


def test_runs_that_differ_in_names_and_seeds_alone_are_one_study(runs):
    assert [run.group for run in runs] == [0, 1, 0]


def test_other_data_make_another_study(bare, tmp_path):
    other = copied(bare[0], tmp_path / "other")
    summary = other / "data" / "camera" / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"fingerprint": "1" * 64}))
    assert [run.group for run in read_runs([bare[0], other])] == [0, 1]


def test_what_differs_are_the_settings_that_were_changed_and_what_all_share_is_the_rest(side):
    found = {row.key: row.values for row in differing(side.settings)}
    assert found["model.width"] == ("0.25", "0.5", "0.25")
    assert set(found) == {"model.width", "title", "seeds", "arms.u-real.title"}
    shared = {row.key: row.values[0] for row in side.settings if row.shared}
    assert shared["data.image_size"] == "160" and shared["probe.domain"] == "camera"
    assert not set(found) & set(shared)


def test_a_domain_that_not_every_run_has_is_one_row(runs):
    experiment = runs[0].results.experiment
    alone = experiment.model_copy(update={"domains": {"camera": experiment.domains["camera"]}})
    keys = [row.key for row in differing(side_by_side([experiment, alone]))]
    assert keys == ["domains.engine"]


def test_settings_are_shown_as_people_write_them(runs):
    found = settings(runs[0].results.experiment)
    assert found["data.classes"] == "person, cycle, car, bus, truck" and found["record.sizes"] == "160"
    assert found["evaluate.headline"] == "(empty)" and found["domains.engine.remove_hood"] == "true"
    assert found["domains.camera.generate.style"] == "camera" and "domains.camera.root" not in found


def test_titles_are_the_runs_own_or_those_given_and_tell_equal_ones_apart_by_their_folders(runs, bare, tmp_path):
    assert [run.title for run in runs] == [EVIL, "Wide", "More seeds"]
    assert [run.title for run in read_runs(bare, ["x", "y"])] == ["x", "y"]
    twin = copied(bare[1], tmp_path / "twin")
    assert [run.title for run in read_runs([bare[1], twin])] == ["Wide (b)", "Wide (twin)"]


# The gap


def test_a_gap_is_the_difference_of_two_evaluation_files_and_stands_on_the_page(folders, side, page):
    gap = next(gap for gap in side.gaps if gap.kind == REAL and gap.run.letter == "B")
    values = [[headline(folders[1], arm, seed, "camera")["headline_map50"] for arm in ARMS] for seed in (0, 1)]
    points = [100 * (home - away) for home, away in values]
    assert gap.gap.points == pytest.approx(points)
    assert f"<b>{np.mean(points):.1f} [{gap.gap.estimate.low:.1f}, {gap.gap.estimate.high:.1f}]</b>" in page
    row = next(r for r in rows_of(side, "gaps") if (r["run"], r["other"], r["seed"]) == ("B", "u-synthetic", "1"))
    assert float(row["value"]) == pytest.approx(points[1])


def test_gaps_on_the_same_test_images_are_averaged_over_all_networks_draw_by_draw(folders, side):
    same = next(one for one in side.comparables if one.kind == REAL)
    assert [gap.run.letter for gap in same.gaps] == ["A", "B", "C"] and same.num_studies == 2
    trained = [(folders[0], 0), (folders[0], 1), (folders[1], 0), (folders[1], 1), (folders[2], 2)]
    files = [[headline(run, arm, seed, "camera") for arm in ARMS] for run, seed in trained]
    points = [100 * (home["headline_map50"] - away["headline_map50"]) for home, away in files]
    draws = np.mean([100 * (np.array(h["headline_draws"]) - np.array(a["headline_draws"])) for h, a in files], axis=0)
    assert same.pooled.value == pytest.approx(np.mean(points))
    assert (same.pooled.low, same.pooled.high) == pytest.approx(interval(draws, np.mean(points)))


def test_what_one_run_loses_more_than_another_on_the_same_images_is_known_exactly(side):
    """B is A with 0.05 less away from home: draw by draw, so the difference has no width."""
    same = next(one for one in side.comparables if one.kind == REAL)
    later, first, difference = next(same.differences())
    assert (later.run.letter, first.run.letter) == ("B", "A")
    assert [difference.value, difference.low, difference.high] == pytest.approx([5, 5, 5], abs=1e-6)


def test_a_network_that_is_part_of_two_runs_counts_once(bare, tmp_path):
    twin = copied(bare[0], tmp_path / "twin")
    found = line_up(read_runs([bare[0], twin]))
    same = next(one for one in found.comparables if one.kind == REAL)
    assert len(same.networks) == 2 and same.pooled.value == pytest.approx(same.gaps[0].gap.mean)
    said = " ".join(limits(found))
    assert "part of more than one run, by the hash of the weights" in said and "A and B are one study" in said


def test_old_evaluations_without_draws_give_gaps_without_intervals(runs, tmp_path):
    old = {
        key: replace(one, rules={"coco": RuleScores({"headline_map50": Estimate(one.rules["coco"].headline.value)})})
        for key, one in runs[0].results.evaluations.items()
    }
    side = line_up([with_results(runs[0], folder=tmp_path, evaluations=old, grids={})])
    assert not any(gap.gap.estimate.has_interval for gap in side.gaps)
    assert "A: evaluation files without draws of the test images" in " ".join(limits(side))


def changed_test_list(run: Path) -> None:
    """Its last image is no longer tested on, as if it had never been."""
    path = run / "data" / "camera" / "test.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    last = max(np.load(path)["image"].max() for path in run.glob("evaluation/*--camera.detections.npz"))
    for path in run.glob("evaluation/*--camera.detections.npz"):
        columns = dict(np.load(path))
        np.savez(path, **{name: column[columns["image"] != last] for name, column in columns.items()})


def changed_boxes(run: Path) -> None:
    path = run / "data" / "camera" / "annotations.npz"
    columns = dict(np.load(path))
    columns["xyxy"] = columns["xyxy"] * np.float32(0.99)
    np.savez(path, **columns)


def changed_headline(run: Path) -> None:
    with (run / "experiment.resolved.toml").open("a") as file:
        file.write('\n[evaluate]\nheadline = ["car"]\n')


def changed_severity(run: Path) -> None:
    path = run / "experiment.resolved.toml"
    path.write_text(path.read_text().replace("size = 160 }", "size = 160, severity = 0.9 }"))


def lost_lists(run: Path) -> None:
    (run / "data" / "camera" / "test.txt").unlink()


@pytest.mark.parametrize("change", [changed_test_list, changed_boxes, changed_headline, changed_severity, lost_lists])
def test_gaps_on_other_images_boxes_classes_or_renderings_are_not_averaged(change, bare, tmp_path):
    other = copied(bare[1], tmp_path / "other")
    change(other)
    found = comparables(run_gaps(read_runs([bare[0], other])))
    assert [one.kind for one in found if one.kind == REAL] == []


def test_gaps_of_other_data_sets_stand_in_one_table_by_the_part_their_domains_play(bare, tmp_path):
    other = copied(bare[1], tmp_path / "other")
    text = (other / "experiment.resolved.toml").read_text()
    for old, new in (('["camera"]', '["road"]'), ('domain = "camera"', 'domain = "road"'), ("ns.camera", "ns.road")):
        text = text.replace(old, new)
    (other / "experiment.resolved.toml").write_text(text)
    for path in list(other.rglob("*camera*")):
        if path.parent.name != "images":
            path.rename(path.with_name(path.name.replace("camera", "road")))
    found = [gap for gap in run_gaps(read_runs([bare[0], other])) if gap.kind == REAL]
    assert [gap.gap.domain for gap in found] == ["camera", "road"]


# Where


def test_means_of_parts_are_means_of_the_grids_diagonal_and_stand_on_the_page(runs, side, page):
    pair = next(pair for pair in side.pairs if pair.arms == ARMS)
    grids = [runs[0].results.grids[RunName("u-real", s), RunName("u-synthetic", s), 160] for s in (0, 1)]
    diagonals = [np.diagonal(grid["value"].sel(measure="cka_debiased").values) for grid in grids]
    expected = float(np.mean([diagonal[75:].mean() for diagonal in diagonals]))
    assert pair.means[0]["head"].value == pytest.approx(expected)
    assert f"<td>{expected:.3f} [" in page


def test_intervals_of_means_come_from_draws_of_the_recordings(runs):
    """Draws are of the recordings; here each layer of every draw is the same number, so that the mean is known."""
    curve = run_curve(runs[0], ARMS, 160)
    levels = np.linspace(0, 1, 501)
    drawn = {(RunName("u-real", s), RunName("u-synthetic", s)): np.tile(levels[:, None], 107) for s in (0, 1)}
    found = part_means(curve, Recorded("", 16, 160, (), drawn))
    assert (found["backbone"].low, found["backbone"].high) == pytest.approx((0.025, 0.975))
    assert not part_means(curve, None)["backbone"].has_interval


def test_networks_of_two_runs_are_compared_by_cka_of_the_same_images(side, page):
    assert [[run.letter for run in same.runs] for same in side.across] == [["A", "B"]]
    same = side.across[0]
    labels = [f"{network.run.letter} {network.name}" for network in same.networks]
    row, column = labels.index("A u-real-seed0"), labels.index("B f-synthetic-seed1")
    layers = (0, 62, 106)
    expected = [
        linear_cka(features_of("thin u-real 0", layer), features_of("wide f-synthetic 1", layer)) for layer in layers
    ]
    assert same.same_index[row, column, list(layers)] == pytest.approx(expected)
    assert same.same_index[column, row] == pytest.approx(same.same_index[row, column])
    assert np.diagonal(same.same_index).ravel() == pytest.approx(1)
    assert f">{same.means['head'][row, column]:.2f}</td>" in page


def test_maps_across_runs_hold_every_layer_pair_of_the_same_arm(side):
    same = side.across[0]
    assert [(one.a.label[0], one.b.label[0], one.a.name == one.b.name) for one in same.maps] == [("A", "B", True)] * 3
    expected = linear_cka(features_of("thin u-real 0", 3), features_of("wide u-real 0", 80))
    assert same.maps[0].value[3, 80] == pytest.approx(expected)


def test_networks_with_other_layers_have_a_map_and_no_same_index_value(runs):
    one, other = (recorded_networks(run, 160, draws=False) for run in runs[:2])
    shorter = tuple(replace(n, layers=n.layers[:50], vectors=n.vectors[:50]) for n in other.networks)
    same = across({runs[0]: one, runs[1]: replace(other, networks=shorter)})[0]
    assert np.isnan(same.same_index[0, len(one.networks)]).all()
    assert same.maps[0].value.shape == (107, 50) and list(same.means) == ["all"]


def test_runs_with_other_main_sizes_are_compared_at_a_size_that_both_recorded(runs, tmp_path):
    found = []
    for name, letter, sizes in (("x", "A", (SIZE, 96)), ("y", "B", (96,))):
        write_recordings(tmp_path / name, name, seeds=(2,), size=96)
        experiment = runs[2].results.experiment
        record = experiment.record.model_copy(update={"sizes": sizes})
        other = with_results(
            runs[2], folder=tmp_path / name, experiment=experiment.model_copy(update={"record": record})
        )
        found.append(replace(other, letter=letter))
    write_recordings(tmp_path / "x", "x", seeds=(2,), pixels="larger")
    side = line_up(found)
    assert [(one.size, [run.letter for run in one.runs]) for one in side.across] == [(96, ["A", "B"])]
    assert "differ (A 160, B 96 pixels)" in " ".join(limits(side))


def test_runs_without_recordings_have_curves_and_no_intervals_of_means(runs, tmp_path):
    without = with_results(runs[1], folder=tmp_path)
    found = line_up([runs[2], without])
    assert found.across == () and [run.letter for run in found.without_draws] == ["B"]
    assert all(not mean.has_interval for pair in found.pairs for mean in pair.means[1].values())
    assert "B: not every recording is there" in " ".join(limits(found))
    assert "no interval</b>" in render_several(found)


# Consistency


def curve_of(value: np.ndarray, run: Run, ceiling: np.ndarray | None = None) -> RunCurve:
    return RunCurve(run, ARMS, 160, tuple(range(len(value))), (0,), value, value, value, ceiling)


def test_the_rank_correlation_is_spearmans_over_layers_that_both_define():
    rng = np.random.default_rng(0)
    one, other = rng.random(60), rng.random(60)
    one[3] = other[50] = np.nan
    found, kept = rank(one, other), np.isfinite(one) & np.isfinite(other)
    assert found.rho == pytest.approx(spearmanr(one[kept], other[kept]).statistic) and found.layers == 58


def test_a_curve_agrees_with_itself_as_well_as_any_shift_can():
    values = np.random.default_rng(1).random(40)
    found = rank(values, np.exp(3 * values))  # ranks do not see a rising function
    assert found.rho == pytest.approx(1) and found.p == pytest.approx(1 / 40)
    assert rank(values, -values).p == pytest.approx(1)


def test_p_is_fair_for_curves_that_have_nothing_to_do_with_each_other():
    rng = np.random.default_rng(2)
    ps = np.array([rank(*rng.standard_normal((2, 30))).p for _ in range(200)])
    assert abs(ps.mean() - 0.5) < 0.06 and (ps <= 0.1).mean() < 0.17


def test_shifting_whole_curves_is_not_fooled_by_neighbouring_layers_as_the_usual_p_is():
    """Two smooth curves without any tie: the usual test calls most of them related, shifts hardly any."""
    rng = np.random.default_rng(3)
    kernel = np.hanning(15)
    pairs = [
        [np.convolve(np.tile(noise, 3), kernel, "same")[60:120] for noise in rng.standard_normal((2, 60))]
        for _ in range(100)
    ]
    usual = np.mean([spearmanr(*pair).pvalue < 0.05 for pair in pairs])
    shifted = np.mean([rank(*pair).p < 0.05 for pair in pairs])
    assert usual > 0.3 and shifted < 0.12


@pytest.mark.parametrize("values", [np.full(30, 0.5), np.full(30, np.nan), np.arange(9.0)])
def test_without_ranks_there_is_no_rank_correlation(values):
    found = rank(values, np.arange(float(len(values))))
    assert np.isnan(found.rho) and np.isnan(found.p)


def test_curves_of_other_networks_are_lined_up_by_relative_depth(runs):
    long, short = (np.sin(3 * np.linspace(0, 1, count)) for count in (107, 24))
    found = rank_agreements([curve_of(long, runs[0]), curve_of(short, runs[1])])[0]
    assert found.by_depth and found.similarity.rho == pytest.approx(1, abs=0.01) and found.similarity.layers == 24
    long[50] = np.nan
    assert rank_agreements([curve_of(short, runs[1]), curve_of(long, runs[0])])[0].similarity.layers == 24 - 1


def test_the_shortfall_takes_away_what_two_seeds_share_too(runs):
    rng = np.random.default_rng(4)
    ceiling, *losses = rng.random((3, 50))
    curves = [curve_of(ceiling - loss, run, ceiling) for run, loss in zip(runs, losses, strict=False)]
    found = rank_agreements(curves)[0]
    assert found.shortfall.rho == pytest.approx(spearmanr(*losses).statistic)
    assert rank_agreements([curve_of(ceiling, runs[0]), curves[1]])[0].shortfall is None


def drawn(levels: list[float]) -> Recorded:
    """Draws in which the backbone is so much more alike than the head, one level per comparison of A."""
    pairs = [(RunName("u-real", s), RunName(b, s)) for b in ("u-synthetic", "f-synthetic") for s in (0, 1)]
    head = np.arange(107) > 74
    return Recorded(
        "", 16, 160, (), {p: np.tile(0.5 - level * head, (50, 1)) for p, level in zip(pairs, levels, strict=True)}
    )


@pytest.mark.parametrize(
    ("levels", "answer", "sure"),
    [([0.1] * 4, "yes", 4), ([0.1, 0.1, 0.1, 0.0], "open", 3), ([0.1, 0.1, 0.1, -0.1], "no", 3)],
)
def test_a_statement_holds_in_a_run_if_it_surely_holds_in_every_comparison(levels, answer, sure, runs):
    found = held(runs[0], 160, drawn(levels))[-1]
    assert found.statement.letter == "e"
    assert (found.answer, found.sure, found.comparisons) == (answer, sure, 4)
    assert held(runs[0], 160, None)[-1].answer is None


def test_a_gap_that_other_test_images_could_turn_around_is_said_to_be_unsure(side):
    question = "How big is the gap, run by run?"
    words = "In B other test images could turn it around: the interval holds 0."
    assert not any(words in said for said in in_short(side)[question])
    gaps = [
        replace(one, gap=replace(one.gap, estimate=Estimate(2.5, -1.8, 7.2))) if one.run.letter == "B" else one
        for one in side.gaps
    ]
    told = in_short(replace(side, gaps=gaps))[question]
    assert [words in said for said in told] == ["B 2.5 [-1.8, 7.2]" in said for said in told]
    assert any(words in said for said in told)


def test_the_page_says_in_how_many_runs_each_statement_holds(side, page):
    last = [found[-1].answer for found in side.statements.values()]
    assert f"<td>{last.count('yes')} of 3 runs</td></tr>" in page.split("(e) The backbones")[1]
    said = " ".join(in_short(side)["Is it at the same place in the network?"])
    assert f"the backbones are more alike than the heads: {last.count('yes')}." in said


# Dots


@pytest.mark.parametrize("values", [[], [0.0], [3.2, 7.9], [-41.0, -2.0], [-0.004, 0.013], [float("nan"), 12.5]])
def test_an_axis_holds_zero_and_every_value_between_its_round_ends(values):
    axis = axis_of(values)
    for value in [0.0, *(v for v in values if v == v)]:
        assert 0 <= axis.place(value) <= 100
    assert axis.place(axis.ticks[0]) == 0 and axis.place(axis.ticks[-1]) == 100 and 2 <= len(axis.ticks) <= 7


def test_dots_stand_where_their_numbers_are():
    axis = axis_of([-10, 30])
    found = dots(axis, Estimate(10, 0, 20), [5, 15])
    assert (found.mean, found.low, found.width, found.seeds) == (50, 25, 50, (37.5, 62.5))
    assert dots(axis, Estimate(10)).low is None


# The page


def test_every_section_is_there_and_the_page_is_small_enough_to_mail(page):
    for name in ("short", "settings", "gap", "where", "consistency", "trust", "files"):
        assert f'<section id="{name}"' in page and f'href="#{name}"' in page
    assert len(page.encode()) < 8e6 and "default-src &#39;none&#39;" in page
    ours = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", ours)


def test_hostile_titles_are_shown_and_not_run(page):
    assert "alert(1)</script>" not in page and "<img src=x" not in page
    assert (
        "&lt;img src=x onerror=alert(2)&gt;" in page and "&lt;b&gt;U&lt;/b&gt;-Real" in page and "<b>U</b>" not in page
    )


def test_downloads_are_the_numbers_of_the_page(side, page):
    found = dict(
        re.findall(r'download="(several-[a-z-]+\.csv)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    )
    assert set(found) == {
        f"several-{n}.csv"
        for n in (
            "runs",
            "settings",
            "gaps",
            "gaps-over-runs",
            "curves",
            "means",
            "rank-correlations",
            "statements",
            "networks",
            "warnings",
        )
    }
    decoded = base64.b64decode(found["several-curves.csv"]).decode()
    assert decoded == csv_files(side)["several-curves.csv"]
    row = next(
        r for r in csv.DictReader(io.StringIO(decoded)) if (r["run"], r["layer"], r["b"]) == ("B", "70", "u-synthetic")
    )
    curve = next(c for pair in side.pairs if pair.arms == ARMS for c in pair.curves if c.run.letter == "B")
    assert float(row["value"]) == pytest.approx(curve.value[70])


def test_hashes_and_versions_of_every_run_are_on_the_page(folders, page):
    assert "wide u-real 1" in page and "made-up processor" in page and "gapscope run made-up.toml" in page
    assert json.loads((folders[0] / "data/engine/summary.json").read_text())["fingerprint"] in page


def test_an_unfinished_run_shows_what_is_there_and_says_what_is_not(runs, tmp_path):
    there = {key: one for key, one in runs[1].results.evaluations.items() if key[1] == "camera"}
    half = with_results(runs[1], folder=tmp_path, grids={}, evaluations=there)
    found = line_up([runs[2], half])
    assert {gap.run.letter for gap in found.gaps if gap.kind == REAL} == {"B", "C"}
    assert {gap.run.letter for gap in found.gaps if gap.kind[0] == "synthetic"} == {"C"}
    assert "B is not finished (evaluate 6 of 12, compare 0 of 6)" in " ".join(limits(found))
    assert "This takes two runs" in render_several(found)


def test_runs_that_have_only_begun_make_a_page_that_says_so(folders, tmp_path):
    begun = []
    for name in "ab":
        run = tmp_path / name
        run.mkdir()
        shutil.copy(folders[1] / "experiment.resolved.toml", run)
        begun.append(run)
    text = render_several(line_up(read_runs(begun)))
    assert "Nothing can be said yet" in text and "No gap yet" in text and "are not there yet" in text


def test_an_arm_that_only_one_run_has_is_named(runs):
    experiment = runs[1].results.experiment
    arms = {name.replace("f-", "g-"): arm for name, arm in experiment.arms.items()}
    trainings = {name: one for name, one in runs[1].results.trainings.items() if name.arm in arms}
    experiment = experiment.model_copy(update={"arms": arms})
    other = replace(runs[1].results, experiment=experiment, trainings=trainings)
    found = line_up([runs[2], replace(runs[1], findings=find(other))])
    said = " ".join(limits(found))
    assert "The arm f-synthetic (F-Synthetic) is part of C only" in said
    assert "The arm g-synthetic (F-Synthetic) is part of B only" in said
    assert [len(pair.curves) for pair in found.pairs if pair.arms == ARMS] == [2]


def test_the_page_works_in_a_browser(browser, page, tmp_path):
    path = tmp_path / "several.html"
    path.write_text(page, encoding="utf-8")
    for width, is_dark in ((1280, False), (390, True)):
        opened = browser.open(path, width=width, dark=is_dark)
        assert draw_all(opened) == 2
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert serious(opened, *(["color-contrast"] if is_dark else [])) == []
        opened.select_option("#several-pair", "2")
        opened.select_option("#several-ceilings", "yes")
        drawn = opened.evaluate("document.getElementById('plot-several').data.map((trace) => trace.name)")
        assert len([name for name in drawn if name]) == 3 + 2  # C has one seed and no ceiling
        opened.select_option("#several-map", "1")
        assert "U-Synthetic" in opened.text_content("#plot-several-map .xtitle")


# The command


def test_the_command_writes_one_page_and_changes_nothing_in_the_run_folders(bare, tmp_path):
    before = {path: path.read_bytes() for run in bare for path in run.rglob("*") if path.is_file()}
    out = tmp_path / "widths.html"
    for _ in range(2):  # the second time it replaces its own page
        done = gapscope("report", *bare, "--out", out, "--title", "thin", "--title", "wide")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == f"2 runs side by side: {out}"
    assert '<span class="runname" title="wide">wide</span>' in out.read_text()
    assert {path: path.read_bytes() for run in bare for path in run.rglob("*") if path.is_file()} == before


def refusal(*arguments: str | Path, cwd: Path) -> str:
    done = gapscope("report", *arguments, cwd=cwd)
    assert done.returncode == 2 and not (cwd / "several.html").exists()
    return done.stderr


def test_what_the_user_can_put_right_is_said_in_one_sentence(bare, tmp_path):
    a, b = bare
    (tmp_path / "link").symlink_to(a)
    (tmp_path / "mine.html").write_text("my own page")
    (tmp_path / "nothing").mkdir()
    cwd = tmp_path
    assert f"{a} is given twice" in refusal(a, a, cwd=cwd)
    assert f"({a} is the same folder)" in refusal(a, "link", cwd=cwd)
    assert "nothing holds no experiment.resolved.toml, so it is no run folder" in refusal(a, "nothing", cwd=cwd)
    assert "1 titles are given for 2 runs" in refusal(a, b, "--title", "x", cwd=cwd)
    assert "the title 'x' is given twice" in refusal(a, b, "--title", "x", "--title", "x", cwd=cwd)
    assert "mine.html is there and is no page of several runs" in refusal(a, b, "--out", "mine.html", cwd=cwd)
    assert "nothing is a folder" in refusal(a, b, "--out", "nothing", cwd=cwd)
    assert "--out and --title are for several runs" in refusal(a, "--out", "x.html", cwd=cwd)
    assert (tmp_path / "mine.html").read_text() == "my own page"


def test_a_broken_recording_is_named(folders, runs, tmp_path):
    shutil.copytree(folders[1] / "recordings", tmp_path / "recordings")
    broken = tmp_path / "recordings" / "u-synthetic-seed1--camera-160.nc"
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(InputError, match=re.escape(str(broken))):
        recorded_networks(with_results(runs[1], folder=tmp_path), SIZE)


def test_a_test_list_that_does_not_fit_its_table_is_named(bare, tmp_path):
    other = copied(bare[1], tmp_path / "other")
    (other / "data" / "camera" / "test.txt").write_text("images/nowhere.png\n")
    with pytest.raises(InputError, match=r"test\.txt names images/nowhere\.png"):
        run_gaps(read_runs([bare[0], other]))
