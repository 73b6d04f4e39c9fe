"""What do few images teach a network? The same images, order, steps and optimizer for every network.

    python benchmarks/recipes.py FOLDER carla           YOLOv3 and YOLOv3 without anchors
    python benchmarks/recipes.py FOLDER road --start streets --freeze backbone
    python benchmarks/recipes.py FOLDER carla --model my_detector.py:Cells --seeds 0 1 2

FOLDER holds the two sets of configs/road-vs-carla.toml, whose classes, labels, filters and drives are taken. Of 600
images four fifths teach, the others are there for choosing between recipes, and the test images, of another town or of
other photographers, say how good the network is. Prints AP of the coco rule and the processor time of training.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch

from gapscope.config import Evaluate, Model, Train
from gapscope.data.augment import Augmentation
from gapscope.data.batches import batches
from gapscope.data.samples import Samples
from gapscope.detector.factories import is_guest
from gapscope.detector.guest_layers import freeze_any
from gapscope.detector.guests import Network, build_guest
from gapscope.detector.network import yolov3
from gapscope.detector.network_map import darknet_map
from gapscope.detector.protocol import Guest
from gapscope.evaluation.evaluate import evaluate
from gapscope.experiment_file import read_config
from gapscope.kept_memory import kept_memory
from gapscope.networks import layers_of
from gapscope.study.domains import prepare_domain
from gapscope.study.new_networks import begin
from gapscope.study.study import weights_file
from gapscope.training.optimization import learning_rate
from gapscope.training.processes import make_fabric
from gapscope.training.step import Learner

STUDY = Path(__file__).parents[1] / "configs" / "road-vs-carla.toml"
RECIPE = Train(preset="recommended", epochs=12, device="cpu")


@dataclass(frozen=True)
class Learned:
    """How good one training's network is; shares of 1."""

    chosen_by: float
    """AP on the images for choosing."""
    ap: float
    ap50: float
    ap75: float
    seconds: float
    """Of processor time, for all steps."""


def learn(network: Network, samples: dict[str, Samples], recipe: Train, seed: int) -> Learned:
    """Train on `train`, and score the average of the weights on `val` and `test`."""
    learner = Learner(make_fabric(recipe), network, recipe, seed)
    augment = Augmentation(**recipe.augment.model_dump())
    total, step, seconds = recipe.epochs * -(-len(samples["train"]) // recipe.batch_size), 0, 0.0
    for epoch in range(recipe.epochs):
        learner.training_mode()
        started = time.process_time()
        for batch in batches(
            samples["train"], recipe.batch_size, seed=seed, epoch=epoch, augment=augment, shuffle=True
        ):
            learner.step([batch], learning_rate(step, total, recipe), step)
            step += 1
        seconds += time.process_time() - started
    val, test = (
        evaluate(learner.candidate, samples[split], Evaluate(), rules=["coco"]).rules["coco"]
        for split in ("val", "test")
    )
    return Learned(
        chosen_by=val.mean50_95() or 0.0,
        ap=test.mean50_95() or 0.0,
        ap50=test.mean50() or 0.0,
        ap75=test.mean75() or 0.0,
        seconds=seconds,
    )


def samples_of(name: str, data_root: Path, size: int) -> tuple[dict[str, Samples], list[str]]:
    """The images of each split of a domain of the study, and its classes."""
    study = read_config(STUDY)
    domain, data = study.domains[name], study.data.model_copy(update={"image_size": size})
    split = domain.split.model_copy(update={"val_from_train": 0.2, "max_train": None})
    root = data_root / str(domain.root)
    prepared = prepare_domain(name, domain.model_copy(update={"split": split}), data, root)
    return {one: Samples(prepared.table, images, size=size) for one, images in prepared.splits.items()}, data.classes


def drawn(name: str, classes: list[str], size: int, width: float, seed: int, start: str, freeze: str) -> Network:
    """A new network; `width` is for YOLOv3 with and without anchors."""
    if name == "yolov3":
        network: Network = yolov3(classes, width, size / 416, torch.Generator().manual_seed(seed), Model().prior)
    elif is_guest(name):
        network = build_guest(name, classes, size, seed, width=width if name.startswith("yolov3") else 1.0)
    else:
        raise SystemExit(f"--model {name} - expected yolov3, yolov3-anchor-free, one of torchvision's or a factory.")
    if start:
        begin(network, weights_file(start), keep_head=False)
    if freeze:
        layers = network.map if isinstance(network, Guest) else darknet_map(network.plan)
        freeze_any(network, layers_of(freeze, layers))
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("domain", choices=["carla", "road"])
    parser.add_argument("--model", nargs="+", default=["yolov3", "yolov3-anchor-free"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--start", default="")
    parser.add_argument("--freeze", default="")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    samples, classes = samples_of(given.domain, given.folder, given.size)
    recipe = RECIPE.model_copy(update={"epochs": given.epochs})
    print(", ".join(f"{len(images)} {split}" for split, images in samples.items()), flush=True)
    print(f"{'':28} seed  val AP    AP   AP50   AP75  processor")
    for name in given.model:
        rows: list[Learned] = []
        for seed in given.seeds:
            network = drawn(name, classes, given.size, given.width, seed, given.start, given.freeze)
            with kept_memory():
                rows.append(learn(network, samples, recipe, seed))
            show(name, str(seed), [rows[-1]])
        show(name, "mean", rows)


def show(name: str, seed: str, rows: Sequence[Learned]) -> None:
    """One line: the means of what was learnt."""
    mean = [fmean(getattr(row, part) for row in rows) for part in ("chosen_by", "ap", "ap50", "ap75", "seconds")]
    print(
        f"{name:28} {seed:>4}  {mean[0]:6.3f} {mean[1]:5.3f}  {mean[2]:5.3f}  {mean[3]:5.3f}  {mean[4]:7.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
