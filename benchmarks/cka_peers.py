"""gapscope beside other CKA packages, at a size that all of them can finish: seconds, memory, error against float64.

    pip install torch-cka ckatorch cka-pytorch pytorch-cka
    python benchmarks/cka_peers.py [--images 64] [--size 128] [--width 0.25] [--model resnet18]

Two random networks look at the same images; asked for is the debiased linear CKA of all convolutions of one (75 of
YOLOv3; of a ViT its blocks) with all of the other. Each package runs in a process of its own, one after the other, all
images in one batch (several of them give another number otherwise). The error is the largest difference to float64 from
the same activations. gapscope stands there twice: with the Gram matrices that were asked for, and as it records by
itself, all layers with their statistics. Seconds are the median of three turns.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cka import bare_forwards, smooth_noise
from cka_subjects import KINDS, activations, layer_names, network
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from gapscope.detector.network import YOLOv3
from gapscope.recording.record import record
from gapscope.similarity.compare import compare

Grid = np.ndarray
TURNS, LONG = 3, 20
"""Turns of each package, and seconds after which there is no further one."""


def exact(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    """The definition, in float64: U-centred Gram matrices and the cosine between them."""

    def centered(x: Tensor) -> Tensor:
        x = x.double() - x.double().mean(0)
        k, n = x @ x.T, len(x)
        k.fill_diagonal_(0)
        row = k.sum(1) / (n - 2) - k.sum() / (2 * (n - 1) * (n - 2))
        k = k - row[:, None] - row[None, :]
        return k.fill_diagonal_(0).flatten() / k.fill_diagonal_(0).norm()

    one, other = (torch.stack([centered(x) for x in activations(net, names, images)]) for net in (a, b))
    return (one @ other.T).numpy()


def gapscope_way(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    return gapscope_grid(a, b, names, images, layers=indices(a, names), statistics=None)


def gapscope_all(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    return gapscope_grid(a, b, names, images)


def gapscope_grid(a: nn.Module, b: nn.Module, names: list[str], images: Tensor, **options: Any) -> Grid:
    pixels = (images * 255).round().byte()
    recordings = [record(net, pixels, **options) for net in (a, b)]
    grid = compare(*recordings, permutations=0, bootstraps=0)["value"].sel(measure="cka_debiased")
    return grid.sel(layer_a=indices(a, names), layer_b=indices(b, names)).to_numpy()


def indices(made: nn.Module, names: list[str]) -> list[Any]:
    """The layers as `record` calls them: of YOLOv3 by Darknet's numbers."""
    return [int(name.rpartition(".")[2]) for name in names] if isinstance(made, YOLOv3) else names


def torch_cka(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    from torch_cka import CKA

    tool = CKA(a, b, "a", "b", model1_layers=names, model2_layers=names)
    with torch.no_grad():
        tool.compare(DataLoader(TensorDataset(images), batch_size=len(images)))
    return tool.export()["CKA"].numpy()


def pytorch_cka(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    from cka import compute_cka  # pytorch-cka installs itself under this name

    loader = DataLoader(TensorDataset(images), batch_size=len(images))
    found = compute_cka(a, b, loader, layers=names)
    return np.asarray(found[0] if isinstance(found, list | tuple) else found)


def cka_pytorch(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    from cka_pytorch.cka import CKACalculator

    tool = CKACalculator(a, b, names, names, verbose=False)
    loader = DataLoader(TensorDataset(images, torch.zeros(len(images))), batch_size=len(images))
    return tool.calculate_cka_matrix(loader, num_epochs=1).numpy()


def ckatorch(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    from ckatorch.core import cka_base

    one, other = activations(a, names, images), activations(b, names, images)
    return np.array([[float(cka_base(x, y, unbiased=True)) for y in other] for x in one])


TOOLS: dict[str, Callable[[nn.Module, nn.Module, list[str], Tensor], Grid]] = {
    "gapscope": gapscope_way,
    "gapscope, all": gapscope_all,
    "torch-cka": torch_cka,
    "pytorch-cka": pytorch_cka,
    "cka-pytorch": cka_pytorch,
    "ckatorch": ckatorch,
}


def bare_way(a: nn.Module, b: nn.Module, names: list[str], images: Tensor) -> Grid:
    """What nobody can do without: every image through both networks."""
    bare_forwards([a, b], (images * 255).round().byte(), 8, "cpu")
    return np.empty(0)


def run_one(tool: str, options: argparse.Namespace, out: Path) -> None:
    """In a process of its own: the grid to a file, seconds and memory to the terminal."""
    if tool == "pytorch-cka":  # this folder holds a cka.py, too, which is imported by now
        sys.modules.pop("cka")
        sys.path = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).parent.resolve()]
    networks = [network(options.model, options.width, options.size, seed) for seed in (0, 1)]
    names = layer_names(networks[0], options.model)
    images = smooth_noise(options.images, options.size).float() / 255
    with torch.no_grad():
        networks[0](images[:8])
    before, seconds = memory(), []
    way = {"exact": exact, "bare": bare_way}.get(tool) or TOOLS[tool]
    for _ in range(1 if tool == "exact" else TURNS):
        started = time.perf_counter()
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            grid = way(*networks, names, images)
        seconds.append(time.perf_counter() - started)
        if seconds[-1] > LONG:
            break
    np.save(out, grid)
    print(json.dumps({"seconds": statistics.median(seconds), "memory": memory() - before}))


def memory() -> float:
    """Largest resident memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--model", choices=KINDS, default="yolov3")
    parser.add_argument("--tool", help=argparse.SUPPRESS)
    parser.add_argument("--grid", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tool:
        run_one(options.tool, options, options.grid)
        return
    print(f"{options.model}, width {options.width}, {options.images} images at {options.size} px, CPU")
    print(f"{'':22}{'seconds':>9}{'x ours':>8}{'MiB more':>10}{'x ours':>8}{'largest error':>15}")
    with tempfile.TemporaryDirectory() as folder:
        wanted, _ = measure("exact", options, Path(folder) / "exact.npy")
        ours = None
        for tool in TOOLS:
            version = version_of(tool)
            if version is None:
                print(f"{tool:22}not installed")
                continue
            found, numbers = measure(tool, options, Path(folder) / f"{tool}.npy")
            if found is None or wanted is None:
                print(f"{tool + ' ' + version:22}ended with: {numbers['error']}")
                continue
            ours = ours or numbers
            error = np.abs(found - wanted).max() if found.shape == wanted.shape else f"shape {found.shape}"
            times, larger = numbers["seconds"] / ours["seconds"], numbers["memory"] / ours["memory"]
            shown = f"{error:15.1e}" if isinstance(error, float) else f"{error:>15}"
            print(
                f"{tool + ' ' + version:22}{numbers['seconds']:9.2f}{times:8.1f}{numbers['memory']:10.0f}{larger:8.1f}"
                f"{shown}"
            )


def version_of(tool: str) -> str | None:
    """None where it is not installed."""
    try:
        return importlib.metadata.version(tool.partition(",")[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def measure(tool: str, options: argparse.Namespace, out: Path) -> tuple[Grid | None, dict]:
    """The grid of one tool and what it took, or None and the last line of its complaint."""
    sizes = [f"--{name}={getattr(options, name)}" for name in ("images", "size", "width", "model")]
    command = [sys.executable, __file__, *sizes, f"--tool={tool}", f"--grid={out}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None, {"error": done.stderr.strip().splitlines()[-1][:100]}
    return np.load(out), json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
