"""Every known data set is claimed by its own format and by no other; labels may come alone, and tables may be kept."""

import json
import os
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bdd_data import bdd_folder, det20_label, frame, label_2018
from PIL import Image
from small_data import coco_folder, noise, write_coco
from small_exports import datumaro
from small_formats import cvat

from gapscope.config import Domain
from gapscope.data.problems import Problems
from gapscope.data.readers.detect import FORMATS, read_annotations
from gapscope.data.readers.format import Request
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import file_stats

# ---- which format is it?


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (1280, 720)).save(path)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def coco_with_images(source: Path, root: Path, key: str = "file_name") -> None:
    link(source, root / "labels.json")
    for entry in json.loads(source.read_text())["images"][:3]:
        image(root / "images" / entry[key])


def real_vkitti2(samples: Path, root: Path) -> None:
    for name in ("bbox.txt", "info.txt"):
        link(samples / "vkitti2" / name, root / "Scene01/clone" / name)
    image(root / "Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg")


def real_voc(samples: Path, root: Path) -> None:
    for path in (samples / "pascal_voc").glob("*.xml"):
        link(path, root / "Annotations" / path.name)
        image(root / f"JPEGImages/{path.stem}.jpg")


def real_openimages(samples: Path, root: Path) -> None:
    link(samples / "openimages/all_bounding_boxes.csv", root / "boxes.csv")
    image(root / "images/2007_000027.jpg")


def real_bdd_2018(samples: Path, root: Path) -> None:
    file = "excerpt_bdd100k_labels_images_val.json"
    link(samples / "bdd100k_2018" / file, root / "labels" / file)
    image(root / "images/100k/val/b1c66a42-6f7d68ca.jpg")


def bdd_old(samples: Path, root: Path) -> None:
    moments = [{"timestamp": 10000, "objects": [label_2018()]}]
    text(root / "labels/100k/val/a1b2c3d4-00000000.json", json.dumps({"name": "a1b2c3d4-00000000", "frames": moments}))
    image(root / "images/100k/val/a1b2c3d4-00000000.jpg")


def shift(samples: Path, root: Path) -> None:
    shot = frame("00000000_img_front", [det20_label()], videoName="007b-4e72")
    text(root / "discrete/images/train/front/det_2d.json", json.dumps({"frames": [shot]}))
    image(root / "discrete/images/train/front/img/007b-4e72/00000000_img_front.jpg")


def yolo(samples: Path, root: Path) -> None:
    text(root / "labels/a.txt", "0 0.5 0.5 0.1 0.1\n")
    text(root / "data.yaml", "names: [car]")
    image(root / "images/a.jpg")


def viper(samples: Path, root: Path) -> None:
    text(root / "train/bb/001/001_00001.csv", ",".join(["24", "9000", *["1"] * 26]))
    image(root / "train/img/001/001_00001.jpg")


def vkitti1(samples: Path, root: Path) -> None:
    text(root / "vkitti_1.3.1_motgt/0001_clone.txt", "frame tid label truncated occluded alpha l t r b\n")
    image(root / "vkitti_1.3.1_rgb/0001/clone/00000.png")


def cityscapes(samples: Path, root: Path, folder: str = "gtFine", ending: str = "gtFine_polygons") -> None:
    name = "aachen_000000_000019"
    text(root / f"{folder}/train/aachen/{name}_{ending}.json", '{"imgHeight": 720, "imgWidth": 1280, "objects": []}')
    image(root / f"leftImg8bit/train/aachen/{name}_leftImg8bit.png")


def synscapes(samples: Path, root: Path) -> None:
    text(root / "meta/1.json", '{"camera": {}, "instance": {"bbox2d": {}, "class": {}}, "scene": {}}')
    image(root / "img/rgb/1.png")


