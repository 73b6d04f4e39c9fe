"""What the README says is true: it is short, its links lead somewhere, and its experiment is one."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from gapscope.experiment_file import parse_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 80


@pytest.mark.parametrize("path", ["README.md", "docs/experiment-file.md"])
def test_the_experiment_that_is_shown_is_one(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    shown = re.search(r"^```toml\n(.*?)^```", text, re.S | re.M)
    experiment = parse_config(shown[1], path)
    assert list(experiment.arms) == ["u-real", "u-synthetic", "f-synthetic"]


@pytest.mark.parametrize("config", sorted((ROOT / "configs").glob("*.toml")), ids=lambda path: path.name)
def test_every_shipped_experiment_file_is_valid(config):
    assert parse_config(config.read_text(encoding="utf-8"), config.name).name == config.stem


def test_every_key_is_explained_and_no_other():
    explained = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs/experiment-file.md").read_text(encoding="utf-8")))
    from gapscope import config

    models = [value for value in vars(config).values() if isinstance(value, type) and issubclass(value, config.Table)]
    keys = {key for model in models for key in model.model_fields}
    assert keys - explained - {"data", "model", "domains", "arms", "train", "evaluate", "probe", "record"} <= {
        "models",
        "similarity",
        "graft",
        "remedies",
        "resources",
    }


def test_public_names_stay_what_they_are_after_everything_is_imported(finished_run):
    import gapscope.detector.network
    import gapscope.page.page

    for name in gapscope.__all__:
        public = getattr(gapscope, name)
        assert callable(public) or isinstance(public, ModuleType), name


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_of_the_readme_point_to_files(path):
    assert (ROOT / path).exists()


def test_its_picture_is_small_enough_to_be_looked_at():
    from PIL import Image

    picture = ROOT / "docs/images/page.png"
    assert picture.stat().st_size <= 300_000
    with Image.open(picture) as opened:
        assert 800 <= opened.width <= 1600
