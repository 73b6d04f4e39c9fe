"""What an experiment is: every setting and its meaning live here once.

Open first: experiment.py
"""

from gapscope.config.domains import Data, Domain, Generate, Split
from gapscope.config.experiment import DEFAULT, Experiment
from gapscope.config.grafts import Graft, GraftForm
from gapscope.config.measuring import Evaluate, Probe, Record, Similarity
from gapscope.config.remedies import Remedies
from gapscope.config.resources import Resources
from gapscope.config.tables import Name, Table
from gapscope.config.training import (
    NUMBERS_DO_NOT_DEPEND_ON,
    PAPER,
    Adapt,
    Arm,
    Augment,
    Model,
    OwnAugment,
    Restyle,
    Train,
)

__all__ = [
    "DEFAULT",
    "NUMBERS_DO_NOT_DEPEND_ON",
    "PAPER",
    "Adapt",
    "Arm",
    "Augment",
    "Data",
    "Domain",
    "Evaluate",
    "Experiment",
    "Generate",
    "Graft",
    "GraftForm",
    "Model",
    "Name",
    "OwnAugment",
    "Probe",
    "Record",
    "Remedies",
    "Resources",
    "Restyle",
    "Similarity",
    "Split",
    "Table",
    "Train",
]
