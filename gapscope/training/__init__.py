"""One arm, one seed -> weights: the loop, its optimizer, checkpoints, devices.

Open first: train.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.training.averaging import WeightAverage as WeightAverage
    from gapscope.training.checkpoint import load_checkpoint as load_checkpoint, save_checkpoint as save_checkpoint
    from gapscope.training.metrics import EpochSums as EpochSums
    from gapscope.training.optimization import learning_rate as learning_rate, make_optimizer as make_optimizer
    from gapscope.training.processes import make_fabric as make_fabric
    from gapscope.training.step import Learner as Learner
    from gapscope.training.train import Trained as Trained, Training as Training

__all__ = open_room(
    __name__,
    {
        "metrics": "EpochSums",
        "checkpoint": "load_checkpoint, save_checkpoint",
        "optimization": "make_optimizer, learning_rate",
        "averaging": "WeightAverage",
        "processes": "make_fabric",
        "step": "Learner",
        "train": "Trained, Training",
    },
)
