"""The tables and figures against the files of a run folder with made-up numbers."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_up_run import ARMS, write_made_up_run
from matplotlib.image import AxesImage

from gapscope.detector.layers import YOLO_LAYERS, yolov3_layers
from gapscope.detector.network_map import BLOCKS, ROUTES, yolov3_map
from gapscope.errors import InputError
from gapscope.findings.findings import Findings, find
from gapscope.findings.layer_curves import PairCurve, ceiling_curve, layers_at_floor, pair_curve, ranges
from gapscope.findings.result_tables import UNDEFINED, ResultTable
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.paper.layer_figures import curves_figure, heatmap_figure
from gapscope.paper.paper_figures import all_figures, heatmaps
from gapscope.paper.table_files import to_csv, to_latex, to_markdown, write_tables
from gapscope.plot.style import write_figure
from gapscope.run_folder import RunName
from gapscope.similarity.summary import diagonal_means

pytestmark = pytest.mark.slow

EVIL = "A & B_{50%} $x$ | <i>#1</i>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("report") / "run", first_arm=EVIL)


@pytest.fixture(scope="module")
def results(run: Path) -> Results:
    return read_results(run)


@pytest.fixture(scope="module")
def findings(results: Results) -> Findings:
    return find(results)


@pytest.fixture(scope="module")
def tables(findings: Findings) -> dict[int, ResultTable]:
    return {table.number: table for table in findings.tables}


def curve(value, low, high, floor_high) -> PairCurve:
    layers = np.arange(len(value))
    arrays = (np.array(numbers, dtype=float) for numbers in (value, low, high, [0.0] * len(value), floor_high))
    return PairCurve("made up", layers, *arrays)


def test_a_folder_without_a_config_is_no_run_folder(tmp_path):
    with pytest.raises(InputError, match="is no run folder"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "broken",
    [
        "environment.json",
        "data/camera/summary.json",
        "arms/u-real/seed0/metrics.jsonl",
        "evaluation/u-real-seed0--camera.json",
        "recordings/u-real-seed0--camera-160.nc",
        "similarity/u-real-seed0--u-synthetic-seed0--camera-160.nc",
    ],
)
def test_a_broken_file_is_named(run, tmp_path, broken):
    for name in ("experiment.resolved.toml", broken):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        whole = (run / name).read_bytes()
        (tmp_path / name).write_bytes(whole if name != broken else whole[: len(whole) // 2 + 1])
    with pytest.raises(InputError, match=re.escape(broken) + " cannot be read"):
        read_results(tmp_path)


def test_a_run_that_has_only_begun_has_no_tables_and_no_figures(run, tmp_path):
    (tmp_path / "experiment.resolved.toml").write_bytes((run / "experiment.resolved.toml").read_bytes())
    begun = find(read_results(tmp_path))
    assert begun.tables == []
    assert list(all_figures(begun.numbers.layers)) == []


def test_table_1_names_what_each_domain_calls_a_label_with_its_boxes(run, tables):
    files = [json.loads((run / f"data/{domain}/summary.json").read_text()) for domain in ("camera", "engine")]
    counts = [file["label_map"]["person"]["person"] for file in files]
    assert tables[1].rows[0] == ("person", *(f"person ({boxes})" for boxes in counts))
    assert tables[1].rows[-1] == ("(dropped)", UNDEFINED, "traffic cone (14)")
    assert [name for _, name in tables[1].columns] == ["Label", "Camera", "Engine"]


def test_table_2_prints_the_evaluation_files_numbers(run, tables):
    files = [run / "evaluation" / f"u-real-seed{seed}--camera.json" for seed in (0, 1)]
    values = [json.loads(file.read_text())["rules"]["coco"]["headline_map50"] for file in files]
    assert tables[2].rows[0][1:4] == (*(f"{value:.3f}" for value in values), f"{sum(values) / 2:.3f}")


def test_table_2_keeps_both_rules_in_its_csv(run, tables):
    rows = list(csv.DictReader(io.StringIO(to_csv(tables[2]))))
    chosen = {"arm": "f-synthetic", "seed": "1", "domain": "engine", "rule": "paper", "metric": "headline_map50"}
    (row,) = [row for row in rows if chosen.items() <= row.items()]
    file = json.loads((run / "evaluation" / "f-synthetic-seed1--engine.json").read_text())
    assert float(row["value"]) == pytest.approx(file["rules"]["paper"]["headline_map50"], rel=1e-12)


@pytest.mark.parametrize(("number", "size"), [(3, 160), (4, 96)])
def test_tables_3_and_4_average_the_recordings_over_layers(run, tables, number, size):
    recording = xr.open_dataset(run / "recordings" / f"u-real-seed1--camera-{size}.nc", engine="h5netcdf")
    row = next(row for row in tables[number].rows if row[1] == "1")
    expected = [float(recording[name].mean()) for name in ("mean", "median", "std", "min", "max")]
    assert [float(cell) for cell in row[2:]] == pytest.approx(expected, rel=5e-3)


def test_table_5_agrees_with_the_similarity_packages_own_means(run, results, tables):
    rows = tables[5].numbers
    for estimator in ("cka_debiased", "cka_biased"):
        grid = xr.open_dataset(
            run / "similarity" / "u-real-seed1--f-synthetic-seed1--camera-160.nc", engine="h5netcdf"
        ).load()
        means = diagonal_means(grid, estimator)
        for part in ("all", "backbone", "head"):
            chosen = rows[(rows.estimator == estimator) & (rows.a == "u-real") & (rows.b == "f-synthetic")]
            (value,) = chosen[(chosen.part == part) & (chosen.seed == 1)].value
            assert value == pytest.approx(getattr(means, part), rel=1e-12)


def test_a_number_that_is_missing_is_a_dash(run, tmp_path):
    for name in ("experiment.resolved.toml", "evaluation/u-real-seed0--camera.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (table,) = find(read_results(tmp_path)).tables
    assert table.rows[0][1] != UNDEFINED
    assert table.rows[0][2:] == (UNDEFINED,) * 3
    assert table.rows[1][1:] == (UNDEFINED,) * 4


def test_tables_are_written_in_three_formats(tables, tmp_path):
    written = write_tables(list(tables.values()), tmp_path)
    assert sorted(path.name for path in written) == sorted(
        f"table{n}.{s}" for n in range(1, 6) for s in ("csv", "md", "tex")
    )
    assert all(path.stat().st_size for path in written)


def test_markdown_rows_have_as_many_cells_as_the_heading_whatever_a_title_holds(tables):
    for table in tables.values():
        lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert cells == {len(table.columns) + 1}
        assert "<i>" not in to_markdown(table)


def test_latex_escapes_what_a_title_holds_and_balances_its_braces(tables):
    text = to_latex(tables[2])
    assert r"A \& B\_\{50\%\} \$x\$ \textbar{} \textless{}i\textgreater{}\#1" in text
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    columns = len(tables[2].columns)
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in body[1:]} == {columns}
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")


def test_latex_sets_negative_numbers_with_a_minus_sign(tables):
    assert re.search(r"& \$-\d", to_latex(tables[3]))


def test_there_are_seven_figures_and_they_show_what_the_paper_shows(results, findings):
    assert [number for number, _ in all_figures(findings.numbers.layers)] == [1, 2, 3, 4, 5, 6, 7]
    shown = {item.number: (item.rows.arm, item.columns.arm, item.size) for item in heatmaps(results)}
    a, b, c = ARMS
    assert shown == {3: (a, a, 160), 4: (a, b, 160), 5: (a, c, 160), 6: (b, c, 160), 7: (a, b, 96)}


def test_a_heatmap_shows_the_grid_as_it_is_on_a_scale_from_0_to_1(run, findings):
    figure = dict(all_figures(findings.numbers.layers))[5]
    (image,) = [item for item in figure.axes[0].get_children() if isinstance(item, AxesImage)]
    path = run / "similarity" / "u-real-seed0--f-synthetic-seed0--camera-160.nc"
    grid = xr.open_dataset(path, engine="h5netcdf")["value"].sel(measure="cka_debiased")
    np.testing.assert_array_equal(image.get_array(), grid.values)
    assert image.get_clim() == (0, 1)
    assert figure.axes[0].get_ylabel().startswith(EVIL)  # a dollar sign starts no formula


def test_a_curve_is_the_diagonal_of_its_grid(results, findings):
    figure = dict(all_figures(findings.numbers.layers))[2]
    (line,) = [
        line for line in figure.axes[0].lines if "vs F-Synthetic" in line.get_label() and "$" in line.get_label()
    ]
    grid = results.grids[RunName("u-real", 1), RunName("f-synthetic", 1), 160]["value"].sel(measure="cka_debiased")
    np.testing.assert_array_equal(line.get_ydata(), np.diagonal(grid.values))


def test_the_ceiling_is_the_same_arm_with_another_seed(results):
    ceiling = ceiling_curve(results, "u-synthetic", 160)
    other = pair_curve(results, RunName("u-synthetic", 0), RunName("u-synthetic", 1), 160)
    assert ceiling is not None and other is not None
    np.testing.assert_allclose(ceiling.value, other.value)


def test_figures_are_written_as_png_and_as_pdf_with_embedded_fonts_and_the_same_bytes_twice(tmp_path):
    undefined = curve([0.9, np.nan, 0.5], [0.8, np.nan, 0.4], [1.0, np.nan, 0.6], [0.1, np.nan, 0.1])

    def written(folder: Path) -> list[bytes]:
        drawn = curves_figure([undefined], [undefined], title="one", estimator="CKA")
        return [path.read_bytes() for path in write_figure(drawn, folder, "figure1")]

    png, pdf = written(tmp_path / "a")
    assert png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert written(tmp_path / "b") == [png, pdf]


def test_an_undefined_layer_is_left_white():
    values = np.array([[1.0, np.nan], [np.nan, 0.5]])
    figure = heatmap_figure(values, rows="a", columns="b", title="", estimator="CKA")
    (image,) = figure.axes[0].images
    assert np.ma.getmaskarray(image.get_array()).tolist() == [[False, True], [True, False]]


def test_a_layer_is_at_the_floor_where_an_interval_reaches_down_to_it():
    pair = curve([0.5, 0.5, 0.5], [0.4, 0.4, 0.4], [0.6, 0.6, 0.95], [0.1, 0.4, 0.1])
    assert layers_at_floor([pair]).tolist() == [1]


def test_an_undefined_layer_is_not_at_the_floor():
    pair = curve([np.nan], [np.nan], [np.nan], [np.nan])
    assert not len(layers_at_floor([pair]))
    assert np.isnan(pair.mean("all"))


def test_ranges_of_layers_in_words():
    assert ranges([0, 1, 2, 62, 63, 82]) == "0-2, 62-63, 82"
    assert ranges([]) == ""


def test_blocks_tile_the_network_and_follow_its_resolution():
    layers = yolov3_layers(classes=5)
    assert [block.first for block in BLOCKS] == [0, *(block.last + 1 for block in BLOCKS[:-1])]
    assert BLOCKS[-1].last == len(layers) - 1
    assert [block.first for block in BLOCKS if block.in_backbone][1:] == [n.index for n in layers if n.step == 2]
    assert [block.last for block in BLOCKS if not block.in_backbone] == list(YOLO_LAYERS)
    assert [n.index for n in layers if n.kind == "route" and len(n.inputs) == 2] == list(ROUTES)


def test_a_layer_is_described_in_one_line():
    assert yolov3_map(5).layers[62] == "62: conv 3x3, 1024 channels, stride 32, stage 5"
