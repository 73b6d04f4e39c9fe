"""Images in, pictures and a list out: boxes lie where the image has them, and nobody's image is written over."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command import gapscope
from PIL import Image
from small_data import noise, painted

from gapscope.detector.decode import Detections, detect
from gapscope.detector.detect_files import as_input, collect_images, detect_files, in_image
from gapscope.detector.network import darknet, yolov3
from gapscope.detector.weights import save_weights
from gapscope.drawing import Mark, class_color, draw_marks
from gapscope.errors import InputError
from gapscope.recording.recording import read_recording

pytestmark = pytest.mark.slow


def found_at(*boxes: list[float]) -> Detections:
    return Detections(torch.tensor(boxes), torch.linspace(0.9, 0.5, len(boxes)), torch.arange(len(boxes)))


def white_box(image: torch.Tensor) -> list[float]:
    """Where an image is white."""
    ys, xs = np.nonzero(image[0].numpy() > 200)
    return [float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)]


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("shape", [(200, 100), (100, 200), (128, 128)])
def test_a_box_found_in_the_input_lies_on_the_same_thing_in_the_image(tmp_path, resize, shape):
    path = painted(tmp_path / "one.png", [("car", 20.0, 30.0, 60.0, 80.0)], size=shape)
    image = torch.from_numpy(np.asarray(Image.open(path)).copy()).permute(2, 0, 1)
    seen = white_box(as_input(image, 64, resize))
    boxes = in_image(found_at(seen), image, 64, resize).boxes
    assert torch.allclose(boxes[0], torch.tensor([20.0, 30.0, 60.0, 80.0]), atol=max(shape) / 64)


def test_boxes_in_the_bars_are_left_out_and_others_end_at_the_border():
    image = torch.zeros(3, 50, 100, dtype=torch.uint8)
    moved = in_image(found_at([0.0, 0.0, 64.0, 10.0], [-5.0, 10.0, 32.0, 40.0]), image, 64, "letterbox")
    assert moved.boxes.tolist() == [[0, 0, 50, pytest.approx(37.5)]]
    assert moved.classes.tolist() == [1]


def test_files_are_looked_at_as_detect_looks_at_them(tmp_path):
    network = yolov3(["a", "b"], width=0.05)
    path = noise(tmp_path / "one.png", size=(64, 64))
    (found,) = detect_files(network, collect_images([path]), size=64, confidence=0.001)
    image = torch.from_numpy(np.asarray(Image.open(path)).copy()).permute(2, 0, 1)[None]
    (expected,) = detect(network, image, 0.001, 0.45)
    assert len(expected.boxes) > 0
    assert torch.equal(found.detections.boxes, expected.boxes)
    assert torch.equal(found.detections.confidences, expected.confidences)


def test_images_are_found_by_file_and_by_folder_under_the_names_they_have_there(tmp_path):
    for name in ("b/two.png", "b/deep/three.jpg", "one.png"):
        noise(tmp_path / name)
    names = [file.name for file in collect_images([tmp_path / "one.png", tmp_path / "b"])]
    assert names == ["one.png", "deep/three.jpg", "two.png"]


def test_images_that_are_not_there_or_share_a_name_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("a/one.png", "b/one.png"):
        noise(tmp_path / name)
    with pytest.raises(InputError, match=r"none.png: there is no such image or folder"):
        collect_images([tmp_path / "none.png"])
    with pytest.raises(InputError, match=r"empty holds no image"):
        collect_images([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"would both be called one.png - expected different names"):
        collect_images([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("size", [0, 50, 16])
def test_a_size_the_network_cannot_take_is_refused(tmp_path, size):
    files = collect_images([noise(tmp_path / "one.png")])
    with pytest.raises(InputError, match=f"size = {size} is not a multiple of 32"):
        next(detect_files(yolov3(2, width=0.05), files, size=size))


def test_marks_are_drawn_around_what_they_mark_and_the_image_stays():
    image = Image.new("RGB", (300, 200))
    drawn = draw_marks(image, [Mark((50.0, 60.0, 150.0, 160.0), "car 0.90", 2), Mark((0, 0, 300, 200), "", -1)])
    pixels = np.asarray(drawn)
    assert tuple(pixels[60, 100]) == tuple(pixels[159, 100]) == tuple(pixels[100, 50]) == class_color(2)
    assert tuple(pixels[100, 149]) == class_color(2) and not pixels[100, 100].any()
    assert tuple(pixels[0, 200]) == class_color(-1)
    assert (pixels[47:58, 52:90] == class_color(2)).all(-1).any()  # the field of its name
    assert not np.asarray(image).any()


@pytest.mark.parametrize("box", [(0, 0, 20, 20), (290, 190, 310, 210), (-20, -20, -5, -5), (5.0, 5.0, 5.0, 5.0)])
def test_marks_at_the_border_are_drawn_too(box):
    drawn = draw_marks(Image.new("L", (300, 200)), [Mark(box, "a very long name of a class 0.99", 1)])
    assert np.asarray(drawn).any()


def test_colours_tell_classes_apart():
    colors = [class_color(label) for label in range(12)]
    assert len(set(colors)) == 12
    apart = [sum(abs(a - b) for a, b in zip(x, y, strict=True)) for i, x in enumerate(colors) for y in colors[:i]]
    assert min(apart) > 30


@pytest.fixture
def weights(tmp_path) -> Path:
    """A network that is sure of something everywhere."""
    path = tmp_path / "w.safetensors"
    save_weights(yolov3(["person", "car"], width=0.05, prior=0.9), path, {})
    return path


def test_the_command_writes_a_picture_each_and_one_list(tmp_path, weights):
    noise(tmp_path / "photos/one.png", size=(120, 80))
    noise(tmp_path / "photos/night/two.jpg", size=(60, 90), seed=1)
    before = {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.*")}
    done = gapscope("detect", weights, "photos", "--size", "64", "--out", "out", "--iou", "0.3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("night/two.jpg: ") and lines[1].startswith("one.png: ") and len(lines) == 3
    content = json.loads((tmp_path / "out/detections.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["night/two.jpg", "one.png"]
    assert [(image["width"], image["height"]) for image in content["images"]] == [(60, 90), (120, 80)]
    assert content["categories"] == [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}]
    assert len(content["results"]) > 2
    for row in content["results"]:
        x, y, w, h = row["bbox"]
        image = content["images"][row["image_id"] - 1]
        assert x >= 0 and y >= 0 and x + w <= image["width"] + 0.01 and y + h <= image["height"] + 0.01
        assert row["category_id"] in (1, 2) and row["score"] >= 0.25
    assert lines[2].startswith(f"{len(content['results'])} boxes in 2 images")
    with Image.open(tmp_path / "out/night/two.jpg") as picture:
        assert picture.size == (60, 90)
    assert {path: path.read_bytes() for path in (tmp_path / "photos").rglob("*.*")} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos", "--out", "photos"], "photos is where one.png comes from - it would be written over"),
        (["photos", "--size", "65"], "size = 65 is not a multiple of 32"),
        (["nowhere"], "nowhere: there is no such image or folder"),
        (["photos", "--confidence", "2"], "confidence = 2.0 - expected a value from 0 to 1"),
        (["photos", "--names", "none.names"], "none.names: there is no such file of class names"),
        (["photos", "--names", "one.names"], "1 class names are given, but yolov3 tells 2 classes apart"),
        (["photos", "--resize", "crop"], "Invalid value for '--resize'"),
        (["photos", "--cfg", "yolov3-tiny"], "says itself which network it holds"),
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(tmp_path, weights, arguments, message):
    noise(tmp_path / "photos/one.png")
    (tmp_path / "one.names").write_text("car\n")
    done = gapscope("detect", weights, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.names", "photos", "w.safetensors"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no name"),
        ("car\n\nbus\n", "line 2: empty, between names"),
        ("car\nbus\ncar\n", "line 3: 'car' stands in line 1 too"),
    ],
)
def test_a_file_of_names_that_is_none_is_refused(tmp_path, weights, content, message):
    noise(tmp_path / "one.png")
    (tmp_path / "odd.names").write_text(content)
    done = gapscope("detect", weights, "one.png", "--names", "odd.names", cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr


def test_layers_of_every_network_are_shown(tmp_path, shared_data):
    for name, count, line in [
        ("yolov3-tiny", 24, "11 maxpool 512 2x2/1 32 10 86528"),
        ("yolov3-spp", 114, f"83 route 2048 32 82, 80, 78, 77 {2048 * 19**2}"),  # made for 608 pixels
        ("darknet53", 75, f"74 shortcut 1024 32 73, 71 {1024 * 8**2}"),  # for 256
        (shared_data / "weights_darknet/yolo-fastest-1.1.cfg", 131, f"7 dropout 4 2 6 {4 * 160**2}"),  # for 320
    ]:
        shown = gapscope("layers", name)
        assert shown.returncode == 0, shown.stderr
        lines = shown.stdout.splitlines()
        assert len(lines) == count + 1 and len({len(line) for line in lines}) == 1
        assert line.split() in [one.split() for one in lines]
    refused = gapscope("layers", "yolov9")
    assert refused.returncode == 2 and "'yolov9' is no built-in network" in refused.stderr


CFG = """[net]
width={}
height={}

