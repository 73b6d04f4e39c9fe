"""How long will a recording take here? A little of the work, timed, and the rest by proportion."""

import time
from collections.abc import Callable

import torch

from gapscope.detector.network import Darknet
from gapscope.recording.chunks import CHUNK
from gapscope.recording.evaluating import evaluating
from gapscope.recording.layer_numbers import centered_gram
from gapscope.recording.layer_sync import Precision
from gapscope.recording.schedule import Cost, Schedule

CHUNKS = 8
"""Chunks of features whose Gram matrix is timed."""


def estimate_seconds(network: Darknet, schedule: Schedule, cost: Cost, precision: Precision = "32") -> float:
    """Seconds on this device, from one image through the network and one small Gram matrix.

    Spilling to disk is not in it: that depends on the disk.
    """
    device, n = schedule.device, schedule.num_images
    batch = 1 if device.type == "cpu" else min(n, 8)
    images = torch.zeros(batch, 3, schedule.size, schedule.size, device=device)
    features = torch.randn(n, CHUNKS * CHUNK, device=device)
    with evaluating(network, device), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        forward = _timed(lambda: network(images), device) / batch
    gram = _timed(lambda: centered_gram(features), device) / (features.numel() * (n + 1))
    return n * forward + cost.gram_operations * gram


def _timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the second call; the first one warms up."""
    for _ in range(2):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - started
