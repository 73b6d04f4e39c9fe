"""What the README says is true: its tree is the package, imports go upwards, and what it shows can be run."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest

from gapscope.experiment_file import parse_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", README, re.S | re.M)
"""Language and text of every fenced block."""


def listed_modules() -> list[str]:
    """Python files below gapscope/, in the order of the README's tree."""
    block = next(text for _, text in FENCED if text.startswith("gapscope/\n"))
    found: list[str] = []
    folders: list[str] = []
    for line in filter(None, block.splitlines()):
        depth, names = (len(line) - len(line.lstrip())) // 2, re.split(r"\s{2,}", line.strip())[0]
        folders = folders[:depth]
        for name in names.split(", "):
            if name.endswith("/"):
                folders.append(name)
            elif name.endswith(".py"):
                found.append("".join(folders) + name)
    return found


def real_modules() -> list[str]:
    files = (ROOT / "gapscope").rglob("*.py")
    return sorted(path.relative_to(ROOT).as_posix() for path in files if path.name != "__init__.py")


def imported_by(file: str) -> set[str]:
    """Files of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gapscope"):
            base = (node.module or "").replace(".", "/")
            names = [f"{base}.py"] + [f"{base}/{alias.name}.py" for alias in node.names]
            found |= {name for name in names if (ROOT / name).is_file()}
    return found


def test_the_tree_lists_every_module_and_no_other():
    assert sorted(listed_modules()) == real_modules()


@pytest.mark.parametrize("file", real_modules())
def test_a_module_imports_only_from_modules_above_it(file):
    order = {name: place for place, name in enumerate(listed_modules())}
    below = [name for name in imported_by(file) if order[name] >= order[file]]
    assert below == []


def test_the_experiment_that_the_readme_shows_is_one():
    shown = next(text for language, text in FENCED if language == "toml")
    experiment = parse_config(shown, "README.md")
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
        "similarity"
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
