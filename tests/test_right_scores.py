"""Scores and losses in the cases that were wrong once: each against an answer that is worked out another way."""

import json
import math
import sys

import numpy as np
import pytest
import torch
from detections import CLASSES, pycocotools_ap
from small_data import coco_folder, noise, painted, table_of, write_coco

from gapscope.config import Evaluate, Train
from gapscope.data.augment import Augmentation, augmented
from gapscope.data.letterbox import letterbox_geometry
from gapscope.data.readers.detect import read_annotations
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable
from gapscope.data.writers.coco import write_coco as write_coco_file
from gapscope.detector.darknet_loss import DarknetLoss
from gapscope.detector.decode import MAP_STRIDES, Decoded, Detections, decode, found_in
from gapscope.detector.loss import YoloLoss
from gapscope.detector.network import yolov3
from gapscope.evaluation.average_precision import coco_average_precision
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import labelled_boxes
from gapscope.evaluation.evaluate import detection_columns, evaluate, target_columns
from gapscope.study.domain_files import scored_hash
from gapscope.training.going_on import out_of_patience

# --- boxes are cut at the border of their image


def wide(tmp_path, size=(100, 40)):
    noise(tmp_path / "images/000.png", size)
    return Samples(table_of([[("car", 0, 0, 50, 40)]], root=tmp_path, size=size), size=100, cache=False)


def test_a_box_that_reaches_onto_the_bars_is_scored_as_it_is_written_down(tmp_path):
    """An image of 100 x 40 lies at rows 30 to 70 of its square. A box over half of the square is the label's, cut."""
    samples = wide(tmp_path)
    one = Detections(torch.tensor([[0.0, 0, 50, 100]]), torch.tensor([0.9]), torch.tensor([0]))
    seen = detection_columns([one], samples)
    assert seen.xyxy.tolist() == [[0, 30, 50, 70]] and seen.area.tolist() == [50 * 40]
    assert coco_average_precision(target_columns(samples), seen, 1, ("car", "van", "person")).ap50_95["car"] == 1.0


def test_a_box_on_the_bars_alone_is_no_detection(tmp_path):
    boxes = torch.tensor([[0.0, 0, 50, 29], [0.0, 71, 9, 99], [10.0, 20, 20, 31]])
    seen = detection_columns([Detections(boxes, torch.ones(3), torch.zeros(3, dtype=torch.int64))], wide(tmp_path))
    assert seen.xyxy.tolist() == [[10, 30, 20, 31]]


# --- areas that labels state


def with_areas(tmp_path, areas):
    content = coco_folder(tmp_path, num_images=len(areas))
    for annotation, area in zip(content["annotations"], areas, strict=True):
        annotation["area"] = area
    write_coco(tmp_path, content)
    return read_annotations(tmp_path)


def test_cocos_area_is_kept_through_reading_writing_and_files(tmp_path):
    table = with_areas(tmp_path, [300.5, 0, None])
    assert table.stated_area[0] == 300.5 and np.isnan(table.stated_area[1:]).all()
    assert table.object_areas.tolist() == [300.5, 30.5 * 15, 30.5 * 15]
    table.save(tmp_path / "table.npz")
    assert AnnotationTable.load(tmp_path / "table.npz", tmp_path).object_areas.tolist() == table.object_areas.tolist()
    (tmp_path / "new").mkdir()
    write_coco_file(table, [f"{i:03}.png" for i in range(3)], tmp_path / "new")
    written = json.loads((tmp_path / "new/annotations.json").read_text())["annotations"]
    assert [one["area"] for one in written] == [300.5, 30.5 * 15, 30.5 * 15]


def test_a_table_of_an_older_version_states_no_areas(tmp_path):
    table = table_of([[("car", 0, 0, 10, 10)]])
    table.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as new:
        np.savez(tmp_path / "old.npz", **{name: new[name] for name in new.files if name != "stated_area"})
    old = AnnotationTable.load(tmp_path / "old.npz", table.root)
    assert old.object_areas.tolist() == [100.0]


def test_sizes_go_by_the_stated_area_as_pycocotools_has_it(tmp_path):
    """Boxes of 457.5 square pixels, two of which hold objects of another size than their box."""
    table = with_areas(tmp_path, [2000.0, 9300.0, None])
    targets = labelled_boxes(table)
    found = Boxes.of(targets.image, targets.label, targets.xyxy, [0.9, 0.8, 0.7])
    ours = coco_average_precision(targets, found, 3, CLASSES, sizes=True)
    for size, one in ours.by_size.items():
        theirs = pycocotools_ap(targets, found, 3, size).mean(0)
        values = [np.nan if value is None else value for value in one.ap50_95.values()]
        assert values == pytest.approx(theirs, nan_ok=True), size
    held = {size: sum(value is not None for value in one.ap50.values()) for size, one in ours.by_size.items()}
    assert held == {"small": 1, "medium": 1, "large": 1}


