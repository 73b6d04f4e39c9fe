"""Darknet's .cfg files: what they say becomes the table, and what cannot be is refused with file and line."""

from pathlib import Path

import pytest

from gapscope.detector.cfg_plan import parse_cfg, plan_from, read_cfg
from gapscope.detector.cfg_text import cfg_text
from gapscope.detector.plans import BUILT_IN, Plan, built_in_plan
from gapscope.errors import InputError

SMALL = """[net]
width=64
height=96
channels=3

[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=14
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=1,2
anchors=10,14, 23,27, 37,58
classes=2
num=3
scale_x_y=1.05
"""


def parsed(text: str) -> Plan:
    return parse_cfg(text, "small.cfg", "small.cfg")


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) >= 1
    return SMALL.replace(old, new, 1)


def test_a_small_network_is_read_entry_by_entry():
    plan = parsed(SMALL)
    conv, pool, head, yolo = plan.layers
    assert (plan.size, plan.classes, plan.anchors) == ((64, 96), 2, ((10, 14), (23, 27), (37, 58)))
    assert (conv.filters, conv.size, conv.step, conv.pad, conv.stride) == (16, 3, 2, 1, 2)
    assert (conv.normalized, conv.activation, conv.inputs, conv.in_filters) == (True, "leaky", (-1,), 3)
    assert (pool.size, pool.step, pool.pad, pool.stride, pool.filters) == (2, 2, 1, 4, 16)
    assert (head.normalized, head.activation, head.pad) == (False, "linear", 0)
    assert (yolo.anchors, yolo.classes, yolo.scale_xy, yolo.stride) == ((1, 2), 2, 1.05, 4)


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\n", "\r\n"),
        "\ufeff" + SMALL,
        SMALL.replace("=", " =  ").replace("[yolo]", "  [ yolo ]  ; the end"),
        SMALL.replace("stride=2\npad=1", "stride=2 # halves\n# a note\n; another\npad=1"),
        SMALL.replace("37,58", "37,58,"),
        SMALL.replace("[net]", "[network]").replace("[maxpool]", "[max]"),
    ],
    ids=["windows", "byte order mark", "blanks", "comments", "comma at the end", "short names"],
)
def test_how_it_is_written_down_does_not_matter(tmp_path, text):
    path = tmp_path / "small.cfg"
    path.write_bytes(text.encode())
    assert read_cfg(path).layers == parsed(SMALL).layers


def test_layers_are_named_from_the_start_or_backwards():
    text = SMALL[: SMALL.index("[maxpool]")] + (
        "[convolutional]\nfilters=16\nactivation=mish\n"
        "[shortcut]\nfrom=-2\nactivation=relu\n"
        "[route]\nlayers=-1, 0\n"
        "[route]\nlayers=-4\n"
    )
    table = parsed(text).layers
    assert [layer.inputs for layer in table] == [(-1,), (0,), (1, 0), (2, 0), (0,)]
    assert [layer.filters for layer in table] == [16, 16, 16, 32, 16]
    assert [layer.activation for layer in table[:3]] == ["leaky", "mish", "relu"]


def test_a_shortcut_of_unequal_layers_has_the_shape_of_the_one_on_top():
    """As in Darknet's resnet18.cfg, where each stage begins with one."""
    text = SMALL[: SMALL.index("[convolutional]\nfilters=14")] + "[shortcut]\nfrom=-2\n"
    text += "[convolutional]\nfilters=24\nactivation=linear\n[shortcut]\nfrom=-2, 0\nactivation=leaky\n"
    plan = parsed(text)
    assert [(layer.filters, layer.stride, layer.inputs) for layer in plan.layers[2:]] == [
        (16, 4, (1, 0)),
        (24, 4, (2,)),
        (24, 4, (3, 2, 0)),
    ]
    again = parsed(cfg_text(plan, plan.anchors))
    assert again.layers == plan.layers


def test_of_a_key_that_net_has_twice_the_first_counts_as_in_darknet_with_a_note():
    plan = parsed(changed("width=64", "batch=1\nwidth=64\nbatch=64\nwidth=608"))
    assert plan.size == (64, 96)
    assert plan.notes == (
        "small.cfg, line 4, [net] batch=64 - 'batch' was already given in line 2, and as in Darknet the first counts: "
        "batch=1.",
        "small.cfg, line 5, [net] width=608 - 'width' was already given in line 3, and as in Darknet the first counts: "
        "width=64.",
    )
    assert parsed(SMALL).notes == ()


def test_a_route_takes_its_group_of_each_input():
    text = SMALL[: SMALL.index("[maxpool]")] + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
    route = parsed(text).layers[1]
    assert (route.filters, route.groups, route.part) == (8, 2, 1)


