"""Pictures of any network's grids and recordings, each against the numbers it shows."""

import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
import xarray as xr
from figure_checks import check_readable
from made_up_similarity import made_up_effect, made_up_grid
from matplotlib.figure import Figure
from small_recordings import features, recorded, two_networks

import gapscope
from gapscope import plot
from gapscope.detector.decode import Detections
from gapscope.detector.network_map import BLOCKS
from gapscope.errors import InputError
from gapscope.grafting.result import BlockResult, Change, GraftResult, Grafts
from gapscope.grafting.stitch_result import CutResult, StitchResult, TensorMatch
from gapscope.plot.style import fitted, text_width, write_figure

pytestmark = pytest.mark.slow

WIDTHS = (plot.ONE_COLUMN, plot.TWO_COLUMNS)


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    """YOLOv3's 107 layers, made up."""
    return named(made_up_grid(("u-real", 0), ("u-synthetic", 0), 160, "camera"), "U-Real", "U-Synthetic")


@pytest.fixture(scope="module")
def seeds() -> xr.Dataset:
    return named(made_up_grid(("u-real", 0), ("u-real", 1), 160, "camera"), "U-Real", "U-Real again")


@pytest.fixture(scope="module")
def summary(grid: xr.Dataset, seeds: xr.Dataset) -> xr.Dataset:
    return made_up_effect(grid, [seeds], [np.ones(107, bool)]).assign_attrs(measure="cka_debiased", a="real", b="synth")


@pytest.fixture(scope="module")
def networks(resnet_recording):
    """Two recordings of a network whose layers have long names."""
    other = gapscope.compare(resnet_recording, resnet_recording, permutations=20, bootstraps=20)
    return resnet_recording, other


def named(grid: xr.Dataset, a: str, b: str) -> xr.Dataset:
    return grid.assign_attrs(a=a, b=b)


