"""A study that is killed at any moment goes on, and ends with the numbers of one that was not."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import COMMAND, ONE_THREAD, gapscope
from miniature import SMALLER

pytestmark = pytest.mark.slow

NUMBERS = ["tables/table2.csv", "tables/table3.csv", "tables/table4.csv", "tables/table5.csv"]


def numbers(run: Path) -> dict[str, str]:
    return {name: (run / name).read_text() for name in NUMBERS}


def weights(run: Path) -> list[str]:
    return [json.loads(path.read_text())["weights_sha256"] for path in sorted(run.glob("arms/*/seed*/summary.json"))]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_three_times_at_random_the_study_ends_the_same(tmp_path):
    config = tmp_path / "smaller.toml"
    config.write_text(SMALLER)
    started = time.monotonic()
    whole = gapscope("run", config, "--out", tmp_path / "whole", "--jobs", "2")
    assert whole.returncode == 0, whole.stderr
    usual = time.monotonic() - started

    moments = random.Random(7)
    for _ in range(3):
        process = subprocess.Popen(
            [*COMMAND, "run", str(config), "--out", str(tmp_path / "killed"), "--jobs", "2"],
            env=ONE_THREAD,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.25, 0.6) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
    end = gapscope("run", config, "--out", tmp_path / "killed", "--jobs", "2")
    assert end.returncode == 0, end.stderr
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    assert numbers(tmp_path / "killed") == numbers(tmp_path / "whole")
    leftovers = [path for path in (tmp_path / "killed").rglob("*") if path.name == "checkpoint.pt"]
    assert not leftovers
