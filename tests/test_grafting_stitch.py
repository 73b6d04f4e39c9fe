"""Stitches between two networks: their formula, networks that are the same to a stitch, and what breaks one."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from command import gapscope as command
from small_data import noise
from small_grafts import CLASSES, SETTINGS, SIZE, labelled_by, pictures, randomised, settled

import gapscope
from gapscope.data.samples import Samples
from gapscope.detector.network import darknet, yolov3
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError
from gapscope.evaluation.evaluate import evaluate
from gapscope.grafting.cuts import crossing, usual_cuts
from gapscope.grafting.score_stitches import score_stitches
from gapscope.grafting.scoring import score_boxes, unlabelled_batches
from gapscope.grafting.stitch import RIDGE, stitch
from gapscope.grafting.stitch_tables import stitch_notes, stitch_table
from gapscope.recording.layer_sync import record_by_layers

pytestmark = pytest.mark.slow

CUTS = [0, 4, 11, 36, 61, 79, 98]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("pictures"), 12)


@pytest.fixture(scope="module")
def network(table):
    return settled(table, 0)


@pytest.fixture(scope="module")
def images(table):
    return torch.cat(unlabelled_batches(Samples(table, size=SIZE), 100, "cpu"))


@pytest.fixture(scope="module")
def labelled(network, table):
    return labelled_by(network, table, 60)


def map50(network, table):
    samples = Samples(table, size=SIZE)
    found = evaluate(network, samples, SETTINGS, rules=()).detections
    return score_boxes(found, samples, SETTINGS, CLASSES).map50


def outputs(network, images):
    held = {-1: images}
    with torch.no_grad():
        for layer in network.table:
            held[layer.index] = network.run_layer(layer.index, *(held[i] for i in layer.inputs))
    return held


def renumbered(network, layer, seed=0):
    """The same network with the channels of a convolution that one other alone reads in another order."""
    other = deepcopy(network)
    order = torch.randperm(other.table[layer].filters, generator=torch.Generator().manual_seed(seed))
    assert [one.index for one in other.table if layer in one.inputs] == [layer + 1]
    module, reader = other.layers[layer], other.layers[layer + 1]
    with torch.no_grad():
        module.conv.weight.copy_(module.conv.weight[order])
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(module.norm, name).copy_(getattr(module.norm, name)[order])
        reader.conv.weight.copy_(reader.conv.weight[:, order])
    return other, order


class TestTheFit:
    def test_a_network_stitched_to_itself_is_the_identity_and_detects_the_same(self, network, images, labelled):
        found = stitch(network, network, images[::2], images[1::2], cuts=CUTS)
        for layer, one in found.tensors.items():
            assert (one.weight - torch.eye(len(one.weight))).abs().max() < 1e-5, layer
            assert one.r2 > 1 - 1e-9 and one.bias.abs().max() < 1e-5
        own = map50(network, labelled)
        for cut in (4, 61, 98):
            assert abs(map50(found.network(cut), labelled) - own) < 0.002

    def test_is_least_squares_on_the_backs_own_activations(self, network, table, images):
        front = settled(table, 1)
        found = stitch(front, network, images[:8], images[8:], cuts=[11, 36])
        mine, theirs = outputs(front, images), outputs(network, images)
        for layer, one in found.tensors.items():

            def places(maps, rows):
                return maps[rows].double().movedim(1, -1).reshape(-1, maps.shape[1]).numpy()

            x, y = (places(each[layer], slice(0, 8)) for each in (mine, theirs))
            with_one = np.concatenate([x, np.ones((len(x), 1))], axis=1)
            solution = np.linalg.lstsq(with_one, y, rcond=None)[0]
            np.testing.assert_allclose(one.weight, solution[:-1].T, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(one.bias, solution[-1], rtol=1e-4, atol=1e-5)
            x, other = (places(each[layer], slice(8, 12)) for each in (mine, theirs))
            left = np.square(other - x @ solution[:-1] - solution[-1]).sum()
            assert one.r2 == pytest.approx(1 - left / np.square(other - y.mean(0)).sum(), abs=1e-6)
            assert one.interval[0] <= one.r2 <= one.interval[1]
            assert one.places == len(y)

    def test_batches_change_nothing(self, network, table, images):
        front = settled(table, 1)
        whole = stitch(front, network, images[:8], images[8:], cuts=[36])
        parts = stitch(front, network, [images[:3], images[3:8]], [images[8:9], images[9:]], cuts=[36])
        np.testing.assert_allclose(whole.tensors[36].weight, parts.tensors[36].weight, rtol=1e-5, atol=1e-8)
        assert whole.tensors[36].r2 == pytest.approx(parts.tensors[36].r2, abs=1e-4)

    def test_channels_in_another_order_are_the_same_network_to_a_stitch_but_not_to_a_graft(
        self, network, images, labelled
    ):
        other, order = renumbered(network, 13)
        found = stitch(other, network, images[::2], images[1::2], cuts=[13])
        assert found.crossing(13) == (12, 13) and found.r2(13) > 1 - 1e-9
        assert (found.tensors[13].weight - torch.eye(len(order))[torch.argsort(order)]).abs().max() < 1e-5
        with torch.no_grad():
            expected = network(images)
            np.testing.assert_allclose(found.network(13)(images)[0], expected[0], rtol=1e-3, atol=1e-4)
            assert (gapscope.graft(network, other, "0-13")(images)[0] - expected[0]).abs().max() > 0.1

    def test_a_layer_that_was_randomised_is_found(self, network, images):
        broken = randomised(network, range(12, 13))
        found = stitch(broken, network, images[::2], images[1::2], cuts=CUTS)
        assert all(found.r2(cut) > 1 - 1e-9 for cut in (0, 4, 11))
        assert all(found.r2(cut) < 0.9 for cut in (36, 61, 79, 98))

    def test_what_has_not_seen_the_images_matches_nothing(self, network, images):
        drawn = torch.rand(images.shape, generator=torch.Generator().manual_seed(3))
        blind = stitch(network, network, images[::2], images[1::2], cuts=CUTS, front_sees=(drawn[::2], drawn[1::2]))
        assert max(one.r2 for layer, one in blind.tensors.items() if layer < 36) < 0.2


class TestTheStitchedNetwork:
    def test_runs_as_any_network_and_hands_on_what_crosses(self, network, table, images):
        front = settled(table, 1)
        found = stitch(front, network, images[::2], images[1::2], cuts=[61])
        assert found.crossing(61) == (36, 61)
        mixed, mine = found.network(61), outputs(front, images)
        held = outputs(mixed, images)
        torch.testing.assert_close(held[61], mine[61])
        for layer in (36, 61):
            one = found.tensors[layer]
            given = torch.einsum("oc,bchw->bohw", one.weight.float(), mine[layer]) + one.bias.float()[:, None, None]
            reader = {36: 98, 61: 62}[layer]
            inputs = [given if i == layer else held[i] for i in network.table[reader].inputs]
            torch.testing.assert_close(held[reader], network.run_layer(reader, *inputs), rtol=1e-3, atol=1e-4)
        assert not front.training and mixed.training == front.training

    def test_can_be_recorded(self, network, table, images):
        wide = settled(table, 1)
        mixed = stitch(wide, network, images[::2], images[1::2], cuts=[36]).network(36)
        pixels = (255 * images).round().to(torch.uint8)
        recording = record_by_layers(mixed, pixels, size=SIZE, layers=[36, 37, 82])
        own = outputs(mixed, pixels.float() / 255)
        for layer in (36, 37, 82):
            np.testing.assert_allclose(recording.pooled_of(layer), own[layer].mean((2, 3)), rtol=1e-3, atol=1e-4)

    def test_a_front_of_another_width_fits(self, network, images):
        wide = yolov3(CLASSES, 0.0625, 0.3, torch.Generator().manual_seed(4)).eval()
        found = stitch(wide, network, images[::2], images[1::2], cuts=[36, 61])
        assert found.tensors[36].weight.shape == (network.table[36].filters, wide.table[36].filters)
        assert [tuple(map_.shape) for map_ in found.network(61)(images)] == [tuple(m.shape) for m in network(images)]


class TestCuts:
    def test_where_yolov3_is_cut(self, network):
        found = usual_cuts(network)
        single = [cut for cut in found if len(crossing(network.table, cut)) == 1]
        assert single[:15] == [0, 1, 4, 5, 8, 11, 12, 15, 18, 21, 24, 27, 30, 33, 36]
        assert crossing(network.table, 2) == (1, 2) and 2 not in found  # a shortcut leaps over it
        assert {36, 61, 79, 91} < set(found) and crossing(network.table, 79) == (36, 61, 79)
        assert crossing(network.table, 82) == (36, 61, 79)  # the first detections are the front's own

    def test_of_another_network(self):
        tiny = darknet("yolov3-tiny", 2)
        for cut in usual_cuts(tiny):
            assert crossing(tiny.table, cut)

    def test_where_nothing_can_be_stitched(self, network, images):
        for cuts, words in (
            ([106], "nothing crosses a cut behind layer 106 of yolov3"),
            ([], "no cut is named"),
            ([200], "200"),
        ):
            with pytest.raises(InputError, match=words):
                stitch(network, network, images, images, cuts=cuts)
        found = stitch(network, network, images[:2], images[2:], cuts=[4])
        with pytest.raises(InputError, match=r"^there is no stitch at layer 5 - the cuts are 4\."):
            found.network(5)


class TestRefusals:
    def test_networks_that_do_not_fit_and_missing_images(self, network, images):
        with pytest.raises(InputError, match=r"^the front knows the classes bus, the back car, person"):
            stitch(yolov3(["bus"], 0.02), network, images, images)
        with pytest.raises(InputError, match=r"^the front is yolov3-tiny of 24 layers, the back yolov3 of 107"):
            stitch(darknet("yolov3-tiny", CLASSES), network, images, images)
        with pytest.raises(InputError, match=r"^a stitch was to be fitted or scored on 0 images"):
            stitch(network, network, images, images[:0])
        with pytest.raises(InputError, match=r"^the front is to see other images of other numbers"):
            stitch(network, network, images, images, front_sees=(images[:3], images))


class TestScores:
    @pytest.fixture(scope="class")
    @staticmethod
    def result(network, labelled):
        return score_stitches(
            randomised(network, range(12, 13)), network, labelled, SIZE, SETTINGS, cuts=[4, 11, 36, 61]
        )

    def test_a_randomised_layer_costs_from_its_cut_on(self, result):
        by_cut = {one.cut: one for one in result.cuts}
        assert result.back > 0.5 and result.front < result.back
        for cut in (4, 11):
            assert abs(by_cut[cut].stitched.change) < 0.002 and by_cut[cut].r2 > 1 - 1e-9
        for cut in (36, 61):
            assert by_cut[cut].stitched.change < -0.1 and by_cut[cut].r2 < 0.9

    def test_the_score_is_that_of_the_stitched_network(self, network, labelled, table):
        front = settled(table, 1)
        fit = labelled.select(range(0, 12, 2))
        rest = labelled.select(range(1, 12, 2))
        result = score_stitches(front, network, labelled, SIZE, SETTINGS, cuts=[11, 61], controls=False)
        given, others = (unlabelled_batches(Samples(some, size=SIZE), 100, "cpu") for some in (fit, rest))
        found = stitch(front, network, given, others, cuts=[11, 61], ridge=RIDGE)
        for one in result.cuts:
            assert one.stitched.map50 == pytest.approx(map50(found.network(one.cut), rest), abs=1e-6)
            assert one.r2 == pytest.approx(found.r2(one.cut))
        assert result.about["images_fitted_on"] == result.about["num_images"] == 6

    def test_controls_say_what_a_front_is_worth_that_has_learnt_or_seen_nothing(self, result):
        for one in result.cuts:
            assert set(one.controls) == {"untrained", "noise"}
            assert one.controls["noise"].map50 < 0.1
        for one in result.tensors:
            assert one.controls["noise"] < 0.2 < one.controls["untrained"]  # random layers, too, hand on what is seen

    def test_a_file_gives_it_back_and_it_is_told(self, result, tmp_path):
        result.save(tmp_path / "s.json")
        assert gapscope.read_stitches(tmp_path / "s.json") == result
        assert stitch_table(result).row_count == 4
        notes = " ".join(stitch_notes(result))
        assert (
            "*: several tensors cross" in notes and "untrained: R2 / mAP with a front that has learnt nothing" in notes
        )
        (tmp_path / "broken.json").write_text("{}")
        with pytest.raises(InputError, match=r"broken.json cannot be read as stitches: 'format'"):
            gapscope.read_stitches(tmp_path / "broken.json")


def test_the_terminal_stitches_two_weights_files(tmp_path):
    for i in range(6):
        noise(tmp_path / f"data/images/{i}.png", (SIZE, SIZE), seed=i)
        (tmp_path / "data/labels").mkdir(exist_ok=True)
        (tmp_path / f"data/labels/{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (tmp_path / "data/data.yaml").write_text("names: [car, person]\n")
    for seed in (0, 1):
        save_weights(
            yolov3(CLASSES, 0.02, 0.3, torch.Generator().manual_seed(seed)), tmp_path / f"{seed}.safetensors", {}
        )
    arguments = ["stitch", "0.safetensors", "1.safetensors", "--data", "data", "--size", str(SIZE)]
    done = command(*arguments, "--cut", "4", "--cut", "61", "-o", "s.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "61*" in done.stdout and "all stitches: s.json; draw them: gapscope.plot.stitch(" in done.stdout
    assert [one.cut for one in gapscope.read_stitches(tmp_path / "s.json").cuts] == [4, 61]
