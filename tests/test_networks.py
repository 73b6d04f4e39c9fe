"""A study asks its network for layers and blocks: YOLOv3's are the paper's, and every other network has its own."""

import json
from types import SimpleNamespace

import pytest
import torch
from miniature import MINIATURE
from safetensors.torch import save_file
from torch import nn

from gapscope.detector.cfg_text import cfg_text
from gapscope.detector.guests import FORMAT, build_guest, load_network, save_network, start_guest
from gapscope.detector.loss import YoloLoss
from gapscope.detector.network import darknet
from gapscope.detector.network_map import BLOCKS, ROUTES, darknet_map, parse_map, yolov3_map
from gapscope.detector.plans import built_in_plan
from gapscope.detector.protocol import Guest
from gapscope.detector.targets import assign
from gapscope.detector.weights import METADATA_KEY
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.networks import layer_map, layers_of, plan_of_model
from gapscope.page.training_charts import QUANTITIES, quantities
from gapscope.study.proposed_given import given_detectors


def study(network: str, *changes: tuple[str, str]):
    text = MINIATURE.replace("[model]\nwidth", f'[model]\nname = "{network}"\nwidth')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse_config(text)


def tiny(*changes: tuple[str, str]):
    return study("yolov3-tiny", ('freeze = "0-74"', 'freeze = "backbone"'), *changes)


def test_the_blocks_of_yolov3_follow_from_its_layers():
    found = yolov3_map(5)
    assert (found.blocks, found.joins, found.detections) == (BLOCKS, ROUTES, (82, 94, 106))
    assert found.is_yolov3 and found.words_of("backbone") == "0-74" and found.words_of("head") == "75-106"


def test_the_backbone_of_yolov3_tiny_ends_before_its_first_branch():
    found = darknet_map(built_in_plan("yolov3-tiny"))
    assert found.words_of("backbone") == "0-12" and found.words_of("head 16") == "17-23"
    assert found.detections == (16, 23) and found.joins == (20,)
    assert not found.is_yolov3


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny", "yolov3-spp"])
def test_a_map_comes_back_from_its_file_as_it_was(name):
    found = darknet_map(built_in_plan(name, 3))
    assert parse_map(json.loads(json.dumps(found.as_json()))) == found


def test_layers_have_names_and_numbers():
    found = yolov3_map()
    assert layers_of("stage 5, 81", found) == (*range(62, 75), 81)
    assert layers_of("Head", found) == tuple(range(75, 107))
    with pytest.raises(
        InputError, match=r"'neck' is no list of layers - expected ranges or numbers, .* backbone, head"
    ):
        layers_of("neck", found)
    with pytest.raises(InputError, match=r"layers 0-24 are out of range - this network has layers 0-23"):
        layers_of("0-24", darknet_map(built_in_plan("yolov3-tiny")))


def test_a_cfg_file_gets_the_classes_of_the_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = built_in_plan("yolov3-tiny", 80)
    (tmp_path / "mine.cfg").write_text(cfg_text(whole, whole.anchors))
    chosen = study("mine.cfg", ("width = 0.0625\n", ""), ('freeze = "0-74"', 'freeze = "backbone"'))
    plan = plan_of_model(chosen.model, 5)
    assert plan.layers == built_in_plan("yolov3-tiny", 5).layers and plan.classes == 5
    assert layer_map(chosen, "u-real").words_of("backbone") == "0-12"  # the last of the widest before detections
    spp = built_in_plan("yolov3-spp", 2)
    assert darknet_map(built_in_plan("yolov3-spp")).backbone_last == 74
    (tmp_path / "spp.cfg").write_text(cfg_text(spp, spp.anchors))
    assert layer_map(study("spp.cfg", ("width = 0.0625\n", "")), "u-real").backbone_last == 74  # the last shortcut


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("[model]", '[model]\nname = "yolov3-tine"'),
            r"\[model\] name = 'yolov3-tine': there is no such network. Did",
        ),
        (("[model]", '[model]\nname = "lost.cfg"'), r"\[model\] name = 'lost.cfg': there is no such file here"),
        (("[model]", '[model]\nname = "darknet53"'), r"name = 'darknet53': there is no such network"),
        (("[model]", '[model]\nname = "yolov3-tiny"'), r"\[arms.f-synthetic\] freeze: layers 0-74 are out of range"),
    ],
)
def test_a_network_that_is_not_there_is_one_sentence(change, message):
    with pytest.raises(InputError, match=message):
        parse_config(MINIATURE.replace(*change, 1))


