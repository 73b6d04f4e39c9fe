"""How long does it take to read annotations at full size, how much memory, and how fast is a kept table?

Writes two made-up data sets in their true layouts and reads each in a process of its own:

- BDD100K of 2018: two JSON files of 79,863 frames with about 1.5 million boxes, and with lanes and areas as polygons,
  which are most of their bytes; one image file per frame.
- VIPER: 134,097 box files in 77 sequences with about 4.7 million boxes; one image file per frame.

Image files are the headers of JPEG files of the right size without pixels: reading annotations looks at no more.

    python benchmarks/load_annotations.py --scale 0.05      # a twentieth of it
    python benchmarks/load_annotations.py                   # all of it: 6 GB of disk
"""

import argparse
import io
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

BDD_FRAMES = {"train": 69_863, "val": 10_000}
BDD_SIZE, VIPER_SIZE = (1280, 720), (1920, 1080)
VIPER_FRAMES, VIPER_SEQUENCES = 134_097, 77
LABEL_TEXTS = 400
"""So many different texts of labels are drawn from: writing takes minutes instead of an hour, reading takes as long."""
BDD_CLASSES = (["car"] * 55 + ["traffic sign"] * 19 + ["traffic light"] * 14 + ["person"] * 7 + ["truck"] * 2) + [
    *("bus", "bike", "rider", "motor", "train")
]
VIPER_CLASSES = [13, 17, 19, 20, 20, 20, 22, 23, 24, 24, 24, 24, 24, 25, 26, 27, 28]


def main() -> None:
    """Write, read, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the frames, above 0 to 1")
    parser.add_argument("--folder", type=Path, help="where to write; kept. Left out: a temporary folder")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)  # what the processes are called with
    asked = parser.parse_args()
    if asked.read:
        print(json.dumps(measure(asked.read)))
    elif asked.folder:
        run(asked.folder, asked.scale)
    else:
        with tempfile.TemporaryDirectory(prefix="load-annotations-") as folder:
            run(Path(folder), asked.scale)


def run(folder: Path, scale: float) -> None:
    """Write the data sets below a folder, and print what reading each took."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"scale {scale:g} of BDD100K (79,863 frames) and VIPER (134,097 frames)\n")
    for name, write in {"bdd100k-2018": write_bdd, "viper": write_viper}.items():
        root = folder / name
        if not root.is_dir():
            started = time.perf_counter()
            write(root, scale)
            print(f"{name}: written in {time.perf_counter() - started:.0f} s")
        child = subprocess.run([sys.executable, __file__, "--read", root], check=True, capture_output=True, text=True)
        describe(name, json.loads(child.stdout.splitlines()[-1]))


def describe(name: str, found: dict[str, float]) -> None:
    """Print what was measured."""
    mib = {key: found[key] / 2**20 for key in ("peak", "imports", "table_bytes", "file_bytes")}
    print(
        f"{name}: {found['images']:,} images, {found['boxes']:,} boxes, {found['label_bytes'] / 1e6:,.0f} MB of labels"
    )
    print(f"  cold read, no kept table      {found['cold']:8.2f} s")
    print(
        f"  peak memory of the process    {mib['peak']:8.0f} MiB, {mib['imports']:.0f} MiB of it before reading (torch)"
    )
    print(f"  table in memory               {mib['table_bytes']:8.1f} MiB")
    print(f"  saving it                     {found['save']:8.2f} s, a file of {mib['file_bytes']:.1f} MiB")
    print(f"  kept table found and loaded   {found['warm']:8.2f} s")
    print(f"  of that: has a file changed?  {found['stats']:8.2f} s, {found['files']:,} files\n")


def measure(root: Path) -> dict[str, float]:
    """Read a data set cold and from its kept table, in this process."""
    import dataclasses

    import numpy as np

    from gapscope.data.readers.detect import read_annotations
    from gapscope.files import file_stats

    imports, cache = peak_memory(), root.parent / f"{root.name}-cache"
    for old in cache.glob("*"):
        old.unlink()
    cold, table = timed(lambda: read_annotations(root, root.name))
    peak = peak_memory()
    columns = [value for value in vars(table).values() if isinstance(value, np.ndarray)]
    save, _ = timed(lambda: table.save(root.parent / "saved.npz"))
    kept = read_annotations(root, root.name, cache=cache)
    warm, again = timed(lambda: read_annotations(root, root.name, cache=cache))
    assert all(np.array_equal(getattr(again, f.name), getattr(kept, f.name)) for f in dataclasses.fields(table)[2:9])
    stats, files = timed(lambda: file_stats(root))
    return {
        "images": len(table),
        "boxes": table.num_boxes,
        "label_bytes": sum(size for path, size, *_ in files if not path.endswith(".jpg")),
        "cold": cold,
        "imports": imports,
        "peak": peak,
        "table_bytes": sum(column.nbytes for column in [*columns, *table.attributes.values()]),
        "file_bytes": (root.parent / "saved.npz").stat().st_size,
        "save": save,
        "warm": warm,
        "stats": stats,
        "files": len(files),
    }


