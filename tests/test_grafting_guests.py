"""Detectors of other makes are grafted, adapted and averaged by the rules of Darknet's networks."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import table_of
from small_grafts import pictures
from torch import nn
from two_domains import TEXT, write_two_domains

from gapscope.config import Evaluate
from gapscope.data.samples import Samples
from gapscope.detector.guest_layers import hash_of_layers, layer_modules
from gapscope.detector.guests import build_guest, load_network
from gapscope.detector.network import yolov3
from gapscope.detector.protocol import Guest
from gapscope.errors import InputError
from gapscope.evaluation.evaluate import evaluate
from gapscope.experiment_file import parse_config
from gapscope.findings.run_reader import read_results
from gapscope.grafting.batch_statistics import estimate_statistics
from gapscope.grafting.graft import graft
from gapscope.grafting.guest_grafts import Mixed
from gapscope.grafting.guest_statistics import normalizations
from gapscope.grafting.scoring import unlabelled_batches
from gapscope.grafting.where import graft_blocks
from gapscope.study.run import run

pytestmark = pytest.mark.slow

NAME, NAMES, SIDE = "fcos_mobilenet_v3_small_fpn", ["car", "bus"], 64


def detector(seed: int, names=NAMES) -> Guest:
    return build_guest(NAME, names, SIDE, seed, width=0.25, learns=False).eval()


def hash_of(network: Guest, layers=None) -> str:
    return hash_of_layers(network, range(len(network.paths)) if layers is None else layers)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Noise; what the donor finds in it is labelled."""
    seen = pictures(tmp_path_factory.mktemp("pictures"))
    donor = settled(seen, 1)
    found = evaluate(donor, Samples(seen, size=SIDE), Evaluate(confidence=0.0), rules=()).detections
    boxes = [[] for _ in range(len(seen))]
    for label, name in enumerate(NAMES):
        rows = np.flatnonzero(found.label == label)
        for row in rows[np.argsort(-found.confidence[rows], kind="stable")][:6]:
            boxes[found.image[row]].append((name, *found.xyxy[row]))
    return table_of(boxes, root=seen.root, size=(SIDE, SIDE), class_names=NAMES)


def settled(table, seed: int) -> Guest:
    return estimate_statistics(detector(seed), unlabelled_batches(Samples(table, size=SIDE), 100, "cpu"))


def test_all_layers_make_the_donor_and_none_the_host_and_one_block_that_block_alone():
    host, donor = detector(0), detector(1)
    assert hash_of(graft(host, donor, "backbone, head")) == hash_of(donor)
    assert hash_of(graft(host, donor, "")) == hash_of(host)
    mixed = graft(host, donor, "stage 2, 20")
    first, last = host.map.ranges["stage 2"]
    taken = [*range(first, last + 1), 20]
    rest = [i for i in range(len(host.paths)) if i not in taken]
    assert hash_of(mixed, taken) == hash_of(donor, taken) and hash_of(mixed, rest) == hash_of(host, rest)


@pytest.mark.parametrize(
    ("donor", "words"),
    [
        (lambda: detector(1, ["bus", "car"]), "the host knows the classes car, bus, the donor bus, car"),
        (lambda: build_guest("ssdlite320_mobilenet_v3_large", NAMES, SIDE), "the host is fcos.*, the donor ssdlite320"),
        (lambda: build_guest(NAME, NAMES, SIDE, width=0.5), r"has the shape \(.*\) in the host and \(.*in the donor"),
        (lambda: yolov3(NAMES, 0.02), "the host is fcos.*, the donor yolov3 - both must be the same network"),
    ],
)
def test_what_does_not_fit_is_refused(donor, words):
    with pytest.raises(InputError, match=words):
        graft(detector(0), donor(), "backbone")


def test_a_network_that_becomes_one_graft_after_another_is_each_of_them():
    networks = [detector(seed) for seed in range(3)]
    mixed, n = Mixed(networks), len(networks[0].paths)
    rng = np.random.default_rng(0)
    for _ in range(4):
        recipe = tuple(rng.integers(0, 3, n).tolist())
        network = mixed.become(recipe)
        for index, source in enumerate(recipe):
            assert hash_of(network, [index]) == hash_of(networks[source], [index])
    given = {
        name: (torch.ones_like(norm.running_mean), norm.running_var)
        for name, norm in normalizations(networks[0]).items()
    }
    assert hash_of(mixed.become(recipe, given)) != hash_of(mixed.become(recipe)), "statistics of one graft end with it"
    assert hash_of(mixed.become((1,) * n)) == hash_of(networks[1])