PLACES = {
    "BDD100K 2018": ("bdd100k-2018", real_bdd_2018),
    "BDD100K old": ("bdd100k-old", bdd_old),
    "BDD100K 2020": ("bdd100k-det20", lambda samples, root: link(samples / "bdd100k_det20", root)),
    "BDD100K segmentation": ("scalabel", lambda samples, root: link(samples / "bdd100k_scalabel", root)),
    "SHIFT": ("scalabel", shift),
    "COCO of CARLA": (
        "coco",
        lambda samples, root: coco_with_images(samples / "coco/carla_danielhfnr_test.json", root),
    ),
    "COCO of CVAT": ("coco", lambda samples, root: coco_with_images(samples / "coco/instances_default.json", root)),
    "CityPersons": ("citypersons", lambda s, root: coco_with_images(s / "citypersons/val_gt.json", root, "im_name")),
    "KITTI": ("kitti", lambda samples, root: link(samples / "kitti", root)),
    "Virtual KITTI 2": ("vkitti2", real_vkitti2),
    "Virtual KITTI 1": ("vkitti1", vkitti1),
    "Pascal VOC": ("voc", real_voc),
    "CVAT": ("cvat", lambda samples, root: cvat(root)),
    "Datumaro": ("datumaro", lambda samples, root: datumaro(root, 2)),
    "Open Images": ("openimages", real_openimages),
    "YOLO": ("yolo", yolo),
    "VIPER": ("viper", viper),
    "Cityscapes": ("cityscapes", cityscapes),
    "Cityscapes 3D": ("cityscapes3d", lambda samples, root: cityscapes(samples, root, "gtBbox3d", "gtBbox3d")),
    "Synscapes": ("synscapes", synscapes),
    "real streets": ("yolo", lambda samples, root: link(samples.parent / "real_road_vehicles_bd/train", root)),
    "CARLA streets": ("voc", lambda samples, root: link(samples.parent / "synth_carla_danielhfnr/train", root)),
}


@pytest.mark.parametrize("data_set", PLACES)
def test_one_format_claims_a_data_set(tmp_path, shared_data, data_set):
    expected, arrange = PLACES[data_set]
    root = tmp_path / "root"
    arrange(shared_data / "format_samples", root)
    claims = [format.name for format in FORMATS.values() if format.find(Request(root)) is not None]
    assert claims == [expected]


def test_every_format_is_shown_to_claim_some_data_set_and_can_be_named_in_an_experiment():
    assert {name for name, _ in PLACES.values()} == set(FORMATS)
    for name in FORMATS:
        assert Domain(role="real", root="x", format=name).format == name


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[1, 2]",
        '{"a": 1}',
        '[{"name": "x.jpg", "category": "car", "bbox": [1, 2, 3, 4]}]',
        "[[[[",
        "nul",
    ],
)
def test_other_json_is_no_labels(tmp_path, content):
    text(tmp_path / "results.json", content)
    noise(tmp_path / "images/a.png")
    for format in FORMATS.values():
        assert format.find(Request(tmp_path)) is None, format.name


def test_a_label_file_stands_for_its_folder(tmp_path):
    bdd_folder(tmp_path / "bdd", [frame(labels=[det20_label()])], "det_train.json")
    write_coco(tmp_path / "coco", coco_folder(tmp_path / "coco"))
    assert read_annotations(tmp_path / "bdd/det_train.json").num_boxes == 1
    assert read_annotations(tmp_path / "coco/annotations.json").num_boxes == 3
    text(tmp_path / "notes.md", "nothing")
    with pytest.raises(InputError, match=r"fits no known format"):
        read_annotations(tmp_path / "notes.md")


def test_the_image_folder_may_be_named_in_any_way_as_long_as_it_is_below_the_root(tmp_path, monkeypatch):
    write_coco(tmp_path / "set", coco_folder(tmp_path / "set"))
    (tmp_path / "link").symlink_to(tmp_path / "set")
    (tmp_path / "disk").mkdir()
    (tmp_path / "set/images").rename(tmp_path / "disk/images")
    (tmp_path / "set/pictures").symlink_to(tmp_path / "disk/images")
    monkeypatch.chdir(tmp_path)
    for root, images in [
        ("set", "set/pictures"),
        ("link", "link/pictures"),
        (tmp_path / "set", tmp_path / "set/pictures"),
    ]:
        assert read_annotations(Path(root), images=Path(images)).paths[0] == "pictures/000.png"
    (tmp_path / "disk/images").rename(tmp_path / "set/images")
    for root, images in [("set", tmp_path / "set/images"), (tmp_path / "link", "set/images")]:
        assert read_annotations(Path(root), images=Path(images)).paths[0] == "images/000.png"
    with pytest.raises(InputError, match=r"disk is not below set - expected the images inside the root"):
        read_annotations(Path("set"), images=Path("disk"))


# ---- labels alone

NAMES = ("bike", "bus", "car", "motor", "person", "rider", "traffic light", "traffic sign", "train", "truck")
ARCHIVE = "format_samples/bdd100k_val_yolo_labels_10000.tar.xz"


