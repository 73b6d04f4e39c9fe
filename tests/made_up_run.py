"""A run folder full of MADE-UP numbers in the shape of a real one, to try the report on. Nothing in it was measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_up_similarity import write_made_up_similarity
from PIL import Image, ImageDraw

from gapscope.config import Evaluate
from gapscope.data.table import AnnotationTable
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import save_detections
from gapscope.evaluation.evaluate import Evaluation
from gapscope.evaluation.scores import scores
from gapscope.files import write_json, write_text

CLASSES = ("person", "cycle", "car", "bus", "truck")
COLORS = ((200, 60, 60), (60, 160, 60), (60, 80, 200), (220, 180, 40), (140, 70, 160))
ARMS = {"u-real": ["camera"], "u-synthetic": ["engine"], "f-synthetic": ["engine"]}
DOMAINS = {"camera": "real", "engine": "synthetic"}
SIZES = (160, 96)

CONFIG = """\
name = "made-up"
title = "{title}"
note = "Made-up numbers, to look at the page. Nothing here was measured."
seeds = [{seeds}]

[data]
classes = ["person", "cycle", "car", "bus", "truck"]
image_size = 160

[model]
width = 0.25

[domains.camera]
title = "Camera"
role = "real"
source = "rendered by gapscope's street generator, style camera"
generate = {{ style = "camera", images = 60, size = 160 }}

[domains.engine]
title = "Engine"
role = "synthetic"
source = "rendered by gapscope's street generator, style engine"
generate = {{ style = "engine", images = 60, size = 160 }}
remove_hood = true
min_area = 100

[arms.base]
domains = ["camera"]
report = false

[arms.u-real]
title = "{first_arm}"
domains = ["camera"]
start = "base"

[arms.u-synthetic]
title = "U-Synthetic"
domains = ["engine"]
start = "base"

[arms.f-synthetic]
title = "F-Synthetic"
domains = ["engine"]
start = "streets"
freeze = "0-74"

[probe]
domain = "camera"
also = {also}
images = 48

