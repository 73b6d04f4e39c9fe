"""The plan of remedies that comes with gapscope: which arms it adds to a study, and what the ranking says."""

import math
from pathlib import Path

import pytest
from command import gapscope
from rich.console import Console
from test_findings_remedies import scored, twice
from two_domains import TEXT

from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.findings.remedy_table import remedy_rows, remedy_tables
from gapscope.findings.run_numbers import run_numbers
from gapscope.study.remedy_plan import with_remedies

STUDY = TEXT.replace("[arms.f-game]", '[arms.u-game]\ndomains = ["game"]\n[arms.f-game]')


def test_without_a_budget_nothing_is_trained():
    text, added = with_remedies(STUDY)
    arms = parse_config(text).arms
    assert added == ["u-game-adapted", "average-of-u-game-u-real"] and not any(arms[name].is_trained for name in added)
    assert arms["u-game-adapted"].adapt.domains == ["real"] and arms["u-game-adapted"].start == "u-game"
    assert list(parse_config(STUDY).arms) == [name for name in arms if name not in added]  # the study itself stays


def test_every_budget_is_tried_alone_mixed_and_by_fine_tuning_of_all_head_and_block():
    text, added = with_remedies(STUDY, budgets=[10, 5, 10], block="62-74")
    arms = parse_config(text).arms
    for count in (5, 10):
        assert arms[f"u-real-{count}"].domains == ["real"]
        assert arms[f"mixed-{count}"].domains == ["game", "real"]
        tuned = {name: arms[f"{name}-{count}"] for name in ("tuned", "tuned-head", "tuned-block")}
        assert {name: arm.train for name, arm in tuned.items()} == {
            "tuned": "", "tuned-head": "75-106", "tuned-block": "62-74",
        }  # fmt: skip
        assert all(arm.start == "u-game" and arm.keep_head for arm in tuned.values())
        few = [f"{kind}-{count}" for kind in ("u-real", "mixed", "tuned", "tuned-head", "tuned-block")]
        assert all(arms[name].images == {"real": count} for name in few)
        assert all(arms[f"{name}-adapted"].start == name for name in few)
    assert len(added) == 2 + 2 * 10 and not any(arms[name].record for name in added)


def test_a_mean_teacher_is_tried_beside_as_much_training_without_one():
    text, added = with_remedies(STUDY, teacher=True)
    arms = parse_config(text).arms
    assert added[2:] == ["u-game-longer", "u-game-taught"]
    longer, taught = (arms[name].model_dump() for name in added[2:])
    assert arms["u-game-taught"].adapt.teacher == "real" and longer == taught | {"adapt": longer["adapt"]}


def test_a_table_of_the_file_chooses_what_is_tried_unless_the_command_does():
    chosen = STUDY + '[remedies]\nbudgets = [5]\nblock = "62-74"\nteacher = true\n'
    assert with_remedies(chosen)[1] == with_remedies(STUDY, budgets=[5], block="62-74", teacher=True)[1]
    assert (
        "u-real-7" in with_remedies(chosen, budgets=[7])[1] and "u-real-5" not in with_remedies(chosen, budgets=[7])[1]
    )
    with pytest.raises(InputError, match=r"\[remedies.budgets\]: 0 = 0"):
        with_remedies(chosen.replace("[5]", "[0]"))


TINY = """[models.tiny]
name = "yolov3-tiny"
width = 0.0625
[arms.u-real-tiny]
model = "tiny"
domains = ["real"]
[arms.u-game-tiny]
model = "tiny"
domains = ["game"]
"""


def test_every_network_of_a_study_has_the_plan_under_names_of_its_own():
    text, added = with_remedies(STUDY + TINY, budgets=[5], block="0-4", teacher=True)
    experiment = parse_config(text)
    of_default, of_tiny = (
        with_remedies(STUDY + TINY, budgets=[5], block="0-4", teacher=True, network=one)[1]
        for one in ("default", "tiny")
    )
    assert (
        added == of_default + of_tiny and of_default == with_remedies(STUDY, budgets=[5], block="0-4", teacher=True)[1]
    )
    assert all(experiment.network_of(arm) == "default" for arm in of_default)
    assert all(experiment.network_of(arm) == "tiny" for arm in of_tiny)
    assert {"u-game-tiny-adapted", "u-real-tiny-5", "mixed-5-tiny", "tuned-5-tiny", "tuned-5-tiny-adapted"} < set(
        of_tiny
    )
    starts = {arm: experiment.arms[arm].start for arm in of_tiny}
    assert all(start == "scratch" or experiment.network_of(start) == "tiny" for start in starts.values())
    assert with_remedies(text, budgets=[5], block="0-4", teacher=True) == (text, [])


