"""gapscope beside other CKA packages at many sizes: a table, and a figure of time, memory and error.

    pip install torch-cka ckatorch pytorch-cka
    python benchmarks/cka_sweep.py [--out docs/images/cka-peers.png] [--points "64 128 yolov3 0.25, 64 224 vit"]

What is asked for, and how it is measured, says cka_peers.py. Time is also shown as a multiple of two bare forward
passes in batches of 8, beside the least that arithmetic allows: 1 + operations of the Gram matrices / operations of the
pass. A package that takes more than --most seconds at one point is left out of later ones of the same network.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from cka_peers import TOOLS, measure, version_of
from cka_subjects import limit

matplotlib.use("Agg")
from matplotlib import pyplot as plt

POINTS = (
    "32 32 yolov3 0.25, 64 64 yolov3 0.25, 64 128 yolov3 0.25, 200 96 yolov3 0.125, 32 96 yolov3 1, "
    "200 160 yolov3 0.25, 32 416 yolov3 0.25, 1000 32 yolov3 0.25, 64 64 resnet18, 200 64 resnet18, 64 224 resnet18, "
    "200 64 vit, 64 224 vit, 32 160 rt_detr, 32 320 rt_detr"
)
MARKS = dict(zip(TOOLS, "oXsDv^", strict=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", default=POINTS, help="images, pixels, network and width of each")
    parser.add_argument("--most", type=float, default=20)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows, slow = [], set[tuple[str, str]]()
    for point in options.points.split(","):
        images, size, model, width = (*point.split(), "1")[:4]
        given = argparse.Namespace(images=int(images), size=int(size), model=model, width=float(width))
        tools = [tool for tool in TOOLS if version_of(tool) and (model, tool) not in slow]
        found = measure_all(tools, given)
        least = limit(model, given.width, given.size, given.images)
        named = f"width {width}" if model == "yolov3" else model
        rows.append((f"{images} x\n{size} px\n{named}", least, found))
        print(f"{images} images at {size} px, {model}, {width}: bare {found['bare'][0]:.2f} s, limit {least:.2f} x")
        for tool, (seconds, memory, error) in found.items():
            ratio = seconds / found["bare"][0]
            print(
                f"  {tool:16}{seconds:8.2f} s {ratio:7.2f} x bare {memory:7.0f} MiB more  error {error:.1e}", flush=True
            )
        slow |= {(model, tool) for tool in tools if found.get(tool, (0,))[0] >= options.most}
    if options.out:
        draw(rows, options.out)


def measure_all(tools: list[str], given: argparse.Namespace) -> dict[str, tuple[float, float, float]]:
    """Of each package seconds, MiB and the largest error; NaN where it gives no such grid."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        wanted, _ = measure("exact", given, Path(folder) / "exact.npy")
        for tool in ("bare", *tools):
            grid, numbers = measure(tool, given, Path(folder) / "grid.npy")
            if grid is None:
                print(f"  {tool} ended with: {numbers['error']}")
                continue
            same = wanted is not None and grid.shape == wanted.shape
            error = float(np.abs(grid - wanted).max()) if same else float("nan")
            found[tool] = numbers["seconds"], numbers["memory"], error
    return found


def draw(rows: list[tuple[str, float, dict[str, tuple[float, float, float]]]], out: Path) -> None:
    """Three panels over the same points."""
    figure, panels = plt.subplots(3, 1, figsize=(9, 9), sharex=True, layout="constrained")
    names = ["time, of two bare forward passes", "memory beyond the networks, MiB", "largest error of a cell"]
    places = range(len(rows))
    for panel, name in zip(panels, names, strict=True):
        panel.set_yscale("log")
        panel.set_title(name, loc="left", fontsize=10)
        panel.grid(axis="y", alpha=0.3)
    panels[0].plot(places, [least for _, least, _ in rows], "_", color="black", markersize=24, label="arithmetic limit")
    for tool in TOOLS:
        at = [place for place in places if tool in rows[place][2]]
        values = np.array([rows[place][2][tool] for place in at]).reshape(-1, 3)
        bare = np.array([rows[place][2]["bare"][0] for place in at])
        for panel, column in zip(panels, (values[:, 0] / bare, values[:, 1], values[:, 2]), strict=True):
            panel.plot(at, column, MARKS[tool], label=tool, alpha=0.85)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", fontsize=8, ncols=7)
    panels[2].set_xticks(list(places), [label for label, _, _ in rows], fontsize=8)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
