"""A detector of any make begins with the backbone of any file that has its tensors, whatever their names begin with."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_training import batch
from torch import nn
from torchvision.models import mobilenet_v3_small, resnet18
from two_domains import write_two_domains

from gapscope.detector.darknet_weights import save_darknet_weights
from gapscope.detector.foreign_starts import begin_from, matched_names
from gapscope.detector.guest_layers import hash_of_layers
from gapscope.detector.guests import build_guest, save_network
from gapscope.detector.network import darknet
from gapscope.detector.weights import load_weights, save_weights
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.study.run import run
from gapscope.training.step import targets_of

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
FCOS, MOBILE = "fcos_resnet18_fpn", "fcos_mobilenet_v3_small_fpn"
OWN = """
import gapscope
from torch import nn

class Tiny(nn.Module):
    def __init__(self, classes, size, seed):
        super().__init__()
        self.body = nn.ModuleDict({"layers": gapscope.darknet("yolov3-tiny", ["any"], width=0.25).layers[:13]})
        self.head = nn.Conv2d(256, 5, 1)

    def forward(self, images):
        for layer in self.body["layers"]:
            images = layer(images)
        return self.head(images)

    def detect(self, images):
        return []

    def losses(self, images, targets):
        return {"box": self(images).mean()}

    def blocks(self):
        return {"backbone": {"body": [f"body.layers.{at}" for at in range(13)]}, "head": {"head": ["head"]}}
"""


def hashes(network):
    last = network.map.backbone_last
    return hash_of_layers(network, range(last + 1)), hash_of_layers(network, range(last + 1, len(network.paths)))


def trained(model):
    """A network whose batch statistics are not those of a new one."""
    model.train()
    with torch.no_grad():
        model(torch.rand(2, 3, 64, 64))
    return model.eval()


@pytest.mark.parametrize(
    ("name", "classifier", "place"),
    [(FCOS, resnet18, "backbone.body."), (MOBILE, mobilenet_v3_small, "backbone.body.")],
)
@pytest.mark.parametrize("wrapped", ["", "module."])
def test_a_classifier_of_torchvision_gives_its_detector_the_backbone(name, classifier, place, wrapped, tmp_path):
    """Weights and batch statistics; the head stays as the seed drew it, and the classifier's last layer is left."""
    source = trained(classifier(weights=None))
    torch.save({"state_dict": {wrapped + key: value for key, value in source.state_dict().items()}}, tmp_path / "c.pth")
    network = build_guest(name, ["a"], 64, 3)
    head = hashes(network)[1]
    begin_from(network, tmp_path / "c.pth", keep_head=False)
    assert hashes(network)[1] == head
    images = torch.rand(1, 3, 64, 64)
    found = network.eval().model.model.backbone.body(images)
    if classifier is resnet18:
        wanted = source.layer4(
            source.layer3(source.layer2(source.layer1(source.maxpool(source.relu(source.bn1(source.conv1(images)))))))
        )
    else:
        wanted = source.features(images)
    assert torch.equal(list(found.values())[-1], wanted)


def test_a_checkpoint_of_the_same_detector_with_other_classes_gives_its_backbone(tmp_path):
    source = build_guest(MOBILE, list("abcde"), 64, 5, width=0.25)
    torch.save(source.model.model.state_dict(), tmp_path / "coco.pth")
    network = build_guest(MOBILE, ["a"], 64, 3, width=0.25)
    begin_from(network, tmp_path / "coco.pth", keep_head=False)
    assert hashes(network)[0] == hashes(source)[0]


def test_a_head_is_kept_from_a_file_of_the_same_classes(tmp_path):
    source = build_guest(MOBILE, ["b"], 64, 5, width=0.25)
    torch.save(source.model.model.state_dict(), tmp_path / "mine.pth")
    network = build_guest(MOBILE, ["a"], 64, 3, width=0.25)
    begin_from(network, tmp_path / "mine.pth", keep_head=True)
    assert hashes(network) == hashes(source)


