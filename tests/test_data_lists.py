"""Image lists as people's tools write them: marks, separators, folders; one image has many names."""

import json

import pytest
from command import gapscope
from small_data import noise, table_of, write_coco

from gapscope.data.image_names import FOUND_BY_END, KnownImages, can_be_below, file_below, plain, stays_below
from gapscope.data.readers.detect import read_annotations
from gapscope.data.split_parts import parts_of_lists
from gapscope.data.splits import read_list, split_from_lists
from gapscope.detector.class_names import read_names
from gapscope.errors import InputError

PATHS = ["images/train/0.jpg", "images/train/1.jpg", "images/val/0.jpg", "images/val/7.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_list_reads_the_same_with_a_byte_order_mark_and_with_any_line_ends(tmp_path, encoding, ends):
    path = tmp_path / "train.txt"
    path.write_bytes(ends.join(["# drawn by hand", "images/é.jpg", "", "images/b.jpg", ""]).encode(encoding))
    assert read_list(path) == ["images/é.jpg", "images/b.jpg"]
    assert read_names_of(tmp_path, ends.join(["café", "car"]).encode(encoding)) == ["café", "car"]


def read_names_of(folder, content):
    (folder / "coco.names").write_bytes(content)
    return read_names(folder / "coco.names")


def test_a_list_in_another_encoding_is_refused_but_not_what_powershell_writes(tmp_path):
    (tmp_path / "train.txt").write_bytes("é.jpg\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"train\.txt cannot be read as a list: it is not text in UTF-8\. Name a text"):
        read_list(tmp_path / "train.txt")
    for encoding in ("utf-16", "utf-16-be"):
        mark = "" if encoding == "utf-16" else "\ufeff"
        (tmp_path / "train.txt").write_bytes(f"{mark}é.jpg\r\nb.jpg\r\n".encode(encoding))
        assert read_list(tmp_path / "train.txt") == ["é.jpg", "b.jpg"]


def test_marks_in_the_middle_are_of_files_that_were_put_together(tmp_path):
    path = tmp_path / "all.txt"
    path.write_bytes("a.jpg\n".encode("utf-8-sig") + "b.jpg\n".encode("utf-8-sig"))
    assert read_list(path) == ["a.jpg", "b.jpg"]


def test_labels_and_names_read_the_same_with_a_byte_order_mark(tmp_path):
    noise(tmp_path / "images/a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_bytes("1 0.5 0.5 0.2 0.2\n".encode("utf-8-sig"))
    (tmp_path / "data.yaml").write_bytes("names: [car, van]\n".encode("utf-8-sig"))
    table = read_annotations(tmp_path)
    assert (table.class_names, table.box_class.tolist()) == (("car", "van"), [1])


def test_json_is_found_and_read_with_a_byte_order_mark(tmp_path):
    noise(tmp_path / "images/a.jpg")
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "car"}],
    }
    (tmp_path / "labels.json").write_bytes(json.dumps(content).encode("utf-8-sig"))
    assert read_annotations(tmp_path).xyxy.tolist() == [[1, 2, 4, 6]]


def test_names_that_lists_share_are_found_whatever_mark_and_spelling_each_list_has(tmp_path):
    (tmp_path / "train.txt").write_bytes("images/p0.jpg\nimages/p1.jpg\n".encode("utf-8-sig"))
    (tmp_path / "test.txt").write_text("./images\\p0.jpg\nimages/p5.jpg\n")
    done = gapscope("data", "leaks", "--names-only", "--train", tmp_path / "train.txt", "--test", tmp_path / "test.txt")
    assert done.returncode == 0
    assert "50.0 %" in done.stdout
    assert "Take every image off all lists but one" in done.stdout


def test_lists_alone_give_one_image_one_name(tmp_path):
    (tmp_path / "train.txt").write_text("set/images/0.jpg\n/home/me/set/images/1.jpg\nset/other/2.jpg\n")
    (tmp_path / "test.txt").write_text("images/0\n1.jpg\nset/images/2.jpg\n")
    parts = parts_of_lists({name: tmp_path / f"{name}.txt" for name in ("train", "test")})
    assert parts["test"].names.tolist() == ["set/images/0.jpg", "home/me/set/images/1.jpg", "set/images/2.jpg"]


