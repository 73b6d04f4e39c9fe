"""Which layers does an arm train, which does it keep as it found them (frozen), and whose are grafted into whose?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gapscope.config import Experiment
from gapscope.detector.layers import BACKBONE_LAST, NUM_LAYERS, parse_layer_range
from gapscope.run_folder import RunName


def trained_layers(experiment: Experiment, name: str) -> NDArray[np.bool_]:
    """Whether each layer (107,) of an arm was trained with the arm's own seed, by it or by the arm it starts from.

    Only such layers can show what another seed changes. A layer that is frozen as it stands in a weights file is the
    same with every seed, and one that is frozen as it was drawn at random has learnt nothing with any.
    """
    arm = experiment.arms[name]
    frozen = frozen_layers(arm.freeze)
    trained = ~frozen
    if arm.start in experiment.arms:
        in_backbone = np.arange(NUM_LAYERS) <= BACKBONE_LAST  # a head always starts at random
        trained |= in_backbone & trained_layers(experiment, arm.start)
    return trained


def frozen_layers(freeze: str) -> NDArray[np.bool_]:
    """The layers (107,) of a range as the experiment file writes it, such as `0-74`; none for an empty one."""
    frozen = np.zeros(NUM_LAYERS, dtype=bool)
    if freeze:
        first, last = parse_layer_range(freeze)
        frozen[first : last + 1] = True
    return frozen


def grafted_runs(experiment: Experiment) -> Iterator[tuple[RunName, RunName]]:
    """Host and donor of one seed, pair of arms by pair of arms; none without [graft]."""
    for host, donor in experiment.grafted_pairs:
        for seed in experiment.seeds:
            yield RunName(host, seed), RunName(donor, seed)