def test_what_only_yolov3_has_is_refused_for_others():
    with pytest.raises(InputError, match="start = 'streets' is a backbone of YOLOv3, and this is yolov3-tiny"):
        tiny(('title = "U-Real"\ndomains = ["camera"]\nstart = "base"', 'domains = ["camera"]\nstart = "streets"'))
    with pytest.raises(InputError, match=r"freeze: '0-23' leaves no layer that learns. Freeze fewer, as in '0-12'"):
        study("yolov3-tiny", ('freeze = "0-74"', 'freeze = "0-23"'))


def test_an_anchor_that_no_map_has_answers_for_nothing():
    """yolov3-tiny's smallest: a box of its very shape goes to the next one that a map has."""
    network = darknet("yolov3-tiny", 1, 0.0625)
    box = torch.tensor([[20.0, 20, 30, 34]])  # 10 x 14
    places = assign(box, torch.tensor([0]), network.anchors, (64, 64), iou_threshold=1.0, layers=network.yolo_layers)
    assert [len(one.target) for one in places] == [0, 1]
    assert places[1].anchor.tolist() == [0]  # anchor 1 of the network


def test_the_loss_of_two_maps_is_that_of_each_by_hand():
    """With nothing labelled every place is taught that there is nothing: cross-entropy by map, added up."""
    network = darknet("yolov3-tiny", 2, 0.0625, torch.Generator().manual_seed(1)).eval()
    with torch.no_grad():
        raw = network(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2)))
    nothing = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool)
    loss = YoloLoss(network.anchors, layers=network.yolo_layers)(raw, *nothing, torch.zeros(0, dtype=torch.int64))
    by_hand = [torch.nn.functional.softplus(one.view(2, 3, 7, *one.shape[2:])[:, :, 4]).mean() for one in raw]
    assert loss.total.item() == pytest.approx(64.3 * float(sum(by_hand)), rel=1e-5)
    assert loss.box == loss.classification == 0


# --- what a guest must offer


class Offered(nn.Module):
    """As little as the protocol wants."""

    def __init__(self, blocks=None, losses=None, found=None):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.given = blocks or {"backbone": {"body": ["body"]}, "head": {"head": ["head"]}}
        self.said, self.found = losses, found

    def forward(self, images):
        return self.head(self.body(images))

    def blocks(self):
        return self.given

    def losses(self, images, targets):
        return self.said

    def detect(self, images):
        return self.found


def test_a_weight_that_never_learns_needs_no_layer_and_comes_along_with_the_whole_network(tmp_path):
    def with_a_scale(value):
        model = Offered()
        model.scale = nn.Parameter(torch.tensor(value), requires_grad=False)
        return Guest(model, "mine:build", ["a"], settings={"width": 1.0, "anchor_scale": 1.0, "size": 32})

    save_network(with_a_scale(3.0), tmp_path / "w.safetensors", {})
    for keep_head, expected in ((True, 3.0), (False, 2.0)):
        network = with_a_scale(2.0)
        start_guest(network, tmp_path / "w.safetensors", keep_head=keep_head)
        assert network.model.scale == expected


def nothing_found(count=0):
    return torch.zeros(count, 4), torch.zeros(count), torch.zeros(count, dtype=torch.int64)


IMAGE = torch.zeros(1, 3, 32, 32)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Guest(3, "mine:build", ["a"]), "mine:build built a int - expected a torch.nn.Module"),
        (
            lambda: Guest(nn.Linear(1, 1), "mine:build", ["a"]),
            r"built a Linear without losses\(\), detect\(\), blocks\(\) - expected the detector protocol",
        ),
        (
            lambda: Guest(Offered({"body": {}}), "m", ["a"]),
            r"blocks\(\) gave body - expected a dictionary of 'backbone'",
        ),
        (
            lambda: Guest(Offered({"backbone": {"a": ["bode"]}}), "m", ["a"]),
            r"blocks\(\) names 'bode', and there is no such submodule",
        ),
        (
            lambda: Guest(Offered({"backbone": {"a": ["body"]}}), "m", ["a"]),
            "the weight 'head.weight' is in no module that blocks",
        ),
        (
            lambda: Guest(Offered({"backbone": {"a": ["body", "head"]}, "head": {"b": ["head"]}}), "m", ["a"]),
            "the weight 'head.weight' is in head and in head - expected it in one of them",
        ),
        (lambda: Guest(Offered(losses=[1.0]), "m", ["a"]).losses(IMAGE, []), r"losses\(\) gave a list - expected the"),
        (
            lambda: Guest(Offered(losses={"box": IMAGE}), "m", ["a"]).losses(IMAGE, []),
            r"losses\(\) gave 'box' as \(1, 3, 32, 32\) - expected a scalar",
        ),
        (lambda: Guest(Offered(found=[]), "m", ["a"]).detect(IMAGE, 0, 9), r"detect\(\) gave 0 results for 1 images"),
        (
            lambda: Guest(Offered(found=[nothing_found()[:2]]), "m", ["a"]).detect(IMAGE, 0, 9),
            r"detect\(\) gave \[\(0, 4\), \(0,\)\] for an image - expected boxes \(d, 4\)",
        ),
        (
            lambda: Guest(Offered(found=[(torch.zeros(1, 4), torch.ones(1), torch.tensor([1]))]), "m", ["a"]).detect(
                IMAGE, 0, 9
            ),
            r"detect\(\) gave classes from 1 to 1 - expected 0 to 0, the study's. Leave out a background class",
        ),
        (
            lambda: build_guest("fcos_resnet18_fpn", ["a"], 64, width=0.5),
            "width = 0.5: fcos_resnet18_fpn has one width. Leave width out, or take fcos_mobilenet_v3_small_fpn",
        ),
        (
            lambda: build_guest("fcos_mobilenet_v3_small_fpn", ["a"], 64, width=0.25, anchor_scale=0.5),
            "anchor_scale = 0.5: fcos_mobilenet_v3_small_fpn has no anchors of a fixed size",
        ),
        (lambda: build_guest("nowhere:build", ["a"], 64), "there is no Python module nowhere"),
    ],
)
def test_what_a_detector_lacks_is_one_sentence(made, message):
    with pytest.raises(InputError, match=message) as raised:
        made()
    assert "\n" not in str(raised.value)


