"""What does an engine cost a study of many short trainings, beside one process?

    python benchmarks/many_arms.py                       100 arms, in this process and on a local Ray with 2 workers
    python benchmarks/many_arms.py --arms 20 --on ray

Each arm trains a network of a few thousand weights for one epoch on four made-up images, so nearly all that is measured
is what a unit costs beside its work: its start, its records, its place in the queue. Weights must be the same bytes.
"""

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import torch
from made_up import CLASSES, made_up_samples

from gapscope.data.convert import convert
from gapscope.experiment_file import parse_config
from gapscope.study.run import run

CONFIG = """\
name = "many"
seeds = [0]
data = {{ classes = {classes}, image_size = 32 }}
model = {{ width = 0.03125, anchor_scale = 0.1 }}
train = {{ epochs = 1, batch_size = 4, device = "cpu" }}
evaluate = {{ bootstraps = 20 }}
probe = {{ domain = "shapes", images = 5 }}

[domains.shapes]
role = "real"
root = "{folder}/shapes"
split = {{ method = "random", fractions = [0.25, 0.25, 0.5] }}
"""
ARM = '\n[arms.a{number:03}]\ndomains = ["shapes"]\n'


def weights(out: Path) -> str:
    """A hash of all that was trained."""
    found = sorted(out.glob("arms/*/seed0/weights.safetensors"))
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in found)).hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help="units at a time on an engine")
    parser.add_argument("--on", nargs="+", default=["here", "ray"], help="here, ray, ray=ADDRESS or slurm")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with tempfile.TemporaryDirectory() as drawn:
            convert(made_up_samples(Path(drawn), 16, 64).table, "coco", folder / "shapes", copy=True)
        text = CONFIG.format(classes=list(CLASSES), folder=folder).replace("'", '"')
        text += "".join(ARM.format(number=number) for number in range(given.arms))
        experiment = parse_config(text)
        for on in given.on:
            out, engine = folder / on.partition("=")[0], {} if on == "here" else {"on": on, "jobs": given.jobs}
            run(experiment, out, config_text=text, only="data")
            for stage in ("train", "evaluate"):
                began = time.perf_counter()
                run(experiment, out, config_text=text, only=stage, **engine)
                seconds = time.perf_counter() - began
                rate = 60 * given.arms / seconds
                print(
                    f"{on}, {stage}: {given.arms} units in {seconds:.1f} s, {seconds / given.arms:.2f} s a unit, "
                    f"{rate:.0f} a minute; weights {weights(out)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
