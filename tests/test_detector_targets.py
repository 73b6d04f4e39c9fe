"""Which anchors answer for which objects: by hand, in loops, and where there is nothing to answer for."""

import pytest
import torch

from gapscope.detector.decode import MAP_ANCHORS, MAP_STRIDES
from gapscope.detector.layers import ANCHORS
from gapscope.detector.targets import assign, ignored_cells, shape_iou

ANCHOR_SIZES = torch.tensor(ANCHORS, dtype=torch.float32)


def assigned(boxes: list[list[float]], images: list[int], size: int = 416, **options) -> set[tuple[int, ...]]:
    """(map, image, anchor, row, column, target) of every positive."""
    found = assign(torch.tensor(boxes).view(-1, 4), torch.tensor(images).long(), ANCHOR_SIZES, (size, size), **options)
    return {
        (number, *(int(v) for v in row))
        for number, p in enumerate(found)
        for row in zip(p.image, p.anchor, p.row, p.column, p.target, strict=True)
    }


def test_one_target_by_hand():
    # 62 x 45 pixels about (100, 200): exactly anchor 4. Anchors 2 (33x23), 3 (30x61), 5 (59x119) and 6 (116x90) come
    # within 0.225 of it: 759/2790 = 0.27, 1350/3270 = 0.41, 2655/7156 = 0.37, 2790/10440 = 0.27; 1 (16x30) does not.
    box = [100 - 31.0, 200 - 22.5, 100 + 31.0, 200 + 22.5]
    assert assigned([box], [3]) == {
        (0, 3, 0, 200 // 32, 100 // 32, 0),  # anchor 6
        (1, 3, 0, 200 // 16, 100 // 16, 0),  # anchor 3
        (1, 3, 1, 200 // 16, 100 // 16, 0),  # anchor 4
        (1, 3, 2, 200 // 16, 100 // 16, 0),  # anchor 5
        (2, 3, 2, 200 // 8, 100 // 8, 0),  # anchor 2
    }


def test_the_rule_written_out_in_loops():
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(40, 2, generator=generator) * 300
    boxes = torch.cat([corner, corner + 2 + torch.rand(40, 2, generator=generator) * 110], dim=1)
    expected = set()
    for target, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        w, h = x2 - x1, y2 - y1
        for number, (stride, mask) in enumerate(zip(MAP_STRIDES, MAP_ANCHORS, strict=True)):
            for place, anchor in enumerate(mask):
                aw, ah = ANCHORS[anchor]
                shared = min(w, aw) * min(h, ah)
                if shared / (w * h + aw * ah - shared) > 0.225:
                    row, column = int((y1 + y2) / 2 // stride), int((x1 + x2) / 2 // stride)
                    expected.add((number, target % 5, place, row, column, target))
    images = [i % 5 for i in range(40)]
    assert assigned(boxes.tolist(), images, always_best=False) == expected
    assert len({row[-1] for row in assigned(boxes.tolist(), images)}) == 40


def test_a_target_that_fits_no_anchor_is_lost_unless_its_best_anchor_takes_it():
    speck = [200.0, 200.0, 203.0, 203.0]
    assert assigned([speck], [0], always_best=False) == set()
    assert assigned([speck], [0]) == {(2, 0, 0, 25, 25, 0)}


def test_shapes_alone_decide_the_fit():
    assert shape_iou(torch.tensor([[10.0, 13.0]]), ANCHOR_SIZES)[0, 0].item() == 1
    assert shape_iou(torch.tensor([[20.0, 13.0]]), ANCHOR_SIZES)[0, 0].item() == pytest.approx(0.5)


def test_boxes_without_area_or_outside_the_image_are_no_targets():
    flat, outside, at_the_edge = [50.0, 50.0, 50.0, 80.0], [410.0, 10.0, 450.0, 40.0], [380.0, 380.0, 416.0, 416.0]
    assert {row[-1] for row in assigned([flat, outside, at_the_edge], [0, 0, 0])} == {2}


def test_no_boxes_no_positives():
    assert assigned([], []) == set()


def test_cells_are_ignored_by_their_centers():
    regions = torch.tensor([[0.0, 0.0, 12.0, 40.0], [40.0, 40.0, 43.0, 43.0]])
    ignored = ignored_cells(regions, torch.tensor([1, 0]), 3, (8, 8), stride=8)
    assert ignored[1].nonzero().tolist() == [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
        [2, 0],
        [2, 1],
        [3, 0],
        [3, 1],
        [4, 0],
        [4, 1],
    ]
    assert not ignored[0].any()  # the region lies between the centers, at 44
    assert not ignored[2].any()


def test_no_regions_no_ignored_cells():
    assert not ignored_cells(torch.zeros(0, 4), torch.zeros(0).long(), 2, (3, 3), stride=32).any()
