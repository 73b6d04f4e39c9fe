"""Which optimizer, and how big is each step? Adam, AdamW, SGD; learning rate, warm-up, schedule."""

import math
from collections.abc import Iterator

from torch import nn, optim

from gapscope.config import Train


def make_optimizer(network: nn.Module, config: Train) -> optim.Optimizer:
    """The optimizer over the parameters that are trained; biases and BatchNorm weights are never decayed.

    Frozen parameters are not handed to it at all, so neither momentum nor weight decay can move them.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    match config.optimizer:
        case "adam":
            return optim.Adam(groups, lr=config.learning_rate, fused=True)
        case "adamw":
            return optim.AdamW(groups, lr=config.learning_rate, fused=True)
        case "sgd":
            momentum = config.momentum
            return optim.SGD(groups, lr=config.learning_rate, momentum=momentum, nesterov=momentum > 0, fused=True)


def learning_rate(step: int, total_steps: int, config: Train) -> float:
    """The rate of step `step` (from 0): a linear climb over the warm-up, then constant or a half cosine to 1 %.

    A pure function of the step, so that a resumed training needs no scheduler state.
    """
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return rate
    share = (step - config.warmup_steps) / max(total_steps - config.warmup_steps, 1)
    return rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Use this rate for the next step, in every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def num_parameters(network: nn.Module) -> tuple[int, int]:
    """All learnable values, and those of them that are trained."""

    def total(parameters: Iterator[nn.Parameter]) -> int:
        return sum(p.numel() for p in parameters)

    return total(network.parameters()), total(p for p in network.parameters() if p.requires_grad)
