"""Sums over places and images from which a least-squares fit follows, so that no activation has to be kept."""

import torch
from torch import Tensor


class Moments:
    """Sums of x, y, x x^T and x y^T of channels at all places, in float64.

    The first image's means are taken off first, so that large offsets cost no digits.

    Args:
        inputs: Channels of x.
        outputs: Channels of y.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        self.count = 0
        self.shift_x, self.shift_y = torch.zeros(inputs, 1).double(), torch.zeros(outputs, 1).double()
        self.x, self.y = torch.zeros(inputs).double(), torch.zeros(outputs).double()
        self.xx, self.xy = torch.zeros(inputs, inputs).double(), torch.zeros(inputs, outputs).double()

    def add(self, x: Tensor, y: Tensor) -> None:
        """One image: x (inputs, places) and y (outputs, places)."""
        x, y = x.cpu().double(), y.cpu().double()
        if not self.count:
            self.shift_x, self.shift_y = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
        x, y = x - self.shift_x, y - self.shift_y
        self.count += x.shape[1]
        self.x += x.sum(1)
        self.y += y.sum(1)
        self.xx += x @ x.T
        self.xy += x @ y.T

    @property
    def mean_y(self) -> Tensor:
        """(outputs,)"""
        return self.y / self.count + self.shift_y[:, 0]

    def solve(self, ridge: float) -> tuple[Tensor, Tensor]:
        """The weight (outputs, inputs) and bias (outputs,) that `stitch` describes.

        A channel of x that is the same everywhere gets the weight 0.
        """
        mean_x = self.x / self.count
        cov = self.xx / self.count - torch.outer(mean_x, mean_x)
        with_y = self.xy / self.count - torch.outer(mean_x, self.y / self.count)
        spread = cov.diagonal().clamp(min=0).sqrt()
        scale = torch.where(spread > 1e-12 * (spread.max() + mean_x.abs().max()), 1 / spread, torch.zeros_like(spread))
        values, vectors = torch.linalg.eigh(scale[:, None] * cov * scale)
        shrunk = vectors.T @ (scale[:, None] * with_y) / (values.clamp(min=0) + ridge)[:, None]
        weight = (scale[:, None] * (vectors @ shrunk)).T
        return weight, self.mean_y - weight @ (mean_x + self.shift_x[:, 0])
