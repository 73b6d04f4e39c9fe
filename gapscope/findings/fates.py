"""What becomes of every labelled box? It is found, or nearly, or no detection points to it: one count, five fates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import labelled_boxes
from gapscope.findings.estimates import BySeed
from gapscope.findings.gaps import Gap
from gapscope.findings.judged import Judged
from gapscope.findings.results import Results
from gapscope.findings.test_boxes import domain_table, judged_boxes, split_images
from gapscope.words import number_of, percent

FATES = {
    "found": "found",
    "below": "found, less confident",
    "class": "wrong class",
    "place": "badly placed",
    "never": "never",
}
"""Name -> words. Each labelled box has one fate, that of the first of these that fits:

`found`: a right detection (own class, IoU 0.5 or more, matched by the coco rule) of at least the operating confidence;
`below`: a right detection of less confidence; else what the most confident detection is that would have been right but
for one thing: `class` (the box fits, the class is another) or `place` (own class, IoU 0.1 to 0.5); `never`: no
detection of any confidence points to it, which is what the kind of mistake `missed` means."""


@dataclass(frozen=True)
class Fates:
    """One arm on one domain."""

    arm: str
    domain: str
    confidence: float
    """The operating confidence."""
    num_boxes: int
    """Labelled boxes of all classes in the domain's test images; ignore regions left out."""
    shares: Mapping[str, BySeed]
    """Of these boxes, by those of `FATES`; one number per seed that was evaluated."""


def fates_of(targets: Boxes, judged: Judged, confidence: float) -> dict[str, int]:
    """How many labelled boxes have each fate; together they are all that are not ignored."""
    right = np.zeros(len(targets))
    rows = np.flatnonzero((judged.verdict == "right") & (judged.target >= 0))
    np.maximum.at(right, judged.target[rows], judged.detections.confidence[rows])
    most: dict[str, np.ndarray] = {}
    for kind in ("classification", "localization"):
        most[kind] = np.zeros(len(targets))
        rows = np.flatnonzero((judged.verdict == kind) & (judged.target >= 0))
        np.maximum.at(most[kind], judged.target[rows], judged.detections.confidence[rows])
    fits = [
        (right >= confidence) & (right > 0),
        right > 0,
        (most["classification"] > 0) & (most["classification"] >= most["localization"]),
        most["localization"] > 0,
    ]
    fate = np.select(fits, range(4), 4)[~targets.ignore]
    return dict(zip(FATES, np.bincount(fate, minlength=5).tolist(), strict=True))


def fate_sentence(results: Results, gap: Gap | None, fates: Sequence[Fates]) -> list[str]:
    """What a gap is in boxes; nothing where there is no gap, or where detections are not in the run folder."""
    of = {one.arm: one for one in fates if gap is not None and one.domain == gap.domain}
    if gap is None or gap.home not in of or gap.other not in of:
        return []
    home, other = of[gap.home].shares, of[gap.other].shares
    titles = results.arm_title(gap.other), results.arm_title(gap.home)
    boxes = number_of(of[gap.other].num_boxes, "labelled box", "labelled boxes")
    return [
        f"Of {boxes} on {results.short_title(gap.domain)}, {titles[0]} finds "
        f"{percent(other['found'].mean)} ({titles[1]} {percent(home['found'].mean)}) and never points to "
        f"{percent(other['never'].mean)} ({percent(home['never'].mean)})."
    ]


def box_fates(results: Results) -> list[Fates]:
    """Every reported arm on every test domain where labels and detections are in the run folder.

    Raises:
        InputError: If a file of annotations or detections is broken.
    """
    return list(_box_fates(results))


def _box_fates(results: Results) -> Iterator[Fates]:
    confidence = results.experiment.evaluate.operating_confidence
    for domain in results.test_domains:
        table = domain_table(results, domain)
        if table is None:
            continue
        images = split_images(results, table, domain, "test")
        targets = labelled_boxes(table.select(images))
        num_boxes = int((~targets.ignore).sum())
        for arm in results.arms if num_boxes else ():
            judged = (judged_boxes(results, table, images, run, domain) for run in results.runs(arm))
            counts = [fates_of(targets, one, confidence) for one in judged if one is not None]
            if counts:
                shares = {name: BySeed(tuple(one[name] / num_boxes for one in counts)) for name in FATES}
                yield Fates(arm, domain, confidence, num_boxes, shares)
