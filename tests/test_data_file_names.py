"""Names of files that no list could hold: one sentence that names the file, from every command, and exit code 2."""

import json
import os

import pytest
from command import gapscope
from small_data import coco_folder, noise, write_coco

from gapscope import cli
from gapscope.data.check import check_folder
from gapscope.data.problems import Problem, writable
from gapscope.data.readers.detect import read_annotations
from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError

BAD = b"caf\xe9"
SHOWN = "caf\\xe9"
STUDY = """
name = "s"
seeds = [0]
data = {classes = ["car"], image_size = 32}
probe = {domain = "real", images = 4}
[domains.real]
role = "real"
root = "set"
[arms.a]
domains = ["real"]
start = "scratch"
"""


def bad(folder, suffix):
    return folder / os.fsdecode(BAD + suffix.encode())


def yolo(root):
    """Four images, one of whose names is in Latin-1, as its label's is."""
    for i in range(3):
        noise(root / f"images/{i}.jpg", seed=i)
    noise(root / "images/x.jpg", seed=7).rename(bad(root / "images", ".jpg"))
    (root / "labels").mkdir()
    for path in [root / "labels/0.txt", bad(root / "labels", ".txt")]:
        path.write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "classes.txt").write_text("car\n")
    return root


def assert_one_sentence(done, name=f"{SHOWN}.jpg"):
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert name in said
    assert "Traceback" not in said
    said.encode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "set"),
        ("check", "set", "--jsonl", "problems.jsonl"),
        ("check", "set", "--format", "unlabelled"),
        ("stats", "set"),
        ("show", "set", "-o", "sheet.jpg"),
        ("leaks", "set"),
        ("convert", "set", "--to", "coco", "-o", "new"),
        ("convert", "set", "--to", "yolo", "-o", "new", "--skip-bad"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_every_data_command_names_the_file(tmp_path, arguments):
    yolo(tmp_path / "set")
    assert_one_sentence(gapscope("data", *arguments, cwd=tmp_path))
    assert not (tmp_path / "new").exists()


def test_the_check_writes_its_name_down(tmp_path):
    yolo(tmp_path / "set")
    gapscope("data", "check", "set", "--jsonl", "problems.jsonl", cwd=tmp_path)
    (line,) = (tmp_path / "problems.jsonl").read_text().splitlines()
    problem = json.loads(line)
    assert problem["file"].endswith(f"images/{SHOWN}.jpg")
    assert problem["wrong"] == "has a name with bytes that are no UTF-8"


def test_a_study_names_it_before_anything_is_written(tmp_path):
    yolo(tmp_path / "set")
    (tmp_path / "s.toml").write_text(STUDY)
    done = gapscope("run", "s.toml", "--data-root", tmp_path, "--out", "out", cwd=tmp_path)
    assert_one_sentence(done)


@pytest.mark.parametrize("whole", [True, False])
def test_looking_for_objects_and_recording_name_it(tmp_path, whole):
    save_weights(yolov3(["car"], width=0.05), tmp_path / "w.safetensors", {})
    images = yolo(tmp_path / "set") / "images"
    images = images if whole else bad(images, ".jpg")
    assert_one_sentence(gapscope("detect", tmp_path / "w.safetensors", images, "-o", tmp_path / "found"))
    if whole:
        assert_one_sentence(gapscope("evaluate", tmp_path / "w.safetensors", "--data", tmp_path / "set"))
        images = ("--images", images, "-o", tmp_path / "r.nc")
        assert_one_sentence(gapscope("record", tmp_path / "w.safetensors", *images))


def test_a_label_file_a_folder_and_a_json_file_are_named_too(tmp_path):
    noise(tmp_path / "a/images/0.jpg")
    (tmp_path / "a/labels").mkdir()
    bad(tmp_path / "a/labels", ".txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "a/classes.txt").write_text("car")
    assert_one_sentence(gapscope("data", "check", tmp_path / "a"), f"{SHOWN}.txt")
    write_coco(tmp_path / "b", coco_folder(tmp_path / "b")).rename(bad(tmp_path / "b", ".json"))
    assert read_annotations(tmp_path / "b").num_boxes == 3  # its own name stands in no list
    (tmp_path / "b/images").rename(bad(tmp_path / "b", ""))
    with pytest.raises(InputError, match=r"caf\\xe9/000\.png has a name with bytes that are no UTF-8"):
        read_annotations(tmp_path / "b", "unlabelled")
    (tmp_path / "a").rename(bad(tmp_path, "set"))
    assert_one_sentence(gapscope("data", "check", bad(tmp_path, "set")), f"{SHOWN}set")


def test_a_json_file_that_escapes_such_a_name_leads_to_the_same_sentence(tmp_path):
    content = coco_folder(tmp_path)
    (tmp_path / "images/001.png").rename(bad(tmp_path / "images", ".png"))
    content["images"][1]["file_name"] = "caf\udce9.png"  # as Python writes what os.listdir gives
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match=r"caf\\xe9\.png has a name with bytes that are no UTF-8"):
        read_annotations(tmp_path)
    found = check_folder(tmp_path)
    assert [problem.wrong for problem in found.problems] == ["has a name with bytes that are no UTF-8"]
    assert len(found.table) == 2


def test_half_a_letter_in_a_class_name_is_no_text(tmp_path):
    content = coco_folder(tmp_path)
    content["categories"][0]["name"] = "van \ud83d"
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match=r"class van \\ud83d is no text in UTF-8"):
        read_annotations(tmp_path)


def test_a_line_break_in_a_name_is_refused_since_lists_have_one_name_a_line(tmp_path):
    noise(tmp_path / "a\nb.png")
    with pytest.raises(InputError, match=r"a\\nb\.png has a line break in its name"):
        read_annotations(tmp_path, "unlabelled")


def test_what_is_told_can_always_be_written():
    problem = Problem("caf\udce9.jpg", "row \ud83d", "x", "y")
    assert json.dumps(problem.as_dict(), ensure_ascii=False).encode()
    assert (problem.file, problem.row) == (f"{SHOWN}.jpg", "row \\ud83d")
    assert writable("café") == "café"


def test_a_command_that_meets_such_a_name_elsewhere_ends_with_a_sentence(monkeypatch, capsys):
    def write(**_: object) -> None:
        "first\ncaf\udce9.jpg is here".encode()

    monkeypatch.setattr(cli, "app", write)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert f"Rename it: {SHOWN}.jpg is here" in capsys.readouterr().err