def test_boxes_are_sorted_cut_and_counted():
    boxes = torch.tensor([[0.0, 0, 5, 5], [-3, 1, 40, 9], [2, 2, 4, 4]])
    found = (boxes, torch.tensor([0.2, 0.9, 0.05]), torch.tensor([0, 1, 0]))
    guest = Guest(Offered(found=[found]), "m", ["a", "b"])
    (one,) = guest.detect(IMAGE, 0.1, 9)
    assert one.confidences.tolist() == pytest.approx([0.9, 0.2]) and one.classes.tolist() == [1, 0]
    assert one.boxes[0].tolist() == [0, 1, 32, 9]
    assert len(guest.detect(IMAGE, 0.0, 1)[0].boxes) == 1


def test_no_code_is_imported_because_a_weights_file_names_it(tmp_path):
    guest = Guest(Offered(), "secret_module:build", ["a"], settings={"width": 1.0, "anchor_scale": 1.0, "size": 32})
    save_network(guest, tmp_path / "w.safetensors", {})
    with pytest.raises(InputError, match="holds weights of secret_module:build - gapscope imports no code because"):
        load_network(tmp_path / "w.safetensors")


def test_a_file_that_is_called_as_a_factory_lets_no_weights_file_import_it_either(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret_module.py").write_text("raise SystemExit('was run')")
    (tmp_path / "secret_module:build").touch()
    guest = Guest(Offered(), "secret_module:build", ["a"], settings={"width": 1.0, "anchor_scale": 1.0, "size": 32})
    save_network(guest, tmp_path / "w.safetensors", {})
    with pytest.raises(InputError, match="gapscope imports no code because a file names it"):
        load_network(tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="gapscope imports no code because a file names it"):
        given_detectors((tmp_path / "w.safetensors", tmp_path / "w.safetensors"))


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"size": "x"}, "invalid literal"),
        ({"width": 1e6}, "a width of 1000000.0"),
        ({"anchor_scale": float("nan")}, "anchors of nan times"),
        ({"size": 10**12}, "images of 1,000,000,000,000 pixels"),
        ({"classes": ["a"] * 100_000}, "which a file of its size cannot hold"),
        ({"classes": 3}, "not iterable"),
        ({"classes": []}, "0 classes"),
    ],
)
def test_a_weights_file_that_asks_for_more_than_it_holds_is_refused_before_memory_is_taken(tmp_path, about, message):
    path, facts = tmp_path / "w.safetensors", {"width": 0.05, "anchor_scale": 1.0, "size": 64, "classes": ["a"]}
    named = {"format": FORMAT, "name": "fcos_mobilenet_v3_small_fpn", **facts, **about}
    save_file({"a": torch.zeros(9)}, path, {METADATA_KEY: json.dumps(named)})
    with pytest.raises(InputError, match=message):
        load_network(path)


def test_the_page_offers_the_parts_of_a_guests_loss_and_only_those_of_yolo_that_there_are():
    def line_of(**parts):
        return SimpleNamespace(trainings={"one": SimpleNamespace(epochs=[{"epoch": 1, "loss": 3.0, **parts}])})

    yolo = quantities(line_of(box=1.0, objectness=1.0, classification=1.0))
    assert list(yolo) == [name for name in QUANTITIES if name != "taught_boxes"]
    guest = quantities(line_of(loss_rpn_box_reg=1.0))
    assert list(guest)[:2] == ["loss", "loss_rpn_box_reg"] and "objectness" not in guest
    assert guest["loss_rpn_box_reg"] == "loss: rpn box reg"
