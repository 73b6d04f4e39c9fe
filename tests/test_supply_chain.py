"""What is installed is what was built, the same bytes each time; it asks no network, and says what it is made of."""

import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import gapscope

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow

USES_DATA = """
from pathlib import Path
import gapscope, gapscope.page, gapscope.several, gapscope.watching
from gapscope.data.label_maps import named_label_maps
from gapscope.study.demo import demo_experiment
from gapscope.study.study import STREETS_BACKBONE
assert demo_experiment(quick=True).arms and named_label_maps() and STREETS_BACKBONE.is_file()
for room in (gapscope.page, gapscope.several, gapscope.watching):
    assert any((Path(room.__path__[0]) / "templates").rglob("*.j2")), room
print(Path(gapscope.__file__).parent)
"""


def test_a_connection_to_another_machine_fails_the_test_and_one_to_this_machine_does_not():
    with pytest.raises(AssertionError, match="tests ask no network"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(AssertionError, match="tests ask no network"):
        socket.getaddrinfo("example.org", 443)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_importing_every_module_asks_no_network():
    """Those that were imported before were looked at then."""
    for module in pkgutil.walk_packages(gapscope.__path__, "gapscope."):
        importlib.import_module(module.name)


def sources(folder: Path, changed: int) -> Path:
    """A copy of what the package is built from, as another checkout has it: other times, other rights."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "gapscope", folder / "gapscope", ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.rglob("*"):
        os.utime(path, (changed, changed))
        if path.is_file():
            path.chmod(0o600 if changed % 2 else 0o644)
    return folder


def built(folder: Path) -> Path:
    """The wheel that `make wheel` makes of it."""
    command = [sys.executable, str(ROOT / "scripts/build_wheel.py"), str(folder), str(folder / "dist")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "dist").glob("gapscope-*.whl")
    return wheel


def test_two_builds_are_the_same_bytes_and_work_without_the_repository(tmp_path):
    pytest.importorskip("setuptools")
    wheels = [
        built(sources(tmp_path / name, changed)) for name, changed in (("a", 1_000_000_001), ("b", 1_500_000_000))
    ]
    assert len({hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels}) == 1
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(installed), str(wheels[0])], check=True, timeout=600)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USES_DATA],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(installed / "gapscope")


def test_the_bill_of_materials_names_every_dependency_with_its_version():
    done = subprocess.run([sys.executable, ROOT / "scripts/sbom.py"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["name"] == "gapscope"
    found = {part["name"]: part for part in bill["components"]}
    assert {"torch", "numpy", "h5py", "safetensors", "pydantic", "jinja2"} <= set(found)
    assert found["numpy"]["purl"] == f"pkg:pypi/numpy@{found['numpy']['version']}"
    assert (
        done.stdout
        == subprocess.run(
            [sys.executable, ROOT / "scripts/sbom.py"], capture_output=True, text=True, timeout=600
        ).stdout
    )
