"""Grafts: a new network of two, many of them in one walk, and batch statistics anew."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from small_grafts import CLASSES, SETTINGS, SIZE, labelled_by, pictures, randomised, settled

import gapscope
from gapscope.data.samples import Samples
from gapscope.detector.layers import yolov3_layers
from gapscope.detector.network import darknet, fingerprint, yolov3
from gapscope.errors import InputError
from gapscope.evaluation.evaluate import evaluate
from gapscope.grafting.batch_statistics import estimate_statistics, mean_and_variance, recipe_statistics
from gapscope.grafting.graft import graft
from gapscope.grafting.layer_names import layers_named, network_blocks, parts_named
from gapscope.grafting.plan import planned
from gapscope.grafting.scoring import detect_all, unlabelled_batches
from gapscope.grafting.walk import beginnings, operations, walk, walk_operations


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def pair(table):
    return settled(table, 0), settled(table, 1)


class TestLayerNames:
    @pytest.mark.parametrize(
        ("named", "indices"),
        [
            ("0-2", [0, 1, 2]),
            ("0-1, 62-63", [0, 1, 62, 63]),
            ("stage 1", [1, 2, 3, 4]),
            ("Head 32 , stem", [0, *range(75, 83)]),
            ("backbone", list(range(75))),
            ("backbone, head", list(range(107))),
            (7, [7]),
            ([3, 1, "0-1"], [0, 1, 3]),
            ("", []),
        ],
    )
    def test_are_ranges_blocks_and_indices(self, pair, named, indices):
        assert list(layers_named(named, pair[0])) == indices

    @pytest.mark.parametrize("named", ["stage 9", "4-1", "0-107", "-1", "1.5"])
    def test_that_do_not_exist_are_refused(self, pair, named):
        with pytest.raises(InputError, match=r"names no layers of yolov3|are out of range"):
            layers_named(named, pair[0])

    def test_that_do_not_exist_are_refused_with_what_there_is(self, pair):
        with pytest.raises(
            InputError,
            match=r"^'stage 9' names no layers of yolov3 - expected an index, a range '0-4', or one of backbone",
        ):
            layers_named("stage 9", pair[0])

    def test_blocks_cover_the_network_once(self, pair):
        assert [i for part in network_blocks(pair[0]) for i in part.layers] == list(range(107))

    def test_other_detectors_have_blocks_of_their_own_and_a_classifier_has_none(self):
        tiny = darknet("yolov3-tiny", 2, 0.0625)
        assert layers_named("3-4, head 16", tiny) == (3, 4, *range(17, 24))
        assert [part.ranges for part in network_blocks(tiny)][-3:] == ["9-12", "13-16", "17-23"]
        with pytest.raises(InputError, match=r"^darknet53 has no named blocks, as YOLOv3 has\. Give ranges of .* 0-74"):
            network_blocks(darknet("darknet53", width=0.0625))

    def test_blocks_stand_in_the_order_of_the_layers_and_do_not_overlap(self, pair):
        assert [part.name for part in parts_named("head, 0-74", pair[0])] == ["0-74", "head"]
        with pytest.raises(InputError, match=r"^layer 4 is in two blocks, '0-4' and '4-9' - each layer may be in one"):
            parts_named("0-4, 4-9", pair[0])
        with pytest.raises(InputError, match="no block of layers is named"):
            parts_named(" , ", pair[0])


class TestGraft:
    def test_of_all_layers_is_the_donor_and_of_none_the_host(self, pair):
        host, donor = pair
        assert fingerprint(graft(host, donor, "0-106")) == fingerprint(donor)
        assert fingerprint(graft(host, donor, "")) == fingerprint(host)

    def test_takes_the_named_layers_and_no_other_and_leaves_both_networks_as_they_were(self, pair):
        host, donor = pair
        before = fingerprint(host), fingerprint(donor)
        mixed = graft(host, donor, "stage 2, head")
        for index in range(107):
            source = donor if 5 <= index <= 11 or index >= 75 else host
            assert fingerprint(mixed, index, index) == fingerprint(source, index, index)
        assert (fingerprint(host), fingerprint(donor)) == before

    def test_shares_no_tensor_with_its_parents(self, pair):
        host, donor = pair
        before = fingerprint(donor)
        mixed = graft(host, donor, "backbone")
        with torch.no_grad():
            mixed.layers[0].conv.weight.zero_()
        assert fingerprint(donor) == before

    def test_takes_slopes_along(self, pair):
        host, donor = deepcopy(pair[0]), deepcopy(pair[1])
        donor.set_leaks({0: 0.01})
        mixed = graft(host, donor, "0-1")
        assert (mixed.table[0].leak, mixed.layers[0].leak, host.table[0].leak) == (0.01, 0.01, 0.1)

    @pytest.mark.parametrize(
        ("donor", "words"),
        [
            (lambda: darknet("yolov3-tiny", ["car", "person"], 0.0625), "the host is yolov3 of 107 layers, the donor"),
            (lambda: yolov3(["car", "van"], 0.02), "the host knows the classes car, person, the donor car, van"),
            (lambda: yolov3(CLASSES, 0.5), "layer 0 is a conv of 8 channels in the host and a conv of 16 in the donor"),
            (lambda: yolov3(CLASSES, 0.02, 0.5), "host and donor have other anchors"),
        ],
    )
    def test_between_networks_that_do_not_fit_is_refused(self, pair, donor, words):
        with pytest.raises(InputError, match=f"^{words}"):
            graft(pair[0], donor(), "0-4")

    def test_is_what_the_package_offers(self, pair):
        assert gapscope.graft is graft


class TestWalk:
    def all_grafts(self, network):
        return sorted({one.recipe for one in planned(107, network_blocks(network))})

    def test_gives_every_graft_the_detections_of_a_separate_pass_bit_for_bit(self, pair, table):
        samples = Samples(table, size=SIZE)
        together = detect_all(pair, self.all_grafts(pair[0]), samples, SETTINGS)
        assert len(together) == 9 + 9 + 6 + 6 + 1  # alone, left out, cuts that are neither, the donor
        for recipe, found in together.items():
            mixed = graft(*pair, [index for index, source in enumerate(recipe) if source])
            apart = evaluate(mixed, samples, SETTINGS, rules=()).detections
            assert len(found) > 0
            for column in ("image", "label", "xyxy", "confidence", "area"):
                np.testing.assert_array_equal(getattr(found, column), getattr(apart, column))

    def test_gives_the_same_with_statistics_estimated_anew(self, pair, table):
        samples = Samples(table, size=SIZE)
        images = unlabelled_batches(samples, 4, "cpu")
        recipes = self.all_grafts(pair[0])[::5]
        together = detect_all(pair, recipes, samples, SETTINGS, statistics=recipe_statistics(pair, recipes, images))
        for recipe, found in together.items():
            mixed = graft(*pair, [index for index, source in enumerate(recipe) if source])
            apart = evaluate(estimate_statistics(mixed, images), samples, SETTINGS, rules=()).detections
            np.testing.assert_array_equal(found.confidence, apart.confidence)
            np.testing.assert_array_equal(found.xyxy, apart.xyxy)

    def test_calls_every_shared_beginning_once(self, pair):
        recipes, calls = self.all_grafts(pair[0]), []

        def compute(beginning, inputs):
            calls.append(beginning)
            return beginning

        outputs = dict(walk(pair[0], recipes, (), compute))
        assert sorted(calls) == sorted(beginnings(recipes))
        assert len(calls) == len(set(calls)) < 0.75 * len(recipes) * 107
        assert all(outputs[recipe] == [recipe[:83], recipe[:95], recipe] for recipe in recipes)

    def test_lets_go_of_activations_that_nobody_reads_any_more(self, pair):
        alive, most = set(), 0

        class Map:
            def __init__(self):
                alive.add(id(self))

            def __del__(self):
                alive.discard(id(self))

        def compute(beginning, inputs):
            nonlocal most
            made = Map()
            most = max(most, len(alive))
            return made

        for _ in walk(pair[0], [(0,) * 107], Map(), compute):
            pass
        assert most < 10

    def test_of_all_cuts_from_the_front_costs_at_most_six_tenths_of_separate_passes(self):
        """In multiply-adds of YOLOv3 at 416 pixels: block by block, and layer by layer."""
        table = yolov3_layers(5)
        cuts = [tuple(int(index <= last) for index in range(107)) for last in range(-1, 107)]
        ends = [-1, *(part.layers[-1] for part in network_blocks(yolov3(2, 0.02)))]
        whole = sum(operations(table, 416))
        of_blocks = [cuts[end + 1] for end in ends[1:]]
        assert walk_operations(table, of_blocks, 416) <= 0.6 * len(of_blocks) * whole
        assert walk_operations(table, cuts, 416) <= 0.6 * len(cuts) * whole
        assert len(beginnings(cuts)) <= 0.6 * len(cuts) * 107

    def test_counts_operations_as_they_are_published(self):
        """65.86 billion at 416 pixels with 80 classes, a multiply-add being two (Redmon and Farhadi 2018)."""
        assert 2 * sum(operations(yolov3_layers(80), 416)) == pytest.approx(65.86e9, rel=0.005)


class TestStatistics:
    def test_are_mean_and_variance_over_all_images_term_by_term(self, table):
        network = yolov3(CLASSES, 0.02, generator=torch.Generator().manual_seed(3)).eval()
        images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(4))
        estimated = estimate_statistics(network, [images[:2], images[2:]])
        inputs = {}
        for index, layer in enumerate(estimated.layers):
            if getattr(layer, "norm", None) is not None:
                layer.conv.register_forward_hook(lambda m, i, out, index=index: inputs.__setitem__(index, out))
        with torch.no_grad():
            estimated(images)
        assert len(inputs) == 72
        for index, maps in inputs.items():
            norm = estimated.layers[index].norm
            for channel in range(0, maps.shape[1], 5):
                values = [float(value) for value in maps[:, channel].double().flatten()]
                mean = sum(values) / len(values)
                variance = sum((value - mean) ** 2 for value in values) / len(values)
                assert float(norm.running_mean[channel]) == pytest.approx(mean, rel=1e-5, abs=1e-5)
                assert float(norm.running_var[channel]) == pytest.approx(variance, rel=1e-5, abs=1e-5)

    def test_make_every_map_of_mean_0_and_variance_1_over_these_images(self):
        maps = [torch.randn(3, 4, 2, 2) * 7 + 100, torch.randn(1, 4, 2, 2)]
        mean, variance = mean_and_variance(maps)
        whole = torch.cat(maps).double()
        assert mean.double() == pytest.approx(whole.mean((0, 2, 3)), rel=1e-6)
        assert variance.double() == pytest.approx(whole.var((0, 2, 3), correction=0), rel=1e-6)

    def test_do_not_change_the_network_nor_its_mode(self, pair):
        before = fingerprint(pair[0])
        estimated = estimate_statistics(pair[0].train(), torch.rand(2, 3, 32, 32))
        assert estimated.training and pair[0].training
        assert fingerprint(pair[0].eval()) == before != fingerprint(estimated)

    def test_of_a_network_on_the_images_they_were_estimated_on_are_those_it_has(self, pair, table):
        images = unlabelled_batches(Samples(table, size=SIZE), 100, "cpu")
        assert fingerprint(estimate_statistics(pair[0], images)) == fingerprint(pair[0])

    def test_of_no_images_are_refused(self, pair):
        with pytest.raises(InputError, match=r"^statistics were to be estimated on 0 images - expected at least one"):
            estimate_statistics(pair[0], torch.zeros(0, 3, 32, 32))


def test_a_donor_scores_1_on_what_it_found_and_a_broken_one_less(pair, table):
    labelled = Samples(labelled_by(pair[0], table), size=SIZE)
    assert evaluate(pair[0], labelled, SETTINGS).rules["coco"].mean50() == pytest.approx(1)
    assert evaluate(randomised(pair[0], range(1, 5)), labelled, SETTINGS).rules["coco"].mean50() < 0.8