def test_yolo_layers_with_lists_of_their_own_name_their_own_anchors():
    head = SMALL[SMALL.index("[convolutional]\nfilters=14") :]
    plan = parsed(SMALL + "[route]\nlayers=1\n" + head.replace("10,14, 23,27, 37,58", "5,6, 7,8, 9,9"))
    first, second = (layer for layer in plan.layers if layer.kind == "yolo")
    assert [plan.anchors[i] for i in first.anchors] == [(23, 27), (37, 58)]
    assert [plan.anchors[i] for i in second.anchors] == [(7, 8), (9, 9)]
    same = parsed(SMALL + "[route]\nlayers=1\n" + head)
    assert len(same.anchors) == 3


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("width", [1.0, 0.25])
def test_a_built_in_network_written_down_is_read_back(name, width):
    plan = built_in_plan(name, 5, width)
    again = parsed(cfg_text(plan, plan.anchors))
    assert again.layers == plan.layers
    assert again.anchors == plan.anchors


def test_every_published_file_is_read_and_written_down_again(shared_data):
    files = sorted((shared_data / "weights_darknet").rglob("*.cfg"))
    assert len(files) >= 6
    for file in files:
        plan = read_cfg(file)
        assert parsed(cfg_text(plan, plan.anchors)).layers == plan.layers, file


@pytest.mark.parametrize(
    ("name", "file"),
    [("yolov3", "cfg_only/yolov3.cfg"), ("yolov3-tiny", "yolov3-tiny.mask123.cfg")],
)
def test_the_built_in_networks_are_those_of_darknets_files(shared_data, name, file):
    theirs, ours = read_cfg(shared_data / "weights_darknet" / file), built_in_plan(name, 80)
    assert ours.layers == theirs.layers
    assert ours.anchors == theirs.anchors


def test_the_backbone_is_that_of_darknets_classifier(shared_data):
    theirs = read_cfg(shared_data / "weights_darknet" / "cfg_only" / "darknet53.cfg")
    assert built_in_plan("darknet53").layers == theirs.layers[:75]
    assert [layer.kind for layer in theirs.layers[75:]] == ["avgpool", "conv", "softmax"]
    assert theirs.layers[77].num_features(256) == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "small.cfg is empty - expected a Darknet .cfg that starts with"),
        ("# nothing but this\n", "small.cfg is empty"),
        ("width=3\n", r"line 1: 'width=3' stands before any section"),
        (SMALL[SMALL.index("[maxpool]") :], r"line 1, \[maxpool\] comes first - expected \[net\]"),
        ("[net]\nwidth=64\n", r"line 1, \[net\] is the only section"),
        (changed("channels=3", "channels=1"), r"line 4, \[net\] channels=1 - gapscope reads RGB"),
        (changed("[maxpool]", "[reorg]"), r"line 14, \[reorg\] is layer 1: layers of this type are not supported"),
        (changed("[maxpool]", "[maxpol]"), r"line 14, \[maxpol\] is layer 1: .* expected one of avg, avgpool"),
        (changed("filters=16", "filter=16"), r"line 8, .* unknown key 'filter'. Did you mean 'filters'\?"),
        (changed("filters=16\n", ""), r"line 6, \[convolutional\] has no entry 'filters'"),
        (changed("filters=16", "filters=16.5"), r"line 8, \[convolutional\] filters=16.5 - expected a whole number"),
        (changed("filters=16", "filters=0"), r"line 8, \[convolutional\] filters=0 - expected 1 to 1,000,000"),
        (changed("filters=16", "filters=99999999999"), r"filters=99999999999 - expected 1 to 1,000,000"),
        (changed("filters=16", "filters="), r"line 8: 'filters=' - expected \[type\] or key=value"),
        (changed("filters=16", "filters"), r"line 8: 'filters' - expected \[type\] or key=value"),
        (changed("filters=16", "filters=16\nfilters=8"), r"line 9: 'filters' was already given in line 8"),
        (changed("activation=leaky", "activation=laeky"), r"line 12, .* activation=laeky - expected one of linear"),
        (changed("activation=leaky\n", ""), r"line 6, \[convolutional\] has no entry 'activation'"),
        (changed("pad=1", "pad=0"), r"line 6, \[convolutional\], layer 0: a convolution of size 3 and stride 2 with"),
        (changed("pad=1", "pad=1\ndilation=2"), r"dilation=2 - gapscope does not have this feature \(it is off at 1\)"),
        (changed("pad=1", "pad=1\ngroups=2"), r"line 6, .*layer 0: groups=2 does not divide both the 3 channels"),
        (changed("[maxpool]\nsize=2", "[maxpool]\nsiez=2"), r"line 15, .* unknown key 'siez'. Did you mean 'size'\?"),
        (
            changed("[maxpool]\nsize=2\nstride=2", "[shortcut]\nfrom=-4"),
            r"line 15, .* from=-4 - -4 means layer -3, but layer 1",
        ),
        (changed("filters=14", "filters=15"), r"layer 3: it reads 15 channels, but 2 anchors of 2 classes make 14"),
        (changed("mask=1,2", "mask=1,3"), r"line 26, \[yolo\] mask=1,3 - there is no anchor 3, they are 0 to 2"),
        (changed("mask=1,2", "mask=1;2"), r"reads 14 channels, but 1 anchors"),
        (changed("mask=1,2", "mask=a"), r"line 26, \[yolo\] mask=a - expected whole numbers"),
        (changed("37,58", "37"), r"line 27, \[yolo\] anchors=.* - expected pairs of numbers above 0"),
        (changed("37,58", "37,-58"), r"line 27, .* expected pairs of numbers above 0"),
        (changed("num=3", "num=9"), r"line 29, \[yolo\] num=9 - but there are 3 pairs in 'anchors'"),
        (changed("classes=2", "classess=2"), r"line 28, .* unknown key 'classess'. Did you mean 'classes'\?"),
        (changed("scale_x_y=1.05", "scale_x_y=0"), r"line 30, \[yolo\] scale_x_y=0 - expected a factor above 0"),
        (changed("scale_x_y=1.05", "new_coords=1"), r"line 30, \[yolo\] new_coords=1 - gapscope does not have this"),
        (
            changed("stride=2\n\n[conv", "padding=0\n\n[conv"),
            r"layer 1: a maxpool of size 2 and stride 1 with padding 0",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text, message):
    with pytest.raises(InputError, match=message):
        parsed(text)


