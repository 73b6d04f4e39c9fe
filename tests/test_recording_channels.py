"""Which axis is the channels', of maps in either order: channel means against float64 by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import convnext_tiny, swin_t
from torchvision.ops import Permute

from gapscope.recording.record import record

pytestmark = pytest.mark.slow

FIRST, LAST = "channels behind the images", "channels at the end"


def images(n: int = 5, size: int = 32) -> torch.Tensor:
    coarse = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(7))
    return (F.interpolate(coarse, size=size, mode="bilinear") * 255).byte()


@torch.no_grad()
def means_by_hand(model: nn.Module, orders: dict[str, str], given: torch.Tensor) -> dict[str, np.ndarray]:
    """(n, c) means over places of what modules put out, computed in float64 in a plain forward pass."""
    found = {}

    def keep(name, order):
        def hook(module, args, output):
            flat = output.movedim(1, -1) if order == FIRST else output
            found[name] = flat.reshape(len(given), -1, flat.shape[-1]).mean(1).numpy()

        return hook

    handles = [model.get_submodule(name).register_forward_hook(keep(name, order)) for name, order in orders.items()]
    model.double()(given.double() / 255)
    model.float()
    for handle in handles:
        handle.remove()
    return found


def assert_means(model: nn.Module, orders: dict[str, str], given: torch.Tensor, **options) -> None:
    recording = record(model, given, size=given.shape[-1], layers=list(orders), **options)
    for name, wanted in means_by_hand(model, orders, given).items():
        place = recording.layers.tolist().index(name)
        assert recording.channels[place] == wanted.shape[1], name
        np.testing.assert_allclose(recording.pooled_of(name), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())


def seeded(build):
    torch.manual_seed(0)
    return build().eval()


def test_swin_keeps_its_maps_with_channels_at_the_end():
    orders = dict.fromkeys(
        ["features.0.1", "features.0.2", "features.1.0.norm1", "features.1.0", "features.2", "features.3.1.mlp.1"], LAST
    )
    model = seeded(lambda: swin_t(weights=None))
    assert_means(model, {"features.0.0": FIRST, **orders, "norm": LAST, "permute": FIRST}, images(), method="graph")


def test_convnext_goes_to_channels_last_and_back_in_every_block():
    orders = {"features.0.0": FIRST, "features.0.1": FIRST}  # its LayerNorm2d normalizes channels, wherever they are
    for stage in (1, 3, 5):
        block = f"features.{stage}.0.block"
        orders |= {f"{block}.0": FIRST} | {f"{block}.{part}": LAST for part in range(1, 6)} | {f"{block}.6": FIRST}
        orders |= {f"features.{stage}.0": FIRST, f"features.{stage + 1}.0": FIRST}
    assert_means(seeded(lambda: convnext_tiny(weights=None)), orders, images(), method="hooks")


class Norm2d(nn.LayerNorm):
    """Normalizes the channels of maps (n, c, h, w), as several libraries' LayerNorm2d do."""

    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias).permute(0, 3, 1, 2)


def cube() -> nn.Sequential:
    """Maps with as many channels as cells along each side: no shape tells the axes apart."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=4, padding=2),
        nn.GELU(),
        Norm2d(8),
        nn.ReLU(),
        Permute([0, 2, 3, 1]),
        nn.SiLU(),
        nn.LayerNorm(8),
        nn.Linear(8, 8),
        nn.Tanh(),
        Permute([0, 3, 1, 2]),
        nn.Hardswish(),
    )
    with torch.no_grad():
        for norm in (model[2], model[6]):  # trained, so that the places of a channel are not alike for that alone
            norm.weight.uniform_(0.5, 2)
            norm.bias.uniform_(-1, 1)
    return model


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_where_no_shape_tells_the_axes_apart_the_values_do(method):
    model = seeded(cube)
    orders = {str(i): FIRST if i < 4 or i > 8 else LAST for i in range(len(model))}
    assert_means(model, orders, images(), method=method)


class Backbone(nn.Module):
    """Some libraries' backbones list in `out_features` what they put out, and in `num_features` a width of each."""

    def __init__(self) -> None:
        super().__init__()
        self.out_features = ["stage1", "stage2"]
        self.num_features = [6, 12]
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.act = nn.ReLU()
        self.act.out_features = ["stage1"]
        self.stage = nn.Conv2d(6, 12, 3, stride=2, padding=1)

    def forward(self, x):
        return {"stage2": self.stage(self.act(self.stem(x))) + 1}


def test_a_list_of_names_is_no_number_of_channels():
    model = seeded(Backbone)
    assert_means(model, {"stem": FIRST, "act": FIRST, "stage": FIRST}, images())
    recording = record(model, images(), size=32)
    assert dict(zip(recording.layers.tolist(), recording.channels.tolist(), strict=True))["output[stage2]"] == 12


class Windows(nn.Module):
    """A map in windows of 4 x 4, each looked at by itself; rows are windows, image by image or window by window."""

    def __init__(self, by_image: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.mix = nn.Linear(6, 5)
        self.by_image = by_image
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        maps = self.stem(x).permute(0, 2, 3, 1)
        n, side = maps.shape[0], maps.shape[1] // 4
        parts = maps.view(n, side, 4, side, 4, 6).permute(0, 1, 3, 2, 4, 5).reshape(n, side**2, 16, 6)
        parts = parts if self.by_image else parts.transpose(0, 1)
        rows = (n, side**2) if self.by_image else (side**2, n)
        mixed = self.mix(parts.reshape(-1, 16, 6)).reshape(*rows, 16, 5)
        return self.head(mixed.mean((1 if self.by_image else 0, 2)))


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_windows_are_put_together_by_image(method):
    model, given = seeded(lambda: Windows(True)), images(6)
    recording = record(model, given, size=32, method=method, batch_size=4)
    assert recording.layers.tolist() == ["stem", "mix", "head"] and recording.skipped == {}
    with torch.no_grad():
        maps = model.double().stem(given.double() / 255).permute(0, 2, 3, 1)
        x = model.mix(maps)  # a linear layer does not care how its places are sorted, nor does a Gram matrix
        model.float()
    features = x.reshape(6, -1)
    centered = features - features.mean(0)
    np.testing.assert_allclose(recording.gram[1], (centered @ centered.T).numpy(), rtol=1e-4, atol=1e-4)
    assert (recording.p[1], recording.channels[1]) == (16 * 16 * 5, 5)
    np.testing.assert_allclose(recording.pooled_of("mix"), x.mean((1, 2)).numpy(), rtol=1e-4, atol=1e-5)


def test_windows_that_are_sorted_otherwise_are_left_out_with_the_reason():
    recording = record(seeded(lambda: Windows(False)), images(6), size=32)
    assert recording.layers.tolist() == ["stem", "head"]
    assert recording.skipped == {
        "mix": "has the shapes (32, 16, 5) for 2 images and (48, 16, 5) for 3: its rows are not the images"
    }
