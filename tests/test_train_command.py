"""`gapscope train`: one arm, one seed, as `gapscope run` would; killed at any moment, it ends with the same bytes."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from campaign import ROUNDS
from command import COMMAND, ONE_THREAD, gapscope
from filelock import FileLock
from miniature import SMALLER

from gapscope.detector.weights import read_weights

pytestmark = pytest.mark.slow

CONFIG = SMALLER.replace("seeds = [0]", "seeds = [0, 1]")


@pytest.fixture(scope="module")
def place(tmp_path_factory, smaller_run) -> Path:
    """A folder with an experiment file and a run folder `whole` in which one training was done.

    Its images are those that another run has rendered.
    """
    folder = tmp_path_factory.mktemp("train")
    (folder / "study.toml").write_text(CONFIG)
    for part in ("images", "labels"):
        shutil.copytree(smaller_run / "data/engine" / part, folder / "whole/data/engine" / part)
    done = train(folder, "whole")
    assert done.returncode == 0, done.stderr
    return folder


def train(folder: Path, run: str, arm: str = "f-synthetic", seed: int = 0):
    config = folder / "study.toml"
    return gapscope("train", config, "--arm", arm, "--seed", str(seed), "--out", folder / run)


def test_it_does_the_data_it_needs_and_one_training(place):
    run = place / "whole"
    assert [path.name for path in sorted((run / "stages").iterdir())] == [
        "data--engine.json",
        "train--f-synthetic--seed0.json",
    ]
    names = {path.name for path in (run / "arms/f-synthetic/seed0").iterdir() if not path.name.startswith(".")}
    assert names == {"weights.safetensors", "last.safetensors", "end.pt", "metrics.jsonl", "summary.json"}
    summary = json.loads((run / "arms/f-synthetic/seed0/summary.json").read_text())
    assert summary["frozen_hash_before"] == summary["frozen_hash_after"]
    assert summary["frozen_hash_covers"] == "weights and batch statistics"
    last = read_weights(run / "arms/f-synthetic/seed0/last.safetensors")
    assert last.provenance["epoch"] == str(summary["epochs"])


def test_what_is_done_is_not_done_again(place):
    weights = place / "whole/arms/f-synthetic/seed0/weights.safetensors"
    before = weights.stat().st_mtime_ns
    again = train(place, "whole")
    assert again.returncode == 0 and weights.stat().st_mtime_ns == before
    last = again.stdout.splitlines()[-1]
    assert last.startswith(f"weights: {weights}; what is left of the study: gapscope run ")
    run = gapscope("run", place / "study.toml", "--out", place / "whole", "--only", "data")
    assert run.returncode == 0 and weights.stat().st_mtime_ns == before


def test_more_epochs_go_on_with_the_bytes_of_a_training_that_had_them_from_the_start(place):
    config, longer, fresh = place / "more.toml", place / "longer", with_data(place, "fresh")
    shutil.copytree(place / "whole", longer)
    config.write_text(CONFIG.replace("epochs = 6", "epochs = 8"))
    arguments = ("--arm", "f-synthetic", "--seed", "0", "--out")
    said = gapscope("train", config, *arguments, longer).stdout.splitlines()
    assert said[0] == "finished before, and to be done again:"
    assert said[1].startswith("  train/f-synthetic/seed0: [train] epochs 6 -> 8; goes on from epoch 6 (took ")
    assert gapscope("train", config, *arguments, fresh).returncode == 0
    here = "arms/f-synthetic/seed0"
    for name in ("weights.safetensors", "last.safetensors"):
        assert (longer / here / name).read_bytes() == (fresh / here / name).read_bytes()
    lines = (longer / here / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == list(range(1, 9))
    back = gapscope("train", place / "study.toml", *arguments, longer)
    assert back.stdout.splitlines()[0] == "taken back as it was before, without work: train/f-synthetic/seed0"
    for name in ("weights.safetensors", "last.safetensors", "metrics.jsonl"):
        assert (longer / here / name).read_bytes() == (place / "whole" / here / name).read_bytes()


@pytest.mark.parametrize(
    ("arm", "seed", "message"),
    [
        ("f-sinthetic", 0, "there is no arm 'f-sinthetic'. Did you mean 'f-synthetic'?"),
        ("u-real", 7, "there is no seed 7: the experiment's seeds are [0, 1]. Add it there."),
    ],
)
def test_an_arm_or_seed_that_is_not_in_the_study_is_refused_and_nothing_is_written(place, arm, seed, message):
    refused = train(place, "never", arm, seed)
    assert (refused.returncode, refused.stderr) == (2, f"gapscope: {message}\n")
    assert not (place / "never").exists()


def test_a_device_that_is_not_there_is_refused_before_anything_is_written(place, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (place / "gpu.toml").write_text(CONFIG.replace('device = "cpu"', 'device = "cuda"'))
    refused = gapscope("train", place / "gpu.toml", "--arm", "u-real", "--seed", "0", "--out", place / "never")
    assert refused.returncode == 2 and "device = 'cuda': PyTorch finds none here" in refused.stderr
    assert not (place / "never").exists()


def test_several_devices_and_several_jobs_at_once_are_refused(place):
    (place / "two.toml").write_text(CONFIG.replace('device = "cpu"', 'device = "cpu"\ndevices = 2'))
    refused = gapscope("run", place / "two.toml", "--jobs", "2", "--out", place / "never")
    assert refused.returncode == 2 and "jobs = 2 and [train] devices = 2: either several trainings" in refused.stderr


def test_two_processes_do_not_train_the_same_arm_and_seed(place):
    here = place / "locked/arms/u-real/seed0"
    here.mkdir(parents=True)
    with FileLock(here / ".lock"):
        refused = train(place, "locked", "u-real")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"gapscope: {here}: another gapscope process is working in this folder.")


@pytest.mark.faults
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("round", range(ROUNDS))
def test_killed_at_random_steps_it_ends_with_the_same_bytes(place, round):
    config, run = place / "often.toml", with_data(place, f"killed-{round}")
    config.write_text(CONFIG.replace("epochs = 6", "epochs = 6\ncheckpoint_minutes = 1e-4"))
    here, moments = run / "arms/f-synthetic/seed0", random.Random(5 + round)
    command = [*COMMAND, "train", str(config), "--arm", "f-synthetic", "--seed", "0", "--out", str(run)]
    kills = 0
    for _ in range(8):
        process = subprocess.Popen(command, env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = modified(here / "checkpoint.pt")
        while modified(here / "checkpoint.pt") == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills = kills + 1 if (here / "checkpoint.pt").exists() else 0
        if kills == 2:
            break
        if not kills:  # it had ended by then, as it may on a busy machine: once more from the start
            shutil.rmtree(here)
    assert kills == 2, "killed too late eight times"
    end = gapscope("train", config, "--arm", "f-synthetic", "--seed", "0", "--out", run)
    assert end.returncode == 0, end.stderr
    for name in ("weights.safetensors", "last.safetensors"):
        kept = (place / "whole/arms/f-synthetic/seed0" / name).read_bytes()
        assert (here / name).read_bytes() == kept
    assert not list(here.glob("checkpoint*"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_asked_to_end_it_says_so_and_saves_where_it_is(place):
    config, run = place / "long.toml", with_data(place, "ended")
    config.write_text(CONFIG.replace("epochs = 6", "epochs = 1000\npatience = 1000"))
    here = run / "arms/f-synthetic/seed0"
    process = subprocess.Popen(
        [*COMMAND, "train", str(config), "--arm", "f-synthetic", "--seed", "0", "--out", str(run)],
        env=ONE_THREAD,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (here / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.05)
    before = modified(here / "checkpoint.pt")
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error == "gapscope: interrupted; the same command goes on where this one stopped.\n"
    assert modified(here / "checkpoint.pt") > before
    saved = torch.load(here / "checkpoint.pt", weights_only=True)["progress"]
    assert saved["epoch"] == len((here / "metrics.jsonl").read_text().splitlines()) > 0


def with_data(place: Path, name: str) -> Path:
    """A run folder in which the data stage is done."""
    shutil.copytree(place / "whole", place / name, ignore=shutil.ignore_patterns("arms", "train--*"))
    return place / name


def modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0