@pytest.mark.slow
def test_ten_thousand_label_texts_are_read_from_their_archive_as_they_are_counted_in_it(shared_data):
    table = read_annotations(shared_data / ARCHIVE, "yolo", sizes=(1280, 720), names=NAMES)
    lines, files, widest = [0] * len(NAMES), 0, 0.0
    with tarfile.open(shared_data / ARCHIVE) as archive:
        for member in archive.getmembers():
            if member.isfile():
                files += 1
                for line in archive.extractfile(member).read().split(b"\n"):
                    if line.strip():
                        lines[int(line.split()[0])] += 1
                        widest = max(widest, float(line.split()[3]))
    assert (len(table), files) == (10_000, 10_000)
    assert list(table.counts().values()) == lines
    assert table.num_boxes == sum(lines) == 185_526
    assert (table.xyxy[:, 2] - table.xyxy[:, 0]).max() == pytest.approx(1280 * widest, abs=1e-2)
    assert "images/b1c66a42-6f7d68ca.jpg" in table.paths


def packed(folder: Path, kind: str) -> Path:
    """The files of a folder as an archive."""
    path = folder.with_suffix(kind)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if kind == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:" + kind.removeprefix(".tar").removeprefix(".")) as archive:
            for file in files:
                archive.add(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("kind", [".tar", ".tar.gz", ".tar.xz", ".zip"])
def test_a_folder_and_any_archive_of_it_hold_the_same_labels(tmp_path, kind):
    for i, rows in enumerate(["0 0.5 0.5 0.1 0.1\n", "", "1 0.25 0.5 0.5 1\r\n0 0.5 0.5 0.2 0.2"]):
        text(tmp_path / f"set/labels/{i}.txt", rows)
    text(tmp_path / "set/classes.txt", "car\nvan\n")
    text(tmp_path / "set/labels/._0.txt", "not a label")
    (tmp_path / "set/labels/._0.txt").rename(tmp_path / "set/labels/.0.txt")
    folder = read_annotations(tmp_path / "set", "yolo", sizes=(100, 60))
    archive = read_annotations(packed(tmp_path / "set", kind), "yolo", sizes=(100, 60))
    for table in (folder, archive):
        assert table.paths.tolist() == [f"images/{i}.jpg" for i in range(3)]
        assert table.xyxy.tolist() == pytest.approx(np.array([[45, 27, 55, 33], [0, 0, 50, 60], [40, 24, 60, 36]]))
        assert table.box_image.tolist() == [0, 2, 2]
        assert table.class_names == ("car", "van")


def test_names_in_an_archive_that_point_elsewhere_stay_below_the_root(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("/etc/labels/a.txt", "0 0.5 0.5 0.1 0.1")
        archive.writestr("../../labels/b.txt", "0 0.5 0.5 0.1 0.1")
    table = read_annotations(path, "yolo", sizes=(100, 60), names=["car"])
    assert table.paths.tolist() == ["etc/images/a.jpg", "images/b.jpg"]


def test_broken_label_texts_in_an_archive_are_named_and_a_broken_archive_is_refused(tmp_path):
    text(tmp_path / "set/labels/0.txt", "0 0.5 0.5 0.1 0.1\n0 0.5 0.5")
    (tmp_path / "set/labels/1.txt").write_bytes(b"\xff\xfe\x00")
    path = packed(tmp_path / "set", ".tar.xz")
    with pytest.raises(InputError, match=r"set\.tar\.xz/labels/0\.txt, row 2: 3 values"):
        read_annotations(path, "yolo", sizes=(100, 60), names=["car"])
    problems = Problems(strict=False)
    assert read_annotations(path, "yolo", sizes=(100, 60), names=["car"], problems=problems).num_boxes == 1
    assert [problem.wrong for problem in problems.found] == ["3 values in '0 0.5 0.5'", "byte 2 is no UTF-16"]
    with pytest.raises(InputError, match="has no class names"):
        read_annotations(path, "yolo", sizes=(100, 60))
    with pytest.raises(InputError, match=r"set\.tar\.xz is an archive - expected the width and height of its images"):
        read_annotations(path, "yolo")
    noise_bytes = os.urandom(20_000).hex()
    text(tmp_path / "set/labels/0.txt", noise_bytes)
    path = packed(tmp_path / "set", ".tar.xz")
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(InputError, match=r"set\.tar\.xz cannot be read to its end: .* Replace it\."):
        read_annotations(path, "yolo", sizes=(100, 60), names=["car"])


def test_coco_labels_alone_have_the_sizes_that_they_state(tmp_path):
    content = coco_folder(tmp_path)
    del content["images"][0]["width"]
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    write_coco(tmp_path, content)
    table = read_annotations(tmp_path, sizes=(50, 40))
    assert list(zip(table.widths.tolist(), table.heights.tolist(), strict=True)) == [(50, 40), (100, 60), (100, 60)]
    content["images"][1]["width"] = "wide"
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match=r"image 1: says 'wide' x 60 pixels - expected two whole numbers above 0"):
        read_annotations(tmp_path, sizes=(50, 40))


def test_a_format_that_needs_its_images_says_so(tmp_path):
    with pytest.raises(InputError, match=r"format 'voc' cannot be read without its images; these can: .*yolo"):
        read_annotations(tmp_path, "voc", sizes=(100, 60))
    with pytest.raises(InputError, match=r"sizes \(0, 60\) - expected width and height in pixels"):
        read_annotations(tmp_path, "yolo", sizes=(0, 60))


# ---- kept tables


def same(first: AnnotationTable, second: AnnotationTable) -> bool:
    columns = ("paths", "widths", "heights", "groups", "box_image", "box_class", "xyxy", "ignore", "crowd")
    return first.class_names == second.class_names and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in columns
    )