[record]
sizes = {sizes}
"""


def write_made_up_run(
    run: Path,
    *,
    seeds: tuple[int, ...] = (0, 1),
    title: str = "A made-up study",
    first_arm: str = "U-Real",
    sizes: tuple[int, ...] = SIZES,
    also: tuple[str, ...] = (),
) -> Path:
    """Write a whole run folder below `run`, the images of its domains included."""
    settings = {"seeds": ", ".join(map(str, seeds)), "sizes": list(sizes), "also": json.dumps(also)}
    config = CONFIG.format(title=title, first_arm=first_arm, **settings)
    write_text(run / "experiment.toml", config)
    write_text(run / "experiment.resolved.toml", config)
    write_json(run / "environment.json", _environment())
    for domain in DOMAINS:
        _write_domain(run, domain)
    for arm in ("base", *ARMS):
        for seed in seeds:
            _write_training(run, arm, seed)
    for arm in ARMS:
        for seed in seeds:
            for domain in DOMAINS:
                _write_evaluation(run, arm, seed, domain)
    write_made_up_similarity(run, list(ARMS), seeds, sizes, ("camera", *also))
    return run


def _environment() -> dict[str, object]:
    return {
        "gapscope": "0.1.0",
        "commit": None,
        "python": "3.11.9",
        "libraries": {"torch": "2.14.0", "numpy": "2.3.0"},
        "torch": "2.14.0",
        "device": "cpu",
        "device_name": "made-up processor",
        "cores": 2,
        "platform": "Linux",
        "started": "2000-01-01T00:00:00+00:00",
        "command": "gapscope run made-up.toml",
    }


def _write_domain(run: Path, domain: str) -> None:
    rng = np.random.default_rng(len(domain))
    table = _draw_images(run / "data" / domain, domain, rng)
    table.save(run / "data" / domain / "annotations.npz")
    splits = {"train": range(36), "val": range(36, 48), "test": range(48, 60)}
    for split, images in splits.items():
        write_text(run / "data" / domain / f"{split}.txt", "".join(f"{table.paths[i]}\n" for i in images))
    counts = {split: table.select(list(images)).counts() for split, images in splits.items()}
    write_json(
        run / "data" / domain / "summary.json",
        {
            "domain": domain,
            "title": domain.title(),
            "role": DOMAINS[domain],
            "source": f"rendered by gapscope's street generator, style {domain}",
            "images": {split: len(images) for split, images in splits.items()},
            "boxes": counts,
            "ignored": {split: 0 for split in splits},
            "label_map": {name: {name: sum(c[name] for c in counts.values())} for name in CLASSES},
            "dropped": {"traffic cone": 14} if domain == "engine" else {},
            "ignored_sources": {},
            "removed": {"min_area": 31, "hood": 60 if domain == "engine" else 0},
            "fingerprint": "0" * 64,
            "root": ".",
            "split": "whole drives, 60/20/20 (seed 0)",
            "leaks": {
                "shared_groups": 0,
                "near_duplicates": 2 if domain == "engine" else 0,
                "adjacent_frames": 0,
                "examples": [["images/engine-00001.png", "images/engine-00050.png"]] if domain == "engine" else [],
                "overlaps": [
                    {
                        "held_out": "test",
                        "seen_in": "train",
                        "images": 12,
                        "counts": {"same_name": 0, "near_duplicate": 2 if domain == "engine" else 0},
                        "examples": {"near_duplicate": ["images/engine-00050.png", "images/engine-00001.png"]}
                        if domain == "engine"
                        else {},
                    }
                ],
            },
            "image_size": [160, 120],
            "boxes_per_image": {"min": 1, "p25": 2, "median": 3, "p75": 4, "max": 6},
            "box_area": {"min": 100, "p25": 300, "median": 800, "p75": 1500, "max": 4000},
        },
    )


def _draw_images(folder: Path, domain: str, rng: np.random.Generator) -> AnnotationTable:
    """Coloured rectangles on a road, under a sky that tells the domains apart."""
    paths, box_image, box_class, boxes = [], [], [], []
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(60):
        picture = Image.new("RGB", (160, 120), (190, 205, 215) if domain == "camera" else (110, 170, 240))
        draw = ImageDraw.Draw(picture)
        draw.polygon([(0, 120), (70, 50), (90, 50), (160, 120)], fill=(95, 95, 100))
        for _ in range(int(rng.integers(1, 6))):
            kind = int(rng.integers(5))
            w, h = ((10, 26), (20, 16), (32, 20), (40, 36), (38, 32))[kind]
            x, y = int(rng.integers(0, 160 - w)), int(rng.integers(45, 120 - h))
            draw.rectangle((x, y, x + w - 1, y + h - 1), fill=COLORS[kind])
            box_image.append(i)
            box_class.append(kind)
            boxes.append((x, y, x + w, y + h))
        paths.append(f"images/{domain}-{i:05d}.png")
        picture.save(folder / paths[-1])
    return AnnotationTable(
        root=folder,
        class_names=CLASSES,
        paths=np.array(paths),
        widths=np.full(60, 160, np.int32),
        heights=np.full(60, 120, np.int32),
        groups=np.array([f"drive-{i // 8}" for i in range(60)]),
        box_image=np.array(box_image, np.int32),
        box_class=np.array(box_class, np.int16),
        xyxy=np.array(boxes, np.float32),
        ignore=np.zeros(len(boxes), bool),
    )


def _write_training(run: Path, arm: str, seed: int) -> None:
    rng = np.random.default_rng([seed, *arm.encode()])
    lines = []
    for epoch in range(12):
        loss = 6 * np.exp(-epoch / 4) + 1 + 0.1 * rng.random()
        val = 0.6 * (1 - np.exp(-epoch / 4)) + 0.02 * rng.random()
        parts = {"box": loss / 3, "objectness": loss / 2, "classification": loss / 6}
        line = {"epoch": epoch + 1, "loss": loss, **parts, "val_map50": val, "learning_rate": 1e-3}
        lines.append(json.dumps({**line, "images_per_second": 50.0, "data_wait": 0.02, "seconds": 6.0}))
    folder = run / "arms" / arm / f"seed{seed}"
    write_text(folder / "metrics.jsonl", "\n".join(lines) + "\n")
    frozen = arm.startswith("f-")
    write_json(
        folder / "summary.json",
        {
            "arm": arm,
            "title": arm.title(),
            "seed": seed,
            "domains": ARMS.get(arm, ["camera"]),
            "start": "streets" if frozen else "base",
            "freeze": "0-74" if frozen else "",
            "epochs": 12,
            "best_epoch": 9,
            "best_val_map50": 0.58,
            "stopped_early": False,
            "train_images": 36,
            "parameters": 3_900_000,
            "trainable_parameters": 1_300_000 if frozen else 3_900_000,
            "frozen_hash_before": "ab" * 32 if frozen else None,
            "frozen_hash_after": "ab" * 32 if frozen else None,
            "weights_sha256": f"{seed}" * 64,
            "seconds": 72.0,
            "device": "cpu",
        },
    )


scored: dict[tuple[str, int, str], tuple[Boxes, dict]] = {}
"""Arm, seed and domain -> detections and their numbers, the same in every made-up run: scoring takes a second."""


def _write_evaluation(run: Path, arm: str, seed: int, domain: str) -> None:
    """Made-up detections, scored as those of a study are."""
    if (arm, seed, domain) not in scored:
        rng = np.random.default_rng([seed, *arm.encode(), *domain.encode()])
        table = AnnotationTable.load(run / "data" / domain / "annotations.npz", run / "data" / domain)
        test = table.select(np.arange(48, 60))
        targets = Boxes.of(test.box_image, test.box_class, test.xyxy)
        detections = made_up_detections(targets, ARMS[arm] == [domain], rng)
        found = Evaluation(targets, detections, {}, CLASSES, len(test))
        scored[arm, seed, domain] = detections, scores(found, list(CLASSES), Evaluate(bootstraps=100))
    detections, numbers = scored[arm, seed, domain]
    facts = {"arm": arm, "seed": seed, "domain": domain, "split": "test", **numbers}
    path = run / "evaluation" / f"{arm}-seed{seed}--{domain}.json"
    write_json(path, facts | {"weights_sha256": f"{seed}" * 64, "image_size": 160})
    save_detections(path.with_suffix(".detections.npz"), replace(detections, image=detections.image + 48))


def made_up_detections(targets: Boxes, at_home: bool, rng: np.random.Generator) -> Boxes:
    """At home nearly every target is found; away half are missed, boxes are loose and classes mixed up."""
    found, loose, mixed_up, extra = (0.9, 1.5, 0.02, 0.2) if at_home else (0.5, 4.0, 0.2, 0.5)
    kept = targets.take(rng.random(len(targets)) < found)
    label = np.where(rng.random(len(kept)) < mixed_up, rng.integers(len(CLASSES), size=len(kept)), kept.label)
    xyxy = kept.xyxy + rng.normal(0, loose, (len(kept), 4))
    more = rng.integers(len(targets), size=int(extra * len(targets)))
    corner = rng.uniform(0, 100, (len(more), 2))
    xyxy = np.concatenate([xyxy, np.concatenate([corner, corner + rng.uniform(10, 20, corner.shape)], 1)])
    confidence = np.concatenate([rng.uniform(0.3, 1, len(kept)), rng.uniform(0.05, 0.6, len(more))]).round(3)
    image, labels = np.concatenate([kept.image, targets.image[more]]), np.concatenate([label, targets.label[more]])
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2] + 1)
    return Boxes.of(image, labels, xyxy, confidence)