def test_layers_of_different_shapes_are_not_added_or_joined():
    start = SMALL[: SMALL.index("[convolutional]\nfilters=14")]
    thirds = "[maxpool]\nsize=3\nstride=3\n[route]\nlayers=1\n[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=2\n"
    with pytest.raises(InputError, match=r"layer 5: layer 2 has stride 12, layer 4 has 8 - a shortcut adds layers of "):
        parsed(start + thirds)
    with pytest.raises(InputError, match=r"layer 3: layer 1 has stride 4, layer 2 has 0 - a shortcut adds layers of "):
        parsed(start + "[avgpool]\n[shortcut]\nfrom=1\n")
    with pytest.raises(InputError, match=r"layer 2: layers 1, 0 have strides 2 and 4 - a route joins layers of one"):
        parsed(start + "[route]\nlayers=1,0\n")
    with pytest.raises(InputError, match=r"layer 2: stride=3 cannot enlarge a layer of stride 4"):
        parsed(start + "[upsample]\nstride=3\n")
    with pytest.raises(InputError, match=r"layer 2: part 2 of 2 cannot be taken of 16 channels"):
        parsed(start + "[route]\nlayers=1\ngroups=2\ngroup_id=2\n")


def test_yolo_layers_of_one_network_have_the_same_classes():
    head = "[route]\nlayers=1\n[convolutional]\nfilters=16\nactivation=linear\n"
    head += "[yolo]\nmask=0,1\nanchors=1,1,2,2\nclasses=3\n"
    with pytest.raises(InputError, match=r"line 39, \[yolo\] classes=3 - but line 28 says 2"):
        parsed(SMALL + head)


@pytest.mark.parametrize("content", [b"\xff\xfe[\0n\0e\0t\0]", b"\x00\x01\x02\x03", b"[net]\nwidth=\xff"])
def test_a_file_that_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "odd.cfg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd.cfg is no text in UTF-8"):
        read_cfg(path)


def test_weights_in_the_place_of_a_cfg_are_refused(tmp_path):
    path = tmp_path / "large.cfg"
    with path.open("wb") as stream:
        stream.truncate(5 << 20)
    with pytest.raises(InputError, match=r"large.cfg has 5,242,880 bytes - expected a .cfg, a short text"):
        read_cfg(path)
    with pytest.raises(InputError, match=r"none.cfg: there is no such .cfg file"):
        read_cfg(Path("none.cfg"))


def test_a_built_in_network_goes_by_its_name_and_only_it_can_be_thin(tmp_path):
    assert plan_from("yolov3-tiny", 2, 0.5).layers == built_in_plan("yolov3-tiny", 2, 0.5).layers
    with pytest.raises(InputError, match=r"'yolov4' is no built-in network - expected one of yolov3, yolov3-tiny"):
        plan_from("yolov4")
    with pytest.raises(InputError, match=r"width = 0.5 - only built-in networks can be made thinner"):
        plan_from(tmp_path / "x.cfg", width=0.5)
