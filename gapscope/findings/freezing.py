"""What does freezing change? A frozen arm beside the arm that differs from it in nothing else, on the same images."""

from collections.abc import Iterator
from dataclasses import dataclass

from gapscope.findings.estimates import Estimate
from gapscope.findings.gaps import Gap, gap_between
from gapscope.findings.headline import HeadlineScores
from gapscope.findings.results import Results


@dataclass(frozen=True)
class FreezingChange:
    """One frozen arm against its free twin on one domain."""

    frozen: str
    free: str
    layers: str
    """As the experiment file writes them, such as `0-74`."""
    gap: Gap
    """Frozen minus free: the interval is that of paired draws, since both arms share the images of every draw."""

    @property
    def change(self) -> Estimate:
        """AP points that freezing adds to mAP@0.5."""
        return self.gap.estimate

    @property
    def is_told_apart(self) -> bool:
        """Whether neither other images nor the other seeds turn it around."""
        return self.change.has_interval and not self.gap.spans_zero and not self.gap.seeds_disagree


def freezing_changes(results: Results, scores: HeadlineScores) -> list[FreezingChange]:
    """Every frozen arm whose free twin (same domains, same start) is there too, on every test domain."""
    return list(_changes(results, scores))


def _changes(results: Results, scores: HeadlineScores) -> Iterator[FreezingChange]:
    arms = results.experiment.arms
    for frozen in (name for name in results.arms if arms[name].freeze):
        for free in (name for name in results.arms if not arms[name].freeze):
            same = arms[free].model_dump(exclude={"title", "freeze"}) == arms[frozen].model_dump(
                exclude={"title", "freeze"}
            )
            for domain in results.test_domains if same else ():
                gap = gap_between(results, scores, domain, frozen, free)
                if gap is not None:
                    yield FreezingChange(frozen, free, arms[frozen].freeze, gap)


def frozen_words(layers: str) -> str:
    """What is frozen, as the experiment file writes it, within a sentence.

    >>> frozen_words("0-36, 62"), frozen_words("backbone"), frozen_words("stage 1, stage 2")
    ('layers 0-36, 62', 'the backbone', 'stage 1, stage 2')
    """
    if any(part.strip()[:1].isdigit() for part in layers.split(",")):
        return f"layers {layers}"
    return f"the {layers}" if layers in ("backbone", "head", "stem") else layers