@pytest.fixture
def bdd_root(tmp_path):
    return bdd_folder(tmp_path / "bdd", [frame(labels=[det20_label(), det20_label(crowd=True)])], "det_train.json")


def test_a_kept_table_is_the_one_that_was_read_and_is_found_without_reading(tmp_path, bdd_root, monkeypatch):
    cache = tmp_path / "cache"
    first = read_annotations(bdd_root, cache=cache)
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr("gapscope.data.readers.detect._read", None)
    second = read_annotations(bdd_root, cache=cache)
    assert same(first, second)
    assert second.root == first.root
    assert second.attributes["weather"].tolist() == ["clear"]


def rewrite(path: Path, content: bytes) -> None:
    """Other bytes of the same length in the same file, with the time of change set back to what it was."""
    before = path.stat()
    assert len(content) == before.st_size
    time.sleep(0.02)  # a clock tick of the file system
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_kept_table_is_not_used_after_any_file_or_the_request_has_changed(tmp_path, bdd_root):
    cache = tmp_path / "cache"
    first = read_annotations(bdd_root, cache=cache)
    labels = bdd_root / "det_train.json"
    rewrite(labels, labels.read_bytes().replace(b'"x1": 100', b'"x1": 101'))
    assert read_annotations(bdd_root, cache=cache).xyxy[0, 0] == first.xyxy[0, 0] + 1
    assert read_annotations(bdd_root, options={"pixels": "edges"}, cache=cache).xyxy[0, 2] == first.xyxy[0, 2] - 1
    picture = next(bdd_root.rglob("*.jpg"))
    Image.new("L", (1281, 720)).save(picture)
    assert read_annotations(bdd_root, cache=cache).widths.tolist() == [1281]
    assert len(list(cache.iterdir())) == 4


def test_a_damaged_or_deleted_kept_table_is_made_again(tmp_path, bdd_root):
    cache = tmp_path / "cache"
    first = read_annotations(bdd_root, cache=cache)
    (kept,) = cache.iterdir()
    whole = kept.stat().st_size
    kept.write_bytes(b"PK broken")
    assert same(read_annotations(bdd_root, cache=cache), first)
    assert kept.stat().st_size == whole
    kept.unlink()
    assert same(read_annotations(bdd_root, cache=cache), first)


def test_a_reading_with_problems_is_not_kept(tmp_path, bdd_root):
    next(bdd_root.rglob("*.jpg")).unlink()
    (bdd_root / "det_train.json").write_text(json.dumps([frame("a1b2c3d4-00000000"), frame()]))
    noise(bdd_root / "images/a1b2c3d4-00000000.jpg")
    for _ in range(2):
        problems = Problems(strict=False)
        assert len(read_annotations(bdd_root, problems=problems, cache=tmp_path / "cache")) == 1
        assert len(problems.found) == 1
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_said(tmp_path, bdd_root):
    text(tmp_path / "cache", "a file, no folder")
    with pytest.raises(InputError, match=r"cache folder .*cache cannot be written to \(.*\) - expected room for"):
        read_annotations(bdd_root, cache=tmp_path / "cache")


def test_file_stats_follow_links_list_a_folder_once_and_survive_links_to_nothing(tmp_path):
    text(tmp_path / "elsewhere/b.txt", "1234")
    text(tmp_path / "root/a-b/x.txt", "1")
    text(tmp_path / "root/a/x.txt", "12")
    (tmp_path / "root/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/a/loop").symlink_to(tmp_path / "root")
    (tmp_path / "root/gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "root/itself").symlink_to(tmp_path / "root/itself")
    stats = file_stats(tmp_path / "root")
    assert [row[0] for row in stats] == ["a/x.txt", "a-b/x.txt", "gone", "itself", "linked/b.txt"]
    assert [row[1] for row in stats][:2] == [2, 1]
    assert stats[0][2] == (tmp_path / "root/a/x.txt").stat().st_mtime_ns
    assert stats == file_stats(tmp_path / "root")
