"""A study reads strictly, or leaves broken rows and images out and says so everywhere."""

import json

import pytest
from command import gapscope
from small_data import noise

from gapscope.data.check import check_folder
from gapscope.several.report import write_report

pytestmark = pytest.mark.slow

STUDY = """
name = "skip"
seeds = [0]
[data]
classes = ["car"]
image_size = 32
[model]
width = 0.0625
[domains.real]
role = "real"
root = "photos"
drop = ["van"]
labels = { car = ["car"] }
KEYS
[arms.u-real]
domains = ["real"]
[probe]
domain = "real"
images = 4
"""


@pytest.fixture
def photos(tmp_path):
    """40 photographs; one has a broken row, one a box that leaves it, one is cut short."""
    root = tmp_path / "photos"
    (root / "labels").mkdir(parents=True)
    for i in range(40):
        noise(root / f"images/{i:02}.png", seed=i)
        (root / f"labels/{i:02}.txt").write_text("0 0.5 0.5 0.3 0.3\n")
    (root / "classes.txt").write_text("car\nvan\n")
    (root / "labels/07.txt").write_text("0 0.5 0.5 0.3 0.3\n5 0.5 0.5 0.3 0.3\n")
    (root / "images/11.png").write_bytes((root / "images/11.png").read_bytes()[:-100])
    return root


def run(tmp_path, keys, out="run"):
    (tmp_path / "study.toml").write_text(STUDY.replace("KEYS", keys))
    return gapscope("run", "study.toml", "--data-root", ".", "--out", out, "--only", "data", cwd=tmp_path)


def test_without_skip_bad_the_first_problem_ends_the_run(tmp_path, photos):
    done = run(tmp_path, "")
    assert done.returncode == 2
    assert "[domains.real]: " in done.stderr and "07.txt, row 2: class 5 - expected 0 to 1" in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_image_that_cannot_be_decoded_ends_the_data_stage_not_the_training(tmp_path, photos):
    (photos / "labels/07.txt").write_text("")
    done = run(tmp_path, "")
    assert done.returncode == 2
    assert "[domains.real]: 1 image cannot be decoded. See them with: gapscope data check" in done.stderr
    assert "11.png" in done.stderr and not (tmp_path / "run/data/real/summary.json").exists()


def test_with_skip_bad_the_run_goes_on_and_says_what_is_missing(tmp_path, photos):
    before = {path: path.stat().st_mtime_ns for path in photos.rglob("*")}
    done = run(tmp_path, "skip_bad = true")
    assert done.returncode == 0, done.stderr
    here = tmp_path / "run/data/real"
    left_out = [json.loads(line) for line in (here / "left_out.jsonl").read_text().splitlines()]
    assert [line["file"].rsplit("/", 1)[-1] for line in left_out] == ["07.txt", "11.png"]
    summary = json.loads((here / "summary.json").read_text())
    assert sum(summary["left_out"].values()) == 2
    assert sum(summary["images"].values()) == summary["distributions"]["images"] == 39
    lists = "".join((here / f"{split}.txt").read_text() for split in ("train", "val", "test"))
    assert "images/11.png" not in lists and "images/07.png" in lists
    page = write_report(tmp_path / "run").read_text()
    assert "Left out because broken" in page and "class N" in page and "data:image/webp;base64" in page
    assert {path.name for path in (tmp_path / "run/figures").iterdir()} >= {"domains.png", "places.pdf"}
    assert {path: path.stat().st_mtime_ns for path in photos.rglob("*")} == before


def test_leaving_an_image_out_moves_no_other_to_another_split(tmp_path, photos):
    run(tmp_path, "skip_bad = true", out="broken")
    noise(photos / "images/11.png", seed=11)
    run(tmp_path, "skip_bad = true", out="mended")
    for split in ("train", "val", "test"):
        broken, mended = (
            set((tmp_path / out / f"data/real/{split}.txt").read_text().split()) for out in ("broken", "mended")
        )
        assert broken == mended - {"images/11.png"}


@pytest.mark.parametrize(("max_bad", "found", "most"), [(0.02, 1, 0), (0.03, 2, 1)])
def test_too_much_that_is_broken_ends_the_run(tmp_path, photos, max_bad, found, most):
    """The row is found when the labels are read, the image when it is decoded."""
    done = run(tmp_path, f"skip_bad = true\nmax_bad = {max_bad}")
    assert done.returncode == 2
    problems = {1: "1 problem", 2: "2 problems"}[found]
    assert f"[domains.real]: {problems} in 40 images - expected at most {most} (max_bad" in done.stderr
    assert not (tmp_path / "run/data/real/summary.json").exists()


def test_boxes_that_leave_their_image_are_cut_if_the_study_says_so(tmp_path, photos):
    (photos / "labels/07.txt").write_text("0 0.05 0.5 0.3 0.3\n")
    noise(photos / "images/11.png", seed=11)
    assert "leaves its image" in run(tmp_path, "").stderr
    assert run(tmp_path, "clip = true").returncode == 0
    assert check_folder(photos, clip=True).problems == ()


def test_the_splits_of_a_run_are_compared_by_name_group_and_pixels(tmp_path, photos):
    noise(photos / "images/12.png", seed=3)
    noise(photos / "images/13.png", seed=3)
    for i in range(14, 40):
        noise(photos / f"images/{i:02}.png", seed=3)
    run(tmp_path, "skip_bad = true")
    done = gapscope("data", "leaks", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "real" in done.stdout and "Look at the examples" in done.stdout
    done = gapscope("data", "leaks", "--run", "run", "--groups", r"(\d)\d$", cwd=tmp_path)
    assert "(same group)" in done.stdout and "Split by whole groups" in done.stdout
