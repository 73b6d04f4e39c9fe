"""Every network that a study trains keeps the same promises, whoever made it."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_training import batch, training
from torch import nn
from torchvision.models import detection

from gapscope.config import Evaluate, Train
from gapscope.detector.foreign_weights import fill_guest
from gapscope.detector.guest_layers import freeze_any, hash_of_layers, layer_modules
from gapscope.detector.guests import build_guest, load_network, save_network, start_guest
from gapscope.detector.network import darknet, yolov3
from gapscope.errors import InputError
from gapscope.recording.layer_axis import record_layers
from gapscope.training.freezing import frozen_hash

pytestmark = pytest.mark.slow

NAMES, SIDE = ["a", "b"], 32
PAGE = Path(__file__).parents[1] / "docs" / "own-detector.md"


def drawn(seed):
    return torch.Generator().manual_seed(seed)


def guest(name, **settings):
    return lambda seed=0: build_guest(name, NAMES, SIDE, seed, **settings)


DETECTORS = {
    "yolov3": lambda seed=0: yolov3(NAMES, 0.05, 0.1, drawn(seed)),
    "yolov3-tiny": lambda seed=0: darknet("yolov3-tiny", NAMES, 0.05, drawn(seed)),
    "yolov3-spp": lambda seed=0: darknet("yolov3-spp", NAMES, 0.05, drawn(seed)),
    "anchor-free": guest("yolov3-anchor-free", width=0.05),
    "fcos": guest("fcos_mobilenet_v3_small_fpn", width=0.25),
    "retinanet": guest("retinanet_mobilenet_v3_small_fpn", width=0.25, anchor_scale=0.5),
    "fasterrcnn": guest("fasterrcnn_mobilenet_v3_small_fpn", width=0.25, anchor_scale=0.5),
    "ssdlite": guest("ssdlite320_mobilenet_v3_large"),
    "own": guest("my_detector.py:Cells"),
    "rt_detr": guest("small_transformers.py:rt_detr"),
    "d_fine": guest("small_transformers.py:d_fine"),
}
LACKING = pytest.mark.skipif(not find_spec("transformers"), reason="the package transformers is not installed")
OF_TRANSFORMERS = [pytest.param(name, marks=LACKING) for name in ("rt_detr", "d_fine")]
GUESTS = ["anchor-free", "fcos", "retinanet", "fasterrcnn", "ssdlite", "own", *OF_TRANSFORMERS]
TRANSFORMERS = Path(__file__).parents[1] / "examples" / "detection_transformers.py"
SMALLER = """
CHANNELS[:] = [16, 32, 64, 128]
HIDDEN, QUERIES, DECODER_LAYERS = 64, 20, 2
"""


@pytest.fixture(autouse=True)
def own_detector(tmp_path, monkeypatch):
    """The example of the page, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "my_detector.py").write_text(code)
    (tmp_path / "small_transformers.py").write_text(TRANSFORMERS.read_text(encoding="utf-8") + SMALLER)