def test_the_head_that_is_fine_tuned_alone_is_the_networks_own():
    arms = parse_config(with_remedies(STUDY + TINY, budgets=[5])[0]).arms
    assert arms["tuned-head-5"].train == "75-106" and arms["tuned-head-5-tiny"].train == "13-23"
    fcos = (STUDY + TINY).replace('"yolov3-tiny"', '"fcos_mobilenet_v3_small_fpn"')
    assert parse_config(with_remedies(fcos, budgets=[5])[0]).arms["tuned-head-5-tiny"].train == "13-25"


def test_a_network_without_a_gap_is_passed_over_unless_it_is_asked_for():
    one_arm = STUDY + TINY.partition("[arms.u-game-tiny]")[0]
    assert with_remedies(one_arm) == with_remedies(one_arm, network="default")
    with pytest.raises(InputError, match="no arm is trained on synthetic domains alone"):
        with_remedies(one_arm, network="tiny")
    with pytest.raises(
        InputError, match=r"no arm has the network 'tinny'. Did you mean 'tiny'\? There are default, tiny"
    ):
        with_remedies(STUDY + TINY, network="tinny")


def test_what_is_there_already_is_not_added_again():
    text, _ = with_remedies(STUDY, budgets=[5])
    assert with_remedies(text, budgets=[5]) == (text, [])
    assert with_remedies(text, budgets=[5, 7])[1][0] == "u-real-7"


def test_arms_that_did_not_begin_alike_are_not_averaged():
    other = STUDY.replace('[arms.u-game]\ndomains = ["game"]', '[arms.u-game]\ndomains = ["game"]\nstart = "streets"')
    assert with_remedies(other)[1] == ["u-game-adapted"]


def test_without_a_pair_of_arms_there_is_nothing_to_close():
    with pytest.raises(
        InputError, match=r"no arm is trained on synthetic domains alone, with nothing frozen, so there"
    ):
        with_remedies(TEXT)


def test_the_plan_is_written_for_people_and_runs_as_any_file(tmp_path: Path):
    (tmp_path / "study.toml").write_text(STUDY)
    done = gapscope("remedies", tmp_path / "study.toml", "--budget", "5", "--write", tmp_path / "tried.toml")
    assert done.returncode == 0, done.stderr
    assert "10 arms added: u-game-adapted, average-of-u-game-u-real, u-real-5, u-real-5-adapted" in done.stdout
    assert (tmp_path / "tried.toml").read_text().startswith(STUDY.rstrip())


def test_the_ranking_has_every_number_and_the_best_first():
    results = scored(real=twice(0.6), synthetic=twice(0.2), mixed=twice(0.65), adapted=twice(0.3, 0.1))
    numbers = run_numbers(results)
    rows = list(remedy_rows(numbers))
    assert [row["remedy"] for row in rows] == ["mixed", "adapted"]
    assert rows[1]["regained"] == pytest.approx(10) and rows[1]["share"] == pytest.approx(0.25)
    assert rows[1]["regained_low"] == pytest.approx(10 - 4.75) and rows[1]["seconds"] is None
    assert rows[1]["points_per_labelled_image"] is None and math.isfinite(rows[0]["share"])
    console = Console(width=80, record=True, file=None)
    with console.capture() as said:
        for table in remedy_tables(numbers):
            console.print(table)
    assert "Synthetic on photos: 40.0 AP points behind Real" in said.get()
    assert max(map(len, said.get().splitlines())) <= 80
    assert list(rows[0])[:6] == ["domain", "without", "goal", "remedy", "map50", "regained"]
