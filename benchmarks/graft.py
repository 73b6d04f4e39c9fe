"""How much quicker are many grafts in one walk than one after the other?

    python benchmarks/graft.py                           # cuts from the front, at all nine blocks of YOLOv3
    python benchmarks/graft.py --width 0.25 --size 160 --images 32 --repeats 5

Random networks on random images: time does not depend on what they find. Layers alone, and with detections. Both ways
are timed in turn, and the median of the repeats is shown.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gapscope.detector.decode import decode, found_in
from gapscope.detector.network import Darknet, yolov3
from gapscope.grafting.batch_statistics import estimate_statistics, layer_output
from gapscope.grafting.layer_names import network_blocks
from gapscope.grafting.plan import planned
from gapscope.grafting.walk import Recipe, beginnings, operations, walk, walk_operations


def one_walk(networks: list[Darknet], recipes: list[Recipe], images: Tensor, *, detections: bool) -> None:
    for _, maps in walk(networks[0], recipes, images, lambda begun, read: layer_output(networks, begun, read, {})):
        finish(networks[0], maps, images, detections)


def one_by_one(networks: list[Darknet], recipes: list[Recipe], images: Tensor, *, detections: bool) -> None:
    for recipe in recipes:
        one_walk(networks, [recipe], images, detections=detections)


def finish(network: Darknet, maps: list[Tensor], images: Tensor, detections: bool) -> None:
    if detections:
        sides = (images.shape[3], images.shape[2])
        found_in(decode(maps, network.anchors, network.yolo_layers), sides, 0.001, 0.6, 300)


def seconds(run: Callable[[], None], device: str) -> float:
    began = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--kind", choices=["from the front", "from the back", "alone", "left out", "all"], default="from the front"
    )
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    images = torch.rand(asked.images, 3, asked.size, asked.size, generator=torch.Generator().manual_seed(0))
    networks = [yolov3(5, asked.width, generator=torch.Generator().manual_seed(seed)).eval() for seed in (0, 1)]
    networks = [estimate_statistics(network, images[:4]).to(asked.device) for network in networks]
    images = images.to(asked.device)
    plan = planned(107, network_blocks(networks[0]))
    recipes = sorted({one.recipe for one in plan if asked.kind in (one.kind, "all")})
    calls, table = len(beginnings(recipes)) / (107 * len(recipes)), networks[0].table
    share = walk_operations(table, recipes, asked.size) / (sum(operations(table, asked.size)) * len(recipes))
    pixels = f"{asked.images} images of {asked.size} pixels"
    print(f"{len(recipes)} grafts ({asked.kind}), width {asked.width:g}, {pixels}, {asked.device}")
    print(f"layer calls {calls:.2f} of separate passes, multiply-adds {share:.2f}")
    for what, detections in (("layers alone", False), ("with detections", True)):
        took: dict[str, list[float]] = {"together": [], "apart": []}
        for _ in range(asked.repeats + 1):
            for name, way in (("together", one_walk), ("apart", one_by_one)):
                run = partial(way, networks, recipes, images, detections=detections)
                took[name].append(seconds(run, asked.device))
        together, apart = (statistics.median(some[1:]) for some in took.values())  # the first warms up
        print(f"{what}: together {together:.2f} s, one after the other {apart:.2f} s, ratio {together / apart:.2f}")


if __name__ == "__main__":
    main()
