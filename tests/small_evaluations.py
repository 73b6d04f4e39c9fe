"""Evaluations and whole studies by hand, as small as a test needs them: no run folder, no images, no networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gapscope.evaluation.error_kinds import KINDS, SPECIAL
from gapscope.experiment_file import parse_config
from gapscope.findings.domain_file import parse_summary
from gapscope.findings.environment_file import RunEnvironment
from gapscope.findings.evaluation_file import parse_evaluation
from gapscope.findings.results import Results
from gapscope.run_folder import RunName

CONFIG = """\
name = "by-hand"
seeds = [{seeds}]
[data]
classes = [{classes}]
image_size = 64
[domains.photos]
role = "real"
root = "photos"
[domains.renders]
role = "synthetic"
root = "renders"
[arms.real]
title = "Real"
domains = ["photos"]
[arms.synthetic]
title = "Synthetic"
domains = ["renders"]
[arms.frozen]
title = "Frozen"
domains = ["renders"]
freeze = "0-74"
[probe]
domain = "photos"
images = 20
{more}
"""


def evaluation(
    map50: float | None,
    *,
    draws: Sequence[float | None] | None = None,
    classes: Mapping[str, float | None] | None = None,
    reach: float = 0.01,
    paper: float | None = None,
    sizes: Mapping[str, float] | None = None,
    kinds: Mapping[str, float] | None = None,
    confusion: Mapping[str, Mapping[str, int]] | None = None,
    best: Mapping[str, float] | None = None,
    num_images: int = 200,
) -> dict[str, Any]:
    """An evaluation file as `gapscope.evaluation.scores.scores` shapes it.

    Args:
        map50: The headline number, and mAP@0.5 of all classes.
        draws: Of the headline; left out, there are 100, spread evenly by `reach` to both sides.
        classes: AP@0.5 per class; left out, both have `map50`.
        reach: Half the width of every interval.
        paper: The headline number under the paper's rule.
        sizes: mAP@0.5 of small, medium and large boxes.
        kinds: What mending a kind of mistake would add to mAP@0.5; 0 where left out.
        confusion: Counts by true and detected class.
        best: Confidence with the highest F1 by class.
    """
    ap50 = dict(classes) if classes else {"person": map50, "car": map50}
    if draws is None and map50 is not None:
        draws = [map50 + reach * (2 * i / 99 - 1) for i in range(100)]
    by_size = {size: {"targets": 30, "map50": ap, "map50_95": ap, "ap50": {}} for size, ap in (sizes or {}).items()}
    curve = {"precision": [1.0, 0.5, 0.0], "confidence": [0.9, 0.4, None], "best": None}
    curves = {
        name: curve | {"best": {"confidence": at, "precision": 0.5, "recall": 0.5, "f1": 0.5}} if at else curve
        for name in ap50
        for at in ((best or {}).get(name),)
    }
    intervals = {name: None if ap is None else [ap - reach, ap + reach] for name, ap in ap50.items()}
    interval = None if map50 is None else [map50 - reach, map50 + reach]
    coco = {"map50": map50, "map50_95": map50, "headline_map50": map50, "ap50": ap50, "by_size": by_size}
    coco |= {"interval": {"headline_map50": interval, "map50": interval, "ap50": intervals}, "headline_draws": draws}
    return {
        "num_images": num_images,
        "classes": list(ap50),
        "targets": dict.fromkeys(ap50, 40),
        "rules": {"coco": coco, "paper": coco | {"headline_map50": map50 if paper is None else paper}},
        "curves": {"recall": [0.0, 0.5, 1.0], "coco": curves, "paper": curves},
        "confusion": {"confidence": 0.25, "iou": 0.5, "counts": {t: dict(row) for t, row in (confusion or {}).items()}},
        "calibration": {"bins": [], "error": 0.1, "from_confidence": 0.25, "error_from": 0.2},
        "errors": {
            "kinds": {kind: {"count": 10, "delta_map50": (kinds or {}).get(kind, 0.0)} for kind in KINDS | SPECIAL}
        },
    }


def before_there_were_intervals(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The same evaluation as gapscope wrote it at first."""
    kept = {key: whole[key] for key in ("num_images", "classes", "targets")}
    names = ("map50", "map50_95", "headline_map50", "ap50")
    return kept | {"rules": {rule: {name: found[name] for name in names} for rule, found in whole["rules"].items()}}


def study(
    evaluations: Mapping[tuple[str, int, str], dict[str, Any]],
    *,
    seeds: Sequence[int] = (0, 1),
    classes: Sequence[str] = ("person", "car"),
    summaries: Mapping[str, dict[str, Any]] | None = None,
    more: str = "",
) -> Results:
    """A study with these evaluations by (arm, seed, domain), and nothing else in its run folder.

    Its arms are `real` (trained on `photos`), `synthetic` and `frozen` (both on `renders`).
    """
    names = ", ".join(f"'{name}'" for name in classes)
    text = CONFIG.format(seeds=", ".join(map(str, seeds)), classes=names, more=more)
    found = {(RunName(arm, seed), domain): parse_evaluation(one) for (arm, seed, domain), one in evaluations.items()}
    nothing: dict[Any, Any] = {}
    return Results(
        folder=Path("nowhere"),
        experiment=parse_config(text, "by hand"),
        environment=RunEnvironment(),
        summaries={name: parse_summary(one) for name, one in (summaries or {}).items()},
        trainings={},
        evaluations=found,
        statistics=nothing,
        grids=nothing,
        effects=nothing,
        probe="photos",
    )


def two_arms(home: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], **more: Any) -> Results:
    """`real` and `synthetic` on `photos`, one evaluation per seed."""
    found = {("real", seed, "photos"): one for seed, one in enumerate(home)}
    found |= {("synthetic", seed, "photos"): one for seed, one in enumerate(other)}
    return study(found, seeds=range(len(home)), **more)


def summary(*, boxes: Mapping[str, int], ignored: int = 0, **leaks: int) -> dict[str, Any]:
    """A domain's summary: the same boxes in each split."""
    return {
        "images": {"train": 80, "val": 10, "test": 40},
        "boxes": {split: dict(boxes) for split in ("train", "val", "test")},
        "ignored": {"train": ignored, "val": 0, "test": 0},
        "label_map": {},
        "dropped": {},
        "ignored_sources": {},
        "removed": {},
        "fingerprint": "0" * 64,
        "split": "by hand",
        "leaks": {"shared_groups": 0, "near_duplicates": 0, "adjacent_frames": 0, "examples": []} | leaks,
    }
