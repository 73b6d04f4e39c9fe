"""Large label files: streamed they hold what they hold when read whole, in memory that does not grow with them."""

import importlib.util
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from bdd_data import LANE, bdd_folder, det20_label, frame, label_2018
from small_data import coco_folder, write_coco

from gapscope.data.readers import frames as frames_module, json_stream
from gapscope.data.readers.build import TableBuilder
from gapscope.data.readers.detect import read_annotations
from gapscope.data.readers.json_stream import JsonFile, opening
from gapscope.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture
def streamed(monkeypatch):
    """Call it, and every JSON file counts as large."""
    return lambda: monkeypatch.setattr(json_stream, "WHOLE", -1)


def columns(table):
    arrays = (table.paths, table.groups, table.box_image, table.box_class, table.xyxy, table.ignore, table.crowd)
    return [table.class_names, table.no_area, *(array.tolist() for array in arrays)]


@pytest.mark.parametrize("order", [("images", "annotations", "categories"), ("annotations", "categories", "images")])
def test_coco_is_the_same_streamed_or_whole_in_any_order_of_its_lists(tmp_path, streamed, order):
    content = coco_folder(tmp_path, num_images=5)
    content["annotations"].append({"id": 1, "image_id": 2, "category_id": 9, "bbox": [1, 2, 3, 4.5], "iscrowd": 1})
    path = write_coco(tmp_path, {"info": {"year": 2020}, **{key: content[key] for key in order}})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # a byte order mark, as some tools write
    whole = read_annotations(tmp_path)
    streamed()
    assert columns(read_annotations(tmp_path)) == columns(whole)
    assert whole.num_boxes == 6


def test_frames_are_the_same_streamed_or_whole(tmp_path, streamed):
    records = [
        frame(f"a1b2c3d4-{i:08x}", [det20_label(), LANE | {"id": "8"}, det20_label(crowd=True)]) for i in range(4)
    ]
    bdd_folder(tmp_path / "list", records, "det_train.json")
    bdd_folder(tmp_path / "dict", records, "det_train.json")
    (tmp_path / "dict/det_train.json").write_text(json.dumps({"config": {}, "groups": None, "frames": records}))
    bdd_folder(tmp_path / "2018", [frame(labels=[label_2018(), LANE])])
    names = ("list", "dict", "2018")
    whole = [columns(read_annotations(tmp_path / name)) for name in names]
    streamed()
    assert [columns(read_annotations(tmp_path / name)) for name in names] == whole
    assert whole[0] == whole[1]


def test_missing_and_wrong_lists_are_told_streamed_or_whole(tmp_path, streamed):
    content = coco_folder(tmp_path)
    del content["categories"]
    content["annotations"] = {"item": 3, "a": 1}
    for _ in range(2):
        with pytest.raises(InputError, match=r"lacks the list\(s\) .*categories - expected COCO JSON with images, ann"):
            read_annotations(tmp_path, "coco", labels=write_coco(tmp_path, content))
        (tmp_path / "frames.json").write_text('{"frames": {"a": 1}}')
        with pytest.raises(InputError, match=r"frames\.json: has no list 'frames' - expected a list of frames, or an"):
            list(read_frames(tmp_path / "frames.json"))
        streamed()


def read_frames(path):
    from gapscope.data.problems import Problems

    with Problems().at(path):
        yield from frames_module.frames_in(path)


def test_an_empty_list_is_a_list(tmp_path, streamed):
    path = tmp_path / "a.json"
    path.write_text('{"a": [], "b": [1, 2], "c": 3}')
    for _ in range(2):
        file = JsonFile(path)
        assert [file.has_list(key) for key in "abcd"] == [True, True, False, False]
        assert (list(file.entries("a")), list(file.entries("b")), list(file.entries())) == ([], [1, 2], [])
        streamed()


