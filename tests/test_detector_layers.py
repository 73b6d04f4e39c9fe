"""The layer table against Darknet's own file, the published counts, and itself."""

from collections import Counter
from pathlib import Path

import pytest

from gapscope.detector.layers import ANCHORS, BACKBONE_LAST, YOLO_LAYERS, yolov3_layers
from gapscope.errors import InputError


def read_cfg(path: Path) -> list[dict[str, str]]:
    """The layers of a Darknet .cfg, with `type` and what else each section says."""
    sections: list[dict[str, str]] = []
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            sections.append({"type": line.strip("[]")})
        elif line:
            name, value = line.split("=")
            sections[-1][name.strip()] = value.strip()
    return sections[1:]  # the first is [net]


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def test_every_layer_is_that_of_darknets_file(shared_data):
    sections = read_cfg(shared_data / "weights_darknet" / "cfg_only" / "yolov3.cfg")
    table = yolov3_layers(80)
    names = {"convolutional": "conv"}
    assert [names.get(s["type"], s["type"]) for s in sections] == [layer.kind for layer in table]
    for layer, section in zip(table, sections, strict=True):
        match layer.kind:
            case "conv":
                assert layer.inputs == (layer.index - 1,)
                assert (layer.filters, layer.size, layer.step) == tuple(
                    int(section[key]) for key in ("filters", "size", "stride")
                )
                assert layer.normalized == (section.get("batch_normalize") == "1")
                assert layer.normalized == (section["activation"] == "leaky")
            case "shortcut":
                assert layer.inputs == (layer.index - 1, layer.index + int(section["from"]))
            case "route":
                sources = numbers(section["layers"])
                assert layer.inputs == tuple(layer.index + i if i < 0 else i for i in sources)
            case "upsample":
                assert section["stride"] == "2"
            case "yolo":
                assert list(layer.anchors) == numbers(section["mask"])
                assert [side for anchor in ANCHORS for side in anchor] == numbers(section["anchors"].replace(" ", ""))


def test_the_published_counts():
    table = yolov3_layers(5)
    assert Counter(layer.kind for layer in table) == {"conv": 75, "shortcut": 23, "route": 4, "upsample": 2, "yolo": 3}
    kernels = Counter(layer.size for layer in table if layer.kind == "conv")
    assert kernels == {3: 38, 1: 37}
    assert [layer.index for layer in table if layer.step == 2] == [1, 5, 12, 37, 62]
    assert [layer.index for layer in table if layer.kind == "yolo"] == list(YOLO_LAYERS)
    backbone = Counter(layer.kind for layer in table[: BACKBONE_LAST + 1])
    assert backbone == {"conv": 52, "shortcut": 23}
    assert [layer.index for layer in table if layer.kind == "conv" and not layer.normalized] == [81, 93, 105]


def test_the_routes_go_where_the_feature_pyramid_says():
    table = yolov3_layers(5)
    assert [(layer.index, layer.inputs) for layer in table if layer.kind == "route"] == [
        (83, (79,)),
        (86, (85, 61)),
        (95, (91,)),
        (98, (97, 36)),
    ]


@pytest.mark.parametrize(
    ("index", "filters", "stride", "small", "large"),
    [
        (0, 32, 1, 32768, 5537792),
        (4, 64, 2, 16384, 2768896),
        (36, 256, 8, 4096, 692224),
        (61, 512, 16, 2048, 346112),
        (74, 1024, 32, 1024, 173056),
        (81, 30, 32, 30, 5070),
        (82, 30, 32, 30, 5070),
        (83, 512, 32, 512, 86528),
        (85, 256, 16, 1024, 173056),
        (86, 768, 16, 3072, 519168),
        (94, 30, 16, 120, 20280),
        (98, 384, 8, 6144, 1038336),
        (106, 30, 8, 480, 81120),
    ],
)
def test_widths_and_features_at_32_and_416_pixels(index, filters, stride, small, large):
    layer = yolov3_layers(5)[index]
    assert (layer.filters, layer.stride) == (filters, stride)
    assert (layer.num_features(32), layer.num_features(416)) == (small, large)


@pytest.mark.parametrize("width", [0.01, 0.0625, 0.25, 0.3, 0.5, 2.0])
def test_a_thin_network_has_the_same_plan(width):
    table, full = yolov3_layers(5, width), yolov3_layers(5)
    for layer, whole in zip(table, full, strict=True):
        assert (layer.kind, layer.inputs, layer.stride) == (whole.kind, whole.inputs, whole.stride)
        if layer.kind == "shortcut":
            assert len({table[i].filters for i in layer.inputs}) == 1
        if whole.filters != 30:
            assert layer.filters % 8 == 0
        else:
            assert layer.filters == 30


@pytest.mark.parametrize(
    ("classes", "width", "message"),
    [
        (0, 1.0, "asked for 0 classes - it needs at least 1"),
        (5, 0.0, "width = 0.0 - expected a factor above 0"),
        (5, -1.0, "width = -1.0"),
    ],
)
def test_a_network_that_cannot_be_is_refused(classes, width, message):
    with pytest.raises(InputError, match=message):
        yolov3_layers(classes, width)
