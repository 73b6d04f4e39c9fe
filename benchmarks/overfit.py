"""Can a network learn one batch by heart? If it cannot, something between the labels and the weights is wrong.

    python benchmarks/overfit.py                  YOLOv3 at full width and 416 pixels, 8 images
    python benchmarks/overfit.py --device cuda
    python benchmarks/overfit.py --model fcos_mobilenet_v3_small_fpn --width 0.25 --size 96 --images 3

Prints mAP@0.5 on the batch as it is learned; ends well once it is above 0.95.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from made_up import CLASSES, made_up_samples

from gapscope.config import Evaluate, Train
from gapscope.data.batches import batches
from gapscope.detector.factories import is_guest
from gapscope.detector.guests import Network, build_guest
from gapscope.detector.network import darknet
from gapscope.evaluation.evaluate import evaluate
from gapscope.training.optimization import learning_rate
from gapscope.training.processes import make_fabric
from gapscope.training.step import Learner

GOAL = 0.95


def overfit(
    folder: Path,
    *,
    width: float,
    size: int,
    images: int,
    steps: int,
    every: int,
    config: Train,
    model: str = "yolov3",
    anchor_scale: float | None = None,
) -> Iterator[tuple[int, float, float]]:
    """Step after step on one batch: (step, loss, mAP@0.5 on the batch), every so often, until the goal or the end."""
    samples = made_up_samples(folder, images, size)
    (batch,) = batches(samples, images, seed=0, epoch=0, shuffle=False)
    network = drawn(model, width, size, anchor_scale)
    learner = Learner(make_fabric(config), network, config)
    for step in range(steps):
        if step % every == 0:
            learner.training_mode()
        losses = learner.step([batch], learning_rate(step, steps, config))
        if (step + 1) % every == 0 or step + 1 == steps:
            found = evaluate(network, samples, Evaluate(), rules=["coco"], device=learner.fabric.device)
            map50 = found.rules["coco"].mean50() or 0.0
            yield step + 1, losses[0].item(), map50
            if map50 > GOAL:
                return


def drawn(model: str, width: float, size: int, anchor_scale: float | None) -> Network:
    """A new network; anchors of Darknet's are as large in the image as at 416 pixels unless it is said otherwise."""
    if is_guest(model):
        return build_guest(model, CLASSES, size, width=width, anchor_scale=anchor_scale or 1.0)
    network = darknet(model, CLASSES, width, torch.Generator().manual_seed(0))
    network.anchors.mul_(anchor_scale or size / 416)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolov3")
    parser.add_argument("--anchor-scale", type=float)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--every", type=int, default=25)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="32")
    given = parser.parse_args()
    config = Train(learning_rate=1e-3, warmup_steps=20, device=given.device, precision=given.precision)
    started, map50 = time.perf_counter(), 0.0
    shape = {"width": given.width, "size": given.size, "images": given.images, "model": given.model}
    with tempfile.TemporaryDirectory() as folder:
        for step, loss, map50 in overfit(
            Path(folder), **shape, anchor_scale=given.anchor_scale, steps=given.steps, every=given.every, config=config
        ):
            print(f"step {step:4}  loss {loss:8.3f}  mAP@0.5 {map50:.3f}  {time.perf_counter() - started:6.1f} s")
    print("learned by heart" if map50 > GOAL else f"not learned: mAP@0.5 {map50:.3f} is not above {GOAL}")
    sys.exit(map50 <= GOAL)


if __name__ == "__main__":
    main()
