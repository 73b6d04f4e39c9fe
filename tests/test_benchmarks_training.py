"""The benchmarks of training run, and a thin network learns a batch by heart with everything that trains it."""

import sys
from pathlib import Path

import pytest

from gapscope.config import Train

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize(("model", "of_the_loss"), [("yolov3", 0.5), ("yolov3-anchor-free", 0.8)])
def test_a_thin_network_learns_a_batch_by_heart(model, of_the_loss, tmp_path):
    from overfit import GOAL, overfit

    config = Train(learning_rate=1e-3, warmup_steps=20, device="cpu")
    shape = {"width": 0.1, "size": 96, "images": 3}
    steps = list(overfit(tmp_path, **shape, model=model, steps=240, every=40, config=config))
    assert steps[-1][2] > GOAL
    assert steps[-1][1] < of_the_loss * steps[0][1]


def test_the_speed_of_a_step_is_measured_beside_its_bare_layers(monkeypatch, capsys):
    import train

    options = ["--width", "0.0625", "--size", "64", "--batch", "2", "--steps", "1", "--precision", "32", "--no-peer"]
    monkeypatch.setattr(sys, "argv", ["train.py", "--device", "cpu", *options])
    train.main()
    out = capsys.readouterr().out
    for name in ("step", "bare", "frozen", "epoch"):
        assert f"  {name} " in out
    assert "waiting for data" in out and "step / bare" in out


def test_a_frozen_backbone_saves_half_of_the_work():
    """Forward 65.3 GFLOP an image at 416 pixels; with backward 196, with a frozen backbone 98."""
    from train import operations_per_image

    whole, frozen = operations_per_image(1.0, 416, False), operations_per_image(1.0, 416, True)
    assert whole == pytest.approx(195.7e9, rel=0.01)
    assert frozen == pytest.approx(97.9e9, rel=0.01)


def test_recipes_are_measured_on_towns_that_did_not_teach(monkeypatch, capsys, shared_data):
    import recipes

    options = ["--epochs", "1", "--seeds", "0", "1", "--size", "32", "--width", "0.0625"]
    monkeypatch.setattr(sys, "argv", ["recipes.py", str(shared_data), "carla", *options])
    recipes.main()
    first, _, *rows = capsys.readouterr().out.splitlines()
    assert first == "460 train, 140 val, 249 test"
    assert [row.split()[:2] for row in rows] == [
        [name, seed] for name in ("yolov3", "yolov3-anchor-free") for seed in ("0", "1", "mean")
    ]
    images, classes = recipes.samples_of("carla", shared_data, 32)
    towns = {
        split: {path.split("Town")[1][:2] for path in one.table.paths[one.indices]} for split, one in images.items()
    }
    assert classes == ["vehicle", "cycle"] and towns["test"] == {"05"}
    assert not (towns["train"] | towns["val"]) & towns["test"] and not towns["train"] & towns["val"]
