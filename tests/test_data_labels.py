"""Label maps: every box has a known fate, and a name nobody thought of is refused."""

import pytest
from small_data import table_of

from gapscope.data.labels import map_labels, said_rest
from gapscope.data.table import ANY_CLASS
from gapscope.errors import InputError

NAMES = ("car", "van", "person", "tram", "other")
BOX = (0, 0, 10, 10)


def street():
    boxes = [[("car", *BOX), ("van", *BOX), ("person", *BOX)], [("tram", *BOX), ("other", *BOX), ("van", *BOX)]]
    return table_of(boxes, class_names=NAMES, ignore=[False] * 5 + [True])


def test_every_box_is_merged_dropped_or_ignored_and_accounted_for():
    mapped, counts = map_labels(
        street(),
        {"person": ["person"], "car": ["car", "van"]},
        drop=["tram"],
        ignore=["other"],
        classes=["car", "bus", "person"],
    )
    assert mapped.class_names == ("car", "bus", "person")
    assert mapped.box_class.tolist() == [0, 0, 2, ANY_CLASS, 0]
    assert mapped.ignore.tolist() == [False, False, False, True, True]
    assert mapped.box_image.tolist() == [0, 0, 0, 1, 1]
    assert counts.label_map == {"car": {"car": 1, "van": 1}, "bus": {}, "person": {"person": 1}}
    assert (counts.dropped, counts.ignored_sources) == ({"tram": 1}, {"other": 1})


def test_an_ignored_class_is_of_single_objects_unless_its_name_is_one_of_regions():
    names = ("car", "tram", "crowd", "Don't care", "ignored regions", "vehicle--car-group")
    table = table_of([[(name, *BOX) for name in names]], class_names=names)
    mapped, _ = map_labels(table, {"car": ["car"]}, ignore=names[1:])
    assert mapped.ignore.tolist() == [False] + [True] * 5
    assert mapped.crowd.tolist() == [False, False] + [True] * 4


def test_mapping_twice_keeps_regions_of_every_class():
    once, _ = map_labels(street(), {"car": ["car", "van", "person"]}, drop=["tram"], ignore=["other"])
    twice, _ = map_labels(once, {"vehicle": ["car"]})
    assert twice.box_class.tolist() == [0, 0, 0, ANY_CLASS, 0]


def test_all_unmapped_classes_are_listed_with_their_boxes():
    with pytest.raises(InputError, match=r"unmapped 'van' \(1 box\), 'tram' \(1 box\), 'other' \(1 box\)"):
        map_labels(street(), {"car": ["car"], "person": ["person"]})


def test_a_class_without_boxes_may_stay_unmapped():
    table = table_of([[("car", *BOX)]], class_names=("car", "zebra"))
    assert map_labels(table, {"car": ["car"]})[0].num_boxes == 1


@pytest.mark.parametrize(
    ("mapping", "drop", "message"),
    [
        ({"car": ["carr", "van"]}, (), r"'carr' is no class of this data set\. Did you mean 'car'\?"),
        ({"car": ["Car"]}, (), r"'Car' is no class.*Known: car, van, person, tram, other"),
        ({"car": ["car"]}, ("car",), r"'car' is named twice"),
        ({"cars": ["car"]}, (), r"target 'cars' is no class of the study\. Did you mean 'car'\?"),
    ],
)
def test_a_wrong_name_is_refused_with_a_hint(mapping, drop, message):
    with pytest.raises(InputError, match=message):
        map_labels(street(), mapping, drop=drop, classes=["car", "person"])


def test_a_star_drops_whatever_nothing_else_names_and_each_is_counted():
    mapped, counts = map_labels(street(), {"car": ["car"]}, drop=["tram", "*"], ignore=["person"])
    assert (mapped.num_boxes, counts.dropped) == (2, {"tram": 1, "van": 1, "other": 1})
    said = said_rest(counts.dropped, ["tram", "*"])
    assert said == 'drop = ["*"] drops what nothing else names, in boxes: van (1), other (1).'
    assert said_rest({"van": 2000, "bus": 0, "cab": 0}, ["*"]).endswith("van (2,000) and 2 names without boxes.")
    assert said_rest(counts.dropped, ["tram", "van", "other"]) == ""


def test_a_class_that_is_called_star_is_one_class():
    table = table_of([[("*", *BOX), ("car", *BOX)]], class_names=("*", "car"))
    assert map_labels(table, {"car": ["car"]}, drop=["*"])[1].dropped == {"*": 1}
    with pytest.raises(InputError, match="unmapped 'car'"):
        map_labels(table, {}, drop=["*"], classes=["car"])


def test_what_is_unmapped_leads_to_the_star():
    with pytest.raises(InputError, match=r'Map, drop or ignore each; drop = \["\*"\] drops all that are left\.'):
        map_labels(street(), {"car": ["car"]})