def same(one, other):
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def of_backbone(network):
    """Its layers: the first half of those that there are."""
    return list(range(len(layer_modules(network)) // 2))


class KilledError(Exception):
    pass


def three_batches(epoch, start=0):
    for number in range(start, 2):
        yield batch(2 * epoch + number, SIDE)


@pytest.mark.parametrize("name", ["yolov3-tiny", *GUESTS])  # YOLOv3 is asked elsewhere
def test_killed_and_gone_on_with_it_ends_with_the_same_bits_and_what_is_frozen_stays(name, tmp_path):
    """Weights, running statistics and the moving average; random numbers of samplers and dropout too."""

    def killed(epoch, start=0):
        for one in three_batches(epoch, start):
            if epoch == 1:
                raise KilledError
            yield one

    config, build = Train(bn="frozen"), DETECTORS[name]
    settings = {"epochs": 2, "ema": 0.9, "scores": (0.1, 0.2), "learning_rate": 1e-3, "clip_norm": 10.0}

    def begun():
        network = build()
        freeze_any(network, of_backbone(network))
        return network

    before = frozen_hash(begun(), of_backbone(begun()), config)
    whole = training(tmp_path / "whole", net=begun(), batches=three_batches, **settings).run()
    with pytest.raises(KilledError):
        training(tmp_path / "part", net=begun(), batches=killed, **settings).run()
    torch.rand(7)  # the state of random numbers is another one
    rest_of_scores = settings | {"scores": (0.2,)}
    part = training(tmp_path / "part", net=begun(), batches=three_batches, **rest_of_scores).run()
    assert same(part.network, whole.network) and all(torch.equal(part.last[k], whole.last[k]) for k in part.last)
    assert frozen_hash(whole.network, of_backbone(whole.network), config) == before
    rest = range(len(of_backbone(whole.network)), len(layer_modules(whole.network)))
    assert hash_of_layers(whole.network, rest) != hash_of_layers(begun(), rest)


@pytest.mark.parametrize("name", ["yolov3", "yolov3-tiny", "yolov3-spp", *GUESTS])
def test_weights_come_back_from_their_file_and_a_seed_draws_them(name, tmp_path):
    network = DETECTORS[name]()
    assert same(network, DETECTORS[name](0)) and not same(network, DETECTORS[name](1))
    save_network(network, tmp_path / "w.safetensors", {"arm": "one"})
    loaded = load_network(tmp_path / "w.safetensors", getattr(network, "name", ""))
    assert same(loaded, network) and loaded.class_names == ("a", "b") and not loaded.training


@pytest.mark.parametrize("name", ["yolov3-tiny", *GUESTS])
def test_a_layer_is_recorded_as_its_module_puts_it_out(name):
    """The Gram matrix of what a hook sees at the first call, worked out here."""
    network, seen = DETECTORS[name]().eval(), {}
    images = torch.randint(0, 256, (5, 3, SIDE, SIDE), dtype=torch.uint8, generator=drawn(3))
    recorded = record_layers(network, images, size=SIDE)
    modules = layer_modules(network)
    for index in (0, len(recorded.layers) // 2, len(recorded.layers) - 1):

        def keep(_, __, out, at=index):
            seen.setdefault(at, out.clone())

        hook = modules[index][1].register_forward_hook(keep)
        with torch.no_grad():
            network(images.float() / 255)
        hook.remove()
        features = seen[index].flatten(1).double()
        centred = features - features.mean(0)
        torch.testing.assert_close(
            torch.from_numpy(recorded.gram[index]),
            centred @ centred.T,
            rtol=1e-3,
            atol=1e-4 * float(centred.norm()) ** 2,
        )
    assert recorded.layers.tolist() == list(range(len(recorded.layers)))


@pytest.mark.parametrize("name", ["fcos", "retinanet", "fasterrcnn", "ssdlite"])
def test_boxes_are_those_of_torchvisions_own_call(name):
    network = DETECTORS[name]().eval()
    images = torch.rand(2, 3, SIDE, SIDE, generator=drawn(1))
    model = network.model.model
    model.transform.min_size, model.transform.max_size = (SIDE,), SIDE  # as its makers would set it
    if model.transform.fixed_size:
        model.transform.fixed_size = (SIDE, SIDE)
    with torch.no_grad():
        own = model(list(images))
    background = int(isinstance(model, detection.FasterRCNN | detection.ssd.SSD))
    for mine, theirs in zip(network.detect(images, 0.0, 1000), own, strict=True):
        order = theirs["scores"].argsort(descending=True, stable=True)
        assert torch.equal(mine.boxes, theirs["boxes"][order].clamp(0, SIDE)) and len(mine.boxes)
        assert torch.equal(mine.confidences, theirs["scores"][order])
        assert torch.equal(mine.classes, theirs["labels"][order] - background)


def test_a_whole_network_of_torchvision_is_torchvisions():
    with torch.device("meta"):
        ours = build_guest("fcos_resnet50_fpn", NAMES, SIDE).model.model.state_dict()
        theirs = detection.fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=2).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@LACKING
@pytest.mark.parametrize(
    ("name", "plain"), [("rt_detr", "RTDetrForObjectDetection"), ("d_fine", "DFineForObjectDetection")]
)
def test_a_checkpoint_of_transformers_is_taken(name, plain, tmp_path):
    import transformers

    network = DETECTORS[name](0)
    theirs = getattr(transformers, plain)(network.model.config).eval()
    torch.save(theirs.state_dict(), tmp_path / "model.pt")
    fill_guest(network, tmp_path / "model.pt", "[arms.x] trained")
    images = torch.rand(2, 3, SIDE, SIDE, generator=drawn(4))
    with torch.no_grad():
        ours = network.eval()(images)
        assert torch.equal(ours.logits, theirs(images).logits)


@LACKING
@pytest.mark.parametrize("name", ["rt_detr", "d_fine"])
def test_boxes_are_those_of_transformers_own_processor(name):
    from transformers import RTDetrImageProcessor  # D-FINE has the same

    network = DETECTORS[name](3).eval()
    images = torch.rand(3, 3, SIDE, SIDE, generator=drawn(5))
    with torch.no_grad():
        theirs = RTDetrImageProcessor().post_process_object_detection(
            network.model(images), threshold=0.0, target_sizes=[(SIDE, SIDE)] * 3
        )
        ours = network.model.detect(images)
    for (boxes, confidences, classes), expected in zip(ours, theirs, strict=True):
        assert torch.equal(confidences, expected["scores"]) and torch.equal(classes, expected["labels"])
        assert torch.allclose(boxes, expected["boxes"], atol=1e-4)


def test_a_tensor_with_two_names_needs_one_of_them(tmp_path):
    """Files of safetensors hold what is tied once."""
    network = DETECTORS["own"](0)
    network.model.also = network.model.sides
    state = network.model.state_dict()
    wanted = {name: torch.full_like(value, 2) for name, value in state.items() if not name.startswith("also.")}
    save_file(wanted, tmp_path / "model.safetensors")
    fill_guest(network, tmp_path / "model.safetensors", "[arms.x] trained")
    assert all((value == 2).all() for value in network.model.state_dict().values())
    save_file(
        {name: value for name, value in wanted.items() if "sides.bias" not in name}, tmp_path / "less.safetensors"
    )
    with pytest.raises(InputError, match=r"lacks 'sides\.bias'"):
        fill_guest(network, tmp_path / "less.safetensors", "[arms.x] trained")


@pytest.mark.parametrize("name", ["fcos", "own"])
def test_a_backbone_is_taken_and_the_head_only_where_it_is_kept_and_knows_the_classes(name, tmp_path):
    trained, last = DETECTORS[name](5), DETECTORS[name]().map.backbone_last
    save_network(trained, tmp_path / "w.safetensors", {})
    backbone, whole = range(last + 1), range(len(trained.paths))
    network = DETECTORS[name](0)
    start_guest(network, tmp_path / "w.safetensors", keep_head=False)
    assert hash_of_layers(network, backbone) == hash_of_layers(trained, backbone)
    assert not same(network, trained)
    start_guest(network, tmp_path / "w.safetensors", keep_head=True)
    assert hash_of_layers(network, whole) == hash_of_layers(trained, whole)
    other = build_guest(trained.name, ["c"], SIDE, **({"width": 0.25} if name == "fcos" else {}))
    start_guest(other, tmp_path / "w.safetensors", keep_head=False)
    with pytest.raises(InputError, match=r"its head knows a, b - expected c, in this order, to keep it"):
        start_guest(other, tmp_path / "w.safetensors", keep_head=True)
    with pytest.raises(InputError, match=f"holds weights of {re.escape(trained.name)} - expected those of ssdlite320"):
        start_guest(DETECTORS["ssdlite"](), tmp_path / "w.safetensors", keep_head=False)


def test_the_detector_of_the_page_learns_a_batch_by_heart(tmp_path):
    """Both boxes are found in the right place and class by far."""
    network = DETECTORS["own"]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5  # statistics of so few steps
    one = batch(3, 64)
    scores = lambda net: 0.1  # noqa: E731
    settings = {"epochs": 1, "scores": scores, "learning_rate": 1e-2, "number": 80}
    training(tmp_path, net=network, batches=lambda epoch, start=0: (one for _ in range(80)), **settings).run()
    found = network.detect(one.images, Evaluate().confidence, 1)
    boxes = torch.cat([each.boxes for each in found])
    low, high = torch.maximum(boxes[:, :2], one.boxes[:, :2]), torch.minimum(boxes[:, 2:], one.boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (boxes, one.boxes)]
    assert (shared / (areas[0] + areas[1] - shared) > 0.5).all()
    assert torch.cat([each.classes for each in found]).tolist() == one.classes.tolist()
