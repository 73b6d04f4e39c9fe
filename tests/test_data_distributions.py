"""Distributions: counts that add up, looks that are what the pixels are, figures and tables from them."""

import json

import numpy as np
import pytest
from PIL import Image
from small_data import noise, table_of

from gapscope.data.appearance import look_of, looks
from gapscope.data.distributions import EDGES, PLACES, distributions, long_form
from gapscope.errors import InputError
from gapscope.paper.domain_figures import MOST_CLASSES, places_figure, spread_figure

BOXES = [
    [("car", 0, 0, 10, 10), ("van", 90, 50, 100, 60), ("person", 40, 20, 60, 40)],
    [("car", 0, 0, 100, 60)],
    [],
]


def street(tmp_path, ignore=()):
    for i in range(3):
        noise(tmp_path / f"images/{i:03}.png", seed=i)
    return table_of(BOXES, root=tmp_path, ignore=ignore)


def test_counts_add_up(tmp_path):
    found = distributions(street(tmp_path, ignore=[False, False, True, False]), sample=2)
    assert json.loads(json.dumps(found)) == found
    assert (found["images"], found["boxes"], found["ignored"]) == (3, 3, 1)
    assert found["classes"] == {"car": 2, "van": 1, "person": 0}
    assert found["image_sizes"] == {"100 x 60": 3}
    for quantity, edges in EDGES.items():
        total = {"box_side": 3, "box_share": 3, "boxes_per_image": 3}.get(quantity, 2)
        assert (sum(found[quantity]["counts"]), len(found[quantity]["counts"])) == (total, len(edges) - 1), quantity
    assert found["boxes_per_image"]["counts"][:3] == [1, 1, 1]
    assert found["box_share"]["quantiles"]["max"] == pytest.approx(1)
    assert found["box_side"]["quantiles"]["min"] == pytest.approx(10)


def test_places_are_where_the_centres_lie(tmp_path):
    places = np.array(distributions(street(tmp_path), sample=0)["places"])
    assert places.shape == PLACES and places.sum() == pytest.approx(1)
    assert places[0, 0] == places[-1, -1] == 0.25
    assert places[4, 8] == 0.5  # (50, 30) of 100 x 60


def test_nothing_is_not_looked_at_without_a_sample_and_an_empty_table_has_no_quantiles(tmp_path):
    found = distributions(table_of([[], []]), sample=0)
    assert "brightness" not in found and found["box_side"]["quantiles"] == {}
    assert sum(map(sum, found["places"])) == 0


def test_what_is_beyond_all_bins_counts_in_the_last(tmp_path):
    boxes = [[("car", 0, 0, 9999, 9999)], [("car", 0, 0, 0.5, 0.5)] * 99]
    found = distributions(table_of(boxes, size=(9999, 9999)), sample=0)
    assert found["box_side"]["counts"][-1] == 1 and found["box_side"]["counts"][0] == 99
    assert found["boxes_per_image"]["counts"][-1] == 1


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (1, 0, 0)),
        ((255, 0, 0), (0.299, 0, 1)),
        ((100, 150, 200), (0.299 * 100 / 255 + 0.587 * 150 / 255 + 0.114 * 200 / 255, 0, 0.5)),
    ],
)
def test_the_look_of_one_colour_is_known(tmp_path, color, expected):
    Image.new("RGB", (30, 20), color).save(tmp_path / "a.png")
    assert look_of(tmp_path / "a.png") == pytest.approx(expected, abs=1e-5)


def test_contrast_is_the_spread_of_luma(tmp_path):
    Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (20, 20))).save(tmp_path / "a.png")
    assert look_of(tmp_path / "a.png") == pytest.approx((0.5, 0.5, 0), abs=1e-5)


def test_a_large_image_is_looked_at_in_steps(tmp_path):
    pixels = np.zeros((1024, 1024, 3), np.uint8)
    pixels[:, 512:] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert look_of(tmp_path / "a.png")[0] == pytest.approx(0.5, abs=0.01)


def test_the_draw_is_seeded_and_a_broken_image_is_named(tmp_path):
    table = street(tmp_path)
    first = looks(table, sample=2, seed=3)
    assert all((first[name] == looks(table, sample=2, seed=3)[name]).all() for name in first)
    assert len(looks(table, sample=99)["contrast"]) == 3
    (tmp_path / "images/001.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"001\.png is an empty file"):
        looks(table, sample=3)


def test_the_long_form_holds_every_number_once(tmp_path):
    frame = long_form({"real": distributions(street(tmp_path), sample=1)})
    assert not frame.duplicated(["domain", "quantity", "part"]).any()
    assert frame.query("quantity == 'classes' and part == 'car'")["value"].item() == 2
    assert frame.query("quantity == 'places'")["value"].sum() == pytest.approx(1)
    assert frame.query("quantity == 'boxes_per_image' and part == '40 to inf'")["value"].item() == 0


def test_figures_compare_domains_with_other_classes_and_without_boxes(tmp_path):
    many = {f"class {i}": 5 for i in range(MOST_CLASSES + 4)}
    first = distributions(street(tmp_path), sample=2)
    second = distributions(table_of([[], []]), sample=0) | {"classes": many, "boxes": 80}
    figure = spread_figure({"a": first, "b": second})
    bars = [patch for patch in figure.axes[0].patches if patch.get_height() > 0]
    assert len(figure.axes[0].get_xticklabels()) == MOST_CLASSES + 1
    assert figure.axes[0].get_xticklabels()[-1].get_text() == "others"
    assert sum(bar.get_height() for bar in bars) == pytest.approx(2)  # each domain's shares
    assert [axes.get_xlabel().split(",")[0] for axes in figure.axes[3:]] == ["brightness", "contrast", "saturation"]
    maps = places_figure({"a": first, "b": second}).axes
    assert [axes.get_title() for axes in maps[:2]] == ["a", "b"]
