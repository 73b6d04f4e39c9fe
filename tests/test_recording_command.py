"""`gapscope record` on any model, and the example that shows it."""

import importlib.util
from pathlib import Path

import pytest
from command import gapscope
from small_data import noise

from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.recording.recording import read_recording

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "examples/record_resnet.py"
MODELS = """
from torch import nn
def build():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3))
    model.unused = nn.Linear(2, 2)
    model.forward = lambda x: model[2](model[1](model[0](x)))
    return model
"""


@pytest.fixture
def folder(tmp_path):
    for index in range(5):
        noise(tmp_path / f"photos/{index}.png", seed=index)
    (tmp_path / "models_for_the_command.py").write_text(MODELS)
    return tmp_path


def test_a_model_that_a_function_builds_is_recorded_and_what_was_left_out_is_said(folder):
    done = gapscope(
        "record", "models_for_the_command:build", "--images", "photos", "--size", "33", "-o", "r.nc", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "not recorded: unused, which is never called\n" in done.stdout
    assert "5 images, 3 layers -> r.nc" in done.stdout.splitlines()[-1]
    recording = read_recording(folder / "r.nc")
    assert recording.layers.tolist() == ["0", "1", "2"]
    assert recording.images == tuple(f"{index}.png" for index in range(5))
    assert recording.provenance["source"] == "models_for_the_command:build"


def test_layers_and_preprocessing_are_chosen_at_the_terminal(folder):
    arguments = ["--images", "photos", "--size", "32", "--preprocess", "imagenet", "--layers", "2", "--layers", "0"]
    done = gapscope("record", "models_for_the_command.py:build", *arguments, "-o", "r.nc", cwd=folder)
    assert done.returncode == 0, done.stderr
    recording = read_recording(folder / "r.nc")
    assert recording.layers.tolist() == ["0", "2"]
    assert recording.provenance["preprocess"] == "imagenet"


def test_layers_of_a_weights_file_are_chosen_by_index(folder):
    save_weights(yolov3(2, width=0.0625), folder / "w.safetensors", {})
    arguments = ["w.safetensors", "--images", "photos", "--size", "32", "-o", "r.nc"]
    done = gapscope("record", *arguments, "--layers", "0-3", "--layers", "82", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert read_recording(folder / "r.nc").layers.tolist() == [0, 1, 2, 3, 82]


def test_bfloat16_is_asked_for_at_the_terminal_and_written_down(folder):
    save_weights(yolov3(2, width=0.0625), folder / "w.safetensors", {})
    arguments = ["w.safetensors", "--images", "photos", "--size", "32", "--layers", "0-20"]
    for precision in ("bf16", "32"):
        done = gapscope("record", *arguments, "--precision", precision, "-o", f"{precision}.nc", cwd=folder)
        assert done.returncode == 0, done.stderr
    short, full = (read_recording(folder / f"{precision}.nc") for precision in ("bf16", "32"))
    assert (short.dtype, full.dtype) == ("bfloat16", "float32")
    difference = abs(short.std / full.std - 1)
    assert 0 < difference.max() < 2**-5  # a bfloat16 has 8 bits
    planned = gapscope("record", *arguments, "--precision", "bf16", "--plan", cwd=folder)
    assert planned.returncode == 0 and "about" in planned.stdout, planned.stderr


@pytest.mark.parametrize("also", [[], ["--plan"]])
def test_a_precision_that_there_is_not_is_refused_before_any_image_is_read(folder, also):
    (folder / "photos/broken.png").write_text("no image")
    done = gapscope("record", "w.safetensors", "--images", "photos", "--precision", "16", *also, cwd=folder)
    assert done.returncode == 2
    assert "precision = '16' is unknown - expected '32' or 'bf16'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere_at_all:build"], "there is no Python module nowhere_at_all"),
        (["models_for_the_command:biuld"], "models_for_the_command has no 'biuld'"),
        (
            ["models_for_the_command:build", "--layers", "conv*"],
            "no layer of the model matches 'conv*'. There are 0, 1",
        ),
        (["models_for_the_command:build", "--preprocess", "none"], "there is no preprocessing 'none'"),
        (["models_for_the_command:build", "--size", "20"], "size = 20 is too small"),
        (["models_for_the_command:build", "--precision", "bf16"], "precision = 'bf16' is for gapscope's own networks"),
        (["models_for_the_command:build", "--images", "lost"], "there is no folder lost"),
    ],
)
def test_what_cannot_be_recorded_is_one_message_and_no_file(folder, arguments, message):
    given = arguments if "--images" in arguments else [*arguments, "--images", "photos"]
    size = [] if "--size" in arguments else ["--size", "32"]
    done = gapscope("record", *given, *size, "-o", "r.nc", cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "r.nc").exists()


def test_the_example_finds_the_stage_that_was_changed(folder, capsys):
    spec = importlib.util.spec_from_file_location("record_resnet", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main(folder / "photos")
    values = {line.split()[0]: float(line.split()[1]) for line in capsys.readouterr().out.splitlines()}
    assert list(values) == ["layer1", "layer2", "layer3", "layer4", "fc"]
    assert [values[name] for name in ("layer1", "layer2", "layer3")] == [1, 1, 1]
    assert values["layer4"] < 1 and values["fc"] < 1
