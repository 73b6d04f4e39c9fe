"""The commands refuse what is wrong with one sentence, exit code 2 and nothing written; help is quick."""

import contextlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from command import gapscope
from miniature import MINIATURE

import gapscope as gapscope_package


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 2", "epoch = 2", "unknown key 'epoch'. Did you mean 'epochs'?"),
        ('freeze = "0-74"', 'freeze = "0-200"', "freeze: layers 0-200 are out of range"),
        ("min_area = 30.0", 'labels = { lorry = ["truck"] }', "unknown class 'lorry'"),
        ('generate = { style = "camera", images = 32, size = 96, seed = 1 }', 'root = "nowhere"', "there is no folder"),
        (
            'start = "base"',
            'start = "lost.safetensors"',
            "start = 'lost.safetensors': there is no such weights file. Two starts need none: 'streets'",
        ),
    ],
)
def test_a_wrong_experiment_is_refused_before_anything_is_written(tmp_path, old, new, message):
    assert old in MINIATURE
    (tmp_path / "study.toml").write_text(MINIATURE.replace(old, new, 1))
    done = gapscope("run", "study.toml", "--data-root", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr and not done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_a_source_class_that_the_data_do_not_have_is_refused_before_anything_is_written(tmp_path, shared_data):
    text = MINIATURE.replace("min_area = 30.0", 'labels = { car = ["vehicel"] }', 1)
    text = text.replace(
        'generate = { style = "camera", images = 32, size = 96, seed = 1 }', 'root = "synth_carla_danielhfnr"'
    )
    (tmp_path / "study.toml").write_text(text)
    done = gapscope("run", "study.toml", "--data-root", shared_data, cwd=tmp_path)
    assert done.returncode == 2
    assert "'vehicel' is no class of this data set. Did you mean 'vehicle'?" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


@pytest.mark.slow
def test_what_is_wrong_with_several_domains_is_told_together(tmp_path):
    text = MINIATURE
    for style, root in (("camera", "nowhere"), ("engine", "lost")):
        text = re.sub(rf'generate = {{ style = "{style}".*?}}', f'root = "{root}"', text, count=1)
    (tmp_path / "study.toml").write_text(text)
    done = gapscope("run", "study.toml", "--data-root", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no folder nowhere" in done.stderr and "there is no folder lost" in done.stderr


def test_a_probe_larger_than_the_test_split_is_refused_before_anything_is_written(tmp_path, shared_data):
    labels = 'labels = { car = ["vehicle"] }\ndrop = ["bike", "motobike", "traffic_light", "traffic_sign"]'
    text = MINIATURE.replace("min_area = 30.0", labels, 1).replace("images = 6", "images = 900")
    text = text.replace(
        'generate = { style = "camera", images = 32, size = 96, seed = 1 }', 'root = "synth_carla_danielhfnr"'
    )
    (tmp_path / "study.toml").write_text(text)
    done = gapscope("run", "study.toml", "--data-root", shared_data, cwd=tmp_path)
    assert done.returncode == 2
    assert "[probe]: 900 images wanted, but the test split of 'camera' has" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["status", "nowhere"], "nowhere holds no run"),
        (["report", "nowhere"], "is no run folder"),
        (["compare", "a.nc", "b.nc"], "a.nc"),
        (["record", "w.safetensors", "--images", ".", "-o", "r.nc"], "w.safetensors"),
        (["run", "x.toml", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["demo", "--only", "trian"], "there is no stage 'trian'"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_wrong_arguments_give_one_message_and_exit_code_2(tmp_path, arguments, message):
    done = gapscope(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_stage_alone_says_what_it_lacks(tmp_path):
    (tmp_path / "study.toml").write_text(MINIATURE)
    done = gapscope("run", "study.toml", "--only", "compare", cwd=tmp_path)
    assert done.returncode == 2
    assert "stage 'compare' needs record/u-real/seed0/64, which is not done" in done.stderr


@pytest.mark.parametrize("code", ["import gapscope", "import gapscope.cli"])
@pytest.mark.slow
def test_importing_gapscope_does_not_import_torch(code):
    check = f"{code}; import sys; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_help_names_every_command():
    shown = gapscope("--help")
    assert shown.returncode == 0
    for command in ("demo", "run", "status", "watch", "report", "layers", "record", "compare"):
        assert command in shown.stdout


def test_the_package_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gapscope", "--version"])
    with contextlib.suppress(SystemExit):
        runpy.run_path(str(Path(gapscope_package.__file__).with_name("__main__.py")), run_name="__main__")
    assert capsys.readouterr().out.startswith("gapscope ")


def test_layers_prints_all_107():
    shown = gapscope("layers").stdout.splitlines()
    assert len(shown) == 108
    assert shown[87].split() == ["86", "route", "768", "16", "85,", "61", "519168"]


def test_recordings_of_a_run_can_be_made_and_compared_by_hand(finished_run, tmp_path):
    weights = [finished_run / f"arms/{arm}/seed0/weights.safetensors" for arm in ("u-real", "u-synthetic")]
    images = finished_run / "data/engine/images"
    for name, file in zip("ab", weights, strict=True):
        done = gapscope("record", file, "--images", images, "--size", "32", "-o", tmp_path / f"{name}.nc")
        assert done.returncode == 0, done.stderr
    done = gapscope("compare", tmp_path / "a.nc", tmp_path / "b.nc", "-o", tmp_path / "grid.nc")
    assert done.returncode == 0, done.stderr
    assert "CKA (debiased)" in done.stdout and (tmp_path / "grid.nc").exists()