def timed(call):
    """Seconds, and what the call gave."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def jpeg_header(size: tuple[int, int]) -> bytes:
    """A JPEG file up to where its pixels begin."""
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, "JPEG")
    whole = stream.getvalue()
    return whole[: whole.index(b"\xff\xda") + 14]


def write_bdd(root: Path, scale: float) -> None:
    """BDD100K's labels of 2018 and image files without pixels."""
    rng, header = random.Random(0), jpeg_header(BDD_SIZE)
    texts = [bdd_labels(rng) for _ in range(LABEL_TEXTS)]
    (root / "labels").mkdir(parents=True)
    ride = 0
    for split, frames in BDD_FRAMES.items():
        images = root / "images/100k" / split
        images.mkdir(parents=True)
        with (root / f"labels/bdd100k_labels_images_{split}.json").open("w") as stream:
            stream.write("[\n")
            for i in range(max(1, round(frames * scale))):
                ride += rng.random() < 0.6
                name = f"{ride:08x}-{rng.getrandbits(32):08x}.jpg"
                weather = rng.choice(["clear", "rainy", "overcast", "snowy"])
                attributes = {"weather": weather, "scene": "city street", "timeofday": rng.choice(["daytime", "night"])}
                start = json.dumps({"name": name, "attributes": attributes, "timestamp": 10000}, indent=4)
                stream.write((",\n" if i else "") + f'{start[:-2]},\n    "labels": {rng.choice(texts)}\n}}')
                (images / name).write_bytes(header)
            stream.write("\n]\n")


def bdd_labels(rng: random.Random) -> str:
    """The labels of one frame: 12 to 26 boxes, 4 to 10 lanes, up to 3 areas; indented as in the release."""
    labels = [{"category": rng.choice(BDD_CLASSES), "box2d": bdd_box(rng)} for _ in range(rng.randint(12, 26))]
    lanes, areas = [("lane", 3, False)] * rng.randint(4, 10), [("drivable area", 12, True)] * rng.randint(0, 3)
    for category, corners, closed in lanes + areas:
        vertices = [[rng.uniform(0, 1280), rng.uniform(300, 720)] for _ in range(corners)]
        outline = {"vertices": vertices, "types": "L" * corners, "closed": closed}
        labels.append({"category": category, "poly2d": [outline]})
    stated = {"occluded": rng.random() < 0.5, "truncated": rng.random() < 0.1, "trafficLightColor": "none"}
    more = {"attributes": stated, "manualShape": True, "manualAttributes": True}
    return json.dumps([label | more | {"id": i} for i, label in enumerate(labels)], indent=4)


def bdd_box(rng: random.Random) -> dict[str, float]:
    """A box of a street's sizes: most are small."""
    width, height = rng.uniform(8, 60) * rng.choice([1, 1, 2, 5]), rng.uniform(8, 60) * rng.choice([1, 1, 2, 5])
    x1, y1 = rng.uniform(0, 1280 - width), rng.uniform(150, 720 - min(height, 500)) - 10
    return {"x1": x1, "y1": y1, "x2": x1 + width, "y2": min(y1 + height, 720.0)}


def write_viper(root: Path, scale: float) -> None:
    """VIPER's box files, class first, and image files without pixels."""
    rng, header = random.Random(0), jpeg_header(VIPER_SIZE)
    texts = ["".join(viper_rows(rng)) for _ in range(LABEL_TEXTS)]
    frames = max(VIPER_SEQUENCES, round(VIPER_FRAMES * scale))
    for sequence in range(1, VIPER_SEQUENCES + 1):
        boxes, images = root / f"train/bb/{sequence:03}", root / f"train/img/{sequence:03}"
        boxes.mkdir(parents=True)
        images.mkdir(parents=True)
        last = frames * sequence // VIPER_SEQUENCES - frames * (sequence - 1) // VIPER_SEQUENCES
        for frame in range(1, last + 1):
            name = f"{sequence:03}_{frame:05}"
            (boxes / f"{name}.csv").write_text(rng.choice(texts))
            (images / f"{name}.jpg").write_bytes(header)


def viper_rows(rng: random.Random) -> Iterator[str]:
    """The rows of one frame: none, or 20 to 50 objects with class, instance, box, box in 3D and matrix."""
    for _ in range(rng.randint(20, 50) if rng.random() < 0.98 else 0):
        width, height = rng.uniform(4, 80) * rng.choice([1, 1, 2, 6]), rng.uniform(4, 80) * rng.choice([1, 1, 2, 4])
        x, y = rng.uniform(0, 1920 - width), rng.uniform(300, 1080 - height)
        box = [round(value) for value in (x, y, x + width, y + height)]
        rest = [f"{rng.uniform(-50, 50):.6f}" for _ in range(22)]
        yield ",".join(map(str, [rng.choice(VIPER_CLASSES), rng.randint(1, 65535), *box, *rest])) + "\n"


if __name__ == "__main__":
    main()
