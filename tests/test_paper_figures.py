"""The paper-ready output of a run folder: every figure at both widths, captions, tables beside the paper's."""

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
from figure_checks import check_readable
from latex import check_latex
from made_up_run import write_made_up_run
from pypdf import PdfReader

from gapscope.errors import InputError
from gapscope.findings.beside_paper import paper_model
from gapscope.findings.findings import find
from gapscope.findings.layer_curves import BIASED, DEBIASED
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.paper.paper_output import latex_floats, planned_figures, write_paper_output
from gapscope.paper.planned import Planned
from gapscope.paper.redraw import MADE_FROM
from gapscope.paper.table_files import to_latex
from gapscope.plot.style import ONE_COLUMN, TWO_COLUMNS
from gapscope.run_folder import RunName

pytestmark = pytest.mark.slow

EVIL = "A & B_{50%} $x$ | <i>#1</i>"
NAMES = [*(f"figure{n}" for n in range(1, 8)), "curves", "effect", "panels", "difference", "gap", "errors"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("paper") / "run", first_arm=EVIL)


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


@pytest.fixture(scope="module")
def planned(results: Results) -> dict[str, Planned]:
    return {one.name: one for one in planned_figures(find(results))}


def without(run: Path, folder: Path, *parts: str) -> Path:
    """The run without some of its parts."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns(*parts, "images"))
    return folder


def test_a_whole_run_fills_the_papers_seven_figures_and_six_more(planned):
    assert list(planned) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("figure2", "figure5", "figure6")])
def test_every_figure_can_be_read_at_both_widths(planned, name):
    for width in (ONE_COLUMN, TWO_COLUMNS):
        check_readable(planned[name].draw(width), width)


def test_captions_name_images_size_seeds_estimator_floor_and_ceiling(planned):
    caption = planned["figure2"].caption
    for fact in (
        "seed 1",
        "the same 48 test images of Camera at 160 x 160 pixels",
        "debiased linear CKA",
        "95 % intervals over images drawn anew",
        "Floor (dark grey): central 95 % of the values with the images of one network shuffled",
        "Ceiling (light grey): the same arm with another seed (seeds 0 and 1)",
        "without layers 0-74 of F-Synthetic, which did not train with the seed",
    ):
        assert fact in caption
    assert "96 x 96" in planned["figure7"].caption
    assert "12 of Camera, 12 of Engine" in planned["gap"].caption


def test_a_run_with_one_seed_has_no_ceiling_and_its_captions_say_so(run, tmp_path):
    one_seed = without(run, tmp_path / "run", "*seed1*", "effect--*")
    config = one_seed / "experiment.resolved.toml"
    config.write_text(config.read_text().replace("seeds = [0, 1]", "seeds = [0]"))
    planned = {one.name: one for one in planned_figures(find(read_results(one_seed)))}
    assert {"figure2", "effect", "difference"}.isdisjoint(planned)
    assert "There is no ceiling, since there is one seed." in planned["figure1"].caption
    assert "Black marks" not in planned["curves"].caption
    check_readable(planned["curves"].draw(ONE_COLUMN), ONE_COLUMN)


def test_the_gap_figure_shows_the_evaluation_files_means(run, planned):
    axes = planned["gap"].draw(TWO_COLUMNS).axes[0]
    files = [run / "evaluation" / f"u-real-seed{seed}--camera.json" for seed in (0, 1)]
    values = [json.loads(file.read_text())["rules"]["coco"]["headline_map50"] for file in files]
    assert axes.patches[0].get_width() == pytest.approx(sum(values) / 2)


def test_the_error_figure_shows_what_each_kind_costs_beyond_home(run, results, planned):
    axes = planned["errors"].draw(ONE_COLUMN).axes[0]
    files = [run / "evaluation" / f"{arm}-seed{seed}--camera.json" for arm in PAIR for seed in (0, 1)]
    costs = [json.loads(file.read_text())["errors"]["kinds"]["missed"]["delta_map50"] for file in files]
    gap = next(one for one in find(results).numbers.gaps if (one.other, one.domain) == ("u-synthetic", "camera"))
    bars = [bar.get_width() for bar in axes.containers[0]]  # the first arm's: mAP, then kinds from top to bottom
    assert bars[0] == pytest.approx(gap.mean) and len(bars) == 7
    assert bars[6] == pytest.approx(50 * (costs[2] + costs[3] - costs[0] - costs[1]))


PAIR = ("u-real", "u-synthetic")


def test_the_difference_is_the_pairs_grid_minus_that_of_its_arms_seeds(results, planned):
    def values(a: str, s: int, b: str, t: int) -> np.ndarray:
        return results.grids[RunName(a, s), RunName(b, t), 160]["value"].sel(measure=DEBIASED).to_numpy()

    (image,) = planned["difference"].draw(TWO_COLUMNS).axes[0].images
    pair = values("u-real", 0, "u-synthetic", 0)
    two_seeds = (values("u-real", 0, "u-real", 1) + values("u-synthetic", 0, "u-synthetic", 1)) / 2
    np.testing.assert_allclose(image.get_array(), pair - two_seeds)


def test_layers_that_an_arm_keeps_frozen_are_no_ceiling_of_the_difference(results):
    frozen = find(results).numbers.layers.seed_cells(["f-synthetic"], 160, DEBIASED)
    assert frozen is not None
    assert np.isnan(frozen[:75, :75]).all()
    assert np.isfinite(frozen[75:, :]).all() and np.isfinite(frozen[:, 75:]).all()


def test_black_marks_stand_at_layers_that_differ_by_more_than_a_seed(results, planned):
    axes = planned["curves"].draw(TWO_COLUMNS).axes[0]
    below = []
    for seed in (0, 1):
        effect = results.effects[RunName("u-real", seed), RunName("u-synthetic", seed), 160]
        less = (effect["shortfall_band_low"] > 0) & (effect["similarity"] < effect["ceiling_min"])
        below.append(set(np.flatnonzero(less)))
    (marks,) = [c for c in axes.collections if type(c).__name__ == "LineCollection"]
    assert [segment[0][0] for segment in marks.get_segments()] == sorted(below[0] & below[1])


def test_arms_are_the_papers_models_by_what_they_were_trained_on(results):
    assert [paper_model(results, arm) for arm in results.arms] == ["U-Real", "U-Synthetic", "F-Synthetic"]


def test_table_2_beside_the_papers_has_the_papers_row_above_the_runs(run, results):
    table = next(table for table in find(results).tables_beside_paper if table.number == 2)
    assert table.rows[0] == ("U-Real", "paper", "0.429 (0.428, 0.430)", "0.440 (0.440, 0.439)")
    files = [run / "evaluation" / f"u-real-seed{seed}--camera.json" for seed in (0, 1)]
    values = [json.loads(file.read_text())["rules"]["paper"]["headline_map50"] for file in files]
    assert table.rows[1][:2] == (EVIL, "this run")
    assert table.rows[1][2] == f"{sum(values) / 2:.3f} ({values[0]:.3f}, {values[1]:.3f})"


def test_table_5_beside_the_papers_has_both_estimators(results):
    table = next(table for table in find(results).tables_beside_paper if table.number == 5)
    assert [row[1] for row in table.rows[:3]] == ["paper, biased", "this run, biased", "this run, debiased"]
    assert table.rows[0][2] == "0.5880 (0.5865, 0.5895)"
    grid = results.grids[RunName("u-real", 0), RunName("u-synthetic", 0), 160]
    head = np.diagonal(grid["value"].sel(measure=BIASED))[75:].mean()
    rows = table.numbers
    (value,) = rows[(rows.source == "this run, biased") & (rows.seed == 0) & (rows.part == "head")].value[:1]
    assert value == pytest.approx(head)


def test_what_differs_from_the_paper_is_said_in_every_caption(results):
    tables = find(results).tables_beside_paper
    assert [table.name for table in tables] == [f"table{n}-beside-paper" for n in (2, 3, 4, 5)]
    for table in tables:
        assert "differs from the paper in data, classes and training, network width (0.25; paper: 1)" in table.caption
        assert "not the levels" in table.caption
    assert "image size (160; paper: 416 pixels)" in tables[0].caption


def test_a_run_without_the_papers_models_has_no_table_beside_it(run, tmp_path):
    other = without(run, tmp_path / "run")
    config = other / "experiment.resolved.toml"
    config.write_text(re.sub(r'role = "\w+"', 'role = "control"', config.read_text()))
    assert find(read_results(other)).tables_beside_paper == []


def test_every_table_is_latex_that_compiles(results):
    for table in [*find(results).tables, *find(results).tables_beside_paper]:
        check_latex(to_latex(table))


def test_every_float_with_its_caption_is_latex_that_compiles(planned):
    for wide in (False, True):
        text = latex_floats(list(planned.values()), wide=wide)
        check_latex(text)
        assert text.count(r"\begin{figure*}" if wide else r"\begin{figure}") == len(NAMES)
        assert ("Right: the diagonal" in text) == wide
        captions = re.findall(r"\\caption\{(.*)\}", text)
        assert len(captions) == len(NAMES) and max(len(one.split()) for one in captions) <= 60


@pytest.fixture(scope="module")
def written(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes of two figures, by both estimators."""
    out = tmp_path_factory.mktemp("out")
    done = gapscope("figures", run, "--out", out, "--only", "1,4,tables", "--estimator", "both", "--columns", "one")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"4 figures (4 drawn, 0 kept) and 9 tables in {out}")
    return out


