"""What do the images look like, what does every arm find in them, and which of it is right?"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gapscope.data.image_hashes import difference_hash
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import labelled_boxes
from gapscope.evaluation.error_kinds import KINDS
from gapscope.findings.judged import Judged, f1_per_image
from gapscope.findings.pictures_here import pictures_here
from gapscope.findings.results import Results
from gapscope.findings.test_boxes import domain_table, judged_boxes, split_images
from gapscope.page.box_marks import BoxMark, found_marks, label_marks, missed_marks
from gapscope.page.picture_choice import REASONS, Alike, Choice, Things, choose, evenly, uncovered
from gapscope.page.thumbnails import thumbnails
from gapscope.run_folder import RunName

ON_THE_PAGE, PANELS = 30, 90
"""Test images of all domains together, and these times the arms: with more than three, fewer images are shown."""
PICTURE_BYTES, SAMPLE_BYTES = 450_000, 80_000
"""Of all test images together, and of one domain's training images."""
SAMPLE_SIDE = 240
"""Longer side in pixels of a training image."""
ALIKE_BITS = 48
"""Bits of 256 by which the hashes of two images may differ that look alike: frames of one video, seconds apart."""
LEAST, MOST = 0.1, 0.95
"""The reader can look at detections from this confidence on, or from any up to that."""


@dataclass(frozen=True)
class Picture:
    """One image with its labelled boxes and, for a test image, what every arm made of it."""

    path: str
    width: int
    height: int
    uri: str
    """The image, small, as a data URI."""
    truth: tuple[BoxMark, ...]
    found: Mapping[str, tuple[BoxMark, ...]] = field(default_factory=dict)
    """By arm: detections from `Gallery.least` on and targets that some confidence leaves missed."""
    f1: Mapping[str, float] = field(default_factory=dict)
    """By arm, at `Gallery.confidence`."""
    reason: str = ""
    """Why it was chosen: see `picture_choice`."""
    other_seeds: Mapping[int, Mapping[str, tuple[BoxMark, ...]]] = field(default_factory=dict)
    """`found` of the other seeds, where every arm has been evaluated with them."""

    @property
    def disagreement(self) -> float:
        """The arms' best F1 on this image minus their worst, 0 to 1."""
        return max(self.f1.values(), default=0.0) - min(self.f1.values(), default=0.0)

    def counted(self, arm: str, confidence: float) -> str:
        """What an arm made of the image, in words."""
        seen = Counter(mark.kind for mark in self.found[arm] if mark.visible(confidence))
        wrong = [f"{seen[kind]} {kind}" for kind in KINDS if seen[kind]]
        return ", ".join([f"{seen['right']} right", *wrong])


@dataclass(frozen=True)
class Gallery:
    """Some of a domain's test images, the most disputed first."""

    domain: str
    pictures: tuple[Picture, ...]
    confidence: float
    """What the page begins with: that of the confusion matrix."""
    least: float
    """The lowest confidence that the reader can choose."""
    most: float
    """The highest one."""
    num_images: int
    """Test images of the domain."""
    at_hand: int
    """Of these, those whose files are on this machine, as the run read them."""
    absent: tuple[str, ...]
    """Classes and mistakes that occur in these test images, but in none that is shown."""
    missing_arms: tuple[str, ...]
    """Arms that have not been evaluated here."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Pictures by the reason for which they were chosen."""
        return {reason: sum(one.reason == reason for one in self.pictures) for reason in REASONS}


def sample_pictures(results: Results, domain: str, count: int = 8) -> list[Picture]:
    """Training images of a domain, evenly spaced along its list, with their boxes."""
    table = domain_table(results, domain)
    if table is None:
        return []
    images = split_images(results, table, domain, "train")
    find = pictures_here(results, domain)
    found = {int(images[i]): find(str(table.paths[images[i]])) for i in evenly(len(images), count)}
    files = {image: path for image, path in found.items() if path is not None}
    part = table.select(list(files))
    uris = thumbnails(list(files.values()), SAMPLE_BYTES, largest=SAMPLE_SIDE)
    boxes = labelled_boxes(part)
    return [_picture(part, i, uri, label_marks(part, boxes, i)) for i, uri in enumerate(uris)]


