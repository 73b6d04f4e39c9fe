"""Frozen layers stay bit for bit, cost no gradient work, and are proven to have stayed."""

import pytest
import torch
from small_training import batch, fit, network, training

from gapscope.config import Train
from gapscope.detector.network import fingerprint, freeze, freeze_layers, layers_fingerprint, yolov3
from gapscope.training.freezing import frozen_hash, training_mode
from gapscope.training.optimization import make_optimizer, num_parameters

pytestmark = pytest.mark.slow


def frozen_network():
    net = network()
    net.layers[0].conv.weight.data[0, 0, 0, 0] = -0.0  # an average would make it 0.0
    freeze(net, 0, 74)
    return net


def test_frozen_layers_end_as_they_began_even_with_weight_decay(tmp_path):
    net = frozen_network()
    before, head_before = fingerprint(net, 0, 74), fingerprint(net, 75, 106)
    trained = fit(tmp_path, net=net, optimizer="adamw", weight_decay=0.1, ema=0.9)
    assert fingerprint(trained.network, 0, 74) == before
    assert fingerprint(trained.network, 75, 106) != head_before


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_tracked_statistics_of_frozen_layers_drift_and_their_weights_do_not(tmp_path, ema):
    config, net = Train(bn="track"), frozen_network()
    weights, everything = frozen_hash(net, range(75), config), fingerprint(net, 0, 74)
    means = net.layers[41].norm.running_mean.clone()
    trained = fit(tmp_path, net=net, bn="track", optimizer="adamw", weight_decay=0.1, ema=ema)
    assert frozen_hash(trained.network, range(75), config) == weights
    assert fingerprint(trained.network, 0, 74) != everything
    assert not torch.equal(trained.network.layers[41].norm.running_mean, means)


def test_what_the_hash_covers_is_what_may_not_change():
    for bn, statistics_count in (("frozen", True), ("track", False)):
        net, config = network(), Train(bn=bn)
        before = frozen_hash(net, range(75), config)
        net.layers[3].norm.running_var[0] += 1
        assert (frozen_hash(net, range(75), config) != before) == statistics_count
        now = frozen_hash(net, range(75), config)
        net.layers[3].conv.weight.data[0, 0, 0, 0] += 1
        assert frozen_hash(net, range(75), config) != now
        net.layers[80].conv.weight.data += 1
        after = frozen_hash(net, range(75), config)
        assert after == frozen_hash(net, range(75), config)


def test_tracking_normalizes_by_the_batch_in_frozen_layers_only_while_training():
    net = frozen_network()
    training_mode(net, "track")
    assert all(layer.training for layer in net.layers)
    training_mode(net, "frozen")
    assert not any(net.layers[i].training for i in range(75)) and net.layers[75].training


def test_frozen_parameters_are_not_handed_to_the_optimizer():
    net = frozen_network()
    held = sum(p.numel() for group in make_optimizer(net, Train()).param_groups for p in group["params"])
    assert held == num_parameters(net)[1] < num_parameters(net)[0]


@pytest.mark.parametrize("bn", ["frozen", "track"])
def test_below_the_frozen_edge_there_is_no_gradient_work(tmp_path, bn):
    """No layer there is in the graph, and the backward pass runs through no convolution but the head's."""
    one = training(tmp_path, net=frozen_network(), bn=bn)
    one.learner.training_mode()
    in_graph = {}
    for index, layer in enumerate(one.learner.network.layers):
        layer.register_forward_hook(lambda _, __, out, i=index: in_graph.__setitem__(i, out.grad_fn is not None))
    loss = one.learner.loss(batch(0))
    assert {i for i, found in in_graph.items() if found} == set(range(75, 107))
    assert convolutions_behind(loss.total) == 23
    loss.total.backward()
    assert all(p.grad is None for i in range(75) for p in one.learner.network.layers[i].parameters())


def convolutions_behind(value: torch.Tensor) -> int:
    """How many convolutions a backward pass from here goes through."""
    seen, queue = set(), [value.grad_fn]
    while queue:
        node = queue.pop()
        if node is not None and node not in seen:
            seen.add(node)
            queue.extend(parent for parent, _ in node.next_functions)
    return sum("Convolution" in node.name() for node in seen)


def test_activations_below_the_frozen_edge_are_not_kept():
    """What autograd holds of a frozen network is what the head alone needs."""

    def kept(freeze_to: int | None) -> tuple[set[int], int]:
        net = yolov3(["a", "b"], 0.0625)
        if freeze_to is not None:
            freeze(net, 0, freeze_to)
        outputs, saved, alive = {}, {}, []  # what is alive keeps its address for itself

        def seen(index: int, out: torch.Tensor) -> None:
            outputs[out.data_ptr()] = index
            alive.append(out)

        for index, layer in enumerate(net.layers):
            layer.register_forward_hook(lambda _, __, out, i=index: seen(i, out))

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            alive.append(tensor)
            if not isinstance(tensor, torch.nn.Parameter):
                saved[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            raw = net(torch.rand(2, 3, 64, 64))
        assert raw
        return {outputs[pointer] for pointer in saved if pointer in outputs}, sum(saved.values())

    (all_layers, everything), (few_layers, little) = kept(None), kept(74)
    assert {0, 10, 40, 70} <= all_layers
    assert {i for i in few_layers if i < 75} <= {36, 61, 74}  # what the head reads of the backbone
    assert little < 0.2 * everything


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_only_the_named_layers_change_wherever_they_are(tmp_path, ema):
    """A block of the backbone and one of the head learn: weights, statistics and moving average of all others stay."""
    learn = {*range(62, 75), 81}
    net = network()
    still = [index for index in range(107) if index not in learn]
    freeze_layers(net, still)
    before = {index: layers_fingerprint(net, [index]) for index in range(107)}
    trained = fit(tmp_path, net=net, optimizer="adamw", weight_decay=0.1, ema=ema)
    after = {index: layers_fingerprint(trained.network, [index]) for index in range(107)}
    with_weights = {index for index in learn if len(list(net.layers[index].parameters()))}
    assert {index for index in before if before[index] != after[index]} == with_weights
    last = network()
    last.load_state_dict(trained.last)
    assert layers_fingerprint(last, still) == layers_fingerprint(trained.network, still)
