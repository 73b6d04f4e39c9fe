"""One arm, one seed -> weights: the whole loop, in plain sight."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gapscope.config import Train
from gapscope.data.batches import Batch
from gapscope.detector.loss import LossParts, YoloLoss
from gapscope.detector.network import YOLOv3
from gapscope.errors import InputError
from gapscope.files import atomic_path, write_text
from gapscope.progress import Progress as Report
from gapscope.progress import silent
from gapscope.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from gapscope.training.optimization import learning_rate, make_optimizer, set_learning_rate

Epoch = Callable[[int], Iterator[Batch]]
"""epoch -> its batches: the order is a pure function of the epoch (and of a seed that the caller fixed)."""


@dataclass(frozen=True)
class Trained:
    """A finished training. `network` holds the weights of the best epoch."""

    network: YOLOv3
    best_epoch: int
    best_map50: float
    epochs: int
    stopped_early: bool
    seconds: float


def train(
    network: YOLOv3,
    batches: Epoch,
    steps_per_epoch: int,
    validate: Callable[[YOLOv3], float],
    config: Train,
    *,
    folder: Path,
    key: str,
    what: str = "training",
    report: Report = silent,
) -> Trained:
    """Train until the last epoch or until validation has not improved for `config.patience` epochs.

    After every epoch a checkpoint stands in `folder`; called again with the same key, training goes on from it and
    gives the same weights as if it had not been interrupted (bit for bit on the CPU).

    Args:
        network: Start weights; layers that are frozen stay as they are.
        batches: Gives the batches of an epoch.
        steps_per_epoch: How many batches an epoch has.
        validate: mAP@0.5 of a network on the validation images; the weights with the highest one are kept.
        folder: Where `metrics.jsonl` and the checkpoint live.
        key: What this training is made from.

    Raises:
        InputError: If the loss stops being a finite number; the batch is saved in `folder`.
    """
    fabric = Fabric(accelerator=config.device, devices=1, precision="32-true")
    network.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(network, config)
    average = (
        AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True) if config.ema else None
    )
    wrapped, optimizer = fabric.setup(network, optimizer)
    if average is not None:
        average.to(fabric.device)
    loss_of = YoloLoss(network.anchors)
    at, best = _resume(folder / "checkpoint.pt", key, network, average, optimizer)
    total_steps = config.epochs * steps_per_epoch

    while at.epoch < config.epochs and not _out_of_patience(at, config):
        started = time.perf_counter()
        parts_sum, rate, num_images = torch.zeros(4, dtype=torch.float64), 0.0, 0
        wrapped.train()
        for batch in batches(at.epoch):
            rate = learning_rate(at.step, total_steps, config)
            set_learning_rate(optimizer, rate)
            parts = _loss(wrapped, loss_of, batch, fabric.device)
            if not torch.isfinite(parts.total):
                _refuse(batch, parts, at, rate, folder)
            optimizer.zero_grad(set_to_none=True)
            fabric.backward(parts.total)
            optimizer.step()
            if average is not None:
                average.update_parameters(network)
            at.step, num_images = at.step + 1, num_images + len(batch.images)
            parts_sum += torch.tensor(_values(parts), dtype=torch.float64)
            report(what, at.step, total_steps, _note(at))
        at.epoch += 1
        trained_for = time.perf_counter() - started
        row = _row(at.epoch, parts_sum / steps_per_epoch, rate, num_images / trained_for)
        if at.epoch % config.validate_every == 0 or at.epoch == config.epochs:
            candidate = network if average is None else _averaged(average, network)
            row["val_map50"] = validate(candidate)
            if row["val_map50"] > at.best_map50:
                at.best_map50, at.best_epoch = row["val_map50"], at.epoch
                best = {name: value.detach().cpu().clone() for name, value in candidate.state_dict().items()}
        row["seconds"] = round(time.perf_counter() - started, 3)
        at.seconds += row["seconds"]
        at.history.append(row)
        states = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "best": best}
        save_checkpoint(
            folder / "checkpoint.pt",
            key,
            at,
            states | ({"average": average.state_dict()} if average is not None else {}),
        )
        write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in at.history))

    report(what, total_steps, total_steps, _note(at))
    network.cpu().load_state_dict(best)
    return Trained(network, at.best_epoch, at.best_map50, at.epoch, at.epoch < config.epochs, at.seconds)


def _resume(
    path: Path, key: str, network: nn.Module, average: AveragedModel | None, optimizer: Any
) -> tuple[Progress, dict[str, Tensor]]:
    found = load_checkpoint(path, key)
    if found is None:
        return Progress(), {}
    at, states = found
    network.load_state_dict(states["network"])
    optimizer.load_state_dict(states["optimizer"])
    if average is not None:
        average.load_state_dict(states["average"])
    return at, states["best"]


def _loss(network: nn.Module, loss_of: YoloLoss, batch: Batch, device: torch.device) -> LossParts:
    images = batch.images.to(device, non_blocking=True).to(memory_format=torch.channels_last).float().div_(255)
    raw = network(images)
    return loss_of(
        raw, batch.boxes.to(device), batch.classes.to(device), batch.ignore.to(device), batch.image_index.to(device)
    )


def _values(parts: LossParts) -> list[float]:
    return [float(part.detach()) for part in (parts.total, parts.box, parts.objectness, parts.classification)]


def _row(epoch: int, means: Tensor, rate: float, images_per_second: float) -> dict[str, Any]:
    names = ("loss", "box", "objectness", "classification")
    row: dict[str, Any] = {"epoch": epoch} | {name: round(float(v), 6) for name, v in zip(names, means, strict=True)}
    return row | {"val_map50": None, "learning_rate": rate, "images_per_second": round(images_per_second, 2)}


def _note(at: Progress) -> str:
    last = at.history[-1]["loss"] if at.history else None
    best = f", best val mAP@0.5 {at.best_map50:.3f} (epoch {at.best_epoch})" if at.best_epoch >= 0 else ""
    return (f"loss {last:.2f}" if last is not None else "") + best


def _averaged(average: AveragedModel, network: YOLOv3) -> YOLOv3:
    """The averaged network. Its frozen layers are copied: averaging equal values turns -0.0 into 0.0."""
    averaged = cast(YOLOv3, average.module)
    for index in network.frozen:
        averaged.layers[index].load_state_dict(network.layers[index].state_dict())
    return averaged


def _out_of_patience(at: Progress, config: Train) -> bool:
    return at.best_epoch >= 0 and at.epoch - at.best_epoch >= config.patience


def _refuse(batch: Batch, parts: LossParts, at: Progress, rate: float, folder: Path) -> None:
    """Stop with the step, the parts of the loss and the batch saved."""
    path = folder / "nan_batch.pt"
    with atomic_path(path) as temporary:
        torch.save({name: getattr(batch, name) for name in ("images", "boxes", "classes", "indices")}, temporary)
    _, box, objectness, classification = _values(parts)
    raise InputError(
        f"the loss stopped being a number at step {at.step} (epoch {at.epoch + 1}) of {folder}: box {box:.3g}, "
        f"objectness {objectness:.3g}, class {classification:.3g}, learning rate {rate:.3g}. The batch is saved in "
        f"{path}; try a lower learning_rate or a longer warmup_steps. The last whole epoch is kept."
    )
