"""What a recording will cost is known before it starts."""

import os
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_data import noise

from gapscope.detector.layers import yolov3_layers
from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError
from gapscope.recording import live_tensors
from gapscope.recording.layer_sync import record_by_layers
from gapscope.recording.record_files import plan_files, record_files
from gapscope.recording.schedule import Schedule, num_operations

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_yolov3_costs_what_darknet_says_it_does():
    """65.86 billion operations at 416 pixels and 80 classes, the sum that Darknet prints."""
    assert sum(num_operations(layer, 416) for layer in yolov3_layers(80)) == pytest.approx(65.86e9, rel=1e-3)


def test_full_size_fits_where_keeping_everything_would_not():
    cost = Schedule(yolov3_layers(5), 200, 416, 8 * 2**30, CPU).cost()
    assert cost.disk == 0
    assert cost.memory < 5.7 * 2**30 < cost.everything / 7
    assert cost.gram_operations < 0.2 * cost.forward_operations


def test_half_the_memory_means_files():
    cost = Schedule(yolov3_layers(5), 200, 416, 4 * 2**30, CPU).cost()
    assert cost.memory <= 4 * 2**30
    assert cost.disk > 2 * 2**30


def test_files_stand_no_longer_than_they_are_read():
    table = yolov3_layers(5, 0.25)
    cost = Schedule(table, 50, 64, 16 * 2**20, CPU).cost()
    assert 0 < cost.disk_at_once < cost.disk
    assert Schedule(table, 50, 64, 2**30, CPU).cost().disk_at_once == 0


def test_what_a_recording_writes_to_files_is_what_was_planned(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    network, memory = yolov3(2, width=0.125).eval(), 5 * 2**20
    images = torch.randint(0, 256, (24, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    cost = Schedule(network.table, 24, 64, memory, CPU).cost()
    standing, seen = [], {}

    def look(*_):
        files = {path.name: path.stat().st_size for path in tmp_path.glob("gapscope-record-*/*")}
        seen.update(files)
        standing.append(sum(files.values()))

    recording = record_by_layers(network, images, size=64, memory=memory, progress=look)
    assert sum(seen.values()) <= cost.disk  # a file that nobody reads any more is gone before it can be seen
    assert sum(seen.values()) > 0.5 * cost.disk
    assert max(standing) <= cost.disk_at_once
    assert cost.file == recording.gram.nbytes + recording.pooled.nbytes


def test_a_disk_without_room_is_said_before_the_system_ends_the_process(monkeypatch):
    monkeypatch.setattr(live_tensors.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**16))
    images = torch.zeros(24, 3, 64, 64, dtype=torch.uint8)
    with pytest.raises(
        InputError, match=r"one layer needs 3 MiB in a temporary file, but .* has 64 KiB free\. Set TMPDIR"
    ):
        record_by_layers(yolov3(2, width=0.125), images, size=64, memory=5 * 2**20)


def test_the_plan_of_a_folder_fits_what_recording_it_leaves(tmp_path):
    network = yolov3(["car"], width=0.0625)
    save_weights(network, tmp_path / "thin.safetensors", {})
    for index in range(5):
        noise(tmp_path / f"photos/{index}.png", seed=index)
    cost, seconds = plan_files(tmp_path / "thin.safetensors", tmp_path / "photos", size=64)
    assert 0 < seconds < 60
    record_files(tmp_path / "thin.safetensors", tmp_path / "photos", size=64).save(tmp_path / "r.nc")
    assert (tmp_path / "r.nc").stat().st_size == pytest.approx(cost.file, abs=2**20)
    with pytest.raises(InputError, match=r"size = 65 is not a multiple of 32, which YOLOv3 needs\. Try 64"):
        plan_files(tmp_path / "thin.safetensors", tmp_path / "photos", size=65)


def test_a_batch_is_never_larger_than_the_probe():
    schedule = Schedule(yolov3_layers(5, 0.25), 7, 32, 2**30, CPU)
    assert max(schedule.batch_size_of(layer) for layer in schedule.table) == 7


def test_images_of_many_batches_are_all_recorded():
    network = yolov3(2, width=0.0625).eval()
    images = torch.randint(0, 256, (23, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    one, many = (record_by_layers(network, images, size=32, batch_size=size) for size in (23, 5))
    np.testing.assert_allclose(one.gram, many.gram, rtol=1e-3, atol=1e-3 * np.abs(one.gram).max())


MEASURED = """
import re, torch
from pathlib import Path
from gapscope.detector.network import yolov3
from gapscope.recording.layer_sync import record_by_layers
images = torch.randint(0, 256, (200, 3, 128, 128), dtype=torch.uint8)
recording = record_by_layers(yolov3(2, width=0.25).eval(), images, size=128, memory="200MiB")
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(4 * 200 * recording.p.sum(), int(peak) * 1024)
"""
"""The peak of this program alone: `ru_maxrss` begins with what the process held that started it."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere resident memory is counted in other units")
@pytest.mark.slow
def test_a_small_budget_is_kept():
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, env=environment)
    everything, resident = map(int, done.stdout.split())
    assert everything > 0.95 * 2**30
    assert resident < 200 * 2**20 + 1.5 * 2**30
