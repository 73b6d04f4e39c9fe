"""What does exact CKA of all layers cost, beside the bare forward passes that no way of recording can avoid?

    python benchmarks/cka.py                                     YOLOv3 in full at 416 px, 200 images
    python benchmarks/cka.py --width 0.25 --size 160 --images 50   a quick look
    python benchmarks/cka.py --device cuda

Two networks with random weights look at images of smooth noise. Bare forward passes and recordings take turns, each in
a process of its own, so that the memory of one is not taken for that of the other; each is timed once after a short
warm-up, and again with --repeat. Recording and comparing give all layers of one network against all of the other,
biased and debiased.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gapscope.detector.network import YOLOv3, yolov3
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.live_tensors import parse_memory
from gapscope.recording.recording import Recording
from gapscope.recording.schedule import Schedule
from gapscope.similarity.compare import compare

GIB = 2**30


def smooth_noise(n: int, size: int, seed: int = 0) -> Tensor:
    """Images (n, 3, size, size), uint8, whose neighbouring pixels agree, as those of photographs do."""
    coarse = torch.rand(n, 3, size // 16, size // 16, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(coarse, size=size, mode="bilinear") * 255).byte()


def awake_network(width: float, size: int, seed: int, device: str) -> YOLOv3:
    """A random network whose batch statistics fit its images, so that every layer is at work."""
    network = yolov3(5, width, generator=torch.Generator().manual_seed(seed)).to(device)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network(smooth_noise(8, min(size, 160), seed=99).to(device).float() / 255)
    return network.eval()


def bare_forwards(networks: list[YOLOv3], images: Tensor, batch: int, device: str) -> None:
    """What recording cannot do without: every image through both networks, nothing kept."""
    last = device == "cpu"
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for network in networks:
            for start in range(0, len(images), batch):
                part = images[start : start + batch].to(device).float().div_(255)
                network(part.to(memory_format=torch.channels_last) if last else part)


@dataclass(frozen=True)
class Spent:
    """Seconds that some work took."""

    wall: float
    processor: float
    """Of all threads of the process that did it."""


def spent(work: Callable[[], object], device: str) -> Spent:
    """What one call takes, the device's work included."""
    if device != "cpu":
        torch.cuda.synchronize()
    started, before = time.perf_counter(), time.process_time()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return Spent(time.perf_counter() - started, time.process_time() - before)


def peak_memory() -> float:
    """Largest resident memory of this process so far, GiB (Linux gives KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


def make(options: argparse.Namespace) -> tuple[list[YOLOv3], Tensor]:
    """Two networks and the images; the same in every process."""
    networks = [awake_network(options.width, options.size, seed, options.device) for seed in (0, 1)]
    if options.device == "cpu":
        networks = [network.to(memory_format=torch.channels_last) for network in networks]
    return networks, smooth_noise(options.images, options.size)


class Bare:
    """Bare forward passes, in a process of its own."""

    made: tuple[list[YOLOv3], Tensor, str]

    @classmethod
    def prepare(cls, options: argparse.Namespace) -> None:
        cls.made = *make(options), options.device

    @classmethod
    def few(cls, batch: int) -> Spent:
        """The first images, after a warm-up."""
        networks, images, device = cls.made
        few = images[: max(8, batch)]
        bare_forwards(networks[:1], few, batch, device)
        return spent(lambda: bare_forwards(networks, few, batch, device), device)

    @classmethod
    def all(cls, batch: int) -> Spent:
        networks, images, device = cls.made
        return spent(lambda: bare_forwards(networks, images, batch, device), device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, default=416, help="side of the images, pixels")
    parser.add_argument("--width", type=float, default=1.0, help="factor on the channels; 1 is YOLOv3")
    parser.add_argument("--batch", type=int, default=0, help="images per bare forward pass; default: the fastest")
    parser.add_argument("--memory", default="8GiB", help="what live activations and working copies may take")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    device = options.device
    networks, images = make(options)
    layers = networks[0].table
    cost = Schedule(layers, len(images), options.size, parse_memory(options.memory), torch.device(device)).cost()
    cores = f"{torch.get_num_threads()} threads, {platform.machine()}"
    name = cores if device == "cpu" else torch.cuda.get_device_name()
    print(f"{name}; torch {torch.__version__}; float32, TF32 off")
    print(f"YOLOv3 width {options.width}, {len(layers)} layers, {options.images} images at {options.size} px")
    print(f"activations of both networks, all kept: {2 * cost.everything / GIB:.1f} GiB", flush=True)

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=Bare.prepare, initargs=(options,)) as bare:
        batches = [options.batch] if options.batch else ([1, 2, 8] if device == "cpu" else [8, 32, 64])
        wall = {size: bare.submit(Bare.few, size).result().wall / max(8, size) for size in batches}
        batch = min(wall, key=lambda size: wall[size])
        print(f"bare forward passes: {batch} images at a time (the fastest of {batches})")
        record_by_layers(networks[0], images[:8], size=options.size, memory=options.memory, device=device)
        before = peak_memory()
        for _ in range(options.repeat):
            turn(networks, images, options, lambda: bare.submit(Bare.all, batch).result())
    print(f"planned: {cost.memory / GIB:.2f} GiB of live activations, working copies and Gram matrices")
    print(
        f"largest resident memory {peak_memory():.2f} GiB, {before:.2f} of it before the first recording of all images"
    )
    if device != "cpu":
        print(f"largest device memory {torch.cuda.max_memory_allocated() / GIB:.2f} GiB")


def turn(networks: list[YOLOv3], images: Tensor, options: argparse.Namespace, run_bare: Callable[[], Spent]) -> None:
    """Bare passes of both networks, recordings of both, one comparison; bare again, so that drift shows."""
    recordings: list[Recording] = []
    how = {"size": options.size, "memory": options.memory, "device": options.device}

    def record_both() -> None:
        recordings.extend(record_by_layers(network, images, **how) for network in networks)

    first = run_bare()
    recorded = spent(record_both, options.device)
    compared = spent(lambda: compare(recordings[0], recordings[1], permutations=0, bootstraps=0), "cpu")
    again = run_bare()
    bare = (first.wall + again.wall) / 2
    work = (first.processor + again.processor) / 2
    print(
        f"two bare forward passes {bare:.2f} s ({first.wall:.2f}, {again.wall:.2f}); recordings {recorded.wall:.2f} s; "
        f"all {len(networks[0].table)}^2 cells {compared.wall:.2f} s\n"
        f"  recording + comparing / bare = {(recorded.wall + compared.wall) / bare:.3f}"
    )
    if options.device == "cpu":
        print(
            f"  processor time: bare {work:.1f} s ({first.processor:.1f}, {again.processor:.1f}); recordings "
            f"{recorded.processor:.1f} s = {recorded.processor / work:.3f} x",
            flush=True,
        )


if __name__ == "__main__":
    assert os.name == "posix", "resident memory is measured with resource, which Windows lacks"
    main()