def galleries(results: Results) -> list[Gallery]:
    """The test images to look at, by domain; without domains that have no evaluation or no images on this machine.

    They are chosen by the first seed of every arm, and drawn with every seed.
    """
    most = min(ON_THE_PAGE, PANELS // max(1, len(results.arms)))
    count = max(4, most // max(1, len(results.test_domains)))
    return [gallery for domain in results.test_domains if (gallery := _gallery(results, domain, count)) is not None]


def _gallery(results: Results, domain: str, count: int) -> Gallery | None:
    runs = {arm: RunName(arm, results.seeds[0]) for arm in results.arms}
    files = {arm: results.run_folder.detections(run, domain) for arm, run in runs.items()}
    there = {arm: path for arm, path in files.items() if path.is_file()}
    whole = domain_table(results, domain) if there else None
    if whole is None:
        return None
    images = split_images(results, whole, domain, "test")
    find = pictures_here(results, domain)
    at_hand = np.array([find(str(whole.paths[i])) is not None for i in images], bool)
    if not at_hand.any():
        return None
    table = whole.select(images)
    confidence = results.experiment.evaluate.operating_confidence
    least = min(LEAST, confidence)
    targets = labelled_boxes(table)
    found = {arm: judged_boxes(results, whole, images, runs[arm], domain, least) for arm in there}
    judged = {arm: one for arm, one in found.items() if one is not None}
    others = {
        seed: {arm: judged_boxes(results, whole, images, RunName(arm, seed), domain, least) for arm in there}
        for seed in results.seeds[1:]
    }
    f1 = {arm: f1_per_image(targets, one, len(images), confidence) for arm, one in judged.items()}
    disagreement = np.ptp(np.stack(list(f1.values())), axis=0)
    wanted = _things(table, targets, judged, confidence)
    chosen = choose(disagreement, wanted, at_hand, count, _alike(table))
    return Gallery(
        domain=domain,
        pictures=tuple(
            _pictures(table, targets, judged, others, f1, chosen, PICTURE_BYTES // len(results.test_domains))
        ),
        confidence=confidence,
        least=least,
        most=max(MOST, confidence),
        num_images=len(images),
        at_hand=int(at_hand.sum()),
        absent=tuple(uncovered(chosen, wanted)),
        missing_arms=tuple(arm for arm in files if arm not in there),
    )


def _things(
    table: AnnotationTable, targets: Boxes, judged: Mapping[str, Judged], confidence: float
) -> tuple[Things, Things]:
    """Which images hold each mistake (of any arm), and which each class (labelled); what does not occur is left out."""
    mistakes = {kind: np.zeros(len(table), bool) for kind in KINDS}
    for one in judged.values():
        sure = one.detections.confidence >= confidence
        for kind, held in mistakes.items():
            rows = targets.image[one.missed(targets, confidence)] if kind == "missed" else None
            held[one.detections.image[sure & (one.verdict == kind)] if rows is None else rows] = True
    classes = {name: np.zeros(len(table), bool) for name in table.class_names}
    for label, held in enumerate(classes.values()):
        held[targets.image[(targets.label == label) & ~targets.ignore]] = True
    return _occurring(mistakes), _occurring(classes)


def _alike(table: AnnotationTable) -> Alike:
    """Whether two images of a table look alike; an image that cannot be read is like no other."""

    @cache
    def bits(image: int) -> NDArray[np.uint64] | None:
        try:
            return difference_hash(table.path(image))
        except InputError:
            return None

    def alike(one: int, other: int) -> bool:
        a, b = bits(one), bits(other)
        return a is not None and b is not None and int(np.bitwise_count(a ^ b).sum()) <= ALIKE_BITS

    return alike


def _occurring(things: Things) -> Things:
    return {name: held for name, held in things.items() if held.any()}


def _pictures(
    table: AnnotationTable,
    targets: Boxes,
    judged: Mapping[str, Judged],
    others: Mapping[int, Mapping[str, Judged | None]],
    f1: Mapping[str, NDArray[np.float64]],
    chosen: list[Choice],
    budget: int,
) -> Iterator[Picture]:
    uris = thumbnails([table.path(choice.image) for choice in chosen], budget)

    def marked(one: Judged, image: int) -> tuple[BoxMark, ...]:
        return *missed_marks(table, targets, one, image), *found_marks(table, targets, one, image)

    for choice, uri in zip(chosen, uris, strict=True):
        image = choice.image
        found = {arm: marked(one, image) for arm, one in judged.items()}
        scores = {arm: float(values[image]) for arm, values in f1.items()}
        shown = _picture(table, image, uri, label_marks(table, targets, image), found, scores, choice.reason)
        seeds = {
            seed: {arm: marked(one, image) for arm, one in of.items() if one is not None} for seed, of in others.items()
        }
        yield replace(shown, other_seeds={seed: of for seed, of in seeds.items() if len(of) == len(found)})


def _picture(
    table: AnnotationTable,
    image: int,
    uri: str,
    truth: tuple[BoxMark, ...],
    found: Mapping[str, tuple[BoxMark, ...]] | None = None,
    f1: Mapping[str, float] | None = None,
    reason: str = "",
) -> Picture:
    size = int(table.widths[image]), int(table.heights[image])
    return Picture(str(table.paths[image]), *size, uri, truth, found or {}, f1 or {}, reason)
