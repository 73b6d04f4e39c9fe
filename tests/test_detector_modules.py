"""Each kind of layer does what Darknet's does: cell by cell, from its own formulas."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gapscope.detector.cfg_plan import parse_cfg
from gapscope.detector.modules import activate, layer_module
from gapscope.detector.network import Darknet, initialize
from gapscope.detector.stack import Layer, Stack


def seeded(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def top_layer(stack: Stack) -> Layer:
    return stack.layers[-1]


def maxpool_by_cells(x: np.ndarray, size: int, step: int, padding: int) -> np.ndarray:
    """Darknet's forward_maxpool_layer: windows start at i * step - padding / 2, cells outside count for nothing."""
    channels, height, width = x.shape
    rows, columns = (height + padding - size) // step + 1, (width + padding - size) // step + 1
    out = np.full((channels, rows, columns), -np.inf)
    for c, i, j, n, m in np.ndindex(channels, rows, columns, size, size):
        y, z = i * step - padding // 2 + n, j * step - padding // 2 + m
        if 0 <= y < height and 0 <= z < width:
            out[c, i, j] = max(out[c, i, j], x[c, y, z])
    return out


@pytest.mark.parametrize(("size", "step"), [(2, 2), (2, 1), (3, 1), (3, 2), (4, 2), (5, 1), (13, 1)])
def test_a_maxpool_is_darknets(size, step):
    stack = Stack()
    stack.maxpool(size, step)
    x = seeded(1, 3, 8, 12) - 5  # all below 0, where padding with zeros would show
    found = layer_module(top_layer(stack))(x)[0].numpy()
    assert found.shape == (3, 8 // step, 12 // step)
    assert np.array_equal(found, maxpool_by_cells(x[0].numpy(), size, step, size - 1).astype(np.float32))


def test_a_maxpool_of_step_1_looks_right_and_down():
    stack = Stack()
    stack.maxpool(2, 1)
    x = torch.arange(9.0).view(1, 1, 3, 3).expand(1, 3, 3, 3)
    assert layer_module(top_layer(stack))(x)[0, 0].tolist() == [[4, 5, 5], [7, 8, 8], [7, 8, 8]]


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("linear", lambda x: x),
        ("leaky", lambda x: x if x > 0 else 0.1 * x),
        ("relu", lambda x: max(x, 0.0)),
        ("mish", lambda x: x * math.tanh(math.log1p(math.exp(x)))),
        ("swish", lambda x: x / (1 + math.exp(-x))),
        ("logistic", lambda x: 1 / (1 + math.exp(-x))),
    ],
)
def test_activations_are_their_formulas(name, formula):
    x = [-3.0, -0.5, 0.0, 0.25, 4.0]
    assert activate(torch.tensor(x), name, 0.1).tolist() == pytest.approx([formula(value) for value in x], abs=1e-6)


