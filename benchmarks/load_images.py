"""How fast does the loader give images, beside decoding and scaling alone, and what do its caches and threads gain?

    make bench-data                                       64 frames of 1280 x 720 at 416 pixels
    python benchmarks/load_images.py --images FOLDER      your own images
    python benchmarks/load_images.py --number 8 --rounds 2     a quick look

Frames are those of BDD100K in the shared data sets, enlarged from 640 x 360 since they lie there so; without them,
made-up ones. Measured in turns, so that whatever else the machine does meets all alike; the median of the turns counts.

    bare        torchvision's decoding and antialiased scaling, to the size that the image has inside the bars
    load        the loader, every image decoded (goal: 0.85 of bare)
    disk        the loader, images in its folder (goal: 4 times bare)
    memory      the loader, images in memory
    + augment   flip, colour, zoom and shift, the defaults of a training; + mosaic: four images in one, too
    scaled      Pillow decodes JPEG at half size where that is large enough: other pixels, so not what the loader does
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms.v2 import InterpolationMode, functional as tv

from gapscope.data import image_cache
from gapscope.data.augment import Augmentation
from gapscope.data.batches import batches
from gapscope.data.image_cache import ImageCache
from gapscope.data.images import find_images, read_size
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable

SHARED = Path(os.environ.get("GAPSCOPE_SHARED", Path(__file__).parents[2] / "shared"))
BDD = SHARED / "data/real_bdd100k_unlabelled/images"
FRAME = (1280, 720)
BATCH = 8
Pass = Callable[[int], None]
"""Goes once over all images with so many threads."""


def write_frames(folder: Path, number: int) -> str:
    """Write JPEG frames of 1280 x 720 and say where they are from."""
    files = find_images(BDD)[:number] if BDD.is_dir() else []
    for i in range(number):
        if files:
            with Image.open(files[i % len(files)]) as image:
                frame = image.resize(FRAME, Image.Resampling.BICUBIC)
        else:
            coarse = np.random.default_rng(i).integers(0, 256, (90, 160, 3), dtype=np.uint8)
            frame = Image.fromarray(coarse).resize(FRAME, Image.Resampling.BICUBIC)
        frame.save(folder / f"{i:05}.jpg", quality=85)
    return (
        "BDD100K frames enlarged from 640 x 360" if files else "made-up frames: the shared BDD100K frames are not here"
    )


def table_of(paths: list[Path]) -> AnnotationTable:
    """The images with ten boxes each."""
    sizes = np.array([read_size(path) for path in paths], np.int32)
    drawn = np.random.default_rng(0).uniform(0, 0.5, (len(paths), 10, 4)) * np.tile(sizes, 2)[:, None]
    drawn[..., 2:] += drawn[..., :2] + 1e-3
    return AnnotationTable(
        root=paths[0].parent,
        class_names=("car",),
        paths=np.array([str(path.absolute()) for path in paths]),
        widths=sizes[:, 0],
        heights=sizes[:, 1],
        groups=np.full(len(paths), ""),
        box_image=np.repeat(np.arange(len(paths), dtype=np.int32), 10),
        box_class=np.zeros(10 * len(paths), np.int16),
        xyxy=drawn.reshape(-1, 4).astype(np.float32),
        ignore=np.zeros(10 * len(paths), np.bool_),
    )


def with_threads(work: Callable[[Path], object], paths: list[Path]) -> Pass:
    def once(threads: int) -> None:
        if threads == 1:
            for path in paths:
                work(path)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, paths))

    return once


def bare(path: Path, size: int) -> None:
    pixels = decode_image(str(path), mode=ImageReadMode.RGB)
    factor = size / max(pixels.shape[1:])
    inside = [max(1, round(side * factor)) for side in pixels.shape[1:]]
    tv.resize(pixels, inside, interpolation=InterpolationMode.BILINEAR, antialias=True)


def scaled(path: Path, size: int) -> None:
    with Image.open(path) as image:
        inside = tuple(max(1, round(side * size / max(image.size))) for side in image.size)
        image.draft("RGB", inside)
        np.asarray(image.convert("RGB").resize(inside, Image.Resampling.BILINEAR))


def loader(samples: Samples, augment: Augmentation | None = None) -> Pass:
    def once(threads: int) -> None:
        workers = 0 if threads == 1 else threads
        for _ in batches(samples, BATCH, seed=0, epoch=0, augment=augment, shuffle=True, workers=workers):
            pass

    return once


def passes(paths: list[Path], size: int, folder: Path) -> dict[str, Pass]:
    table, disk = table_of(paths), ImageCache(folder)
    load, kept = Samples(table, size=size, cache=False), Samples(table, size=size, cache=disk)
    memory = Samples(table, size=size)
    for position in range(len(paths)):
        kept[position], memory[position]
    varied = Augmentation()
    return {
        "bare": with_threads(lambda path: bare(path, size), paths),
        "load": loader(load),
        "load + augment": loader(load, varied),
        "disk": loader(kept),
        "disk + augment": loader(kept, varied),
        "disk + mosaic": loader(kept, Augmentation(mosaic=1.0)),
        "memory": loader(memory),
        "memory + augment": loader(memory, varied),
        "scaled": with_threads(lambda path: scaled(path, size), paths),
    }


def measure(turns: dict[str, Pass], rounds: int, threads: int, least: float) -> dict[str, list[tuple[float, float]]]:
    """Per turn, seconds and seconds of processor time of one pass over all images; a turn takes `least` seconds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, turn in turns.items():
            started, spent, repeats = time.perf_counter(), time.process_time(), 0
            while not repeats or (number and time.perf_counter() - started < least):
                turn(threads)
                repeats += 1
            if number:  # the first turn warms up
                seconds = (time.perf_counter() - started, time.process_time() - spent)
                found[name].append((seconds[0] / repeats, seconds[1] / repeats))
    return found


