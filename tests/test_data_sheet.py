"""The sheet: every drawn image is there, boxes are where the labels say, ignore regions look different."""

from dataclasses import replace

import numpy as np
import pytest
from small_data import painted, table_of

from gapscope.data.sheet import TILE, choose_images, sheet
from gapscope.drawing import Mark, class_color, draw_marks
from gapscope.errors import InputError


def test_a_box_is_drawn_around_what_it_labels(tmp_path):
    box = ("person", 20, 10, 60, 50)
    painted(tmp_path / "images/000.png", [box])
    pixels = np.asarray(sheet(table_of([[box]], root=tmp_path), np.array([0])))
    scale = min(TILE[0] / 100, TILE[1] / 60)
    color = np.array(class_color(2))
    edge = (np.abs(pixels.astype(int) - color) < 3).all(axis=2)
    rows, columns = np.nonzero(edge)
    assert abs(columns.max() - (4 + 60 * scale)) <= 2 and abs(rows.max() - (4 + 50 * scale)) <= 2
    assert abs(columns.min() - (4 + 20 * scale)) <= 2


def test_an_ignore_region_is_hatched_in_grey(tmp_path):
    painted(tmp_path / "images/000.png", [])
    table = table_of([[("car", 20, 10, 80, 50)]], root=tmp_path, ignore=[True])
    grey = (np.asarray(sheet(table, np.array([0]))) == class_color(-1)).all(axis=2)
    lines = grey[100:140, 100:240].mean()
    assert 0.05 < lines < 0.5
    assert not (np.asarray(sheet(table, np.array([0]))) == class_color(0)).all(axis=2).any()


@pytest.mark.parametrize(("box", "inside"), [((2.4, 3.1, 40.7, 30.2), True), ((5, 5, 5.2, 5.3), False)])
def test_hatching_stays_inside_its_box(box, inside):
    from PIL import Image

    drawn = np.asarray(draw_marks(Image.new("RGB", (60, 50)), [Mark(box, "", -1, hatched=True)])).any(axis=2)
    x1, y1, x2, y2 = box
    rows, columns = np.nonzero(drawn)
    assert columns.min() >= int(x1) and rows.min() >= int(y1)
    assert columns.max() <= max(x2, x1 + 1) + 1 and rows.max() <= max(y2, y1 + 1) + 1
    assert drawn[10:25, 10:35].any() == inside


def test_the_draw_is_seeded_and_keeps_to_what_was_asked():
    boxes = [[("car", 0, 0, 9, 9)] if i % 3 == 0 else [("van", 0, 0, 9, 9)] for i in range(30)]
    table = table_of(boxes, paths=[f"{'train' if i < 20 else 'val'}/images/{i:02}.png" for i in range(30)])
    chosen = choose_images(table, 5, seed=1)
    assert chosen.tolist() == choose_images(table, 5, seed=1).tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() != choose_images(table, 5, seed=2).tolist()
    assert choose_images(table, 99, label="car", folder="val").tolist() == [21, 24, 27]
    with pytest.raises(InputError, match=r"'bus' is no class of nowhere\. It has car, van, person"):
        choose_images(table, 5, label="bus")
    with pytest.raises(InputError, match="no image of nowhere has a box of class 'person' and 'val' in its path"):
        choose_images(table, 5, label="person", folder="val")


def test_every_image_has_its_place(tmp_path):
    for i in range(5):
        painted(tmp_path / f"images/{i:03}.png", [], size=(100, 60 + i))
    table = replace(table_of([[]] * 5, root=tmp_path), heights=np.arange(60, 65, dtype=np.int32))
    whole = sheet(table, np.arange(5))
    assert whole.size == (2 * (TILE[0] + 4) + 4, 3 * (4 * 64 + 18 + 4) + 4)
    narrow = painted(tmp_path / "images/000.png", [], size=(10, 600))
    tall = table_of([[]], root=tmp_path, size=(10, 600), paths=[f"images/{narrow.name}"])
    assert sheet(tall, np.array([0])).size == (TILE[0] + 8, TILE[1] + 18 + 8)
