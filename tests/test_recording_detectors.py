"""torchvision's detectors, which no graph can follow and whose outputs are lists and dictionaries."""

import numpy as np
import pytest
import torch
from full_features import (
    assert_holds,
    full_features,
    probe,
)
from torchvision.models import detection

from gapscope.recording.record import record

pytestmark = pytest.mark.slow

DETECTORS = {
    "ssdlite320_mobilenet_v3_large": [
        "backbone.features.0.0.1",
        "head.classification_head.module_list.5.1",
        "head.regression_head",
    ],
    "fasterrcnn_mobilenet_v3_large_320_fpn": [
        "backbone.body.0.2",
        "backbone.fpn.extra_blocks.0.2",
        "rpn.head.cls_logits#2",
    ],
}


def detector(name):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = getattr(detection, name)(weights=None, weights_backbone=None)
    model.transform.min_size, model.transform.max_size, model.transform.fixed_size = (64,), 64, None
    return model


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_are_recorded_without_being_told_how_they_are_called(name):
    model = detector(name)
    images = probe(n=5, size=64)
    recording = record(model, images, size=64, batch_size=2)
    full = full_features(model, images, batch_size=2, to_arguments=list)
    assert set(DETECTORS[name]) <= set(recording.layers.tolist())
    for layer in recording.layers.tolist():
        assert_holds(recording, layer, full[layer])
    assert recording.provenance["inputs"] == "list"
    assert recording.provenance["recorded_by"].endswith("(1 pass)")
    boxes = {skipped for skipped in recording.skipped if skipped.startswith("output.")}
    assert boxes and all("[" in skipped for skipped in boxes)
    assert not any("head" in skipped and "roi" not in skipped for skipped in recording.skipped)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert model.training


def test_a_detector_in_many_passes_gives_the_same_numbers():
    model = detector("ssdlite320_mobilenet_v3_large")
    images = probe(n=5, size=64)
    whole, parts = (record(model, images, size=64, batch_size=2, memory=memory) for memory in ("1GiB", "12MiB"))
    passes = int(parts.provenance["recorded_by"].split("(")[1].split()[0])
    assert passes > 2
    np.testing.assert_array_equal(whole.gram, parts.gram)
    assert whole.skipped == parts.skipped


def test_boxes_are_left_out_with_the_reason():
    recording = record(detector("fasterrcnn_mobilenet_v3_large_320_fpn"), probe(n=4, size=64), size=64)
    reason = recording.skipped["roi_heads.box_head.fc6"]
    assert "for 2 images and" in reason and "its rows are not the images" in reason
    assert "int64 values" in recording.skipped["output.0[labels]"]
