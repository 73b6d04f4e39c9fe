"""Several classes scored as one, and labels that find their class by name."""

from pathlib import Path

import numpy as np
import pytest
from small_data import coco_folder, table_of, write_coco

from gapscope.data.labels import parse_mapping
from gapscope.errors import InputError
from gapscope.evaluation.average_precision import coco_average_precision
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.labelled import labelled_folder, with_classes
from gapscope.evaluation.merging import merge_classes

CLASSES = ["person", "car", "bus", "truck"]
GROUP = {"vehicle": ["car", "bus", "truck"]}
HERE, THERE = [0, 0, 10, 10], [50, 50, 60, 60]


def none() -> Boxes:
    return Boxes.of([], [], [])


def test_merged_classes_take_the_place_of_the_first_and_others_stay():
    targets = Boxes.of([0] * 5, [0, 1, 2, 3, -1], [HERE] * 5, ignore=[False] * 4 + [True])
    merged, _, names = merge_classes(targets, none(), CLASSES, GROUP, 0.5)
    assert names == ("person", "vehicle")
    assert merged.label.tolist() == [0, 1, 1, 1, -1]
    assert merge_classes(targets, none(), CLASSES, {"thing": ["truck", "person"]}, 0.5)[2] == ("thing", "car", "bus")


def test_a_car_that_is_also_called_a_truck_is_one_vehicle():
    found = Boxes.of([0, 0, 0, 1], [1, 3, 0, 3], [HERE, HERE, HERE, HERE], [0.7, 0.9, 0.8, 0.6])
    _, kept, _ = merge_classes(none(), found, CLASSES, GROUP, 0.5)
    assert kept.confidence.tolist() == [0.9, 0.8, 0.6]  # the less confident vehicle of image 0 is gone
    targets = Boxes.of([0, 1], [1, 1], [HERE, HERE])
    merged, kept, names = merge_classes(targets, found, CLASSES, GROUP, 0.5)
    assert coco_average_precision(merged, kept, 2, names).ap50["vehicle"] == 1.0


def test_boxes_of_classes_that_are_not_merged_are_left_alone():
    found = Boxes.of([0, 0], [0, 0], [HERE, HERE], [0.7, 0.9])
    assert len(merge_classes(none(), found, CLASSES, GROUP, 0.5)[1]) == 2


def test_merging_no_class_changes_nothing():
    found = Boxes.of([0, 1], [2, 0], [HERE, THERE], [0.7, 0.9])
    _, kept, names = merge_classes(none(), found, CLASSES, {}, 0.5)
    assert names == tuple(CLASSES) and kept.label.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"vehicle": ["car", "van"]}, "'van' is no class of the network. It has: person, car"),
        ({"vehicle": ["car"], "big": ["bus", "car"]}, "'car' is in 'vehicle' too"),
        ({"person": ["car", "bus"]}, "a class of this name stays"),
    ],
)
def test_what_cannot_be_merged_is_refused(groups, message):
    with pytest.raises(InputError, match=message):
        merge_classes(none(), none(), CLASSES, groups, 0.5)


def test_groups_are_written_as_name_equals_members():
    assert parse_mapping(["vehicle=car, bus", "who=person"], "--merge") == {
        "vehicle": ["car", "bus"],
        "who": ["person"],
    }


@pytest.mark.parametrize("text", ["vehicle", "vehicle=", "=car", "vehicle=car,,bus"])
def test_groups_in_another_form_are_refused(text):
    with pytest.raises(InputError, match='expected a name and what it stands for, as in "vehicle=car,bus"'):
        parse_mapping([text], "--merge")


def test_a_group_that_is_given_twice_is_refused():
    with pytest.raises(InputError, match="'vehicle' is given twice"):
        parse_mapping(["vehicle=car", "vehicle=bus"], "--merge")


def test_classes_are_matched_by_name_whatever_their_order():
    table = table_of([[("van", 0, 0, 10, 10), ("person", 0, 0, 5, 5)]])  # car, van, person
    mapped = with_classes(table, ["person", "van", "tram"], "photos")
    assert mapped.class_names == ("person", "van", "tram")
    assert mapped.counts() == {"person": 1, "van": 1, "tram": 0}


def test_a_class_of_the_data_that_the_network_lacks_is_refused_with_both_lists():
    table = table_of([[("van", 0, 0, 10, 10)], [("car", 0, 0, 5, 5)]])
    with pytest.raises(InputError) as refusal:
        with_classes(table, ["Car", "person"], "photos")
    assert str(refusal.value) == (
        "photos has classes that the network does not have: car, van (network: Car, person; data: car, van, person) - "
        "expected the same names. Map, drop or ignore those of the data."
    )


def test_names_of_the_data_can_be_mapped_dropped_and_ignored():
    table = table_of([[("van", 0, 0, 10, 10), ("car", 0, 0, 9, 9), ("person", 0, 0, 5, 5)]])
    assert with_classes(table, ["car", "person"], "photos", {"car": ["car", "van"], "person": ["person"]}).counts() == {
        "car": 2,
        "person": 1,
    }
    kept = with_classes(table, ["person"], "photos", drop=["van"], ignore=["car"])
    assert kept.counts() == {"person": 1} and kept.ignore.sum() == 1


def folder(root: Path) -> Path:
    root.mkdir()
    write_coco(root, coco_folder(root))
    return root


def test_a_labelled_folder_is_read_in_the_networks_classes(tmp_path):
    table = labelled_folder(folder(tmp_path / "photos"), ["truck", "car"])
    assert len(table) == 3 and table.box_class.tolist() == [1, 1, 1]


def test_a_list_chooses_images(tmp_path):
    (tmp_path / "list.txt").write_text("images/002.png\n000\n")
    table = labelled_folder(folder(tmp_path / "photos"), ["car"], split_list=tmp_path / "list.txt")
    assert [Path(str(path)).name for path in table.paths] == ["000.png", "002.png"]


def test_an_empty_list_is_refused(tmp_path):
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match=r"list.txt names no image - expected at least one"):
        labelled_folder(folder(tmp_path / "photos"), ["car"], split_list=tmp_path / "list.txt")


def test_merging_looks_only_within_an_image():
    many = 300
    found = Boxes.of(np.repeat(range(many), 2), [1, 3] * many, [HERE, THERE] * many, [0.5] * 2 * many)
    assert len(merge_classes(none(), found, CLASSES, GROUP, 0.5)[1]) == 2 * many
