"""A mean teacher: the moving average of a network says what it finds in images without labels, and teaches that."""

from typing import Any

import torch
from torch import Tensor

from gapscope.config import Adapt
from gapscope.detector.decode import Detections, detect
from gapscope.detector.network import Darknet
from gapscope.training.averaging import WeightAverage

UNSURE = 0.2
"""What the teacher believes at least this share of `confidence` about is no object that it teaches, and no background
either: a region that says nothing."""
OVERLAP, MOST = 0.6, 100
"""Of its detections: IoU above which the less confident goes, and most per image."""


class Teacher:
    """Teaches what it finds, and learns from its pupil by averaging.

    Attributes:
        weight: Of its loss beside that of labelled images.
    """

    def __init__(self, network: Darknet, adapt: Adapt, *, frozen_statistics: bool) -> None:
        """
        Args:
            network: The pupil, as it starts.
            adapt: How it teaches.
            frozen_statistics: Whether the batch statistics of frozen layers stay as they are.
        """
        self.average = WeightAverage(network, adapt.decay, frozen_statistics=frozen_statistics)
        self.average.network.eval()
        self.weight, self.confidence = adapt.weight, adapt.confidence

    def lesson(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What it finds in images (b, 3, s, s), bytes: boxes, classes, which of them are regions to ignore, and their
        images, on the CPU, as the loss of a batch takes them.

        Source:
            Two thresholds, between which nothing is taught: Xu et al. 2023, arXiv:2302.07577 (Efficient Teacher).
        """
        network = self.average.network
        assert isinstance(network, Darknet)
        found: list[Detections] = detect(network, images, UNSURE * self.confidence, OVERLAP, MOST)
        boxes = torch.cat([one.boxes for one in found]).float().cpu()
        classes = torch.cat([one.classes for one in found]).cpu()
        unsure = torch.cat([one.confidences for one in found]).cpu() < self.confidence
        of_image = torch.repeat_interleave(torch.tensor([len(one.boxes) for one in found]))
        return boxes, classes, unsure, of_image

    def update(self) -> None:
        """Take in the pupil's weights after a step."""
        self.average.update()

    def state_dict(self) -> dict[str, Any]:
        return self.average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average.load_state_dict(state)