def test_the_command_writes_figures_captions_and_tables(written):
    names = {path.name for path in (written / "one-column").iterdir()}
    figures = {f"figure{n}{suffix}.{form}" for n in (1, 4) for suffix in ("", "-paper") for form in ("pdf", "png")}
    assert names == figures | {"figures.tex", "captions.md", MADE_FROM}
    assert not (written / "two-columns").exists()
    assert len(list((written / "tables").iterdir())) == 27
    assert (
        (written / "one-column" / "captions.md").read_text().startswith("**figure1.** Similarity of same-index layers")
    )


def test_a_pdf_is_as_wide_as_a_column_and_brings_its_fonts_as_truetype(written):
    (page,) = PdfReader(written / "one-column" / "figure1.pdf").pages
    assert float(page.mediabox.width) / 72 == pytest.approx(3.3, abs=0.01)
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert inner["/Subtype"] in ("/TrueType", "/CIDFontType2")
        assert "/FontFile2" in inner["/FontDescriptor"].get_object()
    assert "CKA (debiased)" in page.extract_text()


def test_the_same_run_gives_the_same_bytes(run, written, tmp_path):
    write_paper_output(run, tmp_path, columns="one", only=["4"])
    for name in ("figure4.pdf", "figure4.png"):
        assert (tmp_path / "one-column" / name).read_bytes() == (written / "one-column" / name).read_bytes()