@pytest.mark.parametrize("kind", ["ours", "darknet"])
def test_layers_of_darknet_in_a_detector_of_the_users_begin_from_its_files(kind, tmp_path, monkeypatch):
    """Ours, whatever its width; Darknet's own where it says by its length which network it is."""
    monkeypatch.chdir(tmp_path)
    width = 0.25 if kind == "ours" else 1.0
    (tmp_path / "mine.py").write_text(OWN if kind == "ours" else OWN.replace(", width=0.25", "").replace("256", "1024"))
    source = trained(darknet("yolov3-tiny", [str(at) for at in range(80)], width))
    if kind == "ours":
        save_weights(source, tmp_path / "start", {})
        (tmp_path / "start").rename(tmp_path / "start.safetensors")
        path = tmp_path / "start.safetensors"
    else:
        path = tmp_path / "start.weights"
        save_darknet_weights(source, path)
    network = build_guest("mine.py:Tiny", ["a"], 64, 3)
    begin_from(network, path, keep_head=False)
    images = torch.rand(1, 3, 64, 64)
    wanted = images
    for at in range(13):
        wanted = source.layers[at](wanted)
    found = images
    for layer in network.eval().model.body["layers"]:
        found = layer(found)
    assert torch.equal(found, wanted)


def refused(name, path, **settings):
    """The sentence; and that nothing was copied."""
    network = build_guest(name, ["a"], 64, 3, **settings)
    before = hashes(network)
    with pytest.raises(InputError) as caught:
        begin_from(network, path, keep_head=False)
    assert hashes(network) == before
    return str(caught.value)


def test_what_is_no_backbone_of_it_is_refused_and_nothing_is_copied(tmp_path):
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "resnet.pth")
    said = refused(MOBILE, tmp_path / "resnet.pth", width=0.25)
    assert f"resnet.pth': it has 0 of the 206 tensors of the backbone of {MOBILE}, and not 'model.backbone.body" in said
    assert "it holds bn1.bias, bn1.num_batches_tracked" in said
    torch.save(mobilenet_v3_small(weights=None).state_dict(), tmp_path / "wide.pth")
    said = refused(MOBILE, tmp_path / "wide.pth", width=0.25)
    assert re.search(r"'features\.0\.0\.weight' has the shape \(16, 3, 3, 3\), and 'model\.backbone\.body\.0\.0", said)
    assert "both must match" in said
    cut = {key: value for key, value in resnet18(weights=None).state_dict().items() if key != "layer4.1.bn2.bias"}
    save_file(cut, tmp_path / "cut.safetensors")
    said = refused(FCOS, tmp_path / "cut.safetensors")
    assert (
        f"has 99 of the 100 tensors of the backbone of {FCOS}, and not 'model.backbone.body.layer4.1.bn2.bias'" in said
    )


def test_a_file_that_would_need_unpickling_is_refused(tmp_path):
    torch.save(nn.Conv2d(3, 3, 1), tmp_path / "whole.pth")
    said = refused(MOBILE, tmp_path / "whole.pth", width=0.25)
    assert "holds more than tensors, which reading it would run" in said


def test_counters_of_batches_may_lack(tmp_path):
    """Files from before 2018 have none."""
    source = {key: one for key, one in resnet18(weights=None).state_dict().items() if "num_batches" not in key}
    save_file(source, tmp_path / "old.safetensors")
    network = build_guest(FCOS, ["a"], 64, 3)
    begin_from(network, tmp_path / "old.safetensors", keep_head=False)
    assert torch.equal(network.model.model.backbone.body["conv1"].weight, source["conv1.weight"])


def test_weights_of_another_slope_are_refused_where_darknets_layers_would_compute_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    source = darknet("yolov3-tiny", ["a"], 0.25)
    source.set_leaks({0: 0.01})
    save_weights(source, tmp_path / "timm.safetensors", {})
    assert "another slope than Darknet's 0.1" in refused("mine.py:Tiny", tmp_path / "timm.safetensors")


def test_a_backbone_without_weights_begins_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layers = 'gapscope.darknet("yolov3-tiny", ["any"], width=0.25).layers[:13]'
    assert layers in OWN
    (tmp_path / "mine.py").write_text(OWN.replace(layers, "nn.ModuleList([nn.ReLU() for _ in range(13)])"))
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "c.pth")
    assert "the backbone of mine.py:Tiny has no weights" in refused("mine.py:Tiny", tmp_path / "c.pth")


