"""Named label maps: they know every class of the formats they are for, and what the user says wins."""

import json
from collections import Counter

import pytest
from small_data import table_of

from gapscope.data.label_maps import LabelMap, fit, label_map, named_label_maps
from gapscope.data.labels import map_labels
from gapscope.data.readers import citypersons, cityscapes, kitti, vkitti
from gapscope.data.readers.detect import FORMATS
from gapscope.data.readers.viper import CLASSES as VIPER_CLASSES
from gapscope.errors import InputError

FIVE = ("person", "cycle", "car", "bus", "truck")
NONE = LabelMap({})
BOX = (0, 0, 10, 10)


def names_of(known):
    return [*known.drop, *known.ignore, *(source for sources in known.labels.values() for source in sources)]


@pytest.mark.parametrize("name", named_label_maps())
def test_every_named_map_leads_to_the_papers_classes_and_names_nothing_twice(name):
    known = label_map(name)
    assert set(known.labels) <= set(FIVE)
    assert known.labels and known.about
    assert max(Counter(names_of(known)).values()) == 1


def test_table_1_of_the_paper():
    bdd, game = label_map("bdd100k-2018"), label_map("viper")
    assert bdd.labels == {
        "person": ("person", "rider"),
        "cycle": ("bike", "motor"),
        "car": ("car",),
        "bus": ("bus",),
        "truck": ("truck",),
    }
    assert game.labels == {
        "person": ("person",),
        "cycle": ("bicycle", "motorcycle"),
        "car": ("car", "van"),
        "bus": ("bus",),
        "truck": ("truck", "trailer"),
    }


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("viper", VIPER_CLASSES),
        ("kitti", kitti.CLASSES),
        ("vkitti1", vkitti.CLASSES),
        ("vkitti2", vkitti.CLASSES),
        ("cityscapes", cityscapes.CLASSES),
        ("cityscapes3d", cityscapes.CLASSES_3D),
        ("synscapes", cityscapes.CLASSES),
        ("citypersons", citypersons.CLASSES),
    ],
)
def test_the_map_of_a_format_places_each_of_its_classes(name, classes):
    assert set(names_of(label_map(name))) == set(classes)
    assert name in FORMATS


DARKNET_SPELLS = {"aeroplane", "motorbike", "sofa", "pottedplant", "diningtable", "tvmonitor"}
"""Six of COCO's names, otherwise than COCO has them."""


def test_the_map_of_coco_places_80_classes_and_that_of_voc_those_of_the_real_sample(shared_data):
    names = names_of(label_map("coco"))
    assert len(names) == 80 + len(DARKNET_SPELLS) and set(names) >= DARKNET_SPELLS
    content = json.loads((shared_data / "format_samples/coco/instances_default.json").read_text())
    assert {entry["name"] for entry in content["categories"]} <= set(names_of(label_map("voc")))


def test_a_named_map_takes_the_names_that_are_there_and_drops_classes_that_the_study_lacks():
    plan = fit("bdd100k-2018", NONE, ["car", "person"], ["car", "rider", "bus", "traffic sign"])
    assert plan.labels == {"car": ("car",), "person": ("rider",)}
    assert plan.drop == ("bus", "traffic sign")
    assert plan.ignore == ()


def test_what_the_user_says_of_a_name_wins():
    own = LabelMap({"truck": ("van",), "car": ("jeep",)}, drop=("person",), ignore=("bus",))
    plan = fit("viper", own, ["person", "car", "truck", "bus"], ["car", "van", "person", "bus", "truck", "sky", "jeep"])
    assert plan.labels == {"person": (), "car": ("jeep", "car"), "truck": ("van", "truck"), "bus": ()}
    assert (plan.drop, plan.ignore) == (("person", "sky"), ("bus",))


def test_every_box_is_accounted_for_and_an_unknown_name_is_still_refused():
    table = table_of([[("car", *BOX), ("sky", *BOX), ("ufo", *BOX)]], class_names=("car", "sky", "ufo"))
    plan = fit("viper", NONE, ["car"], table.class_names)
    with pytest.raises(InputError, match=r"unmapped 'ufo' \(1 box\)"):
        map_labels(table, plan.labels, plan.drop, plan.ignore, ["car"])
    plan = fit("viper", LabelMap({}, ignore=("ufo",)), ["car"], table.class_names)
    mapped, counts = map_labels(table, plan.labels, plan.drop, plan.ignore, ["car"])
    assert mapped.ignore.tolist() == [False, True]
    assert (counts.dropped, counts.ignored_sources) == ({"sky": 1}, {"ufo": 1})


def test_a_map_of_hundreds_of_names_drops_the_rest_by_name():
    plan = fit("openimages", NONE, list(FIVE), ["Car", "Zebra", "Person", "Vehicle"])
    assert (plan.drop, plan.ignore) == (("Zebra",), ("Vehicle",))


def test_a_map_that_does_not_fit_and_one_that_does_not_exist_are_refused():
    with pytest.raises(InputError, match=r"turns none of this data set's names \(zebra\) into a class of the study"):
        fit("openimages", NONE, list(FIVE), ["zebra"])
    with pytest.raises(InputError, match=r"into a class of the study \(vehicle\) - it knows person, cycle, car"):
        fit("viper", NONE, ["vehicle"], ["car"])
    with pytest.raises(InputError, match=r"no label map 'bdd100k'\. Did you mean 'bdd100k-"):
        label_map("bdd100k")