def test_estimated_statistics_are_the_mean_and_variance_of_the_maps_that_a_layer_then_sees():
    network, images = detector(0), torch.rand(10, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    estimated = estimate_statistics(network, [images[:7], images[7:]])
    seen = {}
    for name, norm in normalizations(estimated).items():
        norm.register_forward_pre_hook(lambda module, given, name=name: seen.__setitem__(name, given[0].double()))
    with torch.no_grad():
        estimated(images)
    assert len(seen) > 30
    for name, norm in normalizations(estimated).items():
        torch.testing.assert_close(norm.running_mean.double(), seen[name].mean((0, 2, 3)), rtol=1e-5, atol=1e-5)
        wanted = seen[name].var((0, 2, 3), correction=0)
        torch.testing.assert_close(norm.running_var.double(), wanted, rtol=1e-4, atol=1e-6)
    last = len(network.paths) - 1
    only = estimate_statistics(network, images, layers=[0], keep=0.25)
    assert hash_of(only, range(1, last + 1)) == hash_of(network, range(1, last + 1)) and hash_of(only) != hash_of(
        network
    )


def test_a_normalization_that_a_pass_calls_twice_keeps_its_own_statistics():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.shared = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

        def forward(self, images):
            return self.shared(self.shared(self.first(images)))

        def detect(self, images):
            return []

        def blocks(self):
            return {"backbone": {"all": ["first"]}, "head": {"head": ["shared"]}}

    network = Guest(Twice(), "m", ["a"], learns=False).eval()
    assert hash_of(estimate_statistics(network, torch.rand(4, 3, 8, 8))) == hash_of(network)


def test_blocks_are_scored_as_evaluations_of_the_grafts_and_shares_add_up_to_the_gap(table):
    host, donor = settled(table, 0), settled(table, 1)
    settings = Evaluate(bootstraps=50, confidence=0.0)
    result = graft_blocks(host, donor, table, SIDE, settings, blocks=["backbone", "head"], orders=2, untrained=True)
    own, anew = result.grafts
    samples, rule = Samples(table, size=SIDE), settings.model_copy(update={"rule": "coco"})
    for block in own.blocks:
        mixed = graft(host, donor, block.name)
        alone = evaluate(mixed, samples, rule, rules=["coco"]).rules["coco"].mean50()
        assert block.alone.map50 == pytest.approx(alone, abs=1e-12)
    assert own.host == pytest.approx(evaluate(host, samples, rule, rules=["coco"]).rules["coco"].mean50(), abs=1e-12)
    assert own.all_grafted > own.host
    for grafts in (own, anew):
        assert sum(block.share.value for block in grafts.blocks) == pytest.approx(grafts.gap, abs=1e-12)
    assert anew.statistics == "estimated"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A study of a guest with every arm that needs no training, and grafts."""
    place = tmp_path_factory.mktemp("study")
    write_two_domains(place / "data")
    text = TEXT.replace("width = 0.0625", f'name = "{NAME}"\nwidth = 0.25')
    text = text.replace('start = "streets"\nfreeze = "0-74"\n', "").replace("seeds = [0, 1]", "seeds = [0]")
    text = text.replace('device = "cpu"', 'device = "cpu"\nepochs = 1').replace("image_size = 32", "image_size = 64")
    text = text.replace("sizes = [32]", "sizes = [64]").replace("[train]", MADE + "[train]") + GRAFT
    run(parse_config(text), place / "run", config_text=text, data_root=place / "data")
    return place / "run"


MADE = """
[arms.adapted]
start = "u-real"
adapt = { batchnorm = "game", images = 8 }
[arms.both]
average = { "u-real" = 0.5, "f-game" = 0.5 }
"""
GRAFT = """
[graft]
pairs = [["f-game", "u-real"]]
domains = ["real"]
controls = ["rewind", "untrained"]
[evaluate]
bootstraps = 20
"""


def test_a_study_of_a_guest_adapts_averages_and_grafts(study):
    real, adapted, both = (
        load_network(study / f"arms/{arm}/seed0/weights.safetensors") for arm in ("u-real", "adapted", "both")
    )
    states = [network.state_dict() for network in (real, adapted)]
    moved = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    assert moved and all(re.search(r"running_(mean|var)$", name) for name in moved)
    assert {path for path, _ in layer_modules(both)} == {path for path, _ in layer_modules(real)}
    results = read_results(study)
    (found,) = results.grafts.values()
    assert [block.name for block in found.grafts[0].blocks] == [block.name for block in real.map.blocks]
    assert {one.statistics for one in found.grafts} == {"own", "estimated"}
    page = (study / "report.html").read_text(encoding="utf-8")
    assert "YOLOv3" not in page and "stage 3" in page
