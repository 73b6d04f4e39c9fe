"""A disk or a memory that runs out is said in one sentence; what was there before is whole."""

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from command import gapscope
from PIL import Image
from small_data import noise, table_of

from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import save_detections
from gapscope.files import atomic_path, write_json
from gapscope.recording import recording
from gapscope.recording.live_tensors import reserve_file
from gapscope.recording.recording import write_dataset
from gapscope.run_folder import RunFolder
from gapscope.shortage import is_out_of_memory, writing_trouble
from gapscope.study.side_by_side import do_side_by_side
from gapscope.study.study import Study
from gapscope.study.units import Unit, UnitKeys
from gapscope.training.checkpoint import Reached, save_checkpoint

pytestmark = pytest.mark.slow


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What the system does to this process is what a full disk does: a write fails in the middle. Python 3.11 would
    leave modules cut off that it compiles meanwhile."""
    compiles, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        sys.dont_write_bytecode = compiles
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def checkpoint(path: Path) -> None:
    save_checkpoint(path, "key", Reached(), {"network": {"weight": torch.rand(100_000)}})


def weights(path: Path) -> None:
    save_weights(yolov3(["car"], 1 / 16), path, {})


def grid(path: Path) -> None:
    write_dataset(xr.Dataset({"gram": (("a", "b"), np.random.default_rng(0).random((300, 300)))}), path)


def detections(path: Path) -> None:
    n = 20_000
    save_detections(path, Boxes.of(np.arange(n), np.zeros(n), np.ones((n, 4)), np.ones(n)))


def table(path: Path) -> None:
    table_of([[]] * 2000, root=path.parent, size=(10, 10)).save(path)


def numbers(path: Path) -> None:
    write_json(path, list(range(100_000)))


def picture(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, "PNG")


WRITERS: dict[str, Callable[[Path], None]] = {
    "checkpoint.pt": checkpoint,
    "weights.safetensors": weights,
    "grid.nc": grid,
    "found.detections.npz": detections,
    "annotations.npz": table,
    "summary.json": numbers,
    "0.png": picture,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_does_not_fit_leaves_the_old_one_whole_and_says_why(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(b"the old one")
    if name == "0.png":  # Pillow says nothing of what the system said; the disk is asked
        monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 0}))
    with no_file_larger_than(20_000):
        sys.dont_write_bytecode = False
        with pytest.raises(OSError) as told:
            WRITERS[name](path)
        assert sys.dont_write_bytecode, "Python 3.11 would leave modules cut off"
    assert told.value.errno in (errno.EFBIG, errno.ENOSPC)
    old = path if name != "checkpoint.pt" else path.with_name("checkpoint.previous.pt")
    assert (path if path.exists() else old).read_bytes() == b"the old one"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_large_dataset_is_not_begun_without_room(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "IN_MEMORY", 0)
    grid(tmp_path / "fits.nc")
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError) as told:
        grid(tmp_path / "grid.nc")
    assert told.value.errno == errno.ENOSPC and [one.name for one in tmp_path.iterdir()] == ["fits.nc"]


def test_a_file_that_memory_is_mapped_to_has_its_place_on_the_disk_first(tmp_path):
    reserve_file(tmp_path / "layer0.float32", 10_000)
    assert (tmp_path / "layer0.float32").stat().st_blocks * 512 >= 10_000
    with no_file_larger_than(20_000), pytest.raises(InputError, match=r"no room for it .* Set TMPDIR to a folder"):
        reserve_file(tmp_path / "layer1.float32", 30_000)


def test_a_full_disk_ends_a_command_with_one_sentence(tmp_path):
    noise(tmp_path / "photos/a.png", (64, 64), seed=0)
    with no_file_larger_than(100):
        done = gapscope("data", "convert", tmp_path / "photos", "--to", "yolo", "--format", "unlabelled", cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_that_runs_out_is_known_whoever_says_so(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("shape mismatch"))


def test_other_errors_are_no_trouble_with_the_disk(tmp_path):
    assert writing_trouble(RuntimeError("shape mismatch"), tmp_path / "a") is None
    assert writing_trouble(OSError(errno.EACCES, "denied"), tmp_path / "a") is None


def killed_by_the_system(study: Study, keys: UnitKeys) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def without_memory(study: Study, keys: UnitKeys) -> None:
    raise MemoryError


def without_room(study: Study, keys: UnitKeys) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/run/weights.safetensors")


def done_well(study: Study, keys: UnitKeys, *, place: Path) -> None:
    place.touch()


def test_memory_or_disk_that_runs_out_in_one_arm_is_said_as_such_and_the_others_go_on(tmp_path):
    work = {
        "train/a": (killed_by_the_system, ()),
        "train/b": (without_memory, ()),
        "train/e": (without_room, ()),
        "train/c": (partial(done_well, place=tmp_path / "c"), ()),
        "train/d": (partial(done_well, place=tmp_path / "d"), ("train/a",)),
    }
    units = [Unit("train", name, {}, needs, (), does) for name, (does, needs) in work.items()]
    keys, begun, ended = {name: UnitKeys("", "") for name in work}, list[str](), list[str]()
    study = Study(None, RunFolder(tmp_path / "run"))  # type: ignore[arg-type]
    with pytest.raises(InputError) as told:
        do_side_by_side(
            units, keys, study, 2, lambda unit: begun.append(unit.name), lambda unit, seconds: ended.append(unit.name)
        )
    assert ended == ["train/c"] and "train/d" not in begun
    lines = sorted(str(told.value).splitlines())
    assert lines[0].startswith("train/a: its process was killed, which is what the system does when memory runs out.")
    assert lines[1].startswith("train/b: there is not enough memory. Lower [train] batch_size")
    assert lines[2].startswith("train/e: /run/weights.safetensors: No space left on device. Make room")
    assert len(lines) == 3