def test_a_figure_that_stands_there_is_not_drawn_again(run, written):
    done = write_paper_output(run, written, columns="one", only=["4"], estimator="both")
    assert str(done.redrawn) == "0 drawn, 2 kept"


def changed(planned: dict[str, Planned], results: Results) -> set[str]:
    """The figures that show something else in other results."""
    after = {one.name: one for one in planned_figures(find(results))}
    assert list(after) == list(planned)
    return {name for name in planned if planned[name].made_from(ONE_COLUMN) != after[name].made_from(ONE_COLUMN)}


def test_a_changed_number_redraws_exactly_the_figures_that_show_it(results, planned):
    key = RunName("u-synthetic", 0), "camera"
    file = results.evaluations[key]
    coco, kinds = file.rules["coco"], file.errors.kinds
    missed = replace(kinds["missed"], delta_map50=kinds["missed"].delta_map50 + 0.01)
    map50 = coco.means["headline_map50"]
    means = {**coco.means, "headline_map50": replace(map50, value=map50.value + 0.01)}
    for other, shown in (
        (replace(file, errors=replace(file.errors, kinds={**kinds, "missed": missed})), {"errors"}),
        (replace(file, rules={**file.rules, "coco": replace(coco, means=means)}), {"gap", "errors"}),
    ):
        assert changed(planned, replace(results, evaluations={**results.evaluations, key: other})) == shown


