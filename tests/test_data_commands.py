"""gapscope data ...: what a user types, reads, and finds on disk."""

import json

import numpy as np
import pytest
from broken_inputs import yolo
from command import gapscope
from PIL import Image
from small_data import noise
from small_formats import kitti
from test_data_check import broken_folder

from gapscope.data.readers.detect import read_annotations


@pytest.fixture
def whole(tmp_path):
    return yolo(tmp_path / "photos")


def test_check_says_that_nothing_is_wrong(whole, tmp_path):
    done = gapscope("data", "check", whole, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 images decoded, nothing wrong; usable: 3 images with 3 boxes" in done.stdout
    assert f"gapscope data show {whole} -o sheet.jpg" in done.stdout.splitlines()[-1]


def test_check_sums_up_what_is_there(whole, tmp_path):
    noise(whole / "more/x.png")
    lines = gapscope("data", "check", whole, cwd=tmp_path).stdout.splitlines()
    at = lines.index("format: yolo; 3 images, 3 boxes")
    assert lines[at : at + 5] == [
        "format: yolo; 3 images, 3 boxes",
        "classes: car 3, 1 name without boxes",
        "image sizes: 100 x 60 (3)",
        "splits: train 2, val 0, test 1 - single images at random, 60/20/20 %, seed 0",
        "files: 8 in the folder, 4 images, 1 of them not read",
    ]


def test_check_of_labels_only_decodes_nothing(whole, tmp_path):
    (image,) = whole.glob("images/0.*")
    image.write_bytes(image.read_bytes()[:-200])
    done = gapscope("data", "check", whole, "--labels-only", cwd=tmp_path)
    assert done.returncode == 0 and "no image decoded, nothing wrong; usable: 3 images with 3 boxes" in done.stdout
    assert gapscope("data", "check", whole, cwd=tmp_path).returncode == 2


def test_check_lists_kinds_of_problems_and_exits_with_2(tmp_path):
    folder = broken_folder(tmp_path / "photos")
    done = gapscope("data", "check", folder, "--jsonl", tmp_path / "all.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "3 x class N\n    first: labels/0.txt, row 2: class 7\n    expected: 0 to 1, one per name." in done.stdout
    assert (
        "photos: 5 problems; usable: 2 images with 1 box - expected no problem. Fix them, or leave them out"
        in done.stderr
    )
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 5


def test_check_writes_down_what_would_be_left_out_and_exits_with_0(tmp_path):
    folder = broken_folder(tmp_path / "photos")
    done = gapscope("data", "check", folder, "--skip-bad", cwd=tmp_path)
    assert done.returncode == 0
    assert "5 problems -> photos-left-out.jsonl" in done.stdout
    assert json.loads((tmp_path / "photos-left-out.jsonl").read_text().splitlines()[0])["wrong"] == "class 7"
    (folder / "classes.txt").unlink()
    done = gapscope("data", "check", folder, "--skip-bad", cwd=tmp_path)
    assert done.returncode == 2 and "cannot be used at all" in done.stderr


def test_leaks_of_name_lists_need_no_images(tmp_path):
    (tmp_path / "train.txt").write_text("001_00001.jpg\n001_00005.jpg\n002_00001.jpg\n")
    (tmp_path / "test.txt").write_text("001_00002.jpg\n001_00009.jpg\n003_00001.jpg\n004_00001.jpg\n")
    lists = ["--train", "train.txt", "--test", "test.txt"]
    done = gapscope("data", "leaks", "--names-only", *lists, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["2", "50.0", "%"] in [row[-3:] for row in rows if "share" in row]
    assert ["1", "25.0", "%"] in [row[-3:] for row in rows if "next" in row]
    assert "test 001_00002.jpg ~ train 001_00001.jpg (next frame)" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Split by whole groups")
    done = gapscope("data", "leaks", "--names-only", *lists, "--groups", "^(..)", cwd=tmp_path)
    assert ["4", "100.0", "%"] in [line.split()[-3:] for line in done.stdout.splitlines() if " share " in line]


@pytest.mark.slow
def test_the_authors_lists_are_reported_with_their_shares(shared_data):
    lists = shared_data / "paper_splits"
    done = gapscope(
        "data", "leaks", "--names-only", "--train", lists / "gtav_train.txt", "--test", lists / "gtav_test.txt"
    )
    assert "22505" in done.stdout and "83.9 %" in done.stdout
    done = gapscope(
        *("data", "leaks", "--names-only", "--train", lists / "bdd100k_train.txt", "--test", lists / "bdd100k_test.txt")
    )
    assert "7741" in done.stdout and "48.4 %" in done.stdout


def test_leaks_of_a_folder_compare_pixels_too(tmp_path):
    for split, seeds in (("train", (0, 1)), ("val", (1, 2))):
        for i, seed in enumerate(seeds):
            noise(tmp_path / f"set/{split}/images/{split}{i}.png", seed=seed)
        (tmp_path / f"set/{split}/labels").mkdir()
        (tmp_path / f"set/{split}/labels/{split}0.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (tmp_path / "set/classes.txt").write_text("car\n")
    done = gapscope("data", "leaks", "set", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ["1", "50.0", "%"] in [line.split()[-3:] for line in done.stdout.splitlines() if "near-duplicate" in line]
    assert "val val/images/val0.png ~ train train/images/train1.png (near duplicate)" in done.stdout
    assert "Look at the examples" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["leaks"], "nothing to look at - expected a folder, --run, or --names-only with lists"),
        (["leaks", "--names-only", "--train", "a.txt"], "--names-only compares lists"),
        (["leaks", "--names-only", "--train", "a.txt", "--test", "b.txt"], "a.txt cannot be read as a list"),
        (["leaks", "--run", "nowhere"], "nowhere holds no finished domains"),
        (["check", "nowhere"], "nowhere is missing"),
        (["check", "photos", "--format", "kiti"], "format 'kiti' is unknown"),
        (["stats", "photos", "photos"], "expected every folder once"),
        (["show", "photos", "-o", "sheet.gif"], "sheet.gif - expected a name that ends in .jpg or .png"),
        (["show", "photos", "-o", "s.png", "--class", "bus"], "'bus' is no class of photos. It has car, van."),
        (["convert", "photos", "--to", "coco", "-o", "photos/new"], "is inside"),
        (
            ["convert", "photos", "--to", "coco", "-o", "new", "--map", "car"],
            '--map "car" - expected a name and what it stands for',
        ),
        (["convert", "photos", "--to", "coco", "-o", "new", "--map", "bus=lorry"], "'lorry' is no class of this data"),
        (["convert", "photos", "--to", "coco", "-o", "new", "--map", "van=van"], "unmapped 'car' (3 boxes)"),
        (["convert", "photos", "--to", "kitti", "-o", "new"], "'kitti' is not one of 'coco', 'yolo'"),
    ],
)
def test_wrong_arguments_are_one_message_and_write_nothing(whole, tmp_path, arguments, message):
    done = gapscope("data", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_stats_compare_folders_and_write_tables_and_figures(whole, tmp_path):
    for path in yolo(tmp_path / "renders").glob("images/*.jpg"):
        Image.new("RGB", (100, 60), (250, 240, 250)).save(path)
    done = gapscope("data", "stats", "photos", "renders", "-o", "stats", "--sample", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of photos, 2 of renders, drawn with seed 0" in done.stdout
    assert "3 (100.0 %)" in done.stdout
    names = {path.name for path in (tmp_path / "stats").iterdir()}
    assert names == {"stats.json", "stats.csv", "spread.png", "spread.pdf", "places.png", "places.pdf"}
    found = json.loads((tmp_path / "stats/stats.json").read_text())
    assert found["renders"]["brightness"]["quantiles"]["median"] == pytest.approx(0.957, abs=0.01)


def test_stats_of_an_experiment_file_are_those_of_its_mapped_domains(whole, tmp_path):
    (tmp_path / "study.toml").write_text(
        'name = "s"\ndata = { classes = ["vehicle"] }\narms.a = { domains = ["real"] }\nprobe = { domain = "real" }\n'
        '[domains.real]\nrole = "real"\nroot = "photos"\nlabels = { vehicle = ["car", "van"] }\n'
        "split = { fractions = [0.34, 0.33, 0.33] }\n"
    )
    done = gapscope("data", "stats", "study.toml", "--data-root", ".", "--sample", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "vehicle" in done.stdout and "van" not in done.stdout
    done = gapscope("data", "stats", "study.toml", "photos", cwd=tmp_path)
    assert done.returncode == 2 and "says how its data are read - expected it alone" in done.stderr


def test_show_draws_a_sheet(whole, tmp_path):
    done = gapscope("data", "show", "photos", "-o", "out/sheet.png", "--images", "2", "--class", "car", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of 3 images -> out/sheet.png; other ones: --seed 1" in done.stdout
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10


def test_convert_maps_drops_and_says_what_yolo_cannot_hold(whole, tmp_path):
    (whole / "labels/0.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.2 0.2 0.1 0.1\n1 0.7 0.7 0.1 0.1\n")
    mapped = ["--map", "vehicle=car", "--ignore", "van"]
    done = gapscope("data", "convert", "photos", "--to", "yolo", "-o", "new", *mapped, "--copy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "YOLO knows no ignore regions: 2 were left out" in done.stdout
    assert "3 images, 3 boxes -> new (copies); check them: gapscope data check new" in done.stdout
    assert read_annotations(tmp_path / "new").counts() == {"vehicle": 3}
    done = gapscope("data", "convert", "photos", "--to", "coco", "-o", "coco", "--drop", "van", cwd=tmp_path)
    assert read_annotations(tmp_path / "coco").counts() == {"car": 3}
    assert gapscope("data", "check", "new", cwd=tmp_path).returncode == 0
    assert gapscope("data", "check", "coco", cwd=tmp_path).returncode == 0


def test_convert_knows_the_maps_of_known_data_sets(tmp_path):
    kitti(tmp_path / "kitti")
    done = gapscope("data", "convert", "kitti", "--to", "coco", "-o", "new", "--label-map", "kitti", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = read_annotations(tmp_path / "new")
    assert found.counts()["car"] == 2 and found.ignore.sum() == 2
    own = ["--label-map", "kitti", "--map", "auto=Car"]
    done = gapscope("data", "convert", "kitti", "--to", "coco", "-o", "own", *own, cwd=tmp_path)
    assert read_annotations(tmp_path / "own").counts()["auto"] == 2, done.stderr
    done = gapscope("data", "convert", "kitti", "--to", "coco", "-o", "x", "--label-map", "kity", cwd=tmp_path)
    assert done.returncode == 2 and "there is no label map 'kity'. Did you mean 'kitti'?" in done.stderr


def test_maps_are_listed_and_shown():
    listed = gapscope("data", "maps")
    assert "bdd100k-2018: Table 1 of Ljungqvist et al. 2022." in listed.stdout
    shown = gapscope("data", "maps", "bdd100k-2018").stdout.splitlines()
    assert "cycle from bike, motor" in shown and "dropped: train, traffic light, traffic sign" in shown
    assert gapscope("data", "maps", "bdd").returncode == 2


def test_broken_data_can_be_shown_with_what_is_broken_left_out(tmp_path):
    broken_folder(tmp_path / "photos")
    (tmp_path / "photos/images/2.jpg").unlink()
    assert gapscope("data", "show", "photos", "-o", "sheet.png", cwd=tmp_path).returncode == 2
    done = gapscope("data", "show", "photos", "-o", "sheet.png", "--skip-bad", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "photos: 5 problems left out; what they are: gapscope data check photos" in done.stdout
