"""Fixtures for all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import no_network  # noqa: F401  before all others: from then on nothing is asked of a network
import pytest
import quick_tests
import torch
from command import gapscope, gapscope_process
from in_browser import OPTIONS, Browser, chromium
from miniature import MINIATURE, SMALLER
from sharing import made_once

# Tests use tiny networks: one thread is quicker than two that wait for each other, above all on a shared machine.
torch.set_num_threads(1)

LONGEST = (
    *("test_page_browser.py", "test_end_to_end.py", "test_kill_and_resume.py", "test_engines_ray.py"),
    *("test_recording_acceptance.py", "test_notebooks.py", "test_site.py", "test_train_command.py"),
)
"""Files that begin before all others, so that several processes end at about the same time."""


def pytest_configure() -> None:
    quick_tests.watch()
    # What a shell has started in the background ignores these, and so would all that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only quick tests run, a file that is slow as a whole need not even be imported."""
    return True if config.option.markexpr == "not slow" and quick_tests.is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    quick_tests.mark_slow_ones(items)
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with quick_tests.kept_quick(item):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Every test starts from the same random numbers, in whatever order tests are run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets beside the repository, or where GAPSCOPE_SHARED points; without them the test is skipped."""
    shared = Path(os.environ.get("GAPSCOPE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not shared.is_dir():
        pytest.skip(f"needs the shared data sets, which are not at {shared}; set GAPSCOPE_SHARED")
    return shared


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a miniature study, made through the command line as a user would, for all tests to read."""

    def make(folder: Path) -> None:
        (folder / "miniature.toml").write_text(MINIATURE)
        done = gapscope_process("run", folder / "miniature.toml", "--out", folder / "run")
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "study", make) / "run"


@pytest.fixture(scope="session")
def smaller_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a smaller study, made without interruption, for all tests to read."""

    def make(folder: Path) -> None:
        (folder / "smaller.toml").write_text(SMALLER)
        done = gapscope("run", folder / "smaller.toml", "--out", folder / "run", "--jobs", "2")
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "smaller", make) / "run"


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    """torchvision's resnet18 with random weights whose batch statistics fit its images."""
    import torchvision
    from full_features import probe, settled

    return settled(torchvision.models.resnet18(), probe(n=12))


@pytest.fixture(scope="module")
def resnet_recording(resnet: torch.nn.Module) -> Any:
    """What every layer of it makes of twelve images."""
    from full_features import probe

    from gapscope.recording.record import record

    return record(resnet, probe(n=12), size=32, batch_size=5)


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Browser]:
    """Chromium, started once for a file: while it is open, so is an event loop, which other tests may not expect."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        yield Browser(driven)
        driven.close()


@pytest.fixture
def browser(one_browser: Browser) -> Iterator[Browser]:
    """For one test, which fails if a page complains or asks anything of a network."""
    yield one_browser
    one_browser.close()
