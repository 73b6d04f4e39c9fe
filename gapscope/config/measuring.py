"""Settings of what is measured: [evaluate] (confidence, NMS, rule), [probe], [record] and [similarity]."""

from typing import Literal

from pydantic import Field

from gapscope.config.tables import Table
from gapscope.detector.thresholds import SCORED_CONFIDENCE, SCORED_OVERLAP, SHOWN_CONFIDENCE


class Evaluate(Table):
    rule: Literal["coco", "paper"] = "coco"
    """Which rule the tables lead with; both are computed."""
    headline: list[str] = []
    """Classes whose mean is the headline number; all of them when left out."""
    confidence: float = Field(SCORED_CONFIDENCE, ge=0, lt=1)
    nms_iou: float = Field(SCORED_OVERLAP, gt=0, lt=1)
    """Of two detections of one class that overlap more than this, the less confident goes."""
    multi_label: bool = False
    """Let one box speak for every class above `confidence`, not only for its best: `preset = "paper"` does, as the code
    that the paper used did. Epochs are chosen without."""
    operating_confidence: float = Field(SHOWN_CONFIDENCE, ge=0, lt=1)
    """Least confidence of the detections that the confusion matrix counts, as a user of the network would set it."""
    bootstraps: int = Field(1000, ge=20)
    """Resamples of the test images behind each interval of a score."""
    domains: list[str] = []
    """Domains whose test images are evaluated on; all that are `real` or `synthetic` when left out."""


class Probe(Table):
    domain: str
    """Domain whose test images every network looks at: tables, figures and verdict speak of these."""
    also: list[str] = []
    """Further domains on whose test images layers are recorded and compared; as many images of each."""
    separability: list[str] = []
    """Further domains whose probes are recorded together with the main one: how well does each layer tell the two
    apart? As many images of each, at the first size of [record] alone; they need not be in `also`."""
    images: int = Field(200, ge=4)
    seed: int = 0

    @property
    def further(self) -> list[str]:
        """The domains besides the main one of which a probe is drawn."""
        return list(dict.fromkeys([*self.also, *self.separability]))

    @property
    def domains(self) -> list[str]:
        """All of them, the main one first."""
        return [self.domain, *self.also]


class Record(Table):
    sizes: tuple[int, ...] = Field((416, 32), min_length=1)
    """Input sizes: the first is that of Figures 1-6 and Table 3, the second that of Figure 7 and Table 4."""
    memory: str = "8GiB"
    """Live tensors above this spill to disk; the numbers do not change."""


class Similarity(Table):
    measures: list[str] = ["cka_debiased", "cka_biased", "cka_deconfounded", "rsa"]
    """How layers are compared, all with all; `cka_debiased` must be among them. See docs/measures.md."""
    permutations: int = Field(100, ge=20)
    """Shuffles of the images behind the floor."""
    bootstraps: int = Field(200, ge=20)
    """Resamples of the images behind each interval."""
    untrained: int = Field(0, ge=0, le=10)
    """Networks of the same shape, never trained, that are recorded as well: what images and architecture alone give."""