[convolutional]
filters=8
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=7
size=1
activation=linear

[yolo]
anchors=20,30
classes=2
"""


def own_network(folder: Path, width: int, height: int) -> Path:
    """A network of a .cfg that says its input's size, in the folder with the .cfg."""
    (folder / "own.cfg").write_text(CFG.format(width, height))
    network = darknet(folder / "own.cfg")
    save_weights(network, folder / "own.safetensors", {})
    return folder / "own.safetensors"


def test_without_a_size_images_are_as_large_as_the_cfg_says_and_that_is_told(tmp_path):
    noise(tmp_path / "photos/one.png", size=(120, 80))
    own = own_network(tmp_path, 96, 96)
    found = {}
    for out, size in (("own", []), ("same", ["--size", "96"]), ("other", ["--size", "64"])):
        done = gapscope("detect", own, "photos", *size, "--confidence", "0.1", "--out", out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found[out] = json.loads((tmp_path / out / "detections.json").read_text()) | {
            "said": done.stdout.splitlines()[0]
        }
    assert [found[out]["settings"]["size"] for out in ("own", "same", "other")] == [96, 96, 64]
    assert found["own"]["said"] == found["same"]["said"] == "input: 96 x 96 pixels, as own.cfg says"
    assert found["other"]["said"] == "input: 64 x 64 pixels; own.cfg says 96 x 96 pixels"
    assert found["own"]["results"] == found["same"]["results"] != found["other"]["results"]


@pytest.mark.parametrize("command", [["detect"], ["record", "--images"], ["evaluate", "--data"]])
def test_a_cfg_that_is_not_square_is_refused_until_a_side_is_given(tmp_path, command):
    for index in range(4):
        noise(tmp_path / f"photos/images/{index}.png")
        (tmp_path / f"photos/labels/{index}.txt").parent.mkdir(exist_ok=True)
        (tmp_path / f"photos/labels/{index}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "photos/data.yaml").write_text("names: [class0, class1]\n")
    own = own_network(tmp_path, 96, 64)
    done = gapscope(command[0], own, *command[1:], "photos", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "own.cfg is made for 96 x 64 pixels, but networks look at squares here. Give their side, such as --size 96"
        in (done.stderr)
    )
    more = ["--bootstraps", "20"] if command[0] == "evaluate" else []
    done = gapscope(command[0], own, *command[1:], "photos", "--size", "96", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if command[0] != "record":
        assert "input: 96 x 96 pixels; own.cfg says 96 x 64 pixels" in done.stdout


def test_layers_and_a_recording_are_of_the_size_that_the_cfg_says(tmp_path):
    own_network(tmp_path, 96, 64)
    lines = gapscope("layers", tmp_path / "own.cfg").stdout.splitlines()
    assert lines[0].endswith("features at 96x64") and lines[1].split()[-1] == str(8 * 48 * 32)
    own = own_network(tmp_path, 64, 64)
    for index in range(4):
        noise(tmp_path / f"photos/{index}.png", seed=index)
    done = gapscope("record", own, "--images", "photos", "-o", "r.nc", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    recording = read_recording(tmp_path / "r.nc")
    assert recording.size == 64 and recording.p[0] == 8 * 32**2


def test_weights_are_looked_into_and_converted(tmp_path, weights):
    done = gapscope("weights", "convert", weights, tmp_path / "w.weights")
    assert done.returncode == 0 and "written: " in done.stdout
    shown = gapscope("weights", "info", tmp_path / "w.weights", "--cfg", tmp_path / "w.cfg")
    assert "w.cfg with 2 classes: all 107 layers" in shown.stdout
    refused = gapscope("weights", "info", tmp_path / "none.weights")
    assert refused.returncode == 2 and "there is no such weights file" in refused.stderr
