"""Exact versions: the lock fits pyproject.toml and can be installed anywhere; the lowest versions are all named."""

import contextlib
import importlib
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from gapscope.run_folder import RunFolder

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "scripts"))
pins = importlib.import_module("pins")

LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
LOCKED = dict(line.split("==") for line in LINES)
CI = {"python_version": "3.11", "python_full_version": "3.11.7", "sys_platform": "linux", "platform_machine": "x86_64"}


def test_the_lock_names_exact_versions_and_no_place():
    assert [line for line in LINES if not re.fullmatch(r"[a-z0-9_.-]+==[0-9][0-9a-z.]*", line)] == []
    assert len(LOCKED) == len(LINES) and "gapscope" not in LOCKED


@pytest.mark.parametrize("extra", [None, "dev"])
def test_the_lock_fits_what_the_project_asks_for(extra):
    """If it does not: make lock."""
    asked = [one for one in pins.requirements(extra) if one.marker is None or one.marker.evaluate(CI)]
    versions = {name.replace("_", "-"): version for name, version in LOCKED.items()}
    missing = [str(one) for one in asked if versions.get(one.name.lower()) is None]
    assert missing == []
    assert [str(one) for one in asked if versions[one.name.lower()] not in one.specifier] == []


def test_every_dependency_has_a_least_version_which_the_lowest_set_takes():
    needed = pins.requirements()
    lowest = dict(line.split("==") for line in pins.lowest(needed))
    assert set(lowest) == {one.name for one in needed}
    assert lowest["torch"] in Requirement("torch>=2.6,<3").specifier
    assert pins.lowest([Requirement("a>=1.5,<2"), Requirement("b"), Requirement("c<3")]) == ["a==1.5"]


def test_a_lock_leaves_out_the_project_and_the_place_that_built_a_version():
    def installed(name: str, version: str, **info: dict) -> dict:
        return {"metadata": {"name": name, "version": version}, "download_info": info}

    report = [installed("torch", "2.9.0+cpu"), installed("Jinja2", "3.1"), installed("gapscope", "0.1", dir_info={})]
    assert pins.lock({"install": report}) == ["jinja2==3.1", "torch==2.9.0"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few people make links")
def test_a_lock_that_is_a_link_empties_no_other_file(tmp_path):
    """As filelock's versions before 3.20.1 did."""
    kept, run = tmp_path / "kept", tmp_path / "run"
    kept.write_text("precious")
    run.mkdir()
    (run / ".lock").symlink_to(kept)
    with contextlib.suppress(OSError), RunFolder(run).locked():
        pass
    assert kept.read_text() == "precious"
