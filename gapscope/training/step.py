"""One optimizer step: images in, weights changed, the loss and its parts out."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gapscope.config import Adapt, Train
from gapscope.data.batches import Batch, Views
from gapscope.detector.darknet_loss import DarknetLoss
from gapscope.detector.guests import Network
from gapscope.detector.loss import Counts, Loss, LossGains, LossParts, YoloLoss, nonzero
from gapscope.detector.network import Darknet
from gapscope.detector.protocol import Target
from gapscope.detector.targets import send
from gapscope.errors import InputError
from gapscope.training.averaging import WeightAverage
from gapscope.training.covering import covered
from gapscope.training.freezing import training_mode
from gapscope.training.metrics import PARTS, TAUGHT
from gapscope.training.optimization import make_optimizer, set_learning_rate
from gapscope.training.processes import reduced
from gapscope.training.teacher import Teacher


class Learner:
    """A network on its device with everything that changes it.

    Nothing in a step waits for a GPU: targets are worked out on the CPU, and losses stay on the device.

    Attributes:
        network: What is trained.
        average: The moving average of its weights, if there is one.
        teacher: What teaches it on images without labels, if anything does.
        parts: Names of the losses that a step returns, in order; of a guest they are known after its first step.
    """

    def __init__(
        self, fabric: Fabric, network: Network, config: Train, seed: int = 0, adapt: Adapt | None = None
    ) -> None:
        """
        Args:
            fabric: Its devices.
            network: What is trained.
            config: How.
            seed: Of the random numbers that a guest's losses draw; those of Darknet's networks draw none.
            adapt: Says whether a mean teacher teaches it; batches then come with views.
        """
        self.fabric, self.config, self.seed = fabric, config, seed
        if config.sync_batchnorm:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        network.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(network, config)
        forward = cast(nn.Module, torch.compile(network, dynamic=False)) if config.compile else network
        self.network = network
        self.wrapped, self.optimizer = fabric.setup(forward, optimizer)
        still = config.bn == "frozen"
        self.average = WeightAverage(network, config.ema, frozen_statistics=still) if config.ema else None
        self.parts: tuple[str, ...] = PARTS if isinstance(network, Darknet) else ()
        self.loss_of = make_loss(fabric, network, config) if isinstance(network, Darknet) else None
        self.teacher: Teacher | None = None
        if adapt is not None and adapt.taught and isinstance(network, Darknet):
            self.teacher, self.parts = Teacher(network, adapt, frozen_statistics=still), PARTS + TAUGHT

    @property
    def candidate(self) -> Network:
        """The network that is validated and kept: the average if there is one."""
        return self.network if self.average is None else self.average.network

    def training_mode(self) -> None:
        """To be called after validation, which may leave another mode."""
        self.wrapped.train()
        training_mode(self.network, self.config.bn)

    def step(self, batches: Sequence[Batch], rate: float, number: int = 0) -> Tensor:
        """One step at this learning rate, by the mean gradient of some batches.

        Args:
            batches: With images.
            rate: The learning rate.
            number: Of the step: with the seed it says which random numbers a guest draws.

        Returns:
            The loss and its `parts` (1 + parts,), float32 on the device: means over the batches.
        """
        set_learning_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        parts = []
        for at, batch in enumerate(batches, start=1):
            more = at < len(batches)
            with self.fabric.no_backward_sync(self.wrapped, enabled=more or self.teacher is not None):
                loss = self.loss(batch) if self.loss_of is not None else self.guest_loss(batch, (number, at))
                self.fabric.backward(loss[0] / len(batches))
            row = torch.stack(tuple(loss)).detach()
            if self.teacher is not None:
                assert batch.views is not None
                with self.fabric.no_backward_sync(self.wrapped, enabled=more):
                    taught, boxes = self.taught_loss(self.teacher, batch.views)
                    self.fabric.backward(taught / len(batches))
                row = torch.cat([row[:1] + taught.detach(), row[1:], taught.detach()[None], row.new_tensor([boxes])])
            parts.append(row)
        if self.config.clip_norm:
            self.fabric.clip_gradients(
                self.wrapped, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        for follows in (self.average, self.teacher):
            if follows is not None:
                follows.update()
        return torch.stack(parts).mean(0)

    def loss(self, batch: Batch) -> LossParts:
        """The loss of one batch, with the graph behind it."""
        assert self.loss_of is not None
        images = send(batch.images, self.fabric.device).to(memory_format=torch.channels_last).float().div_(255)
        return self.loss_of(self.wrapped(images), batch.boxes, batch.classes, batch.ignore, batch.image_index)

    def taught_loss(self, teacher: Teacher, views: Views) -> tuple[Tensor, float]:
        """The weighted loss of what the teacher finds in the weak views, in the strong ones, with the graph behind it;
        and how many boxes it has taught, per image."""
        assert self.loss_of is not None
        device = self.fabric.device
        lesson = teacher.lesson(send(views.weak, device).to(memory_format=torch.channels_last))
        strong = send(views.strong, device).to(memory_format=torch.channels_last).float().div_(255)
        loss = self.loss_of(self.wrapped(strong), *lesson)[0]
        return teacher.weight * loss, float((~lesson[2]).sum()) / len(views)

    def guest_loss(self, batch: Batch, drawn: tuple[int, int]) -> list[Tensor]:
        """The loss of one batch and its parts, by the network itself, which does not see what ignore regions hold, and
        whose random numbers follow from `drawn`.

        Raises:
            InputError: The parts have other names than in the step before.
        """
        device = self.fabric.device
        images = send(covered(batch), device).to(memory_format=torch.channels_last).float().div_(255)
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            seeds = np.random.SeedSequence([self.seed, *drawn, self.fabric.global_rank])
            torch.manual_seed(int(seeds.generate_state(1)[0]))
            found: dict[str, Tensor] = self.wrapped(images, targets_of(batch, device))
        names = tuple(found)
        if self.parts and self.parts != names:
            raise InputError(
                f"{getattr(self.network, 'name', 'the network')}: losses() gave {', '.join(names)}, and before "
                f"{', '.join(self.parts)} - expected the same parts in every step, 0 where there is nothing to teach."
            )
        self.parts = names
        return [torch.stack(list(found.values())).sum(), *found.values()]

    def states(self) -> dict[str, Any]:
        """Everything that steps change, for a checkpoint."""
        states = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        more = {"average": self.average, "teacher": self.teacher}
        return states | {name: one.state_dict() for name, one in more.items() if one is not None}

    def load_states(self, states: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(states["network"])
        self.optimizer.load_state_dict(states["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(states["average"])
        if self.teacher is not None:
            self.teacher.load_state_dict(states["teacher"])


def targets_of(batch: Batch, device: torch.device) -> list[Target]:
    """The labelled boxes of each image, without ignore regions and boxes that have no area."""
    extent = batch.boxes[:, 2:] - batch.boxes[:, :2]
    kept = ~batch.ignore & (extent > 0).all(1)
    of_image = [kept & (batch.image_index == image) for image in range(len(batch))]
    return [Target(send(batch.boxes[one].float(), device), send(batch.classes[one], device)) for one in of_image]


def make_loss(fabric: Fabric, network: Darknet, config: Train) -> Loss:
    """The loss that [train] asks for; over several processes it is that of the whole batch."""

    def mean_counts(counts: Sequence[float]) -> Counts:
        mean = reduced(fabric, send(torch.tensor(counts), fabric.device), "mean")
        return torch.where(mean > 0, mean, 1.0).unbind()

    counts = mean_counts if fabric.world_size > 1 else nonzero
    gains = LossGains(box=config.box_gain, objectness=config.objectness_gain, classification=config.class_gain)
    smoothing, layers = config.label_smoothing, network.yolo_layers
    if config.loss == "darknet":
        threshold = config.ignore_threshold
        return DarknetLoss(
            *(network.anchors, gains),
            ignore_threshold=threshold,
            label_smoothing=smoothing,
            layers=layers,
            counts=counts,
        )
    return YoloLoss(
        network.anchors,
        gains,
        iou_threshold=config.iou_threshold,
        always_best=config.always_best,
        label_smoothing=smoothing,
        giou_ratio=config.giou_ratio,
        layers=layers,
        counts=counts,
    )