def test_a_file_of_another_detector_of_a_study_is_told_as_such(tmp_path):
    save_network(build_guest(FCOS, ["a"], 64, 1), tmp_path / "w.safetensors", {})
    assert f"holds weights of {FCOS} - expected those of {MOBILE}" in refused(
        MOBILE, tmp_path / "w.safetensors", width=0.25
    )


@pytest.mark.parametrize(
    ("wanted", "stored", "found"),
    [
        (["a.x", "a.y"], ["x", "y"], ["x", "y"]),
        (["a.x", "a.y"], ["b.c.x", "b.c.y", "x"], ["b.c.x", "b.c.y"]),
        (["x", "y"], ["net.x", "net.y", "ema.net.x", "ema.net.y"], ["net.x", "net.y"]),
        (["a.x", "a.y"], ["a.x", "a.y", "x"], ["a.x", "a.y"]),
        (["a.x", "b.x"], ["x"], []),
        (["a.x"], ["ax"], []),
        (["a.x"], [], []),
    ],
)
def test_one_beginning_is_taken_for_all_names(wanted, stored, found):
    """The one that gives most of them; a part of a word is no beginning; parts of a model are not mixed."""
    assert list(matched_names(wanted, stored).values()) == found


STUDY = """
name = "starts"
seeds = [0]
[data]
classes = ["car", "bus"]
image_size = 64
[model]
name = "fcos_mobilenet_v3_small_fpn"
width = 0.25
[models.yolo]
width = 0.0625
[domains.real]
role = "real"
root = "real"
[domains.game]
role = "synthetic"
root = "game"
[arms.u-real]
domains = ["real"]
start = "wide.pth"
[arms.u-game]
domains = ["game"]
start = "wide.pth"
[arms.u-real-yolo]
model = "yolo"
domains = ["real"]
start = "streets"
[probe]
domain = "real"
images = 4
"""


def test_a_start_of_another_network_is_told_for_every_network_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_two_domains(tmp_path)
    torch.save(mobilenet_v3_small(weights=None).state_dict(), "wide.pth")
    study = parse_config(STUDY)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError) as caught:
        run(study, "out", data_root=tmp_path)
    one, other = str(caught.value).splitlines()
    assert one.startswith("[arms.u-real] start = 'wide.pth': 'features.0.0.weight' has the shape (16, 3, 3, 3)")
    assert other.startswith("[arms.u-real-yolo] ") and "the file's width is 0.25" in other.lower()
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["fcos", "rt_detr"])
def test_the_detectors_of_the_example_begin_with_one_backbone_and_learn(name, tmp_path, monkeypatch):
    """Each finds more of a batch than at first, and the same layers 0-12 come from the same file."""
    pytest.importorskip("transformers")
    (tmp_path / "nets").mkdir()  # a file finds what lies beside it, wherever the command is run
    for file in ("one_backbone.py", "detection_transformers.py"):
        (tmp_path / "nets" / file).write_text((EXAMPLES / file).read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    source = trained(darknet("yolov3-tiny", [str(at) for at in range(80)]))
    save_darknet_weights(source, tmp_path / "tiny.weights")
    network = build_guest(f"nets/one_backbone.py:{name}", ["a", "b"], 96, 3)
    begin_from(network, tmp_path / "tiny.weights", keep_head=False)
    assert hashes(network)[0] == hash_of_layers(load_weights(tmp_path / "tiny.weights"), range(13))
    assert [block.name for block in network.map.blocks][:6] == ["stem", *(f"stage {at}" for at in range(1, 6))]
    given = batch(2, 96)
    targets = targets_of(given, torch.device("cpu"))
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    said = []
    for _ in range(12):
        loss = sum(network.train().losses(given.images.float() / 255, targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        said.append(loss.item())
    assert sum(said[-3:]) < 0.8 * sum(said[:3])
    found = network.detect(given.images, 0.0, 10)
    assert all(0 < len(one.boxes) <= 10 for one in found)
