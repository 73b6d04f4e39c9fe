"""A run folder full of MADE-UP numbers in the shape of a real one, to try the report on. Nothing in it was measured."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image, ImageDraw

from gapscope.data.table import AnnotationTable
from gapscope.files import write_json, write_text

CLASSES = ("person", "cycle", "car", "bus", "truck")
COLORS = ((200, 60, 60), (60, 160, 60), (60, 80, 200), (220, 180, 40), (140, 70, 160))
ARMS = {"u-real": ["camera"], "u-synthetic": ["engine"], "f-synthetic": ["engine"]}
DOMAINS = {"camera": "real", "engine": "synthetic"}
SIZES = (160, 96)
MEASURES = ("cka_debiased", "cka_biased")
LAYERS = np.arange(107)

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
start = "base"
freeze = "0-74"

[probe]
domain = "camera"
images = 48

[record]
sizes = [160, 96]
"""


def write_made_up_run(
    run: Path, *, seeds: tuple[int, ...] = (0, 1), title: str = "A made-up study", first_arm: str = "U-Real"
) -> Path:
    """Write a whole run folder below `run`, the images of its domains included."""
    config = CONFIG.format(title=title, seeds=", ".join(map(str, seeds)), first_arm=first_arm)
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
            for size in SIZES:
                _write_recording(run, arm, seed, size)
    for size in SIZES:
        _write_grids(run, seeds, size)
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
        line = {"epoch": epoch, "loss": loss, **parts, "val_map50": val, "learning_rate": 1e-3}
        lines.append(json.dumps({**line, "images_per_second": 50.0, "seconds": 6.0}))
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
            "start": "base",
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


def _write_evaluation(run: Path, arm: str, seed: int, domain: str) -> None:
    rng = np.random.default_rng([seed, *arm.encode(), *domain.encode()])
    at_home = ARMS[arm] == [domain]
    ap50 = {name: round(float((0.5 if at_home else 0.15) + 0.1 * rng.random()), 4) for name in CLASSES}
    mean = sum(ap50.values()) / len(ap50)
    stem = run / "evaluation" / f"{arm}-seed{seed}--{domain}.json"
    write_json(
        stem,
        {
            "arm": arm,
            "seed": seed,
            "domain": domain,
            "split": "test",
            "num_images": 12,
            "classes": list(CLASSES),
            "targets": {name: 9 for name in CLASSES},
            "headline": list(CLASSES),
            "rules": {
                "coco": {"map50": mean, "map50_95": mean / 2, "headline_map50": mean, "ap50": ap50},
                "paper": {
                    "map50": mean - 0.01,
                    "headline_map50": mean - 0.01,
                    "ap50": {k: v - 0.01 for k, v in ap50.items()},
                },
            },
            "weights_sha256": f"{seed}" * 64,
            "image_size": 160,
        },
    )
    write_json(stem.with_name(f"{stem.stem}.detections.json"), _detections(run, domain, 0.9 if at_home else 0.35, rng))


def _detections(run: Path, domain: str, recall: float, rng: np.random.Generator) -> list[dict[str, object]]:
    table = AnnotationTable.load(run / "data" / domain / "annotations.npz", run / "data" / domain)
    found: list[dict[str, object]] = []
    for image in range(48, 60):
        boxes, classes, _ = table.boxes_of(image)
        for box, kind in zip(boxes, classes, strict=True):
            if rng.random() < recall:
                x1, y1, x2, y2 = (float(v) for v in box + rng.normal(0, 1.5, 4))
                score = round(float(rng.uniform(0.2, 1)), 3)
                bbox = [x1, y1, x2 - x1, y2 - y1]
                found.append({"image_id": image, "category_id": int(kind) + 1, "bbox": bbox, "score": score})
    return found


def _write_recording(run: Path, arm: str, seed: int, size: int) -> None:
    rng = np.random.default_rng([seed, size, *arm.encode()])
    spread = 0.7 + 0.4 * rng.random(107)
    columns = {
        "p": np.full(107, size * 8),
        "mean": rng.normal(-0.02, 0.02, 107),
        "median": rng.normal(-0.1, 0.02, 107),
        "std": spread,
        "min": -20 * spread,
        "max": 45 * spread,
    }
    dataset = xr.Dataset({name: ("layer", values) for name, values in columns.items()}, coords={"layer": LAYERS})
    _save(dataset, run / "recordings" / f"{arm}-seed{seed}--camera-{size}.nc")


def _write_grids(run: Path, seeds: tuple[int, ...], size: int) -> None:
    for seed in seeds:
        for a, b in [*combinations(ARMS, 2), *((arm, arm) for arm in ARMS)]:
            alike = 1.0 if a == b else 0.45 if "u-real" in (a, b) else 0.7
            _save(
                _grid(alike, [seed, size, *a.encode(), *b.encode()]),
                run / "similarity" / f"{a}-seed{seed}--{b}-seed{seed}--camera-{size}.nc",
            )
    for arm in ARMS:
        for a, b in combinations(seeds, 2):
            _save(_grid(0.93, [a, b, size]), run / "similarity" / f"{arm}-seed{a}--{arm}-seed{b}--camera-{size}.nc")


def _grid(alike: float, seed: list[int]) -> xr.Dataset:
    """Similarity that falls with the distance of two layers and dips in the network's deepest part."""
    rng = np.random.default_rng(seed)
    depth = np.clip((LAYERS - 10) / 60, 0, 1) - 0.5 * ((LAYERS == 86) | (LAYERS == 98))
    same = 1 - (1 - alike) * depth - (0 if alike == 1 else 0.02) * rng.random(107)
    distance = np.abs(LAYERS[:, None] - LAYERS[None, :])
    debiased = np.sqrt(same[:, None] * same[None, :]) * np.exp(-distance / 25)
    values = np.stack([debiased, 0.2 + 0.8 * debiased])
    diagonal = np.diagonal(values, axis1=1, axis2=2)
    half = 0 if alike == 1 else 0.03
    floor = np.stack([np.zeros(107), 0.2 * (1 - depth / 2)])
    columns = {
        "floor_mean": floor,
        "floor_low": floor - 0.03,
        "floor_high": floor + 0.03,
        "interval_low": diagonal - half,
        "interval_high": np.minimum(diagonal + half, 1),
    }
    dataset = xr.Dataset(
        {
            "value": (("measure", "layer_a", "layer_b"), values),
            **{name: (("measure", "layer"), array) for name, array in columns.items()},
        },
        coords={"measure": list(MEASURES), "layer_a": LAYERS, "layer_b": LAYERS, "layer": LAYERS},
    )
    dataset.attrs["n"] = 48
    return dataset


def _save(dataset: xr.Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.to_netcdf(path, engine="h5netcdf")
