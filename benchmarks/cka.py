"""What does exact CKA of all layers cost, beside the bare forward passes that no way of recording can avoid?

    python benchmarks/cka.py                                     YOLOv3 in full at 416 px, 200 images
    python benchmarks/cka.py --width 0.25 --size 160 --images 50   a quick look
    python benchmarks/cka.py --device cuda

Two networks with random weights look at images of smooth noise. Bare forward passes and recordings take turns in one
run; each is timed once after a short warm-up, and again with --repeat. Recording and comparing give all layers of one
network against all of the other, biased and debiased.
"""

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gapscope.detector.network import YOLOv3, yolov3
from gapscope.recording.layer_sync import record
from gapscope.recording.recording import Recording
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


def seconds(work: Callable[[], object], device: str) -> float:
    """Wall time of one call, the device's work included."""
    if device != "cpu":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def peak_memory() -> float:
    """Largest resident memory of this process so far, GiB (Linux gives KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


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
    device, images = options.device, smooth_noise(options.images, options.size)
    networks = [awake_network(options.width, options.size, seed, device) for seed in (0, 1)]
    if device == "cpu":
        networks = [network.to(memory_format=torch.channels_last) for network in networks]
    layers = networks[0].table
    values = sum(layer.num_features(options.size) for layer in layers)
    cores = f"{torch.get_num_threads()} threads, {platform.machine()}"
    name = cores if device == "cpu" else torch.cuda.get_device_name()
    print(f"{name}; torch {torch.__version__}; float32, TF32 off")
    print(f"YOLOv3 width {options.width}, {len(layers)} layers, {options.images} images at {options.size} px")
    print(f"activations of both networks, all kept: {2 * 4 * options.images * values / GIB:.1f} GiB")

    batches = [options.batch] if options.batch else ([1, 2, 8] if device == "cpu" else [8, 32, 64])
    few = images[: max(8, max(batches))]
    for batch in batches:
        bare_forwards(networks[:1], few, batch, device)
    batch = min(batches, key=lambda size: seconds(lambda: bare_forwards(networks, few, size, device), device))
    print(f"bare forward passes: {batch} images at a time (the fastest of {batches}); memory {peak_memory():.2f} GiB")
    record(networks[0], images[:8], size=options.size, memory=options.memory, device=device)
    for _ in range(options.repeat):
        turn(networks, images, batch, options.size, options.memory, device)
    print(f"largest resident memory {peak_memory():.2f} GiB")
    if device != "cpu":
        print(f"largest device memory {torch.cuda.max_memory_allocated() / GIB:.2f} GiB")


def turn(networks: list[YOLOv3], images: Tensor, batch: int, size: int, memory: str, device: str) -> None:
    """Bare passes of both networks, recordings of both, one comparison; bare again, so that drift shows."""
    recordings: list[Recording] = []

    def record_both() -> None:
        recordings.extend(record(network, images, size=size, memory=memory, device=device) for network in networks)

    cpu_before = os.times()
    first = seconds(lambda: bare_forwards(networks, images, batch, device), device)
    cpu_between = os.times()
    recorded = seconds(record_both, device)
    cpu_after = os.times()
    compared = seconds(lambda: compare(recordings[0], recordings[1], permutations=0, bootstraps=0), "cpu")
    again = seconds(lambda: bare_forwards(networks, images, batch, device), device)
    bare = (first + again) / 2
    used = [b.user + b.system - a.user - a.system for a, b in ((cpu_before, cpu_between), (cpu_between, cpu_after))]
    print(
        f"two bare forward passes {bare:.2f} s ({first:.2f}, {again:.2f}); recordings {recorded:.2f} s; "
        f"all {len(networks[0].table)}^2 cells {compared:.2f} s\n"
        f"  recording + comparing / bare = {(recorded + compared) / bare:.3f}"
        + (f"; processor time {used[1]:.1f} / {used[0]:.1f} = {used[1] / used[0]:.3f}" if device == "cpu" else "")
    )


if __name__ == "__main__":
    assert os.name == "posix", "resident memory is measured with resource, which Windows lacks"
    main()
