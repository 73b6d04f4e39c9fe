"""A study as jobs of Slurm, whose commands are stood in for by processes of this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_slurm
import pytest
from command import COMMAND, ONE_THREAD, gapscope
from test_kill_and_resume import weights

pytest.importorskip("submitit")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Slurm's commands are shell scripts"),
]


@pytest.fixture
def place(smaller_run: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """An experiment file, a run folder with its data, and where Slurm's commands are."""
    run, slurm, config = tmp_path / "run", tmp_path / "slurm", tmp_path / "smaller.toml"
    threads = max(1, (os.cpu_count() or 1) // 2)  # as each of the smaller run's two trainings at a time had
    given = (smaller_run.parent / "smaller.toml").read_text()
    config.write_text(given + f"[resources.train]\ncpus = {threads}\n")
    fake_slurm.install(slurm)
    done = gapscope("run", config, "--out", run, "--only", "data")
    assert done.returncode == 0, done.stderr
    return config, run, slurm


def said(run: Path) -> Path:
    return run.with_name("said.txt")


def on_slurm(config: Path, run: Path, slurm: Path, *more: str) -> subprocess.Popen[str]:
    """Its errors go to a file beside the run folder."""
    env = ONE_THREAD | fake_slurm.environment(slurm)
    command = [*COMMAND, "run", str(config), "--out", str(run), "--only", "train", "--on", "slurm", *more]
    with said(run).open("a") as log:
        return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=log, text=True)


def test_a_command_that_is_killed_waits_for_its_jobs_when_given_again_and_the_numbers_are_the_same(smaller_run, place):
    config, run, slurm = place
    first = on_slurm(config, run, slurm, "--slurm", "partition=long", "--slurm", "time=30")
    while not (run / "jobs/train--u-real--seed0.json").exists():
        assert first.poll() is None, said(run).read_text()
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    noted = json.loads((run / "jobs/train--u-real--seed0.json").read_text())["job"]
    end = on_slurm(config, run, slurm)
    assert end.wait() == 0, said(run).read_text()
    scripts = [path.read_text() for path in (slurm / "jobs").glob("*.job")]
    assert sum("job-name=train-u-real-seed0" in text for text in scripts) == 1, "the training was given twice"
    first_script = (slurm / "jobs" / f"{noted}.job").read_text()
    assert "--partition=long" in first_script and "--time=30" in first_script
    assert weights(run) == weights(smaller_run)
    assert not list((run / "jobs").glob("*--*.json")), "notes of jobs that have ended"


def wait_for_the_end_of(group: int) -> None:
    """A cancelled job saves what it has before it ends; the stand-in for Slurm calls it cancelled at once."""
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError(f"processes of group {group} go on")


def test_ctrl_c_cancels_the_jobs_and_what_sbatch_refuses_is_told(place):
    config, run, slurm = place
    process = on_slurm(config, run, slurm)
    while not (run / "jobs/train--u-real--seed0.json").exists():
        assert process.poll() is None, said(run).read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130, said(run).read_text()
    assert list((slurm / "jobs").glob("*.cancelled"))
    for path in (slurm / "jobs").glob("*.pid"):
        wait_for_the_end_of(int(path.read_text()))
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: lung' >&2\nexit 1\n")
    refused = on_slurm(config, run, slurm, "--slurm", "partition=lung")
    assert refused.wait() == 2
    assert "sbatch refused the job of train/" in (told := said(run).read_text()), told
    assert "invalid partition specified: lung" in told