def test_a_changed_title_redraws_exactly_the_figures_that_carry_it(results, planned):
    experiment = results.experiment
    arms = {**experiment.arms, "f-synthetic": experiment.arms["f-synthetic"].model_copy(update={"title": "Frozen"})}
    engine = {**experiment.domains, "engine": experiment.domains["engine"].model_copy(update={"title": "Game"})}
    for change, carry in (
        ({"arms": arms}, set(planned) - {"figure3", "figure4", "figure7"}),  # of the other two arms
        ({"domains": engine}, {"gap", "errors"}),
        ({"title": "Another", "note": "other words"}, set()),
    ):
        assert changed(planned, replace(results, experiment=experiment.model_copy(update=change))) == carry


def test_numbers_of_a_table_beside_the_paper_are_in_its_csv(written):
    rows = list(csv.DictReader(io.StringIO((written / "tables" / "table4-beside-paper.csv").read_text())))
    chosen = {"model": "U-Synthetic", "source": "paper", "seed": "1", "statistic": "max"}
    assert [row["value"] for row in rows if chosen.items() <= row.items()] == ["37.3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "8"], "has no figure '8' to draw. There are: 1, 2, 3, 4, 5, 6, 7, curves, effect, panels"),
        (["--only", "1,cruves"], "has no figure 'cruves' to draw"),
        (["--format", "pdf,jpg"], "there is no format 'jpg'. Choose from pdf, png, svg."),
        (["--format", ","], "no format is given"),
    ],
)
def test_what_cannot_be_written_is_one_message_and_nothing_is(run, tmp_path, options, message):
    done = gapscope("figures", run, "--out", tmp_path / "out", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_width_that_does_not_exist_is_refused(run):
    done = gapscope("figures", run, "--columns", "three")
    assert done.returncode == 2
    assert "'three' is not one of" in done.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    done = gapscope("figures", tmp_path)
    assert done.returncode == 2
    assert "is no run folder" in done.stderr


def test_a_run_that_has_only_begun_has_nothing_to_show(run, tmp_path):
    begun = without(run, tmp_path / "run", "data", "arms", "evaluation", "recordings", "similarity")
    with pytest.raises(InputError, match=r"has nothing to show yet. See how far it is: gapscope status"):
        write_paper_output(begun)


def test_before_anything_is_compared_there_are_figures_of_performance_alone(run, tmp_path):
    half = without(run, tmp_path / "run", "similarity")
    with pytest.raises(InputError, match=r"no figure '4' to draw. There are: gap, errors, tables. What is missing may"):
        write_paper_output(half, only=["4"])
    done = write_paper_output(half, columns="one", formats=["svg"], only=["gap"])
    assert (done.figures, done.tables) == (1, 0)
    assert (half / "paper" / "one-column" / "gap.svg").is_file()


def test_evaluations_of_before_there_were_errors_leave_that_figure_out(run, tmp_path):
    old = without(run, tmp_path / "run", "similarity")
    for path in (old / "evaluation").glob("*--*.json"):
        kept = json.loads(path.read_text())
        if isinstance(kept, dict):
            path.write_text(json.dumps({key: value for key, value in kept.items() if key != "errors"}))
    (gap,) = planned_figures(find(read_results(old)))
    assert gap.name == "gap"
    check_readable(gap.draw(ONE_COLUMN), ONE_COLUMN)
