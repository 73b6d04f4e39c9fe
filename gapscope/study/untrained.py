"""Networks of a study's shape that were never trained: how alike are layers by images and architecture alone?

A trained network is compared with an untrained one, not two untrained ones with each other: it shares with that one the
images and the architecture, and nothing that was learnt. Two untrained networks are alike in ways that training undoes.
"""

from gapscope.config import DEFAULT, Experiment
from gapscope.errors import InputError
from gapscope.run_folder import RunName

UNTRAINED = "untrained"
UNTRAINED_SEEDS = 1_000_000
"""Added to their numbers: random starts that no training of the study has."""


def untrained_runs(experiment: Experiment, network: str) -> list[RunName]:
    """The names under which those of a network are recorded.

    Raises:
        InputError: An arm has their name.
    """
    count = experiment.similarity.untrained
    called = UNTRAINED if network == DEFAULT else f"{UNTRAINED}-{network}"
    if count and called in experiment.arms:
        raise InputError(
            f"[similarity] untrained = {count}: an arm is called '{called}', as these are. Rename the arm."
        )
    return [RunName(called, number) for number in range(count)]
