"""check: everything that is wrong is told at once, sorted into kinds, and nothing is changed."""

import hashlib
import json
import os

import numpy as np
import pytest
from broken_inputs import yolo
from small_data import noise, table_of

from gapscope.data.check import check_folder, kinds_of, twins, write_problems
from gapscope.data.first_look import check_share, first_look, without
from gapscope.data.image_hashes import difference_hash
from gapscope.data.images import find_images, look_at_all, read_size
from gapscope.data.problems import FileError, Problem, Problems, RowError, shortened
from gapscope.errors import InputError


def broken_folder(root):
    yolo(root)
    (root / "labels/0.txt").write_text("0 0.5 0.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n9 0.5 0.5 0.2 0.2\n0 2 2 1 1\n")
    (root / "labels/1.txt").write_text("8 0.5 0.5 0.2 0.2\n")
    (root / "images/2.jpg").write_bytes((root / "images/2.jpg").read_bytes()[:-300])
    return root


def test_all_problems_are_told_at_once_and_sorted_into_kinds(tmp_path):
    found = check_folder(broken_folder(tmp_path))
    kinds = [(kind.what, len(kind.problems)) for kind in kinds_of(found.problems)]
    assert kinds == [
        ("class N", 3),
        ("'...' instead of shares of the image from 0 to 1", 1),
        ("cannot be decoded: Image is incomplete or truncated", 1),
    ]
    assert (found.decoded, len(found.table), found.table.num_boxes) == (3, 2, 1)
    assert [problem.row for problem in found.problems[:2]] == ["row 2", "row 3"]


def test_problems_that_differ_only_in_names_and_numbers_are_of_one_kind():
    pairs = [
        ("box (-9, 27, 11, 33) leaves its image of 100 x 60 pixels by 9", "box (1, 2.5, 3e+09, 4) leaves its image of "
         "9 x 6 pixels by 1e+09"),
        ("says 640 x 60 pixels, but /a/b c/0.jpg has 100 x 60", "says 1 x 2 pixels, but /a/b c/1.png has 3 x 4"),
        ("class 'car' is not listed", "class 'van' is not listed"),
    ]  # fmt: skip
    for first, second in pairs:
        assert len(kinds_of([Problem("a", "", first, ""), Problem("b", "", second, "")])) == 1, first
    assert len(kinds_of([Problem("a", "", pairs[0][0], ""), Problem("a", "", pairs[1][0], "")])) == 2


def test_a_folder_without_readable_labels_still_has_its_images_decoded(tmp_path):
    broken_folder(tmp_path)
    (tmp_path / "classes.txt").unlink()
    found = check_folder(tmp_path)
    assert found.table is None and found.decoded == 3
    assert [str(problem)[-40:] for problem in found.problems] != []
    assert any("has no class names" in problem.wrong for problem in found.problems)
    assert any("cannot be decoded" in problem.wrong for problem in found.problems)
    with pytest.raises(InputError, match="nowhere is missing"):
        check_folder(tmp_path / "nowhere")


def test_problems_are_written_one_json_object_a_line(tmp_path):
    found = check_folder(broken_folder(tmp_path / "set")).problems
    write_problems(tmp_path / "out.jsonl", found)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [set(line) for line in lines] == [{"file", "row", "wrong", "expected"}] * len(found)
    assert lines[0]["file"].endswith("labels/0.txt") and lines[0]["wrong"] == "class 7"


def test_names_that_differ_only_in_case_or_suffix_are_told():
    paths = ["a/1.jpg", "a/1.JPG", "a/1.png", "b/1.jpg", "a/2.jpg"]
    told = [problem.file for problem in twins(table_of([[]] * 5, paths=paths))]
    assert told == ["nowhere/a/1.JPG", "nowhere/a/1.png"]


def test_images_are_found_once_through_links_and_loops(tmp_path):
    noise(tmp_path / "real/a.jpg")
    noise(tmp_path / "outside/b.png")
    (tmp_path / "real/more").symlink_to(tmp_path / "outside")
    (tmp_path / "real/again").symlink_to(tmp_path / "outside")
    (tmp_path / "real/loop").symlink_to(tmp_path / "real")
    (tmp_path / "real/gone.png").symlink_to("nowhere.png")
    found = [path.relative_to(tmp_path / "real").as_posix() for path in find_images(tmp_path / "real")]
    assert found == ["a.jpg", "again/b.png", "gone.png"]
    with pytest.raises(InputError, match=r"gone\.png is missing - expected an image file"):
        read_size(tmp_path / "real/gone.png")


def test_looking_at_all_images_keeps_their_order_and_tells_how_far_it_is(tmp_path):
    paths = [noise(tmp_path / f"{i:03}.png", size=(10 + i, 5)) for i in range(130)]
    paths[3].write_bytes(b"")
    told = []
    found = look_at_all(
        paths, read_size, what="x", progress=lambda what, done, total, note="": told.append((done, total))
    )
    assert [size for i, size in enumerate(found) if i != 3] == [(10 + i, 5) for i in range(130) if i != 3]
    assert isinstance(found[3], FileError) and told == [(100, 130), (130, 130)]

    def bug(path):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        look_at_all(paths, bug, what="x")


def test_the_first_look_names_broken_images_and_hashes_the_others(tmp_path):
    for i in range(3):
        noise(tmp_path / f"images/{i:03}.png", seed=i)
    (tmp_path / "images/001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    table = table_of([[], [], []], root=tmp_path)
    look = first_look(table, np.array([0, 1]))
    assert list(look.broken) == [1] and look.broken[1].file.endswith("001.png")
    assert (look.hashes[0] == difference_hash(table.path(0))).all()
    assert not look.hashes[1:].any()
    content = hashlib.sha256(table.path(0).read_bytes()).digest()
    assert look.files_sha256 == hashlib.sha256(content).hexdigest()  # of the one that is whole
    splits = without({"train": np.array([0, 1]), "val": np.array([2])}, list(look.broken))
    assert {name: indices.tolist() for name, indices in splits.items()} == {"train": [0], "val": [2]}


def test_too_many_problems_are_refused():
    problems = [Problem("a.txt", "row 1", "class 9", "0 to 1.")] * 3
    check_share(problems, 60, 0.05)
    with pytest.raises(
        InputError, match=r"3 problems in 59 images - expected at most 2 .*First: a\.txt, row 1: class 9"
    ):
        check_share(problems, 59, 0.05)


def test_a_problem_keeps_the_file_that_it_is_about_and_messages_stay_short():
    lenient = Problems(strict=False)
    with lenient.at("labels.json", "image 3"):
        raise FileError("images/3.png", "is an empty file", "an image. Replace it.")
    with lenient.at("labels.json", "image 4"):
        raise RowError("x" * 5000 + "\x1b[31m", "less. Fix it.")
    assert [(problem.file, problem.row) for problem in lenient.found] == [
        ("images/3.png", ""),
        ("labels.json", "image 4"),
    ]
    assert len(str(lenient.found[1])) < 500
    assert shortened("a\x1b[31m\nb") == r"a\x1b[31m\nb"
    with pytest.raises(InputError, match=r"^images/3\.png is an empty file - expected an image\. Replace it\.$"):
        with Problems().at("labels.json"):
            raise FileError("images/3.png", "is an empty file", "an image. Replace it.")


def test_reading_changes_no_file_and_leaves_none(tmp_path):
    broken_folder(tmp_path)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*.*")}
    check_folder(tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*.*")} == before
    assert len(list(os.scandir(tmp_path))) == 3
