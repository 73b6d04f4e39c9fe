"""What does it save to keep freed memory for the next tensor, as a training does, instead of fetching it anew?

    python benchmarks/kept_memory.py             trainings and detecting, at 416 px and less
    python benchmarks/kept_memory.py --turns 9

Each work is done in turns, with memory kept and without, every turn in a process of its own, so that the memory of one
is not taken for that of the other. The first two runs of a turn do not count: memory is fetched there either way.
"""

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from made_up import CLASSES, made_up_batches

from gapscope.config import Train
from gapscope.detector.decode import detect
from gapscope.detector.network import Darknet, darknet, yolov3
from gapscope.kept_memory import kept_memory
from gapscope.training.processes import make_fabric, tuned_convolutions
from gapscope.training.step import Learner

Work = Callable[[], object]
WAYS: dict[str, Callable[[], AbstractContextManager[None]]] = {"fetched": nullcontext, "kept": kept_memory}
GIB = 2**20
"""In the units in which Linux tells the largest memory of a process."""


def step_of(network: Darknet, size: int, folder: Path) -> Work:
    """One optimizer step with 8 images."""
    config = Train(device="cpu")
    learner = Learner(make_fabric(config), network, config)
    learner.training_mode()
    data = made_up_batches(folder, config.batch_size, size)
    return lambda: learner.step(data[:1], 1e-5)


def detecting(network: Darknet, size: int, _: Path) -> Work:
    """Detections in 16 images."""
    images = torch.randint(256, (16, 3, size, size), dtype=torch.uint8)
    return lambda: detect(network, images, 0.1, 0.6, 300)


WORKS: dict[str, Callable[[Path], Work]] = {
    "a training step of yolov3-tiny at 416 px": lambda folder: step_of(darknet("yolov3-tiny", CLASSES), 416, folder),
    "a training step of YOLOv3, half as wide, at 416 px": lambda folder: step_of(yolov3(CLASSES, 0.5), 416, folder),
    "a training step of YOLOv3, a quarter as wide, at 192 px": lambda folder: step_of(
        yolov3(CLASSES, 0.25), 192, folder
    ),
    "detecting by yolov3-tiny at 416 px": lambda folder: detecting(darknet("yolov3-tiny", CLASSES), 416, folder),
}


def turn(name: str, way: str, runs: int) -> tuple[float, float, float]:
    """Seconds of a run on the clock, the system's share of its processor time, the process's largest memory in GiB."""
    with tempfile.TemporaryDirectory() as folder, tuned_convolutions(), WAYS[way]():
        work = WORKS[name](Path(folder))
        for _ in range(2):
            work()
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        for _ in range(runs):
            work()
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    system, user = after.ru_stime - before.ru_stime, after.ru_utime - before.ru_utime
    return seconds / runs, system / (system + user), after.ru_maxrss / GIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--runs", type=int, default=4, help="per turn, after two")
    given = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32, {given.turns} turns")
    context = multiprocessing.get_context("spawn")
    for name in WORKS:
        found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
        for _ in range(given.turns):
            for way in WAYS:
                with ProcessPoolExecutor(1, mp_context=context) as process:
                    found[way].append(process.submit(turn, name, way, given.runs).result())
        print(f"\n{name}")
        for way, turns in found.items():
            seconds, system, memory = (statistics.median(column) for column in zip(*turns, strict=True))
            low, high = min(one[0] for one in turns), max(one[0] for one in turns)
            print(f"  {way:8} {seconds:.3f} s ({low:.3f} to {high:.3f}), {system:.0%} the system's, {memory:.2f} GiB")
        ratios = [kept[0] / fetched[0] for fetched, kept in zip(found["fetched"], found["kept"], strict=True)]
        print(f"  kept / fetched {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