def small_grid(**changes) -> xr.Dataset:
    return gapscope.compare(*two_networks(), permutations=20, bootstraps=20, **changes)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_picture_of_yolov3_can_be_read_at_the_width_of_one_and_of_two_columns(grid, seeds, summary, width):
    for figure in (
        plot.curve({"U-Real vs U-Synthetic": grid}, ceilings=seeds, title="A title", width=width),
        plot.heatmap(grid, title="A title", width=width),
        plot.difference(grid, seeds, width=width),
        plot.effect(summary, width=width),
        plot.blocks(grid, width=width),
    ):
        check_readable(figure, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_picture_of_a_network_with_long_layer_names_can_be_read(networks, width):
    recording, grid = networks
    left_out = gapscope.leave_one_out(recording, recording)
    for figure in (
        plot.curve(grid, width=width),
        plot.heatmap(grid, width=width),
        plot.blocks(grid, width=width, network="b"),
        plot.statistics(recording, width=width),
        plot.influence(left_out, width=width),
        plot.influence(left_out, "layer2.0.conv1", count=4, width=width),
    ):
        check_readable(figure, width)


def test_a_curve_is_the_diagonal_with_its_interval(grid):
    (axes, *_) = plot.curve(grid).axes
    (line,) = [line for line in axes.lines if line.get_label() == "U-Real vs U-Synthetic"]
    one = grid.sel(measure="cka_debiased")
    np.testing.assert_array_equal(line.get_ydata(), np.diagonal(one["value"]))
    band = axes.collections[0].get_paths()[0].vertices
    assert set(np.round(one["interval_high"].to_numpy(), 9)) <= set(np.round(band[:, 1], 9))


def test_networks_with_different_layers_have_a_heatmap_and_no_curve():
    a, b = two_networks()
    grid = gapscope.compare(a.select([0, 2]), b, permutations=0, bootstraps=0)
    (image,) = plot.heatmap(grid).axes[0].images
    np.testing.assert_array_equal(image.get_array(), grid["value"].sel(measure="cka_debiased"))
    with pytest.raises(InputError, match=r"have different layers, so no layer has a counterpart. Draw all cells"):
        plot.curve(grid)


def test_a_distance_is_drawn_on_its_own_scale_and_called_one():
    grid = small_grid(measures=["procrustes"])
    figure = plot.heatmap(grid, "procrustes")
    (image,) = figure.axes[0].images
    assert image.get_clim() == (0, float(grid["value"].max()))
    assert "smaller is more alike" in figure.axes[1].get_ylabel()


def test_the_difference_of_a_grid_and_itself_is_nothing_and_white_is_0(grid, seeds):
    (image,) = plot.difference(grid, grid).axes[0].images
    assert not np.any(image.get_array())
    low, high = plot.difference(grid, seeds).axes[0].images[0].get_clim()
    assert low == -high


def test_an_effect_that_is_undefined_leaves_a_gap(summary):
    (axes, *_) = plot.effect({"a pair": summary}).axes
    (line,) = [line for line in axes.lines if line.get_label() == "a pair"]
    np.testing.assert_array_equal(line.get_ydata(), summary["effect"])
    assert np.isnan(line.get_ydata()).any()


def test_a_defined_layer_between_undefined_ones_is_a_dot():
    grid = small_grid()
    grid["value"].loc[{"layer_a": [0, 2]}] = np.nan
    (axes, *_) = plot.curve(grid).axes
    (line,) = [line for line in axes.lines if len(line.get_ydata()) == 3]
    assert line.get_marker() == "." and line.get_markevery() == [1]


def test_statistics_show_the_recordings_numbers(resnet_recording):
    upper, lower = plot.statistics(resnet_recording).axes
    lines = {line.get_label(): line.get_ydata() for axes in (upper, lower) for line in axes.lines}
    for label, values in (("mean", "mean"), ("median", "median"), ("maximum", "max"), ("minimum", "min")):
        np.testing.assert_array_equal(lines[label], getattr(resnet_recording, values))


def test_images_are_sorted_by_what_they_do_to_the_similarity():
    left_out = gapscope.leave_one_out(*two_networks())
    (image,) = plot.influence(left_out).axes[0].images
    means = image.get_array().mean(0)
    assert list(means) == sorted(means, reverse=True)
    distance = gapscope.leave_one_out(*two_networks(), measure="procrustes")
    (image,) = plot.influence(distance).axes[0].images
    assert list(image.get_array().mean(0)) == sorted(image.get_array().mean(0))


def test_the_strongest_images_of_a_layer_are_named():
    left_out = gapscope.leave_one_out(*two_networks())
    names = [label.get_text() for label in plot.influence(left_out, 1, count=2).axes[0].get_yticklabels()]
    order = left_out["image"].to_numpy()[np.argsort(-left_out["influence"].sel(layer=1).to_numpy())]
    assert names == [*order[:2], *order[-2:]]


def test_found_blocks_are_outlined_where_they_begin(grid):
    found = gapscope.find_blocks(grid, count=4)
    axes = plot.blocks(grid, found=found).axes[0]
    assert [line.get_ydata()[0] + 0.5 for line in axes.lines] == [first for first, _ in found.ranges[1:]]
    with pytest.raises(InputError, match="these blocks are not of network a"):
        plot.blocks(small_grid(), found=found)


def boxes(*rows) -> Detections:
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].long())


