"""One optimizer step: images in, weights changed, the loss and its parts out."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from gapscope.config import Train
from gapscope.data.batches import Batch
from gapscope.detector.darknet_loss import DarknetLoss
from gapscope.detector.loss import Counts, Loss, LossGains, LossParts, YoloLoss, nonzero
from gapscope.detector.network import YOLOv3
from gapscope.detector.targets import send
from gapscope.training.averaging import WeightAverage
from gapscope.training.freezing import training_mode
from gapscope.training.optimization import make_optimizer, set_learning_rate
from gapscope.training.processes import reduced


class Learner:
    """A network on its device with everything that changes it.

    Nothing in a step waits for a GPU: targets are worked out on the CPU, and losses stay on the device.

    Attributes:
        network: What is trained.
        average: The moving average of its weights, if there is one.
    """

    def __init__(self, fabric: Fabric, network: YOLOv3, config: Train) -> None:
        self.fabric, self.config = fabric, config
        if config.sync_batchnorm:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        network.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(network, config)
        forward = cast(nn.Module, torch.compile(network, dynamic=False)) if config.compile else network
        self.network = network
        self.wrapped, self.optimizer = fabric.setup(forward, optimizer)
        still = config.bn == "frozen"
        self.average = WeightAverage(network, config.ema, frozen_statistics=still) if config.ema else None
        self.loss_of = make_loss(fabric, network, config)

    @property
    def candidate(self) -> YOLOv3:
        """The network that is validated and kept: the average if there is one."""
        return self.network if self.average is None else self.average.network

    def training_mode(self) -> None:
        """To be called after validation, which may leave another mode."""
        self.wrapped.train()
        training_mode(self.network, self.config.bn)

    def step(self, batches: Sequence[Batch], rate: float) -> Tensor:
        """One step at this learning rate, by the mean gradient of some batches.

        Returns:
            The loss, box, objectness and classification (4,), float32 on the device: means over the batches.
        """
        set_learning_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        parts = []
        for number, batch in enumerate(batches, start=1):
            with self.fabric.no_backward_sync(self.wrapped, enabled=number < len(batches)):
                loss = self.loss(batch)
                self.fabric.backward(loss.total / len(batches))
            parts.append(torch.stack(loss).detach())
        if self.config.clip_norm:
            self.fabric.clip_gradients(
                self.wrapped, self.optimizer, max_norm=self.config.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return torch.stack(parts).mean(0)

    def loss(self, batch: Batch) -> LossParts:
        """The loss of one batch, with the graph behind it."""
        images = send(batch.images, self.fabric.device).to(memory_format=torch.channels_last).float().div_(255)
        return self.loss_of(self.wrapped(images), batch.boxes, batch.classes, batch.ignore, batch.image_index)

    def states(self) -> dict[str, Any]:
        """Everything that steps change, for a checkpoint."""
        states = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        return states | ({"average": self.average.state_dict()} if self.average is not None else {})

    def load_states(self, states: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(states["network"])
        self.optimizer.load_state_dict(states["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(states["average"])


def make_loss(fabric: Fabric, network: YOLOv3, config: Train) -> Loss:
    """The loss that [train] asks for; over several processes it is that of the whole batch."""

    def mean_counts(counts: Sequence[float]) -> Counts:
        mean = reduced(fabric, send(torch.tensor(counts), fabric.device), "mean")
        return torch.where(mean > 0, mean, 1.0).unbind()

    counts = mean_counts if fabric.world_size > 1 else nonzero
    gains = LossGains(box=config.box_gain, objectness=config.objectness_gain, classification=config.class_gain)
    smoothing, scales = config.label_smoothing, [layer.scale_xy for layer in network.yolo_layers]
    if config.loss == "darknet":
        threshold = config.ignore_threshold
        return DarknetLoss(
            *(network.anchors, gains),
            ignore_threshold=threshold,
            label_smoothing=smoothing,
            scale_xy=scales,
            counts=counts,
        )
    return YoloLoss(
        network.anchors,
        gains,
        iou_threshold=config.iou_threshold,
        always_best=config.always_best,
        label_smoothing=smoothing,
        giou_ratio=config.giou_ratio,
        scale_xy=scales,
        counts=counts,
    )
