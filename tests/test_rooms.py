"""Rooms say what they offer: to people, to type checkers and to Python, without importing it before it is used."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from command import gapscope as command
from mypy import api

import gapscope

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LAZY = sorted(
    path.relative_to(ROOT).parent.as_posix().replace("/", ".")
    for path in (ROOT / "gapscope").rglob("__init__.py")
    if "open_room(" in path.read_text(encoding="utf-8")
)
DOCUMENTED = sorted(
    {
        statement
        for pattern in ("README.md", "docs/**/*.md", "notebooks/*.ipynb")
        for path in ROOT.glob(pattern)
        for statement in re.findall(r"from gapscope[\w.]* import [\w, ]*\w", path.read_text(encoding="utf-8"))
    }
)


def told_to_type_checkers(room: str) -> set[tuple[str, str, str]]:
    """(module, name there, name here) of the block that only type checkers read."""
    tree = ast.parse((ROOT / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    renamed = {node.value.id: node.targets[0].id for node in block.body if isinstance(node, ast.Assign)}
    return {
        (node.module, alias.name, renamed.get(alias.name, alias.asname))
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def told_to_python(room: str) -> set[tuple[str, str, str]]:
    tree = ast.parse((ROOT / room.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    call = next(node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call))
    told = set()
    for module, names in ast.literal_eval(call.args[1]).items():
        for name in names.split(", "):
            own, _, public = name.partition(" as ")
            told.add((f"{room}.{module}".rstrip("."), own, public or own))
    return told


def test_every_room_but_the_settings_is_opened_so():
    packages = {path.parent.name for path in (ROOT / "gapscope").rglob("__init__.py")}
    assert {"gapscope.similarity", "gapscope.data.readers", "gapscope"} <= set(LAZY)
    assert len(packages) > 12


@pytest.mark.parametrize("room", LAZY)
def test_type_checkers_and_python_are_told_the_same_names(room):
    assert told_to_type_checkers(room) == told_to_python(room) != set()


@pytest.mark.slow
@pytest.mark.parametrize("room", LAZY)
def test_every_name_of_a_room_is_what_its_module_holds(room):
    opened = import_module(room)
    public = {name for _, _, name in told_to_python(room) if not name.startswith("_")}
    assert set(opened.__all__) == public and public <= set(dir(opened))
    for module, own, name in told_to_python(room):
        assert getattr(opened, name) is getattr(import_module(module), own), name


@pytest.mark.parametrize("statement", DOCUMENTED)
def test_what_the_docs_import_can_be_imported(statement):
    exec(statement, {})


@pytest.mark.slow
def test_a_module_that_is_spelt_like_a_name_of_its_room_does_not_take_its_place():
    code = (
        "import gapscope.similarity.compare\nfrom gapscope.similarity import compare, linear_cka\n"
        "assert compare.__name__ == 'compare' and callable(compare) and callable(linear_cka)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.slow
def test_opening_all_rooms_imports_nothing_heavy():
    heavy = {"torch", "torchvision", "numpy", "scipy", "xarray", "matplotlib", "pandas", "rich", "importlib.metadata"}
    code = f"import {', '.join(LAZY)}\nimport sys\nprint(*{heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "\n")


def test_a_name_that_a_room_has_not_is_refused_as_python_does():
    with pytest.raises(AttributeError, match=r"module 'gapscope' has no attribute 'evalute'"):
        gapscope.evalute  # noqa: B018


@pytest.mark.slow
def test_type_checkers_see_the_real_signatures(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # where `mypy` keeps what it found out about the package
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    lines = [f"{key} = {', '.join(value) if isinstance(value, list) else value}" for key, value in settings.items()]
    config = tmp_path / "mypy.ini"
    config.write_text("\n".join(["[mypy]", *(line for line in lines if not line.startswith("packages"))]))
    code = "import gapscope\nreveal_type(gapscope.linear_cka)\nreveal_type(gapscope.evaluate)\ngapscope.evalute"
    said, problems, _ = api.run(["--config-file", str(config), "-c", code])
    assert re.search(r'2: note: Revealed type is "def \(x: .*, y: .*, \*, debiased: .*bool.* =\) -> .*float"', said), (
        said + problems
    )
    assert re.search(r'3: note: Revealed type is "def \(network: .*Darknet', said)
    assert '4: error: Module has no attribute "evalute"' in said


def test_the_version_is_that_of_the_project_and_the_command_says_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert gapscope.__version__ == project["version"]
    assert command("--version").stdout == f"gapscope {project['version']}\n"


def test_rooms_are_modules_like_any_other():
    assert isinstance(gapscope.plot, ModuleType) and callable(gapscope.plot.curve)