@pytest.mark.parametrize("activation", ["leaky", "relu", "mish", "swish", "logistic", "linear"])
@pytest.mark.parametrize("normalized", [True, False])
def test_activations_in_place_have_the_right_gradient(activation, normalized):
    stack = Stack()
    stack.conv(8, 3, normalized=normalized, activation=activation)
    module = layer_module(top_layer(stack)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(seeded(*parameter.shape).double() + 0.1)
    x = seeded(2, 3, 4, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(module, (x,), eps=1e-6, atol=1e-5)


def test_a_grouped_convolution_keeps_its_groups_apart():
    stack = Stack()
    stack.conv(8, 1)
    stack.conv(8, 3, groups=8)
    module = layer_module(top_layer(stack)).eval()
    assert module.conv.weight.shape == (8, 1, 3, 3)
    with torch.no_grad():
        module.conv.weight.normal_(generator=torch.Generator().manual_seed(0))
        x = seeded(1, 8, 5, 5)
        changed = x.clone()
        changed[:, 3] += 1
        moved = (module(changed) - module(x)).abs().amax((0, 2, 3))
    assert moved[3] > 0 and moved.sum() == moved[3]


def test_a_route_joins_the_same_part_of_each_input():
    stack = Stack()
    stack.conv(8)
    stack.conv(16)
    stack.route(1, 0, groups=4, part=2)
    a, b = seeded(1, 16, 2, 2), seeded(1, 8, 2, 2)
    assert torch.equal(layer_module(top_layer(stack))(a, b), torch.cat([a[:, 8:12], b[:, 4:6]], 1))


def test_a_shortcut_adds_any_number_of_layers_and_then_activates():
    stack = Stack()
    for _ in range(3):
        stack.conv(3)
    stack.shortcut(0, 1, activation="relu")
    assert top_layer(stack).inputs == (2, 0, 1)
    parts = [seeded(1, 3, 2, 2), seeded(1, 3, 2, 2) - 1, torch.ones(1, 3, 2, 2)]
    copies = [part.clone() for part in parts]
    assert torch.equal(layer_module(top_layer(stack))(*parts), sum(copies).clamp(min=0))
    assert all(torch.equal(part, copy) for part, copy in zip(parts, copies, strict=True))


def shortcut_by_cells(out: np.ndarray, add: np.ndarray) -> np.ndarray:
    """Darknet's shortcut_cpu: `out` (c2, h2, w2) of the layer on top, `add` (c1, h1, w1) of the one that is named."""
    (c1, h1, w1), (c2, h2, w2) = add.shape, out.shape
    stride, sample = max(w1 // w2, 1), max(w2 // w1, 1)
    result = out.copy()
    for k, j, i in np.ndindex(min(c1, c2), min(h1, h2), min(w1, w2)):
        result[k, j * sample, i * sample] += add[k, j * stride, i * stride]
    return result


@pytest.mark.parametrize(
    ("top", "named"),
    [
        ((6, 4, 4), (3, 4, 4)),
        ((3, 4, 4), (6, 4, 4)),
        ((6, 2, 2), (3, 4, 4)),
        ((2, 8, 8), (3, 2, 2)),
        ((4, 4, 4), (4, 2, 2)),
    ],
    ids=["fewer channels", "more channels", "a larger map", "a smaller map", "a smaller map of as many channels"],
)
def test_a_shortcut_of_unequal_layers_is_darknets(top, named):
    layer = Layer(index=2, kind="shortcut", inputs=(1, 0), in_filters=top[0], filters=top[0], stride=1)
    x, other = seeded(2, *top), seeded(2, *named) + 1
    copy = x.clone()
    found = layer_module(layer)(x, other)
    for one in range(2):
        assert found[one].numpy() == pytest.approx(shortcut_by_cells(x[one].numpy(), other[one].numpy()), abs=1e-6)
    assert torch.equal(x, copy)


def test_upsampling_repeats_cells():
    stack = Stack()
    stack.conv(3, 3, step=2)
    stack.conv(3, 3, step=2)
    stack.upsample(4)
    x = seeded(1, 3, 2, 2)
    assert torch.equal(layer_module(top_layer(stack))(x), x.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert top_layer(stack).stride == 1


def test_the_end_of_a_classifier():
    stack = Stack()
    stack.avgpool()
    stack.conv(5, 1, normalized=False, activation="linear")
    stack.softmax()
    pool, _, softmax = (layer_module(layer) for layer in stack.layers)
    x = seeded(2, 3, 4, 6)
    assert torch.allclose(pool(x).flatten(1), x.flatten(2).mean(2))
    probabilities = softmax(seeded(2, 5, 1, 1))
    assert torch.allclose(probabilities.sum(1), torch.ones(2, 1, 1))
    assert [layer.num_features(64) for layer in stack.layers] == [3, 5, 5]


def test_dropout_drops_in_training_and_hands_on_in_evaluation():
    stack = Stack()
    stack.dropout(0.5)
    module, x = layer_module(top_layer(stack)), torch.ones(1, 3, 50, 50)
    torch.manual_seed(0)
    assert 0.4 < (module.train()(x) == 0).float().mean() < 0.6
    assert torch.equal(module.eval()(x), x)


def test_a_network_of_a_file_is_its_layers_one_after_the_other():
    text = (
        "[net]\nwidth=32\nheight=32\n"
        "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nbatch_normalize=1\nactivation=swish\n"
        "[convolutional]\nfilters=8\nsize=3\npad=1\ngroups=4\nactivation=relu\n"
        "[shortcut]\nfrom=-2\n[route]\nlayers=-1,-2\n"
        "[convolutional]\nfilters=14\nactivation=linear\n[yolo]\nanchors=3,4,5,6\nclasses=2\n"
        "[route]\nlayers=-2\n"
    )
    network = Darknet(parse_cfg(text, "x.cfg", "x.cfg"), ["a", "b"]).eval()
    initialize(network, torch.Generator().manual_seed(0))
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    first, second, head = (network.layers[i].conv for i in (0, 1, 4))
    with torch.no_grad():
        a = F.silu(F.conv2d(x, first.weight, stride=2, padding=1) / math.sqrt(1 + 1e-5))
        b = F.conv2d(a, second.weight, second.bias, padding=1, groups=4).relu()
        expected = F.conv2d(torch.cat([a + b, b], 1), head.weight, head.bias)
        (raw,) = network(x)
    assert torch.allclose(raw, expected, atol=1e-6)
    assert network.largest_stride == 2
