"""The whole loop, in plain sight: one arm, one seed -> weights; epochs, validation, patience, when it stops."""

import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from gapscope.config import Adapt, Train
from gapscope.data.batches import Batch
from gapscope.detector.guests import Network
from gapscope.files import write_text
from gapscope.kept_memory import kept_memory
from gapscope.progress import Progress as Report, silent
from gapscope.training.checkpoint import (
    CHECKPOINT,
    END,
    Reached,
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from gapscope.training.going_on import is_validated, may_go_on, out_of_patience, would_come_here
from gapscope.training.interruption import Interruption
from gapscope.training.logs import MetricLogs
from gapscope.training.loss_watch import LossWatch
from gapscope.training.metrics import EpochSums
from gapscope.training.optimization import learning_rate
from gapscope.training.processes import reduced, share_statistics, tuned_convolutions
from gapscope.training.step import Learner

Batches = Callable[[int, int], Iterator[Batch]]
"""(epoch, start) -> its batches from the `start`th on; which they are depends on the epoch alone."""
State = dict[str, Tensor]
"""A network's state_dict, on the CPU."""


@dataclass(frozen=True)
class Trained:
    """A finished training. `network` holds the weights of the best epoch, `last` those of the last one."""

    network: Network
    last: State
    best_epoch: int
    best_map50: float
    epochs: int
    stopped_early: bool
    seconds: float


class Training:
    """A network on its way from its start weights to its best ones.

    After every epoch, every `config.checkpoint_minutes` and when it is interrupted, a checkpoint stands in `folder`.
    Run again with the same key, training goes on from it, and gives the same weights as if it had not been
    interrupted (bit for bit on the CPU). The same holds for a training that has ended and now may have more epochs or
    patience: it goes on from the state in which it ended.

    Args:
        fabric: From `processes.make_fabric`. In several processes, each runs its own `Training`; the first one writes.
        network: Start weights; layers that are frozen stay as they are.
        batches: Gives the batches of an epoch, or this process's share of them.
        num_batches: How many batches an epoch has.
        validate: mAP@0.5 of a network on the validation images; the weights with the highest one are kept. Every
            process calls it at the same time, so that they can share the images.
        folder: Where `metrics.jsonl` and the checkpoint live.
        key: What this training is made from, without what only says when it ends.
        other_keys: Checkpoints with these are gone on with too.
        logs: Where metrics go besides.
        seed: Of the random numbers that a guest's losses draw.
        adapt: Says whether a mean teacher teaches the network; batches then come with views.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: Network,
        batches: Batches,
        num_batches: int,
        validate: Callable[[Network], float],
        config: Train,
        *,
        folder: Path,
        key: str,
        other_keys: Collection[str] = (),
        what: str = "training",
        report: Report = silent,
        logs: MetricLogs | None = None,
        seed: int = 0,
        adapt: Adapt | None = None,
    ) -> None:
        self.fabric, self.config, self.folder, self.key = fabric, config, folder, key
        self.batches, self.num_batches, self.validate = batches, num_batches, validate
        self.what, self.report, self.logs = what, report, logs
        self.total_steps = config.epochs * -(-num_batches // config.accumulate)
        self.learner = Learner(fabric, network, config, seed, adapt)
        self.watch = LossWatch(fabric, folder)
        self.at, self.best = Reached(), State()
        self.resume({key, *other_keys})
        self.saved = time.monotonic()

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT

    @property
    def end(self) -> Path:
        return self.folder / END

    def resume(self, keys: Collection[str]) -> None:
        """Take up the state in which this training was interrupted, or ended when it was to have fewer epochs."""
        for path in (self.checkpoint, self.end):
            found = load_checkpoint(path, keys)
            if found is not None and would_come_here(found[0], self.config):
                self.at, states = found
                self.best = states.pop("best")
                self.learner.load_states(states)
                return

    def run(self) -> Trained:
        """Train until the last epoch or until validation has not improved for `config.patience` epochs.

        Raises:
            InputError: If the loss stops being a finite number; the batch is saved in `folder`.
            KeyboardInterrupt: If it was interrupted; a checkpoint is saved.
        """
        at, config = self.at, self.config
        with Interruption() as interruption, tuned_convolutions(), kept_memory():
            while at.epoch < config.epochs and not self.out_of_patience:
                self.train_epoch(interruption)
                row = at.running.row(at.epoch + 1, learning_rate(at.step - 1, self.total_steps, config))
                started = time.perf_counter()
                if is_validated(at.epoch + 1, config):
                    if self.ends_off_schedule:  # a training with more epochs does not validate here
                        self.save(self.end)
                    row["val_map50"] = self.validated(interruption)
                row["seconds"] = round(at.running.seconds + time.perf_counter() - started, 3)
                self.finish_epoch(row)
        self.report(self.what, self.total_steps, self.total_steps, self.note())
        network = self.learner.candidate
        last = _copied(network.state_dict())
        network = self.learner.network.cpu()
        network.load_state_dict(self.best or last)
        return Trained(network, last, at.best_epoch, at.best_map50, at.epoch, at.epoch < config.epochs, at.seconds)

    def train_epoch(self, interruption: Interruption) -> None:
        """Take the steps of the running epoch that are still to be taken."""
        at, config, running = self.at, self.config, self.at.running
        self.learner.training_mode()
        started = time.perf_counter() - running.seconds
        for group in grouped(waiting(self.batches(at.epoch, running.batches), running), config.accumulate):
            rate = learning_rate(at.step, self.total_steps, config)
            self.watch.add(at.step, rate, group, self.learner.step(group, rate, at.step))
            self.watch.parts = self.learner.parts
            at.step += 1
            running.batches += len(group)
            running.images += sum(map(len, group)) * self.fabric.world_size
            if at.step % self.watch.every == 0 or running.batches == self.num_batches:
                self.watch.look(at)
                running.seconds = time.perf_counter() - started
                self.pause(interruption)
            running.seconds = time.perf_counter() - started
            if at.step < self.total_steps:
                self.report(self.what, at.step, self.total_steps, self.note())

    def pause(self, interruption: Interruption) -> None:
        """Save a checkpoint if it is time, and stop if that is wanted; all processes decide alike."""
        due = time.monotonic() - self.saved > 60 * self.config.checkpoint_minutes
        stop, due = self.agreed(interruption.heard, due and self.fabric.is_global_zero)
        if stop or due:
            self.save()
        if stop:
            raise KeyboardInterrupt

    def agreed(self, *flags: bool) -> list[bool]:
        """What any process says."""
        if self.fabric.world_size == 1:
            return list(flags)
        said = torch.tensor([float(flag) for flag in flags], device=self.fabric.device)
        return [value > 0 for value in reduced(self.fabric, said, "sum").tolist()]

    def validated(self, interruption: Interruption) -> float:
        """mAP@0.5 of the network as it is now in the first process; interrupted, it is done again."""
        try:
            with interruption.at_once():
                share_statistics(self.fabric, self.learner.candidate)
                map50 = self.fabric.broadcast(self.validate(self.learner.candidate))
        except KeyboardInterrupt:
            self.save()
            raise
        if map50 > self.at.best_map50:
            self.at.best_map50, self.at.best_epoch = map50, self.at.epoch + 1
            self.best = _copied(self.learner.candidate.state_dict())
        return map50

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Count the running epoch as finished, and write down how it was."""
        at = self.at
        if self.fabric.device.type == "cuda":
            row["gpu_memory_gib"] = round(torch.cuda.max_memory_allocated(self.fabric.device) / 2**30, 3)
            torch.cuda.reset_peak_memory_stats(self.fabric.device)
        at.epoch += 1
        at.running = EpochSums()
        at.seconds += row["seconds"]
        at.history.append(row)
        if self.fabric.is_global_zero:
            write_text(self.folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in at.history))
            if self.logs is not None:
                self.logs.log(row)
        self.save()

    def save(self, path: Path | None = None) -> None:
        """Write a checkpoint."""
        if self.fabric.is_global_zero:
            save_checkpoint(path or self.checkpoint, self.key, self.at, self.learner.states() | {"best": self.best})
        self.saved = time.monotonic()

    def keep_end(self) -> None:
        """Leave of the checkpoints what a training with more epochs can go on from; to be called last."""
        if not may_go_on(self.config, stopped_early=self.at.epoch < self.config.epochs):
            self.end.unlink(missing_ok=True)
        elif self.at.epoch % self.config.validate_every == 0 or self.at.epoch < self.config.epochs:
            if self.checkpoint.exists():
                self.checkpoint.replace(self.end)
        remove_checkpoints(self.checkpoint)

    @property
    def ends_off_schedule(self) -> bool:
        """Whether the running epoch is the last and validated only for that."""
        last = self.at.epoch + 1 == self.config.epochs
        off = self.config.epochs % self.config.validate_every > 0
        return last and off and may_go_on(self.config, stopped_early=False)

    @property
    def out_of_patience(self) -> bool:
        return out_of_patience(self.at.epoch, self.at.best_epoch, self.at.best_map50, self.config)

    def note(self) -> str:
        """For the progress line."""
        best = f"best val mAP@0.5 {self.at.best_map50:.3f} (epoch {self.at.best_epoch})"
        if self.at.best_map50 == 0:
            best = "val mAP@0.5 is still 0, so patience does not count yet"
        return ", ".join(filter(None, [self.at.running.note(), best if self.at.best_epoch >= 0 else ""]))


def waiting(batches: Iterator[Batch], running: EpochSums) -> Iterator[Batch]:
    """The same batches; the seconds until each is there are added up."""
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        running.waited += time.perf_counter() - asked
        if batch is None:
            return
        yield batch


def grouped(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches of each optimizer step; the last group of an epoch may be smaller."""
    while group := list(islice(batches, size)):
        yield group


def _copied(state: State) -> State:
    return {name: value.detach().cpu().clone() for name, value in state.items()}
