"""The embedded study: the experiment file that comes with gapscope, whole or quick."""

import re
from importlib import resources

from gapscope.config import Experiment
from gapscope.experiment_file import parse_config

QUICK = {
    r'name = "demo"': 'name = "demo-quick"',
    r"seeds = \[0, 1\]": "seeds = [0]",
    r"images = 400, size": "images = 240, size",
    r"images = 80, size": "images = 40, size",
    r"epochs = \d+": "epochs = 6",
    r"validate_every = \d+": "validate_every = 3",
    r"images = 80\n": "images = 40\n",
}
"""What the quick demo changes in the file: one seed, fewer images, fewer epochs."""


def demo_text(*, quick: bool = False) -> str:
    """The demo's experiment file."""
    text = (resources.files("gapscope.study") / "demo.toml").read_text(encoding="utf-8")
    for pattern, replacement in QUICK.items() if quick else ():
        text, changes = re.subn(pattern, replacement, text)
        assert changes, f"the demo's experiment file has nothing like {pattern}"
    return text


def demo_experiment(*, quick: bool = False) -> Experiment:
    """The demo as an experiment."""
    return parse_config(demo_text(quick=quick), "the demo's experiment file")
