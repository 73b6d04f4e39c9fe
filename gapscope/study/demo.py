"""The embedded study: the experiment file that comes with gapscope, whole or quick."""

from importlib import resources

from gapscope.config import Experiment
from gapscope.experiment_file import parse_config

QUICK_SEEDS = [0]


def demo_text() -> str:
    """The demo's experiment file."""
    return (resources.files("gapscope.study") / "demo.toml").read_text(encoding="utf-8")


def demo_experiment(*, quick: bool = False) -> Experiment:
    """The demo; quick is one seed, fewer epochs and a smaller control."""
    whole = parse_config(demo_text(), "the demo's experiment file")
    if not quick:
        return whole
    train = whole.train.model_copy(update={"epochs": 6, "patience": 6, "validate_every": 3})
    return whole.model_copy(update={"name": "demo-quick", "seeds": QUICK_SEEDS, "train": train})