def test_detections_are_drawn_with_class_and_confidence_and_weak_ones_left_out():
    image = torch.zeros(3, 64, 96, dtype=torch.uint8)
    found = boxes([10, 20, 40, 50, 0.9, 1], [60, 5, 95, 30, 0.5, 0], [0, 0, 5, 5, 0.1, 0])
    axes = plot.detections(image, found, ["car", "bus"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["car 0.50", "bus 0.90"]
    assert [patch.get_bbox().bounds for patch in axes.patches] == [(59.5, 4.5, 35, 25), (9.5, 19.5, 30, 30)]
    assert axes.images[0].get_array().shape == (64, 96, 3)


@pytest.mark.parametrize("image", [np.zeros((8, 8)), np.zeros((1, 8, 8)), torch.zeros(2, 3, 8, 8)])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(InputError, match="cannot be shown"):
        plot.detections(image, boxes())


def test_a_class_without_a_name_is_refused():
    with pytest.raises(InputError, match="a box is of class 2, but there are 1 names"):
        plot.detections(np.zeros((8, 8, 3)), boxes([0, 0, 5, 5, 0.9, 2]), ["car"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.curve([]), "there is nothing to draw. Give one or more grids"),
        (lambda: plot.curve("grid.nc"), "there is nothing|a str is no grid"),
        (lambda: plot.heatmap(small_grid(cells="diagonal")), "holds its diagonal only"),
        (lambda: plot.curve(small_grid(), "rsa"), "holds cka_debiased, cka_biased, not 'rsa'. Choose one of them"),
        (lambda: plot.curve(small_grid(), "ckka"), "There is no measure 'ckka'"),
        (lambda: plot.effect(small_grid()), "this Dataset has no effect. Give what gapscope.layer_summary returned"),
        (lambda: plot.statistics(small_grid()), "a Dataset holds no statistics"),
        (lambda: plot.influence(small_grid()), "holds no influence"),
        (lambda: plot.influence(gapscope.leave_one_out(*two_networks()), 7), "there is no layer 7"),
        (lambda: plot.difference(small_grid(), small_grid().isel(layer_a=[0, 1])), "are of different layers"),
        (lambda: plot.curve([small_grid(), three_other_layers()]), "these grids are of different layers"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_the_reason(call, message):
    with pytest.raises(InputError, match=message):
        call()


def three_other_layers() -> xr.Dataset:
    one = recorded(*(features(30, 6, seed) for seed in range(3)), layers=np.array([0, 1, 7]))
    return gapscope.compare(one, one, permutations=0, bootstraps=0)


def test_a_figure_shows_itself_in_a_notebook_at_its_size(grid):
    figure = plot.curve(grid, width=3.3)
    assert isinstance(figure, Figure)
    png, size = figure._repr_png_()
    shape = matplotlib.image.imread(io.BytesIO(png)).shape
    assert size["width"] == 330 and abs(shape[1] - 2 * size["width"]) <= 1


def test_a_figure_is_the_same_bytes_twice_in_every_format_and_brings_its_font(grid, tmp_path):
    def written(folder: Path) -> list[bytes]:
        figure = plot.heatmap(grid, width=3.3)
        return [path.read_bytes() for path in write_figure(figure, folder, "one", formats=("pdf", "png", "svg"))]

    pdf, png, svg = written(tmp_path / "a")
    assert [pdf, png, svg] == written(tmp_path / "b")
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"CreationDate" not in pdf
    assert png.startswith(b"\x89PNG")
    assert b"<text" not in svg and b"<dc:date>" not in svg


def test_a_figure_that_a_user_saves_brings_its_font_too(grid, tmp_path):
    plot.curve(grid).savefig(tmp_path / "own.pdf")
    assert b"/FontFile2" in (tmp_path / "own.pdf").read_bytes()


def test_long_text_is_broken_or_cut_to_its_place():
    text = "a rather long title of an arm that somebody gave " * 3
    for line in fitted(text, 7, 2.0).split("\n"):
        assert text_width(line, 7) < 2.2
    assert fitted(text, 7, 2.0).endswith("...") and fitted("short", 7, 2.0) == "short"
    assert fitted("", 7, 2.0) == ""


def grafts(*, control: bool = True) -> GraftResult:
    """Made-up grafts of YOLOv3's nine blocks, with both kinds of statistics."""
    rng = np.random.default_rng(0)

    def change(center: float) -> Change:
        value = center + 0.02 * rng.standard_normal()
        return Change(0.12 + value, value, (value - 0.03, value + 0.03))

    def block(place: int, name: str, layers: str) -> BlockResult:
        others = {"control": change(0), "rewind": change(-0.05), "untrained": change(-0.1)} if control else {}
        word = ("gains", "no change", "cannot be told")[place % 3]
        ranges = [change(0.05) for _ in range(4)]
        return BlockResult(name, layers, *ranges, controls=others, share=None, verdict=word)

    of_blocks = tuple(block(i, one.name, f"{one.first}-{one.last}") for i, one in enumerate(BLOCKS))
    kinds = (Grafts(kind, 0.12, 0.29, 0.17, (0.1, 0.2), 0.11, of_blocks, None) for kind in ("own", "estimated"))
    return GraftResult({"num_layers": 107, "num_images": 80}, tuple(kinds))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("control", [True, False])
def test_grafts_are_bars_over_their_layers_with_the_controls_beside_them(width, control):
    result = grafts(control=control)
    figure = plot.graft(result, title="U-Real into U-Synthetic", width=width)
    check_readable(figure, width)
    upper = figure.axes[0]
    bars = [bar for bar in upper.patches if bar.get_width() > 0]
    assert len(bars) == 9 * (4 if control else 1)
    block = result.grafts[0].blocks[3]
    first, last = BLOCKS[3].first, BLOCKS[3].last
    own = next(bar for bar in bars if bar.get_height() == block.alone.change)
    assert first - 0.5 <= own.get_x() and own.get_x() + own.get_width() <= last + 0.5
    white = [bar for bar in bars if bar.get_facecolor() == (1, 1, 1, 1)]
    assert len(white) == 6  # those of which nothing can be told
    low, high = upper.get_ylim()
    assert low < min(bar.get_height() for bar in bars) and high > result.grafts[0].gap


def test_what_holds_no_grafts_is_refused():
    with pytest.raises(InputError, match="a dict holds no grafts"):
        plot.graft({})


def stitches(controls=True):
    """Made up: two tensors cross at 61."""
    names = ("untrained", "noise") if controls else ()
    tensors = tuple(TensorMatch(at, 0.9, (0.85, 0.93), dict.fromkeys(names, 0.3), 4000, 64) for at in (0, 36, 61))
    cuts = tuple(
        CutResult(at, crossing, 0.9, Change(0.3, -0.1, (-0.15, -0.05)), dict.fromkeys(names, Change(0.1, -0.3, None)))
        for at, crossing in ((0, (0,)), (36, (36,)), (61, (36, 61)))
    )
    return StitchResult({"num_layers": 107}, 0.2, 0.4, tensors, cuts)


@pytest.mark.parametrize("controls", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_stitches_are_matches_above_and_scores_below(width, controls):
    figure = plot.stitch(stitches(controls), title="U-Synthetic's front on U-Real's back", width=width)
    check_readable(figure, width)
    matches, scores = figure.axes[:2]
    for axes, height in ((matches, 0.9), (scores, 0.3)):
        line = next(line for line in axes.lines if line.get_label() == "stitched")
        assert line.get_xydata().tolist() == [[0, height], [36, height], [61, height]]
    whiskers = [line.get_ydata() for line in scores.lines if list(line.get_xdata()) in ([0, 0], [36, 36], [61, 61])]
    assert pytest.approx([0.25, 0.35]) in [list(ends) for ends in whiskers]
    with pytest.raises(InputError, match="a dict holds no stitches"):
        plot.stitch({})


@pytest.mark.parametrize("name", ["cka", "mmd", "accuracy"])
@pytest.mark.parametrize("width", WIDTHS)
def test_separability_is_a_line_with_its_floor(width, name):
    labels = ["a"] * 8 + ["b"] * 8
    found = gapscope.separability(recorded(features(16, 5, 0), features(16, 5, 1)), labels, shuffles=20, bootstraps=20)
    figure = plot.separability({"U-Real": found, "U-Synthetic": found}, name, title="Camera or engine?", width=width)
    check_readable(figure, width)
    axes = figure.axes[0]
    line = next(line for line in axes.lines if line.get_label() == "U-Real")
    np.testing.assert_allclose(line.get_ydata(), found[name])
    assert "floor: shuffled labels" in [text.get_text() for one in figure.legends for text in one.get_texts()]
    with pytest.raises(InputError, match="is no separability"):
        plot.separability(xr.Dataset())