def report(found: dict[str, list[tuple[float, float]]], images: int) -> None:
    print(f"  {'':17}{'images/s':>9}  {'least-most':13} {'of bare':>8} {'CPU ms/image':>13} {'of bare':>8}")
    for name, turns in found.items():
        speeds = [images / seconds for seconds, _ in turns]
        beside = [b[0] / t[0] for b, t in zip(found["bare"], turns, strict=True)]
        cost = [1000 * spent / images for _, spent in turns]
        share = [b[1] / max(t[1], 1e-9) for b, t in zip(found["bare"], turns, strict=True)]
        goal = {"load": "   goal 0.85", "disk": "   goal 4"}.get(name, "")
        print(
            f"  {name:17}{statistics.median(speeds):9.0f}  {f'{min(speeds):.0f}-{max(speeds):.0f}':13}"
            f" {statistics.median(beside):8.2f} {statistics.median(cost):13.2f} {statistics.median(share):8.2f}{goal}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder of images; left out, frames are written")
    parser.add_argument("--number", type=int, default=64, help="at most so many images")
    parser.add_argument("--size", type=int, default=416, help="side of the square in pixels")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each that count")
    parser.add_argument("--least", type=float, default=0.3, help="seconds that a turn takes at least")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}))
    given = parser.parse_args()
    torch.set_num_threads(1)
    image_cache.SETTLED_SECONDS = -1.0  # the frames have just been written
    with tempfile.TemporaryDirectory(prefix="load-images-") as folder:
        here, told = given.images, "given"
        if here is None:
            here = Path(folder, "frames")
            here.mkdir()
            told = write_frames(here, given.number)
        paths = find_images(here)[: given.number]
        if not paths:
            parser.error(f"there is no image in {here}")
        size = statistics.mean(path.stat().st_size for path in paths) / 1e3
        first = " x ".join(map(str, read_size(paths[0])))
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
        print(f"{len(paths)} images ({told}), the first {first}, {size:.0f} kB on average, to {given.size} pixels")
        turns = passes(paths, given.size, Path(folder, "cache"))
        for threads in given.threads:
            print(f"\n{threads} thread{'s' if threads > 1 else ''}")
            report(measure(turns, given.rounds, threads, given.least), len(paths))


if __name__ == "__main__":
    main()
