"""What does a study of many networks cost: seconds and disk a pair, and the page with all of them?

    python benchmarks/many_networks.py                        50 thin networks, all pairs
    python benchmarks/many_networks.py --networks 10 --folder /tmp/ten    kept, and gone on with when run again

Networks have random weights (they count as trained elsewhere) and look at images of made-up shapes; nothing is trained,
and nothing is evaluated.
Comparisons have as many bootstraps and permutations as a study's have by default, unless --quick says otherwise.
"""

import argparse
import gzip
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from made_up import CLASSES, made_up_samples

from gapscope.data.convert import convert
from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.experiment_file import parse_config
from gapscope.findings.findings import find
from gapscope.findings.run_reader import read_results
from gapscope.page.page import render_page
from gapscope.several.report import write_report
from gapscope.study.run import run

CONFIG = """\
name = "many"
seeds = [0]
data = {{ classes = {classes}, image_size = {size} }}
model = {{ width = {width} }}
probe = {{ domain = "shapes", images = {probe} }}
record = {{ sizes = [{size}] }}
{quick}
[domains.shapes]
role = "real"
root = "{folder}/shapes"
split = {{ method = "random", fractions = [0.1, 0.1, 0.8] }}
"""
ARM = '\n[arms.n{number:03}]\ndomains = ["shapes"]\ntrained = "{folder}/networks/{number:03}.safetensors"\n'
QUICK = "similarity = { bootstraps = 20, permutations = 20 }\n"


def write_study(folder: Path, networks: int, probe: int, size: int, width: float, quick: bool) -> str:
    """Images and networks that are not there yet; the text of the experiment file."""
    shapes = folder / "shapes"
    if not shapes.exists():
        with tempfile.TemporaryDirectory() as drawn:
            convert(made_up_samples(Path(drawn), probe * 2, 2 * size).table, "coco", shapes, copy=True)
    for number in range(networks):
        path = folder / f"networks/{number:03}.safetensors"
        if not path.exists():
            generator = torch.Generator().manual_seed(number)
            save_weights(yolov3(CLASSES, width, generator=generator), path, {"made": "at random"})
    text = CONFIG.format(
        classes=list(CLASSES), size=size, width=width, probe=probe, folder=folder, quick=QUICK if quick else ""
    )
    text = text.replace("'", '"')
    return text + "".join(ARM.format(number=number, folder=folder) for number in range(networks))


def timed(text: str, out: Path, stages: Sequence[str]) -> dict[str, float]:
    """Seconds of each stage of a study."""
    experiment, found = parse_config(text), {}
    for stage in stages:
        began = time.perf_counter()
        run(experiment, out, config_text=text, only=stage)
        found[stage] = time.perf_counter() - began
    return found


def report(out: Path) -> None:
    """Say what tables, figures and page of a run take, which need no evaluation."""
    began = time.perf_counter()
    path = write_report(out)
    print(f"report: {time.perf_counter() - began:.1f} s with tables and figures; {path.stat().st_size / 1e6:.2f} MB")


def disk(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def look(out: Path) -> None:
    """Say what the page of a run takes."""
    began = time.perf_counter()
    results = read_results(out)
    read = time.perf_counter()
    findings = find(results)
    found = time.perf_counter()
    page = render_page(findings)
    end = time.perf_counter()
    packed = len(gzip.compress(page.encode()))
    print(f"page: read {read - began:.1f} s, numbers {found - read:.1f} s, HTML {end - found:.1f} s")
    print(f"page: {len(page) / 1e6:.2f} MB, {packed / 1e6:.2f} MB compressed, {page.count('<'):,} tags")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--probe", type=int, default=50, help="images that all look at")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--width", type=float, default=0.0625, help="of the networks")
    parser.add_argument("--quick", action="store_true", help="20 bootstraps and permutations")
    parser.add_argument("--folder", type=Path, help="kept; a temporary one if left out")
    parser.add_argument("--page", action="store_true", help="look at the page of a run that is there, and nothing else")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        if not given.page:
            text = write_study(folder, given.networks, given.probe, given.size, given.width, given.quick)
            took = timed(text, folder / "run", ("data", "train", "record", "compare"))
            pairs = len(list((folder / "run/similarity").glob("*.nc")))
            print(", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in took.items()))
            print(
                f"recording: {took['record'] / given.networks:.2f} s, {disk(folder / 'run/recordings'):,} bytes in all"
            )
            each = disk(folder / "run/similarity") // pairs
            print(f"{pairs} pairs: {took['compare'] / pairs:.3f} s and {each:,} bytes each")
        look(folder / "run")
        if not given.page:
            report(folder / "run")


if __name__ == "__main__":
    main()
