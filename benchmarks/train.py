"""How fast is a training step, and how much of that does everything around the layers cost?

    make bench-train                                       what is below, at full width and 416 pixels, on the CPU
    python benchmarks/train.py --device cuda --batch 64    on a GPU, where compiling pays too
    python benchmarks/train.py --width 0.1 --size 96       a quick look

Measured in turns, so that whatever else the machine does meets all alike; the median of the turns counts.

    step        one optimizer step of gapscope: upload, forward, targets and loss, backward, Adam
    bare        forward and backward of the same layers alone, on images that are there (goal: step >= 0.85 of it)
    frozen      the same step with layers 0-74 frozen (goal: 1.7 times the images of a whole step)
    peer        a step of torchvision's RetinaNet (ResNet-50) on the same images, compared per operation
    epoch       steps fed by gapscope's loader with augmentation, and the share of the time they wait for it
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from made_up import CLASSES, made_up_batches, made_up_samples, synchronize
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import retinanet_resnet50_fpn

from gapscope.config import Train
from gapscope.data.augment import Augmentation
from gapscope.data.batches import Batch, batches
from gapscope.detector.network import YOLOv3, freeze, yolov3
from gapscope.training.metrics import EpochSums
from gapscope.training.processes import make_fabric, tuned_convolutions
from gapscope.training.step import Learner
from gapscope.training.train import waiting

PEAK_BF16 = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bfloat16 operations per second of NVIDIA's SXM boards, from their data sheets."""
Turn = Callable[[], None]


def learner_of(config: Train, width: float, *, frozen: bool = False) -> Learner:
    network = yolov3(CLASSES, width, generator=torch.Generator().manual_seed(0))
    if frozen:
        freeze(network, 0, 74)
    learner = Learner(make_fabric(config), network, config)
    learner.training_mode()
    return learner


def whole_step(learner: Learner, data: list[Batch], burst: int) -> Turn:
    def turn() -> None:
        for number in range(burst):
            learner.step([data[number % len(data)]], 1e-5)

    return turn


def bare_step(learner: Learner, data: list[Batch], burst: int) -> Turn:
    """Forward and backward with made-up gradients, as the learner runs its layers."""
    device = learner.fabric.device
    images = data[0].images.to(device).contiguous(memory_format=torch.channels_last).float().div_(255)
    gradients: list[Tensor] = []

    def turn() -> None:
        for _ in range(burst):
            learner.optimizer.zero_grad(set_to_none=True)
            with learner.fabric.autocast():
                raw = learner.network(images)
            gradients[:] = gradients or [torch.randn_like(one) * 1e-3 for one in raw]
            torch.autograd.backward(raw, gradients)

    return turn


def peer_step(config: Train, data: list[Batch], burst: int, size: int) -> tuple[Turn, float]:
    """RetinaNet's step, and its operations per image, forward and backward."""
    fabric = make_fabric(config)
    torch.manual_seed(0)
    model = retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=len(CLASSES), min_size=size, max_size=size
    )
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)
    wrapped, optimizer = fabric.setup(model, optimizer)
    wrapped.train()

    def step(batch: Batch) -> None:
        images = batch.images.to(fabric.device).float().div_(255)
        rows = [batch.image_index == image for image in range(len(batch))]
        targets = [{"boxes": batch.boxes[row], "labels": batch.classes[row]} for row in rows]
        targets = [{name: value.to(fabric.device) for name, value in one.items()} for one in targets]
        optimizer.zero_grad(set_to_none=True)
        losses = wrapped(list(images), targets)
        fabric.backward(sum(losses.values()))
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        step(data[0])

    def turn() -> None:
        for number in range(burst):
            step(data[number % len(data)])

    return turn, counter.get_total_flops() / len(data[0])


def operations_per_image(width: float, size: int, frozen: bool) -> float:
    """Of YOLOv3's forward and backward pass, counted by torch without computing them."""
    network = YOLOv3(CLASSES, width).to("meta")
    if frozen:
        freeze(network, 0, 74)
    with FlopCounterMode(display=False) as counter:
        torch.stack([one.sum() for one in network(torch.empty(2, 3, size, size, device="meta"))]).sum().backward()
    return counter.get_total_flops() / 2


def measure(turns: dict[str, Turn], rounds: int, images: int, device: torch.device) -> dict[str, list[float]]:
    """Images per second of each, turn after turn; the first turn of each warms up and does not count."""
    speeds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            synchronize(device)
            started = time.perf_counter()
            turn()
            synchronize(device)
            if number:
                speeds[name].append(images / (time.perf_counter() - started))
    return speeds


