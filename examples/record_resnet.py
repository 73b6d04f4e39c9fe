"""Where do two networks that are not gapscope's see the same images differently? Here: two ResNet-18s.

    python examples/record_resnet.py PHOTOS

PHOTOS is a folder of at least 4 images, better 200. Both networks are built by the functions below, one as it is and
one whose last stage has lost its way; put your own trained models there. From a terminal the same is

    gapscope record examples/record_resnet.py:build --images PHOTOS --size 64 --preprocess imagenet -o whole.nc
"""

import sys
from pathlib import Path

import torch
import torchvision

import gapscope
from gapscope.recording.record_files import record_files


def build() -> torch.nn.Module:
    """ResNet-18 with random weights, always the same; for trained ones say weights="DEFAULT"."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return torchvision.models.resnet18(weights=None)


def build_changed() -> torch.nn.Module:
    """The same network with other weights in its last stage."""
    model = build()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("layer4."):
                parameter.copy_(parameter.flip(0))
    return model


def main(photos: Path) -> None:
    """Record both networks on the photos and print how alike the stages are."""
    recordings = [
        record_files(f"{__file__}:{name}", photos, size=64, preprocess="imagenet", layers=["layer?", "fc"])
        for name in ("build", "build_changed")
    ]
    grid = gapscope.compare(*recordings, permutations=0, bootstraps=0)
    for layer in recordings[0].layers:
        alike = grid["value"].sel(measure="cka_debiased", layer_a=layer, layer_b=layer)
        print(f"{layer:8} {float(alike):.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
