"""A study that is killed at any moment goes on, and ends with the numbers of one that was not."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from campaign import ROUNDS
from command import COMMAND, ONE_THREAD, gapscope

pytestmark = pytest.mark.slow

NUMBERS = ["tables/table2.csv", "tables/table3.csv", "tables/table4.csv", "tables/table5.csv"]


def numbers(run: Path) -> dict[str, str]:
    return {name: (run / name).read_text() for name in NUMBERS}


def weights(run: Path) -> list[str]:
    return [json.loads(path.read_text())["weights_sha256"] for path in sorted(run.glob("arms/*/seed*/summary.json"))]


def units(run: Path) -> int:
    """How many units of work are done."""
    return len(list(run.glob("stages/*.json")))


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("round", range(ROUNDS))
def test_killed_at_random_moments_the_study_ends_the_same(smaller_run, tmp_path, round):
    """In `make test` once, in each further round of a campaign three times."""
    run, config = tmp_path / "killed", smaller_run.parent / "smaller.toml"
    command = ["run", str(config), "--out", str(run), "--jobs", "2"]
    moments, all_units = random.Random(7 + round), units(smaller_run)
    for _ in range(3 if round else 1):
        process = subprocess.Popen(
            [*COMMAND, *command], env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # So far on: counted in what is done, since a busy machine does less in the same time.
        wanted = units(run) + moments.randint(0, all_units // 3)
        while units(run) < wanted and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0.0, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    end = gapscope(*command)
    assert end.returncode == 0, end.stderr
    assert weights(run) == weights(smaller_run)
    assert numbers(run) == numbers(smaller_run)
    leftovers = [path for path in run.rglob("*") if path.name == "checkpoint.pt"]
    assert not leftovers


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor fork")
@pytest.mark.parametrize("round", range(ROUNDS))
def test_killed_at_any_file_that_is_put_in_place_the_study_ends_the_same(smaller_run, tmp_path, round):
    """In `make test` a few times, in a round of a campaign about a hundred times."""
    run, config = tmp_path / "killed", smaller_run.parent / "smaller.toml"
    script, mean = Path(__file__).parent / "killed_run.py", 3 if round else 90
    command = [sys.executable, script, str(round), str(mean), "run", config, "--out", run]
    done = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    end = json.loads(done.stdout.splitlines()[-1])
    assert end["code"] == 0, done.stderr
    assert sum(end["deaths"].values()) >= (60 if round else 2), end
    assert "Traceback" not in done.stderr
    assert weights(run) == weights(smaller_run)
    assert numbers(run) == numbers(smaller_run)
    print(f"kills by stage: {end['deaths']}")
