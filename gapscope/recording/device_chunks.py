"""The same pass over a layer's features on an accelerator, in few and large steps."""

import numpy as np
import torch
from torch import Tensor

from gapscope.recording.chunks import CHUNK, Sums
from gapscope.recording.median import MedianCount

STEP_VALUES = 2**26
"""Values (images times features) taken in one step: enough to keep a GPU busy, little beside its memory."""


def pass_over_on_device(
    features: Tensor, dtype: type[np.floating], chunk: int = CHUNK, bracket: tuple[float, float] | None = None
) -> Sums:
    """What `chunks.pass_over` gathers, chunk for chunk with the same arithmetic, for features on any device.

    The products of many chunks are one batched product; TF32 is left off.
    """
    n, p = features.shape
    kind = torch.float32 if dtype is np.float32 else torch.float64
    gram = torch.zeros(n, n, dtype=torch.float64, device=features.device)
    means = torch.empty(p, dtype=torch.float64, device=features.device)
    extremes, counts = [], []
    step = max(STEP_VALUES // n // chunk, 1) * chunk
    for start in range(0, p, step):
        part = features[:, start : start + step]
        extremes.append(torch.stack(torch.aminmax(part)))
        if bracket:
            counts.append(_count(part, *bracket))
        centered = part.to(kind) - part[0]
        mean = centered.mean(0)
        means[start : start + step] = part[0].double() + mean.double()
        centered -= mean
        gram += _product(centered, chunk)
    low, high = torch.stack(extremes)[:, 0].min(), torch.stack(extremes)[:, 1].max()
    counted = _gathered(counts, *bracket) if bracket else None
    return Sums(gram.cpu().numpy(), means.cpu().numpy(), float(low), float(high), counted)


def _product(centered: Tensor, chunk: int) -> Tensor:
    """X X^T (n, n) in float64, multiplied chunk by chunk in the type of X (n, q)."""
    whole = centered.shape[1] // chunk * chunk
    parts = centered[:, :whole].unflatten(1, (-1, chunk)).transpose(0, 1)
    rest = centered[:, whole:]
    return torch.bmm(parts, parts.transpose(1, 2)).double().sum(0) + (rest @ rest.T).double()


def _count(part: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Numbers below, at the low end and at the high end of the bracket (3,), and the values between."""
    numbers = torch.stack([(part < low).sum(), (part == low).sum(), (part == high).sum() * (low != high)])
    return numbers, part[(part > low) & (part < high)]


def _gathered(counts: list[tuple[Tensor, Tensor]], low: float, high: float) -> MedianCount:
    below, at_low, at_high = (int(number) for number in torch.stack([numbers for numbers, _ in counts]).sum(0))
    return MedianCount(low, high, below, at_low, at_high, [values.cpu().numpy() for _, values in counts])
