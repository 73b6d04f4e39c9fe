"""A layer shows what a seed changes only where something learnt it with that seed."""

import numpy as np
import pytest
from miniature import MINIATURE

from gapscope.arms import baseline_of, frozen_layers, frozen_ranges, labelled_domains, models_before, trained_layers
from gapscope.experiment_file import parse_config

FROZEN = np.arange(107) <= 74


def trained(arm, *changes):
    text = MINIATURE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return trained_layers(parse_config(text), arm)


def frozen_arm(start, freeze="0-74"):
    """The miniature study's frozen arm, with another start."""
    return trained("f-synthetic", ('start = "base"\nfreeze = "0-74"', f'start = "{start}"\nfreeze = "{freeze}"'))


def test_an_arm_that_freezes_nothing_trains_every_layer():
    assert trained("u-real").all()


@pytest.mark.parametrize("start", ["streets", "scratch", "weights/darknet53.conv.74"])
def test_layers_frozen_as_they_stand_in_a_file_or_at_random_are_not_trained(start):
    np.testing.assert_array_equal(frozen_arm(start), ~FROZEN)


def test_layers_frozen_as_another_arm_left_them_were_trained_there_with_each_seed():
    assert frozen_arm("base").all()


def test_a_head_that_is_frozen_is_at_random_whatever_the_arm_starts_from():
    assert (~frozen_arm("base", "90-106")).nonzero()[0].tolist() == list(range(90, 107))


def test_what_the_arm_before_kept_frozen_too_was_never_trained():
    both = (
        ('start = "base"\nfreeze = "0-74"', 'start = "base"\nfreeze = "0-40"'),
        (
            "report = false",
            'report = false\nstart = "streets"\nfreeze = "0-11"',
        ),
    )
    assert (~trained("f-synthetic", *both)).nonzero()[0].tolist() == list(range(12))


def test_no_range_freezes_nothing():
    chosen = parse_config(MINIATURE.replace('freeze = "0-74"', 'freeze = "3-5, stage 5"'))
    assert not frozen_layers(chosen, "u-real").any()
    assert frozen_layers(chosen, "f-synthetic").nonzero()[0].tolist() == [3, 4, 5, *range(62, 75)]


def test_what_is_trained_is_the_rest_of_what_is_frozen_and_a_kept_head_was_trained_where_it_is_from():
    arm = 'start = "base"\nkeep_head = true\ntrain = "62-74, 81"'
    changed = parse_config(MINIATURE.replace('start = "base"\nfreeze = "0-74"', arm))
    assert frozen_ranges(changed, "f-synthetic") == "0-61, 75-80, 82-106"
    assert trained_layers(changed, "f-synthetic").all()  # `base` trained every layer with each seed
    alone = parse_config(MINIATURE.replace('start = "base"\nfreeze = "0-74"', 'start = "streets"\ntrain = "62-106"'))
    assert trained_layers(alone, "f-synthetic").nonzero()[0].tolist() == list(range(62, 107))


def test_what_all_arms_go_on_from_wholly_is_their_start_and_no_part_of_their_diets():
    """As a public checkpoint that all of them begin with would be: none of them is a remedy of another one."""
    study = parse_config(MINIATURE.replace('start = "base"', 'start = "base"\nkeep_head = true'))
    shown = [name for name, arm in study.arms.items() if arm.report]
    assert all(study.arms[name].keep_head for name in shown) and len(shown) > 2
    assert not any(models_before(study, name) for name in shown)
    assert not any(baseline_of(study, shown, name, domain) for name in shown for domain in study.domains)
    assert all(labelled_domains(study, name) == study.arms[name].domains for name in shown)


def test_what_one_arm_does_not_go_on_from_is_a_part_of_the_others_diets():
    text = MINIATURE.replace('start = "base"', 'start = "base"\nkeep_head = true')
    before, arm, after = text.partition("[arms.f-synthetic]")
    study = parse_config(before + arm + after.replace('start = "base"\nkeep_head = true', 'start = "scratch"', 1))
    assert models_before(study, "u-real") == ["base"]
    assert study.arms["base"].domains[0] in labelled_domains(study, "u-real")
