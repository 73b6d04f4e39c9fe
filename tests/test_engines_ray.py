"""A study on Ray: the numbers are those of one process, whatever dies in between, and nothing outlives the command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from campaign import ROUNDS
from command import COMMAND, ONE_THREAD, gapscope
from test_kill_and_resume import numbers, weights

ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")]


def said(run: Path) -> Path:
    return run.with_name("said.txt")


def on_ray(config: Path, run: Path, *more: str) -> subprocess.Popen[str]:
    """Its errors go to a file beside the run folder."""
    command = [*COMMAND, "run", str(config), "--out", str(run), "--on", "ray", "--jobs", "2", *more]
    with said(run).open("a") as log:
        return subprocess.Popen(command, env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=log, text=True)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str], run: Path) -> None:
    while not condition():
        assert process.poll() is None, said(run).read_text()
        time.sleep(0.05)


def training(process: subprocess.Popen[str], arm: str) -> "psutil.Process | None":
    """The process that trains an arm for the command."""
    for one in psutil.Process(process.pid).children(recursive=True):
        try:
            if f"train/{arm}" in " ".join(one.cmdline()):
                return one
        except psutil.NoSuchProcess:
            continue
    return None


@pytest.mark.faults
@pytest.mark.parametrize("round", range(ROUNDS))
def test_a_killed_worker_and_a_killed_command_leave_the_numbers_as_they_are_and_no_process(
    smaller_run, tmp_path, round
):
    """In `make test` until all is trained, in each further round of a campaign to the report."""
    run, config = tmp_path / "run", smaller_run.parent / "smaller.toml"
    assert gapscope("run", config, "--out", run, "--only", "data").returncode == 0
    metrics = run / "arms/u-real/seed0/metrics.jsonl"
    first = on_ray(config, run)
    wait_until(lambda: metrics.exists() and metrics.read_text().count("\n") >= 2, first, run)
    worker = training(first, "u-real")
    assert worker is not None, "no process of that name trains"
    worker.kill()
    wait_until(lambda: (again := training(first, "u-real")) is not None and again.pid != worker.pid, first, run)
    every = [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]
    first.send_signal(signal.SIGKILL)
    first.wait()
    _, orphans = psutil.wait_procs(every, timeout=300)  # Ray's own agents look for their raylet only now and then
    assert not orphans, [one.cmdline() for one in orphans]
    end = on_ray(config, run, *([] if round else ["--only", "train"]))
    assert end.wait() == 0, said(run).read_text()
    assert weights(run) == weights(smaller_run)
    if round:
        evaluation = "evaluation/u-real-seed0--camera.json"
        assert (run / evaluation).read_bytes() == (smaller_run / evaluation).read_bytes()
        similarity = "similarity/u-real-seed0--f-synthetic-seed0--camera-32.nc"
        assert (run / similarity).read_bytes() == (smaller_run / similarity).read_bytes()
        assert numbers(run) == numbers(smaller_run)
    assert not list(run.rglob("checkpoint.pt"))


def test_a_cluster_that_is_not_there_and_more_than_it_has_are_refused(smaller_run, tmp_path):
    config = smaller_run.parent / "smaller.toml"
    (tmp_path / "greedy.toml").write_text(config.read_text() + "[resources.train]\ncpus = 5000\n")
    run = tmp_path / "run"
    refused = gapscope("run", tmp_path / "greedy.toml", "--out", run, "--on", "ray", "--jobs", "1")
    assert refused.returncode == 2
    assert "wants 5000 of CPU, and the whole cluster has" in refused.stderr
    environment = os.environ | {"RAY_raylet_start_wait_time_s": "1"}
    command = [*COMMAND, "run", str(config), "--out", str(run), "--on", "ray=auto"]
    nobody = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert nobody.returncode == 2 and "no Ray cluster answers there" in nobody.stderr


def test_a_worker_that_cannot_begin_a_unit_is_told_as_such_and_with_the_whole_trace():
    """As where its machine has another gapscope: the unit is not begun three times."""
    from gapscope.study.engines.ray_engine import OTHER_CODE, RayEngine

    def get(task: str) -> None:
        raise ray.exceptions.RayTaskError("do_job", "ImportError: no such name", ImportError(), "worker", 1, "here")

    engine = RayEngine.__new__(RayEngine)
    engine._running = {"task": "train/u-real/seed0"}
    engine._ray = SimpleNamespace(wait=lambda *_, **__: (["task"], []), get=get, exceptions=ray.exceptions)
    end = engine.ended(1.0)
    assert end is not None and (end.unit, end.how) == ("train/u-real/seed0", "failed")
    assert "ImportError: no such name" in end.message and end.message.splitlines()[-1] == OTHER_CODE
