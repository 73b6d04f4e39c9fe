"""The benchmark of the loader runs, on its own frames and on the user's."""

import runpy
import sys
from pathlib import Path

import pytest
from small_data import noise

from gapscope.data import image_cache

BENCHMARK = Path(__file__).parents[1] / "benchmarks/load_images.py"
QUICK = ["--number", "2", "--size", "64", "--rounds", "1", "--least", "0", "--threads", "1", "2"]


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(image_cache, "SETTLED_SECONDS", image_cache.SETTLED_SECONDS)  # which the benchmark changes


def run(monkeypatch, capsys, *options: str) -> str:
    monkeypatch.setattr(sys, "argv", ["load_images.py", *QUICK, *options])
    runpy.run_path(str(BENCHMARK), run_name="__main__")
    return capsys.readouterr().out


def test_every_way_is_measured_and_the_source_of_the_frames_is_said(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("GAPSCOPE_SHARED", str(tmp_path))
    out = run(monkeypatch, capsys)
    assert "made-up frames: the shared BDD100K frames are not here" in out and "1280 x 720" in out
    assert out.count("goal 0.85") == out.count("goal 4") == 2  # with one thread, and with two
    for name in ("bare", "load + augment", "disk + mosaic", "memory + augment", "scaled"):
        assert f"  {name} " in out


def test_own_images_are_measured_as_they_are(monkeypatch, capsys, tmp_path):
    for i in range(3):
        noise(tmp_path / f"{i}.jpg", size=(90, 120), seed=i)
    assert "2 images (given), the first 90 x 120" in run(monkeypatch, capsys, "--images", str(tmp_path))


def test_frames_of_the_shared_data_are_used_where_they_are(monkeypatch, capsys, shared_data):
    if not (shared_data / "real_bdd100k_unlabelled").is_dir():
        pytest.skip("needs the BDD100K frames")
    monkeypatch.setenv("GAPSCOPE_SHARED", str(shared_data.parent))
    assert "BDD100K frames enlarged from 640 x 360" in run(monkeypatch, capsys)