def test_the_opening_of_a_file_is_its_value_as_far_as_it_goes(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "fi')
    assert opening(path) == {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2}]}
    path.write_text(json.dumps({"a": list(range(100_000))}))
    assert 5_000 < len(opening(path)["a"]) < 100_000
    for broken in ("", "\x00\x01", "hello", "\xff"):
        path.write_bytes(broken.encode("latin-1"))
        assert opening(path) is None
    assert opening(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": [1, 2,]}', r"a\.json cannot be read as JSON: .*line 1 column 13"),
        (b'{"a": [1, 2', r"a\.json cannot be read as JSON: .*line 1 column 12"),
        (b"[" * 100_000, r"a\.json cannot be read as JSON: it is nested too deeply\. Replace the file"),
        (b'{"a": "\xff"}', r"a\.json cannot be read as JSON: 'utf-8' codec can't decode byte 0xff in position 7"),
    ],
)
def test_a_small_file_that_is_no_json_is_refused_with_the_place(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(JsonFile(path).entries("a"))


@pytest.mark.parametrize("content", [b'{"a": [1, 2,]}', b'{"a": [1, 2', b'{"a": ["\xff"]}', b'{"a": [NaN]}'])
def test_a_large_file_that_is_no_json_is_refused_with_about_the_place(tmp_path, streamed, content):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"b": "' + b" " * 200_000 + b'", ' + content[1:])
    streamed()
    message = r"a\.json cannot be read as JSON: (parse|lexical) error: [^\n]* \(after byte \d+\)"
    with pytest.raises(InputError, match=message):
        list(JsonFile(path).entries("a"))


def test_streaming_takes_no_more_memory_for_a_longer_file(tmp_path, streamed):
    def peak(frames: int) -> tuple[int, int]:
        path = tmp_path / "a.json"
        path.write_text(json.dumps([frame(f"a1b2c3d4-{i:08x}", [label_2018(), LANE] * 10) for i in range(frames)]))
        tracemalloc.start()
        assert sum(len(entry["labels"]) for entry in JsonFile(path).entries()) == 20 * frames
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest, path.stat().st_size

    streamed()
    (short, _), (long, size) = peak(200), peak(1000)
    assert long < 1.2 * short
    assert long < size / 5


def test_a_folder_of_many_files_is_known_from_a_few_of_them(tmp_path, monkeypatch):
    for i in range(200):
        (tmp_path / f"{i:03}.json").write_text(json.dumps({"version": "4.5.6", "shapes": []}))
    looked_at = []
    for module in ("frames", "coco"):
        monkeypatch.setattr(f"gapscope.data.readers.{module}.opening", lambda path: looked_at.append(path))
    with pytest.raises(InputError, match="fits no known format"):
        read_annotations(tmp_path)
    assert len(set(looked_at)) <= 3


def test_a_table_takes_30_bytes_per_box_and_boxes_that_come_out_of_order_are_sorted(tmp_path):
    builder = TableBuilder(tmp_path, sizes=(100, 60))
    for i in range(3):
        builder.add_image(tmp_path / f"{i}.jpg")
    n = 30_000
    for i in range(n):
        builder.add_box(
            (0, 2, 1)[i * 3 // n], builder.class_of(("van", "car")[i % 2]), (i % 50, 0, i % 50 + 10, 20 + i / n)
        )
    table = builder.table()
    assert table.class_names == ("car", "van")
    assert (np.diff(table.box_image) >= 0).all()
    second = table.xyxy[table.box_range(1), 0]
    assert second.tolist() == [i % 50 for i in range(2 * n // 3, n)]  # in the order in which they came
    assert table.box_class[table.box_range(1)].tolist() == [1 - i % 2 for i in range(2 * n // 3, n)]
    per_box = (
        table.box_image,
        table.box_class,
        table.xyxy,
        table.ignore,
        table.crowd,
        table.occlusion,
        table.truncation,
    )
    assert sum(column.nbytes for column in per_box) == 28 * n
    path = tmp_path / "table.npz"
    table.save(path)
    assert path.stat().st_size < 30 * n


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[1] / "benchmarks/load_annotations.py"
    spec = importlib.util.spec_from_file_location("load_annotations", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmarks_data_sets_are_read_to_the_last_box(tmp_path, benchmark):
    benchmark.write_bdd(tmp_path / "bdd100k-2018", 0.001)
    benchmark.write_viper(tmp_path / "viper", 0.0001)
    texts = [path.read_text() for path in (tmp_path / "bdd100k-2018/labels").iterdir()]
    found = benchmark.measure(tmp_path / "bdd100k-2018")
    assert found["boxes"] == sum(text.count('"box2d"') for text in texts)
    assert found["images"] == sum(text.count('"timestamp"') for text in texts) == 80
    assert 15 < found["boxes"] / found["images"] < 23  # 1.5 million over 79,863 frames is 19
    assert all("poly2d" in text for text in texts)
    rows = [path.read_text().count("\n") for path in (tmp_path / "viper").rglob("*.csv")]
    found = benchmark.measure(tmp_path / "viper")
    assert (found["images"], found["boxes"]) == (len(rows), sum(rows)) == (77, sum(rows))
    assert found["files"] == 154
