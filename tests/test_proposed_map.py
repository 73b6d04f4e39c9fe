"""Names of two data sets: equal ones are one class, all others are guesses, and nothing is mapped in silence."""

import pytest

from gapscope.errors import InputError
from gapscope.study.proposed_map import propose_map


def of(found, label, *, guesses=True):
    """The names of both sets that a label stands for."""
    return [[one.name for one in found.names(side, label, guesses=guesses)] for side in (0, 1)]


def test_equal_names_are_taken_and_nothing_else_is():
    found = propose_map({"car": 9, "bus": 2, "sky": 1}, {"car": 3, "bus": 4, "Bus": 1, "tree": 5})
    assert found.labels(guesses=False) == ["car", "bus"] and not found.taken
    assert of(found, "bus", guesses=False) == [["bus"], ["bus"]]
    assert [(one.name, one.why) for one in found.guesses] == [("Bus", "written like 'bus'")]
    assert found.left == ({"sky": 1}, {"tree": 5})


@pytest.mark.parametrize(
    ("real", "synthetic", "label", "why"),
    [
        ("car", "Car", "car", "written otherwise in the other set"),
        ("traffic_lights", "TrafficLight", "traffic light", "written otherwise in the other set"),
        ("pedestrian", "Walker", "person", "means 'person'"),
        ("motorbike", "motobike", "motorcycle", "spelt like a word for 'motorcycle'"),
        ("aeroplane", "airplane", "airplane", "written otherwise in the other set"),
        ("sofa", "couch", "couch", "written otherwise in the other set"),
        ("bottlecap", "botlecap", "bottlecap", "spelt like 'bottlecap'"),
        ("car", "Vehicle", "vehicle", "all kinds of it in one"),
    ],
)
def test_other_spellings_and_words_for_the_same_are_guesses_with_a_reason(real, synthetic, label, why):
    found = propose_map({real: 5}, {synthetic: 7})
    assert found.labels(guesses=True) == [label]
    assert found.names(1, label, guesses=True)[0].why == why
    beside = propose_map({real: 5, "zebra": 1}, {synthetic: 7, "zebra": 1})
    assert beside.labels(guesses=False) == ["zebra"] and not beside.taken


def test_short_names_are_no_misspelt_ones():
    with pytest.raises(InputError, match="no name of the two sets means the same"):
        propose_map({"bug": 5}, {"bus": 5})


def test_names_without_boxes_do_not_count():
    with pytest.raises(InputError, match=r"Real: car \(5\)\. Synthetic: none\. Say what belongs together: --map"):
        propose_map({"car": 5, "bus": 0}, {"car": 0})


def test_a_part_of_what_one_set_calls_vehicle_is_not_put_into_two_classes():
    found = propose_map({"car": 5, "bus": 3, "van": 2}, {"bus": 1, "vehicle": 9})
    assert of(found, "vehicle") == [["car", "van"], ["vehicle"]]
    assert of(found, "bus") == [["bus"], ["bus"]]
    placed = [(one.side, one.name) for one in found.members]
    assert len(placed) == len(set(placed))


def test_what_people_say_is_no_guess_and_wins():
    said = {"thing": ["car", "Auto"]}
    found = propose_map({"car": 5, "bus": 1}, {"car": 2, "Auto": 3, "bus": 2}, said)
    assert of(found, "thing", guesses=False) == [["car"], ["Auto", "car"]]
    assert found.labels(guesses=False) == ["thing", "bus"] and not found.guesses
    with pytest.raises(InputError, match=r"neither set has boxes of 'lory'\. Did you mean 'lorry'"):
        propose_map({"lorry": 1}, {"truck": 1}, {"truck": ["lory"]})


def test_guesses_are_taken_where_nothing_else_is_or_they_are_asked_for():
    assert propose_map({"pedestrian": 1}, {"walker": 1}).taken
    names = {"pedestrian": 1, "car": 1}, {"walker": 1, "car": 1}
    assert not propose_map(*names).taken
    assert propose_map(*names, take_guesses=True).taken