@pytest.mark.parametrize(
    "entry",
    [
        "images/train/0.jpg",
        "./images/train/0.jpg",
        "images//train/0.jpg",
        "images/val/../train/0.jpg",
        "../images/train/0.jpg",
        "images\\train\\0.jpg",
        ".\\images\\train\\0.jpg",
        "C:\\data\\set\\images\\train\\0.jpg",
        "set/images/train/0.jpg",
        "/home/someone/set/images/train/0.jpg",
        "train/0.jpg",
        "train/0",
        "train/0.png",
        "images/train/0",
    ],
)
def test_an_entry_means_the_image_whose_folders_it_names(entry):
    table = table_of([[]] * 4, paths=PATHS)
    assert split_from_lists(table, {"train": [entry]})["train"].tolist() == [0]


@pytest.mark.parametrize("entry", ["images/train/7.png", "train/7", "set/images/test/0.jpg", "test\\0.jpg"])
def test_the_last_name_alone_does_not_decide_where_folders_say_otherwise(entry):
    table = table_of([[]] * 4, paths=PATHS)
    with pytest.raises(InputError, match=r"1 of 1 listed images are not in nowhere, such as .*shares only its last"):
        split_from_lists(table, {"train": [entry]})
    assert split_from_lists(table, {"train": [entry]}, allow_missing=True)["train"].tolist() == []


def test_a_bare_name_of_two_images_is_refused_and_one_with_its_folder_is_not():
    table = table_of([[]] * 4, paths=PATHS)
    with pytest.raises(InputError, match=r"'0\.jpg' fits several images"):
        split_from_lists(table, {"train": ["0.jpg"]})
    both = split_from_lists(table, {"train": ["./images/train/0.jpg"], "test": ["./images/val/0.jpg", "7"]})
    assert (both["train"].tolist(), both["test"].tolist()) == ([0], [2, 3])


def test_a_name_with_dots_is_no_name_with_a_suffix():
    table = table_of([[]] * 2, paths=["frame.0001.jpg", "frame.0002.jpg"])
    assert split_from_lists(table, {"train": ["frame.0002"]})["train"].tolist() == [1]


def test_images_that_lie_in_no_folder_are_found_by_longer_paths():
    table = table_of([[]] * 2, paths=["a.jpg", "b.jpg"])
    assert split_from_lists(table, {"train": ["data/obj/b.jpg"]})["train"].tolist() == [1]


def test_an_absolute_path_to_a_file_of_another_set_means_no_image_of_this_one(tmp_path):
    for name in ("ours", "theirs"):
        noise(tmp_path / name / "images/0.jpg")
    table = table_of([[]], root=tmp_path / "ours", paths=["images/0.jpg"])
    ours = split_from_lists(table, {"train": [str(tmp_path / "ours/images/0.jpg")]})
    assert ours["train"].tolist() == [0]
    with pytest.raises(InputError, match="1 of 1 listed images are not in"):
        split_from_lists(table, {"train": [str(tmp_path / "theirs/images/0.jpg")]})


def test_backslashes_of_a_file_name_are_its_own_if_there_is_such_a_file(tmp_path):
    known = KnownImages(["a\\b.jpg", "a/b.jpg"])
    assert (known.find("a\\b.jpg"), known.find("a/b.jpg")) == (0, 1)
    noise(tmp_path / "images/a/b.png")
    assert file_below([tmp_path, tmp_path / "images"], "a\\b.png") == tmp_path / "images/a/b.png"
    noise(tmp_path / "images/a\\b.png")
    assert file_below([tmp_path, tmp_path / "images"], "a\\b.png") == tmp_path / "images/a\\b.png"


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("a.png", True),
        ("./a//b.png", True),
        ("a/../b.png", True),
        ("images\\b.png", True),
        ("../b.png", False),
        ("..\\b.png", False),
        ("a/../../b.png", False),
        ("/etc/b.png", False),
        ("C:\\b.png", False),
        ("\\\\server\\b.png", False),
        ("", False),
        (".", False),
        ("a\0b", False),
    ],
)
def test_names_that_leave_their_folder_are_told_from_those_that_do_not(name, below):
    assert stays_below(name) is below


