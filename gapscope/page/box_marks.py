"""Boxes to draw over an image: labels, and what an arm made of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gapscope.data.table import AnnotationTable
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.error_kinds import KINDS
from gapscope.findings.judged import Judged

MOST_BOXES = 60
"""Detections that are drawn per image and arm, the most confident ones."""


@dataclass(frozen=True)
class BoxKind:
    """How boxes of one kind are told from others, besides their colour and dashes."""

    meaning: str
    sign: str
    """Letters at the box."""
    mistake: bool = True


BOX_KINDS = {
    "right": BoxKind("the right class in the right place", "", mistake=False),
    **{kind: BoxKind(meaning, "LC" if kind == "both" else kind[0].upper()) for kind, meaning in KINDS.items()},
    "ignored": BoxKind("a labelled region that does not count, or a detection on one", "", mistake=False),
}
"""What can be drawn besides labels."""


@dataclass(frozen=True)
class BoxMark:
    """One box to draw, in pixels of the original image."""

    xyxy: tuple[float, float, float, float]
    name: str
    """Its class; "any class" for an ignore region of every class."""
    kind: str
    """`label`, `ignore` (a region that does not count), or a verdict on a detection, or `missed`."""
    confidence: float = 1.0
    """Of a detection. A missed target is missed where one looks at higher confidences only."""
    target: str = ""
    """Class of the target that a detection of the wrong class or place would have been right about."""

    def visible(self, confidence: float) -> bool:
        """Whether it is drawn where one looks at detections of at least this confidence."""
        return self.confidence < confidence if self.kind == "missed" else self.confidence >= confidence


def label_marks(table: AnnotationTable, targets: Boxes, image: int) -> tuple[BoxMark, ...]:
    """An image's labels."""
    rows = np.flatnonzero(targets.image == image).tolist()
    return tuple(
        BoxMark(_corners(targets, i), _name(table, targets, i), "ignore" if targets.ignore[i] else "label")
        for i in rows
    )


def found_marks(table: AnnotationTable, targets: Boxes, one: Judged, image: int) -> Iterator[BoxMark]:
    """What an arm found in an image, the most confident last, so that they are drawn over the others."""
    rows = np.flatnonzero(one.detections.image == image)
    best = rows[np.argsort(-one.detections.confidence[rows], kind="stable")][:MOST_BOXES]
    for i in best[::-1].tolist():
        name = table.class_names[one.detections.label[i]]
        target = _name(table, targets, int(one.target[i])) if one.target[i] >= 0 and one.verdict[i] != "right" else ""
        confidence = float(one.detections.confidence[i])
        yield BoxMark(_corners(one.detections, i), name, str(one.verdict[i]), confidence, target)


def missed_marks(table: AnnotationTable, targets: Boxes, one: Judged, image: int) -> Iterator[BoxMark]:
    """An image's targets that an arm misses, if one only looks at detections of high enough confidence."""
    for i in np.flatnonzero((targets.image == image) & one.missed(targets, 1.0)).tolist():
        yield BoxMark(_corners(targets, i), _name(table, targets, i), "missed", float(one.noticed[i]))


def _name(table: AnnotationTable, boxes: Boxes, row: int) -> str:
    label = int(boxes.label[row])
    return table.class_names[label] if label >= 0 else "any class"


def _corners(boxes: Boxes, row: int) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = boxes.xyxy[row].tolist()
    return x1, y1, x2, y2
