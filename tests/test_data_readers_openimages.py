"""Open Images: the real sample with decimal commas, flags, subsets of the images, and refusals."""

import csv
from collections import Counter

import pytest
from PIL import Image
from small_data import noise

from gapscope.data.problems import Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.errors import InputError

HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)


def folder(root, rows, images=("a", "b")):
    for name in images:
        noise(root / f"images/{name}.jpg")
    (root / "boxes.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return root


def test_the_real_sample_has_the_boxes_that_its_rows_count(tmp_path, shared_data):
    source = shared_data / "format_samples/openimages/all_bounding_boxes.csv"
    with source.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    (tmp_path / "boxes.csv").symlink_to(source)
    for name in {row["ImageID"] for row in rows}:
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("L", (500, 400)).save(tmp_path / "images" / name)
    table = read_annotations(tmp_path)
    assert len(table) == len({row["ImageID"] for row in rows})
    assert table.counts() == Counter(row["LabelName"] for row in rows)
    boxes = {}
    for row in rows:
        sides = [float(row[side].replace(",", ".")) for side in ("XMin", "YMin", "XMax", "YMax")]
        boxes.setdefault(f"images/{row['ImageID']}", []).append(
            [s * n for s, n in zip(sides, (500, 400) * 2, strict=True)]
        )
    for i, path in enumerate(table.paths.tolist()):
        assert table.boxes_of(i)[0].tolist() == [pytest.approx(box, abs=1e-3) for box in boxes[path]]


def test_flags_become_crowds_ignore_regions_and_shares(tmp_path):
    flags = ["0,1,0,0,0", "1,0,1,0,0", "-1,-1,0,1,0", ",,,,1"]
    table = read_annotations(folder(tmp_path, [f"a,x,/m/1,1,0.1,0.5,0.2,0.6,{flag}" for flag in flags], ["a"]))
    nan = float("nan")
    assert table.crowd.tolist() == [False, True, False, False]
    assert table.ignore.tolist() == [False, True, True, True]
    assert table.occlusion.tolist() == pytest.approx([0, 1, nan, nan], nan_ok=True)
    assert table.truncation.tolist() == pytest.approx([1, 0, nan, nan], nan_ok=True)
    assert table.xyxy[0].tolist() == pytest.approx([10, 12, 50, 36], abs=1e-4)


def test_classes_are_named_by_the_descriptions_and_what_is_not_there_is_counted(tmp_path):
    rows = ["a,x,/m/2,1,0.1,0.5,0.2,0.6,0,0,0,0,0", "gone,x,/m/1,1,0,1,0,1,0,0,0,0,0", "a,x,/m/1,1,0,1,0,1,0,0,0,0,0"]
    folder(tmp_path, rows)
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/1,Zebra\n/m/2,Car\n")
    table = read_annotations(tmp_path)
    assert table.class_names == ("Car", "Zebra")
    assert [table.class_names[i] for i in table.box_class] == ["Car", "Zebra"]
    assert table.paths.tolist() == ["images/a.jpg"]
    assert table.notes == (
        "1 box of images that are not there: left out.",
        "1 image without a row in boxes.csv: left out.",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b,x,/m/1,1,0.1", "row 3: 5 values - expected 13"),
        (
            "b,x,/m/1,1,zero,0.5,0.2,0.6,0,0,0,0,0",
            r"row 3: box \['zero', '0.2', '0.5', '0.6'\] - expected four numbers",
        ),
        ("b,x,/m/1,1,10,50,20,60,0,0,0,0,0", r"row 3: box \['10', .*expected shares"),
        ("b,x,/m/1,1,nan,0.5,0.2,0.6,0,0,0,0,0", "expected shares"),
        ("b,x,/m/1,1,0.7,0.5,0.2,0.6,0,0,0,0,0", "is inside out"),
    ],
)
def test_a_broken_row_is_named_or_left_out(tmp_path, row, message):
    folder(tmp_path, ["a,x,/m/1,1,0.1,0.5,0.2,0.6,0,0,0,0,0", row])
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)
    problems = Problems(strict=False)
    assert read_annotations(tmp_path, problems=problems).num_boxes == 1
    assert len(problems.found) == 1


def test_a_file_that_is_no_utf8_and_two_files_are_refused(tmp_path):
    folder(tmp_path, ["a,x,/m/1,1,0.1,0.5,0.2,0.6,0,0,0,0,0"])
    path = tmp_path / "boxes.csv"
    path.write_bytes(path.read_bytes() + b"b,x,caf\xe9,1,0,1,0,1,0,0,0,0,0\n")
    with pytest.raises(InputError, match=r"boxes\.csv cannot be read as CSV after line"):
        read_annotations(tmp_path)
    folder(tmp_path, [])
    (tmp_path / "more.csv").write_text(HEADER)
    with pytest.raises(InputError, match=r"several Open Images files: boxes\.csv, more\.csv"):
        read_annotations(tmp_path)
    with pytest.raises(InputError, match="no images with labels"):
        read_annotations(tmp_path, labels=tmp_path / "more.csv")
