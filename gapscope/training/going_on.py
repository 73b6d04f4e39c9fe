"""May a training that ended, or was interrupted, go on under other numbers of epochs or patience?"""

from gapscope.config import Train
from gapscope.training.checkpoint import Reached


def would_come_here(at: Reached, config: Train) -> bool:
    """Whether a training with these settings, begun anew, would come to exactly this state.

    Learning rates are not looked at: with `schedule = "constant"` they do not depend on how many epochs there are, and
    with any other the key of a state names the number of epochs.
    """
    if at.epoch > config.epochs or (at.epoch == config.epochs and at.running.batches):
        return False
    best_map50, best_epoch = -1.0, -1
    for row in at.history:
        epoch, map50 = int(row["epoch"]), row.get("val_map50")
        if (map50 is not None) != is_validated(epoch, config):
            return False
        if map50 is not None and map50 > best_map50:
            best_map50, best_epoch = map50, epoch
        goes_on = epoch < at.epoch or at.running.batches > 0
        if goes_on and out_of_patience(epoch, best_epoch, best_map50, config):
            return False
    return True


def is_validated(epoch: int, config: Train) -> bool:
    """Whether the network is validated after this epoch, counted from 1."""
    return epoch % config.validate_every == 0 or epoch == config.epochs


def out_of_patience(epoch: int, best_epoch: int, best_map50: float, config: Train) -> bool:
    """Whether so many epochs have brought nothing better that training stops.

    As long as nothing at all is found (mAP 0, or -1 before the first validation) patience does not count: there is
    nothing yet that could get better, and the weights would be those of the first epoch.
    """
    return best_map50 > 0 and epoch - best_epoch >= config.patience


def may_go_on(config: Train, *, stopped_early: bool) -> bool:
    """Whether a finished training could go on under other settings than these, so that its state is worth keeping."""
    return config.schedule == "constant" or stopped_early
