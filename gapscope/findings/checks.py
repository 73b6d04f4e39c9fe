"""Warnings: what in data, trainings and evaluation could make the gap mean less than it seems to?"""

from collections.abc import Iterator, Mapping

from gapscope.findings.domain_facts import SKEWED
from gapscope.findings.gap_sentences import interval_words
from gapscope.findings.headline import headline_classes
from gapscope.findings.results import Results
from gapscope.findings.run_numbers import RunNumbers
from gapscope.findings.unlearned import arms_that_hardly_learned
from gapscope.words import number_of, percent

FEW_TEST_IMAGES = 100
"""Fewer test images are warned about: intervals over so few are too narrow, see gapscope.evaluation.bootstrap."""
FEW_TARGETS = 20
"""A class with fewer boxes in a test split is warned about."""
UNEQUAL = 1.05
"""Training sets that differ in size by more than this factor are warned about."""
OTHER_POLICY = 0.1
"""Domains whose shares of ignored boxes differ by more than this are warned about."""


def leaking_splits(numbers: RunNumbers) -> Iterator[str]:
    """Held-out images that training has seen, or nearly."""
    results = numbers.results
    for name, summary in results.summaries.items():
        held_out = summary.held_out
        found = [
            f"{count} ({percent(count / held_out)}) {what}"
            for count, what in (
                (summary.leaks.near_duplicates, "have a near-duplicate"),
                (summary.leaks.adjacent_frames, "are next to a video frame"),
            )
            if count
        ]
        shared = summary.leaks.shared_groups
        title = results.domain_title(name)
        if found:
            yield f"Of {held_out} held-out images of {title}, {' and '.join(found)} in an earlier split."
        if shared:
            groups = number_of(shared, "group")
            yield f"{title}: images of {groups} (rides, sequences, photographers) are in more than one split."
        if found or shared:
            yield f"mAP on the test images of {title} may be too high."


def few_images(numbers: RunNumbers) -> Iterator[str]:
    """Test sets that are small for an interval."""
    results = numbers.results
    for domain in results.test_domains:
        counts = {found.num_images for (_, of), found in results.evaluations.items() if of == domain}
        if counts and min(counts) < FEW_TEST_IMAGES:
            images = number_of(min(counts), "test image")
            yield f"{results.domain_title(domain)} has {images}; intervals over so few are too narrow."


def wide_intervals(numbers: RunNumbers) -> Iterator[str]:
    """Gaps that are smaller than what is not known about them."""
    results = numbers.results
    for gap in numbers.gaps:
        width = gap.estimate.high - gap.estimate.low
        if gap.estimate.has_interval and width > abs(gap.mean):
            title = f"{results.arm_title(gap.other)} on {results.domain_title(gap.domain)}"
            yield f"{title}: a gap of {gap.mean:z.1f} AP points, {interval_words(gap)}."


def seeds_as_large(numbers: RunNumbers) -> Iterator[str]:
    """Gaps that a change of seed could make."""
    results = numbers.results
    for gap in numbers.gaps:
        if gap.within_seeds or gap.seeds_disagree:
            title = f"{results.arm_title(gap.other)} on {results.domain_title(gap.domain)}"
            yield f"{title}: {gap.mean:z.1f} AP points, while seeds of one arm lie up to {gap.spread:.1f} apart."


def one_seed(numbers: RunNumbers) -> Iterator[str]:
    """A study without a second seed."""
    results = numbers.results
    if len(results.seeds) == 1:
        yield "Every arm was trained once, so no difference can be told from what a change of seed would do."


def unequal_sizes(numbers: RunNumbers) -> Iterator[str]:
    """Arms that were trained on more images than others; remedies and arms of a small diet were to be."""
    results = numbers.results
    finished = {run.arm: one.summary for run, one in results.trainings.items() if run.arm in results.arms}
    asked = {arm for arm in finished if results.experiment.arms[arm].images or results.experiment.arms[arm].half}
    asked |= {one.arm for one in numbers.remedies}
    sizes = {arm: one.train_images if one else None for arm, one in finished.items() if arm not in asked}
    known = {arm: n for arm, n in sizes.items() if n}
    if known and max(known.values()) > UNEQUAL * min(known.values()):
        text = ", ".join(f"{results.arm_title(arm)} {n}" for arm, n in known.items())
        yield f"Training images: {text}. A difference between the arms may be one of amount, not of kind."


def label_policies(numbers: RunNumbers) -> Iterator[str]:
    """Domains that leave very different shares of their boxes out of training and scoring."""
    results = numbers.results
    shares = {}
    for name, summary in results.summaries.items():
        ignored, boxes = (
            sum(summary.ignored.values()),
            sum(sum(split.values()) for split in summary.boxes.values()),
        )
        if ignored + boxes and name in _used(results):
            shares[name] = ignored / (ignored + boxes)
    if shares and max(shares.values()) - min(shares.values()) > OTHER_POLICY:
        text = ", ".join(f"{results.domain_title(name)} {percent(share)}" for name, share in shares.items())
        yield f"Share of the labelled boxes that are ignore regions: {text}. Part of a gap may be one of label policy."


def _used(results: Results) -> set[str]:
    trained = {domain for arm in results.arms for domain in results.experiment.arms[arm].domains}
    return trained | set(results.test_domains)


def skewed_classes(numbers: RunNumbers) -> Iterator[str]:
    """Classes that are common in one training domain and rare in another."""
    results = numbers.results
    trained_on = [d for d in results.summaries if any(d in results.experiment.arms[a].domains for a in results.arms)]
    shares = {domain: _shares(results.summaries[domain].boxes["train"]) for domain in trained_on}
    for name in headline_classes(results):
        values = {domain: share.get(name, 0.0) for domain, share in shares.items()}
        if len(values) > 1 and max(values.values()) > SKEWED * min(values.values()):
            text = ", ".join(f"{results.domain_title(domain)} {percent(share, 1)}" for domain, share in values.items())
            yield f"Share of {name} among the training boxes: {text}."


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: n / total for name, n in counts.items()} if total else {}


def few_targets(numbers: RunNumbers) -> Iterator[str]:
    """Classes with few test boxes."""
    results = numbers.results
    for domain in results.test_domains:
        boxes = results.summaries[domain].boxes.get("test", {}) if domain in results.summaries else {}
        few = [f"{name} {boxes[name]}" for name in headline_classes(results) if 0 <= boxes.get(name, -1) < FEW_TARGETS]
        if few:
            yield f"Test boxes in {results.domain_title(domain)}: {', '.join(few)}. AP of these classes is coarse."


def still_improving(numbers: RunNumbers) -> Iterator[str]:
    """Trainings that were best when they ended."""
    results = numbers.results
    late = [
        results.run_title(run)
        for run, training in results.trainings.items()
        if training.epochs and training.summary and training.summary.best_epoch == training.epochs[-1]["epoch"]
    ]
    if late:
        yield f"Best in their last epoch: {'; '.join(late)}. They might have gone on to improve."


def hardly_learned(numbers: RunNumbers) -> Iterator[str]:
    """Arms that do badly where they were trained."""
    results = numbers.results
    for (arm, domain), mean in arms_that_hardly_learned(numbers).items():
        home = results.domain_title(domain)
        yield f"{results.arm_title(arm)} reaches mAP {mean:.3f} on {home}, which it was trained on."
