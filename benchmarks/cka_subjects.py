"""Networks that CKA packages are asked about: two of a kind with random weights, and the layers that are compared."""

import sys
from pathlib import Path

import torch
from cka import awake_network, smooth_noise
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import VisionTransformer, resnet18

sys.path.append(str(Path(__file__).parents[1] / "examples"))

KINDS = ("yolov3", "resnet18", "vit", "rt_detr")


def network(kind: str, width: float, size: int, seed: int) -> nn.Module:
    """A random network whose batch statistics fit its images, so that every layer is at work.

    Args:
        kind: yolov3; resnet18 of torchvision; vit, a ViT-Ti/16 of torchvision (12 blocks of 192); or rt_detr, that of
            examples/detection_transformers.py.
        width: Factor on the channels of YOLOv3.
        size: Of its images, pixels.
        seed: Of its weights.
    """
    if kind == "yolov3":
        return awake_network(width, size, seed, "cpu")
    torch.manual_seed(seed)
    if kind == "resnet18":
        made: nn.Module = resnet18(weights=None)
    elif kind == "vit":
        made = VisionTransformer(size, 16, 12, 3, 192, 768)
    else:
        from detection_transformers import rt_detr

        made = rt_detr([str(at) for at in range(5)], size, seed)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        made.train()(smooth_noise(8, size, seed=99).float() / 255)
    return made.eval()


def layer_names(made: nn.Module, kind: str) -> list[str]:
    """The convolutions; of a ViT its blocks."""
    if kind == "yolov3":
        return [f"layers.{layer.index}" for layer in made.table if layer.kind == "conv"]
    if kind == "vit":
        return [f"encoder.layers.encoder_layer_{at}" for at in range(12)]
    part = "model.backbone." if kind == "rt_detr" else ""
    return [name for name, one in made.named_modules() if isinstance(one, nn.Conv2d) and name.startswith(part)]


def activations(made: nn.Module, names: list[str], images: Tensor) -> list[Tensor]:
    """All features (n, p) of the layers, kept at once."""
    found: dict[str, Tensor] = {}
    hooks = [
        made.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out.clone()}))
        for name in names
    ]
    with torch.no_grad():
        made(images)
    for hook in hooks:
        hook.remove()
    return [found[name].flatten(1) for name in names]


def limit(kind: str, width: float, size: int, images: int) -> float:
    """The least that recording these layers can take, of a bare pass: 1 + Gram operations / forward operations."""
    made = network(kind, width, size, 0)
    one = smooth_noise(1, size).float() / 255
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        made(one)
    values = sum(found.numel() for found in activations(made, layer_names(made, kind), one))
    return 1 + values * (images + 1) / counted.get_total_flops()
