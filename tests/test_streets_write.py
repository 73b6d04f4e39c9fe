"""A domain on disk is the same bytes, however often it was interrupted and however many processes made it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from gapscope.errors import InputError

pytest.importorskip("embreex", reason="embreex has no wheel for this platform")

from gapscope.streets import write
from gapscope.streets.render import render
from gapscope.streets.scene import CLASSES
from gapscope.streets.write import write_domain

pytestmark = pytest.mark.slow

IMAGES = 9


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_small(folder: Path, **changes) -> Path:
    return write_domain(folder, **{"style": "engine", "images": IMAGES, "size": 48, "seed": 3, **changes})


@pytest.fixture(scope="module")
def domain(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("streets") / "engine"
    write_small(folder)
    return folder


def test_two_processes_write_the_same_files_as_one(domain, tmp_path):
    write_small(tmp_path / "two", processes=2)
    assert contents(tmp_path / "two") == contents(domain)


def test_an_interrupted_domain_is_finished_to_the_same_files(domain, tmp_path, monkeypatch):
    folder, original, rendered = tmp_path / "engine", write.write_image, []

    def write_four(folder, recipe, index):
        if len(rendered) == 4:
            raise KeyboardInterrupt
        rendered.append(index)
        original(folder, recipe, index)

    monkeypatch.setattr(write, "write_image", write_four)
    with pytest.raises(KeyboardInterrupt):
        write_small(folder)
    assert not (folder / "annotations.json").exists()

    def write_rest(folder, recipe, index):
        rendered.append(index)
        original(folder, recipe, index)

    monkeypatch.setattr(write, "write_image", write_rest)
    write_small(folder)
    assert rendered == list(range(IMAGES))
    assert contents(folder) == contents(domain)


def test_lost_and_damaged_files_are_made_again(domain, tmp_path):
    folder = tmp_path / "engine"
    write_small(folder)
    (folder / "images" / "engine-00001.png").unlink()
    (folder / "labels" / "engine-00002.json").unlink()
    damaged = folder / "images" / "engine-00004.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    (folder / "images" / ".engine-00005-x1y2z3.png").write_bytes(b"killed while writing")
    (folder / "annotations.json").unlink()
    write_small(folder)
    assert contents(folder) == contents(domain)


def test_more_images_keep_the_first_ones(domain, tmp_path):
    folder = tmp_path / "engine"
    write_small(folder, images=2)
    write_small(folder)
    assert contents(folder) == contents(domain)


def test_clones_are_written_under_the_same_groups_and_their_recipe_says_so(domain, tmp_path):
    assert "same_scenes" not in json.loads((domain / "recipe.json").read_text())  # as it was before there were clones
    said = {}
    for style in ("camera", "game"):
        write_small(tmp_path / style, style=style, same_scenes=True)
        assert json.loads((tmp_path / style / "recipe.json").read_text())["same_scenes"] is True
        content = json.loads((tmp_path / style / "annotations.json").read_text())
        said[style] = ([image["group"] for image in content["images"]], content["annotations"])
    assert said["camera"] == said["game"]
    with pytest.raises(InputError, match=r"streets of another kind \(same_scenes True there, None asked\)"):
        write_small(tmp_path / "game", style="game")


def test_the_coco_file_says_what_the_renderer_said(domain):
    coco = json.loads((domain / "annotations.json").read_text())
    assert [category["name"] for category in coco["categories"]] == list(CLASSES)
    assert [image["group"] for image in coco["images"]] == ["engine-3-0000"] * 8 + ["engine-3-0001"]
    for image in coco["images"]:
        street = render(3, "engine", 48, index=image["id"] - 1)
        with Image.open(domain / image["file_name"]) as stored:
            assert stored.size == (image["width"], image["height"]) == (48, 48)
            assert stored.tobytes() == street.image.tobytes()
        boxes = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        assert [CLASSES[a["category_id"] - 1] for a in boxes] == list(street.classes)
        for annotation, (x0, y0, x1, y1) in zip(boxes, street.xyxy.tolist(), strict=True):
            assert annotation["bbox"] == pytest.approx([x0, y0, x1 - x0, y1 - y0], abs=2e-3)


def test_progress_counts_to_the_end(domain):
    calls = []
    write_small(domain, progress=lambda what, done, total, note="": calls.append((what, done, total)))
    assert calls == [("rendering engine", IMAGES, IMAGES)]


def test_a_failing_worker_fails_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "write_image", json.loads)  # importable in a worker, and wrong there
    with pytest.raises(TypeError):
        write_small(tmp_path / "engine", processes=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 64}, "streets of another kind .size 48 there, 64 asked.. Choose another folder, or delete"),
        ({"style": "game", "seed": 4}, "style engine there, game asked, seed 3 there, 4 asked"),
        ({"images": 0}, "cannot render 0 images with 1 processes. Both must be at least 1"),
        ({"processes": 0}, "cannot render 9 images with 0 processes"),
        ({"style": "real"}, "no street style 'real'"),
    ],
)
def test_wrong_wishes_are_refused_and_change_nothing(domain, changes, message):
    before = contents(domain)
    with pytest.raises(InputError, match=message):
        write_small(domain, **changes)
    assert contents(domain) == before


def test_without_embree_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "embreex", None)
    with pytest.raises(InputError, match="cannot be imported here"):
        write_small(tmp_path / "engine")
    assert not (tmp_path / "engine").exists()


def test_rendering_does_not_load_torch():
    command = "import sys, gapscope.streets.write; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", command], text=True).strip() == "False"