def loader_epoch(learner: Learner, folder: Path, batch_size: int, size: int, steps: int, workers: int) -> EpochSums:
    """An epoch through gapscope's loader, images decoded beforehand; the last `steps` steps are measured."""
    samples = made_up_samples(folder, batch_size * min(steps + 2, 16), size)
    for position in range(len(samples)):
        samples[position]
    running, done, started = EpochSums(), 0, 0.0
    while done < steps + 2:
        feed = batches(samples, batch_size, seed=0, epoch=done, augment=Augmentation(), shuffle=True, workers=workers)
        for batch in waiting(feed, running):
            learner.step([batch], 1e-5)
            done += 1
            if done == 2:
                synchronize(learner.fabric.device)
                running, started = EpochSums(), time.perf_counter()
            if done == steps + 2:
                break
    synchronize(learner.fabric.device)
    running.seconds, running.images = time.perf_counter() - started, steps * batch_size
    return running


def report(name: str, speeds: dict[str, list[float]], work: dict[str, float], device: torch.device) -> None:
    """One block of lines per precision."""
    middle = {key: statistics.median(values) for key, values in speeds.items()}
    print(f"\n{name}")
    for key, values in speeds.items():
        spread = f"{min(values):.4g}-{max(values):.4g}"
        print(f"  {key:9} {middle[key]:9.4g} images/s ({spread})  {middle[key] * work[key] / 1e9:8.4g} GFLOP/s")
    print(f"  step / bare            {middle['step'] / middle['bare']:.3f}   goal 0.85")
    print(f"  frozen / step          {middle['frozen'] / middle['step']:.3f}   goal 1.7")
    if "peer" in middle:
        ratio = middle["step"] * work["step"] / (middle["peer"] * work["peer"])
        print(f"  step / peer, per FLOP  {ratio:.3f}")
    if device.type == "cuda":
        board = torch.cuda.get_device_name(device)
        peak = next((value for key, value in PEAK_BF16.items() if key in board), None)
        for key in ("step", "compiled"):
            if peak and key in middle:
                print(
                    f"  {key}: {middle[key] * work[key] / peak:.1%} of {peak / 1e12:.0f} TFLOP/s (bf16, dense, {board})"
                )
        print(f"  most GPU memory        {torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB")


def bench(given: argparse.Namespace, precision: str, folder: Path) -> None:
    """Everything at one precision."""
    config = Train(device=given.device, batch_size=given.batch, precision=precision)
    device = make_fabric(config).device
    burst = given.burst or (1 if device.type == "cpu" else 10)
    data = made_up_batches(folder, given.batch, given.size)
    whole = learner_of(config, given.width)
    turns = {"step": whole_step(whole, data, burst), "bare": bare_step(whole, data, burst)}
    turns["frozen"] = whole_step(learner_of(config, given.width, frozen=True), data, burst)
    work = {name: operations_per_image(given.width, given.size, name == "frozen") for name in (*turns, "compiled")}
    if given.peer:
        turns["peer"], work["peer"] = peer_step(config, data, burst, given.size)
    if given.compile:
        compiled = learner_of(config.model_copy(update={"compile": True}), given.width)
        turns["compiled"] = whole_step(compiled, data, burst)
    speeds = measure(turns, given.steps, burst * given.batch, device)
    report(f"{precision} on {device.type}, {given.batch} images a step", speeds, work, device)
    fed = compiled if given.compile else whole
    running = loader_epoch(fed, folder, given.batch, given.size, burst * given.steps, given.workers)
    speed = f"{running.images_per_second:9.4g} images/s, waiting for data {running.data_wait:.1%}"
    print(f"  epoch     {speed} ({given.workers} loader threads{', compiled' if given.compile else ''})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=8, help="images per step")
    parser.add_argument("--width", type=float, default=1.0, help="factor on the channels")
    parser.add_argument("--size", type=int, default=416, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=5, help="turns of each that count")
    parser.add_argument("--burst", type=int, default=0, help="steps per turn; 1 on a CPU, 10 on a GPU")
    parser.add_argument("--precision", nargs="+", default=["32", "bf16"], choices=["32", "bf16"])
    parser.add_argument("--workers", type=int, default=2, help="threads of the loader")
    parser.add_argument("--compile", action="store_true", help="measure the compiled network too")
    parser.add_argument("--no-peer", dest="peer", action="store_false", help="leave RetinaNet out")
    given = parser.parse_args()
    print(f"YOLOv3 x {given.width}, {given.size} pixels, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for precision in given.precision:
        with tempfile.TemporaryDirectory() as folder, tuned_convolutions():
            bench(given, precision, Path(folder))


if __name__ == "__main__":
    main()