@pytest.mark.parametrize("root", ["/home/somebody/set/", "C:\\set\\", "\\\\server\\set\\"])
def test_of_a_path_on_another_machine_the_longest_end_that_is_here_decides(tmp_path, root):
    noise(tmp_path / "images/a/b.png")
    noise(tmp_path / "images/b.png")
    folders, deep = [tmp_path, tmp_path / "images"], "images/a/b.png"
    assert file_below(folders, root + deep) == tmp_path / deep
    assert file_below(folders, (root + deep).replace("/", "\\")) == tmp_path / deep
    assert file_below(folders, f"{root}a/b.png") == tmp_path / "images/a/b.png"
    assert file_below(folders, f"{root}{tmp_path.name}/images/b.png") == tmp_path / "images/b.png"
    assert file_below([tmp_path / "images/a"], f"{root}a/b.png") == tmp_path / "images/a/b.png"
    for other in (f"{root}elsewhere/b.png", f"{root}b.png", f"{root}images/c.png"):
        assert file_below(folders, other) is None
    assert can_be_below(root + deep) and not can_be_below("/../b.png") and not can_be_below("C:\\..\\..\\b.png")


def test_a_plain_name_stays_what_it_is():
    assert [plain(name) for name in ("a b/c.jpg", "..a/..b.jpg", "a.jpg")] == ["a b/c.jpg", "..a/..b.jpg", "a.jpg"]


def coco_of(root, *names):
    content = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "car"}],
    }
    return write_coco(root, content)


@pytest.mark.parametrize(
    "name", ["images\\a.png", ".\\images\\a.png", "a.png", "./a.png", "x/../a.png", "images//a.png"]
)
def test_a_coco_file_from_any_system_finds_its_images(tmp_path, name):
    noise(tmp_path / "images/a.png")
    coco_of(tmp_path, name)
    assert read_annotations(tmp_path).paths.tolist() == ["images/a.png"]
    assert read_annotations(tmp_path, sizes=(50, 40)).paths.tolist() in (["images/a.png"], ["images/images/a.png"])


@pytest.mark.parametrize("name", ["..\\a.png", "C:\\photos\\a.png", "/photos/a.png"])
def test_a_coco_file_that_names_images_elsewhere_is_refused(tmp_path, name):
    noise(tmp_path / "images/a.png")
    coco_of(tmp_path, name)
    with pytest.raises(InputError, match=r"expected a file below the image folder|expected it in .*Restore it"):
        read_annotations(tmp_path)


def test_frames_with_backslashes_find_their_images(tmp_path):
    noise(tmp_path / "images/ride/a.png")
    label = {"box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}, "category": "car", "id": "0"}
    (tmp_path / "frames.json").write_text(json.dumps([{"name": "ride\\a.png", "labels": [label]}]))
    assert read_annotations(tmp_path).paths.tolist() == ["images/ride/a.png"]


def test_labels_in_a_folder_of_their_own_find_images_in_a_folder_that_they_are_named_after(tmp_path):
    noise(tmp_path / "val2017/a.png")
    coco_of(tmp_path, "a.png").rename(tmp_path / "instances_val2017.json")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "instances_val2017.json").rename(tmp_path / "annotations/instances_val2017.json")
    assert read_annotations(tmp_path).paths.tolist() == ["val2017/a.png"]


def test_a_set_that_names_its_images_as_another_machine_had_them_is_read_and_that_is_told(tmp_path):
    for name in ("0.png", "1.png"):
        noise(tmp_path / "images/sub" / name)
    names = ["C:\\data\\images\\sub\\0.png", "/home/somebody/set/images/sub/1.png"]
    content = {
        "images": [{"id": i, "file_name": name, "width": 100, "height": 60} for i, name in enumerate(names)],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 2, 2]}],
        "categories": [{"id": 1, "name": "car"}],
    }
    (tmp_path / "ann.json").write_text(json.dumps(content), encoding="utf-8")
    table = read_annotations(tmp_path)
    assert table.paths.tolist() == ["images/sub/0.png", "images/sub/1.png"]
    assert [note for note in table.notes if "absolute" in note] == [FOUND_BY_END]
