"""`make quick` leaves out what takes long, and nothing that takes long can pass for quick."""

import multiprocessing
import os
import subprocess
import sys

import pytest
from matplotlib import font_manager
from quick_tests import SLOW_FIXTURES

from gapscope.streets.write import write_domain
from gapscope.training.train import Training

REFUSED = r"test_quick_tests\.py::.* {}\. Mark it, or its file, with pytest\.mark\.slow"


@pytest.mark.parametrize(
    "start",
    [
        lambda: subprocess.run([sys.executable, "--version"]),
        lambda: os.system("true"),
        lambda: multiprocessing.get_context("spawn").Process(target=print).start(),
    ],
    ids=["subprocess", "system", "multiprocessing"],
)
def test_a_quick_test_that_starts_a_process_fails(start):
    with pytest.raises(pytest.fail.Exception, match=REFUSED.format("starts a process")):
        start()


def test_a_quick_test_that_trains_or_renders_fails(tmp_path):
    with pytest.raises(pytest.fail.Exception, match=REFUSED.format("trains a network")):
        Training.run(None)
    with pytest.raises(pytest.fail.Exception, match=REFUSED.format("renders a domain")):
        write_domain(tmp_path / "streets", style="engine", images=1, size=48, seed=0)
    assert not list(tmp_path.iterdir())


def test_a_library_may_ask_for_the_fonts_of_a_new_machine():
    """Once for a machine, in whichever test comes first."""
    font_manager._get_fontconfig_fonts.cache_clear()
    assert isinstance(font_manager.findSystemFonts(), list)


@pytest.mark.slow
def test_a_slow_test_may_do_it():
    assert subprocess.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode == 3


def test_what_uses_a_slow_fixture_is_slow(request):
    users = [item for item in request.session.items if SLOW_FIXTURES & set(item.fixturenames)]
    assert all("slow" in item.keywords for item in users)
