"""Everything that can be said of an evaluation, as one JSON-able value."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gapscope.config import Evaluate
from gapscope.evaluation.average_precision import (
    RECALLS,
    AveragePrecision,
    average_precision,
)
from gapscope.evaluation.bootstrap import LEVEL, Draws, bootstrap, interval
from gapscope.evaluation.calibration import Calibration, calibration
from gapscope.evaluation.columns import Array
from gapscope.evaluation.confusion import CONFUSION_IOU, confusion_matrix
from gapscope.evaluation.error_kinds import BACKGROUND_IOU, FOREGROUND_IOU, error_kinds
from gapscope.evaluation.evaluate import Evaluation
from gapscope.evaluation.matching import (
    MAX_PER_CLASS,
    SIZES,
    Matches,
    coco_candidates,
    count_targets,
    match_coco,
    match_paper,
)
from gapscope.evaluation.precision_recall import precision_recall_curve
from gapscope.progress import Progress, silent

SEED = 0
"""Of the bootstrap: the same for all networks, so that draw i of two of them takes the same images."""
CURVE_POINTS = 2000
"""About so many points all curves have together, so that the file stays small with many classes."""


def scores(
    evaluation: Evaluation,
    headline: Sequence[str],
    config: Evaluate,
    *,
    what: str = "intervals",
    progress: Progress = silent,
) -> dict[str, Any]:
    """The numbers of an evaluation file. A score that is not defined, such as AP without targets, is null.

    num_images, classes, headline    how many images; the network's classes; those whose mean is the headline
    targets                          class -> targets, ignore regions left out
    rules.<rule>                     `coco` and `paper`, each with
      map50, map50_95, headline_map50    means over the classes that have targets
      ap50, ap50_95                      class -> AP
      map75, ap75                        the same at IoU 0.75; only `coco` defines it, and what follows
      mar.{1, 10, 100}, ar100            COCO's AR: mean recall over IoU 0.5 to 0.95 with so many detections of an image
                                         and class, as a mean over classes; class -> AR with 100
      interval.{map50, map50_95, headline_map50}, interval.ap50.<class>
                                         [low, high] at 95 % over images drawn anew, bias-corrected
      headline_draws                     headline_map50 of every draw; draw i takes the same images for every network
                                         scored on these images, so networks can be subtracted draw by draw
      by_size.{small, medium, large}     targets, map50, map50_95, mar100, ap50; only `coco` defines it. Sizes are
                                         COCO's, in square pixels of the original image: up to 32^2, up to 96^2, larger;
                                         by the area that labels state, else by the box
    bootstrap                        draws, seed, level of all intervals
    curves                           at IoU 0.5: `recall`, a grid; then per rule and class `precision` there; for `coco`
                                     also `confidence`, the least that reaches that recall, and `best`, where F1 is
                                     highest: confidence, precision, recall, f1
    confusion                        at `confidence` and `iou`: counts.<true class>.<detected class>, zeros left out;
                                     "background" in the first place is a detection without a target, in the second a
                                     missed target
    calibration                      at IoU 0.5: bins with count, confidence and precision (means); `error` is the
                                     expected calibration error of all detections, `error_from` that of detections of
                                     at least `from_confidence`
    errors                           at `iou`, after TIDE: kind -> count and delta_map50, what mending all errors of
                                     this kind would add to the mAP@0.5 of `coco`
    """
    classes, n = evaluation.classes, evaluation.num_images
    targets, detections = evaluation.targets, evaluation.detections
    candidates = coco_candidates(targets, detections, n, len(classes))
    coco, paper = match_coco(candidates), match_paper(targets, detections, n, len(classes))
    sizes = {size: match_coco(candidates, limits) for size, limits in SIZES.items()}
    rules = {}
    for number, (rule, matches) in enumerate((("coco", coco), ("paper", paper))):
        progress(what, number, 2)
        rules[rule] = _rule_scores(rule, matches, classes, headline, config.bootstraps)
    progress(what, 2, 2)
    rules["coco"]["by_size"] = {
        size: _size_scores(average_precision("coco", part, classes), part) for size, part in sizes.items()
    }
    scored = targets.take(~targets.ignore)
    matrix = confusion_matrix(targets, detections, n, len(classes), config.operating_confidence)
    return {
        "num_images": n,
        "classes": list(classes),
        "targets": dict(zip(classes, count_targets(scored, n, len(classes)).sum(0).tolist(), strict=True)),
        "headline": list(headline),
        "rules": rules,
        "bootstrap": {"draws": config.bootstraps, "seed": SEED, "level": LEVEL},
        "curves": _curves(coco, paper, classes),
        "confusion": {
            "confidence": config.operating_confidence,
            "iou": CONFUSION_IOU,
            "counts": _confusion_counts(matrix, [*classes, "background"]),
        },
        "calibration": _calibration_scores(coco, config.operating_confidence),
        "errors": {
            "iou": FOREGROUND_IOU,
            "background_iou": BACKGROUND_IOU,
            "kinds": {
                name: {"count": kind.count, "delta_map50": kind.delta_map50}
                for name, kind in error_kinds(targets, coco).items()
            },
        },
    }


def _rule_scores(
    rule: str, matches: Matches, classes: Sequence[str], headline: Sequence[str], draws: int
) -> dict[str, Any]:
    ap = average_precision(rule, matches, classes)
    drawn = bootstrap(rule, matches, draws, SEED)
    leading = [list(classes).index(name) for name in headline]
    headline_draws = drawn.mean50(leading)
    return {
        "map50": ap.mean50(),
        "map50_95": ap.mean50_95(),
        "headline_map50": ap.mean50(headline),
        "ap50": ap.ap50,
        "ap50_95": ap.ap50_95,
        **_further_scores(ap),
        "interval": _intervals(drawn, ap, headline),
        "headline_draws": _rounded(headline_draws, 5),
    }


def _further_scores(ap: AveragePrecision) -> dict[str, Any]:
    """What only the coco rule defines."""
    if not ap.recall:
        return {}
    recalls = {str(most): ap.mean_recall(most) for most in ap.recall}
    return {"map75": ap.mean75(), "ap75": ap.ap75, "mar": recalls, "ar100": ap.recall[MAX_PER_CLASS]}


def _intervals(drawn: Draws, ap: AveragePrecision, headline: Sequence[str]) -> dict[str, Any]:
    names = list(ap.ap50)
    every, leading = range(len(names)), [names.index(name) for name in headline]
    return {
        "map50": interval(drawn.mean50(every), ap.mean50()),
        "map50_95": interval(drawn.mean50_95(every), ap.mean50_95()),
        "headline_map50": interval(drawn.mean50(leading), ap.mean50(headline)),
        "ap50": {name: interval(drawn.ap50[label], ap.ap50[name]) for label, name in enumerate(names)},
    }


def _size_scores(ap: AveragePrecision, matches: Matches) -> dict[str, Any]:
    return {
        "targets": int(matches.num_targets.sum()),
        "map50": ap.mean50(),
        "map50_95": ap.mean50_95(),
        "mar100": ap.mean_recall(),
        "ap50": ap.ap50,
    }


def _curves(coco: Matches, paper: Matches, classes: Sequence[str]) -> dict[str, Any]:
    wanted = 3 * len(RECALLS) * len(classes) / CURVE_POINTS  # three columns of each class
    step = next((step for step in (1, 2, 5, 10) if step >= wanted), 20)  # of the grid; all divide 100
    curves: dict[str, Any] = {"recall": _rounded(RECALLS[::step], 2), "coco": {}, "paper": {}}
    for label, name in enumerate(classes):
        one = precision_recall_curve("coco", coco, label)
        other = precision_recall_curve("paper", paper, label)
        if one is None or other is None:
            continue
        curves["coco"][name] = {
            "precision": _rounded(one.precision[::step], 4),
            "confidence": _rounded(one.confidence[::step], 4),
            "best": one.best and {key: getattr(one.best, key) for key in ("confidence", "precision", "recall", "f1")},
        }
        curves["paper"][name] = {"precision": _rounded(other.precision[::step], 4)}
    return curves


def _confusion_counts(matrix: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, int]]:
    return {
        true: {found: int(n) for found, n in zip(names, row, strict=True) if n}
        for true, row in zip(names, matrix, strict=True)
    }


def _calibration_scores(matches: Matches, from_confidence: float) -> dict[str, Any]:
    every, sure = calibration(matches), calibration(matches, from_confidence)
    return {
        "bins": _bins(every),
        "error": every.error,
        "from_confidence": from_confidence,
        "error_from": sure.error,
    }


def _bins(found: Calibration) -> list[dict[str, Any]]:
    columns = (found.count.tolist(), _rounded(found.confidence, 4), _rounded(found.precision, 4))
    return [{"count": n, "confidence": c, "precision": p} for n, c, p in zip(*columns, strict=True)]


def _rounded(values: Array, digits: int) -> list[float | None]:
    """Numbers for JSON, which has no NaN."""
    return [None if np.isnan(value) else round(value, digits) for value in values.tolist()]
