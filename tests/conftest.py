"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets beside the repository, or wherever GAPSCOPE_SHARED points; without them the test is skipped."""
    shared = Path(os.environ.get("GAPSCOPE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not shared.is_dir():
        pytest.skip(f"needs the shared data sets, which are not at {shared}; set GAPSCOPE_SHARED")
    return shared