def test_areas_decide_what_is_scored_and_nothing_that_is_trained(tmp_path):
    table = with_areas(tmp_path, [300.5, 0, None])
    splits = {"train": np.array([1]), "val": np.array([], int), "test": np.array([0, 2])}
    assert scored_hash(table, splits, "t") != scored_hash(with_areas(tmp_path, [301.5, 0, None]), splits, "t") != {}
    assert scored_hash(table, splits | {"test": np.array([1, 2])}, "t") == {}


# --- one box, several classes


def test_a_box_may_speak_for_several_classes():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [50.0, 50, 60, 60]]])
    maps = Decoded(boxes, torch.tensor([[1.0, 0.5]]), torch.tensor([[[0.9, 0.8], [0.1, 0.6]]]))
    (one,), (several,) = (found_in(maps, (100, 100), 0.2, 0.6, 300, multi_label=labels) for labels in (False, True))
    assert one.classes.tolist() == [0, 1] and one.confidences.tolist() == pytest.approx([0.9, 0.3])
    assert several.classes.tolist() == [0, 1, 1] and several.confidences.tolist() == pytest.approx([0.9, 0.8, 0.3])


def test_the_setting_reaches_the_network(tmp_path, monkeypatch):
    module = sys.modules[evaluate.__module__]
    asked = []

    def detect(network, images, *limits, multi_label):
        asked.append(multi_label)
        return [Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))] * len(images)

    monkeypatch.setattr(module, "detect", detect)
    network = yolov3(["car", "van", "person"], 0.0625)
    for wanted in (False, True):
        evaluate(network, wide(tmp_path), Evaluate(multi_label=wanted), rules=())
    assert asked == [False, True]


# --- patience


def test_patience_does_not_count_while_nothing_is_found():
    settings = Train(patience=3)
    assert not out_of_patience(50, 1, 0.0, settings) and not out_of_patience(50, -1, -1.0, settings)
    assert out_of_patience(8, 5, 0.1, settings) and not out_of_patience(7, 5, 0.1, settings)


# --- mosaics of wide images


@pytest.mark.parametrize("size", [(160, 90), (90, 160), (96, 96)])
def test_a_mosaic_shows_no_more_of_the_bars_than_it_must(tmp_path, size):
    """White images between black bars: of each tile only what is higher or wider than the image may be black."""
    for i in range(4):
        painted(tmp_path / f"images/{i:03}.png", [("car", 0, 0, *size)], size)
    samples = Samples(table_of([[]] * 4, root=tmp_path, size=size), size=96, fill=0)
    augment = Augmentation(flip=0, hsv=(0, 0, 0), scale=0, translate=0, mosaic=1)
    scale, _ = letterbox_geometry(*size, 96)
    for epoch in range(30):
        image = augmented(samples, 0, augment, 0, epoch).image
        light = (image.float().mean(0) > 127).numpy()
        if size[0] == size[1]:
            assert light.all()
            continue
        along = light if size[0] > size[1] else light.T  # columns hold the bars
        shown = min(side * scale for side in size)
        for column in along.T:
            # of two tiles in a row, 96 long together, none under 24 long, each shows as much of the image as it can
            assert column.sum() >= 24 + math.floor(shown) - 2


# --- scale_x_y


@pytest.mark.parametrize("scale", [1.0, 1.05, 1.2, 2.0])
@pytest.mark.parametrize("kind", [YoloLoss, DarknetLoss])
def test_maps_that_decode_to_the_object_cost_nothing_and_are_left_alone(kind, scale):
    """A yolo layer with `scale_x_y`: the loss is least where decoding gives the very box."""
    network = yolov3(1, width=0.0625)
    layers = [type(layer)(**{**vars(layer), "scale_xy": scale}) for layer in network.yolo_layers]
    anchor = network.anchors[0]  # the smallest: on the finest map
    center, stride = torch.tensor([21.2, 12.4]), MAP_STRIDES[2]
    box = torch.cat([center - anchor / 2, center + anchor / 2])[None]
    raw = [torch.full((1, 18, 32 // s * 2, 32 // s * 2), -9.0) for s in MAP_STRIDES]
    column, row = (center / stride).long().tolist()
    wanted = ((center / stride - torch.tensor([column, row])) + (scale - 1) / 2) / scale
    raw[2][0, 0:2, row, column] = torch.logit(wanted)
    raw[2][0, 2:4, row, column] = 0.0
    raw[2][0, 4, row, column] = 9.0
    decoded = decode(raw, network.anchors, layers)
    best = decoded.objectness.argmax()
    assert decoded.boxes[0, best].tolist() == pytest.approx(box[0].tolist(), abs=1e-3)
    maps = [one.clone().requires_grad_() for one in raw]
    options = {"iou_threshold": 0.999} if kind is YoloLoss else {}
    parts = kind(network.anchors, layers=layers, **options)(
        maps, box, torch.tensor([0]), torch.tensor([False]), torch.tensor([0])
    )
    parts.box.backward()
    assert maps[2].grad[0, 0:2, row, column].abs().max() < 1e-3
    if kind is YoloLoss:
        assert float(parts.box.detach()) == pytest.approx(0, abs=1e-4)
