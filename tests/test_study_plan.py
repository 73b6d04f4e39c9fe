"""Before finished work is done again, it is said which setting or file changed, from what to what, and what it cost."""

import re
import shutil
from pathlib import Path
from unittest import mock

import pytest
from command import gapscope
from small_data import noise
from two_domains import TEXT, noted_as_done, study_of, write_two_domains

from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.study import arm_training
from gapscope.study.plan import Todo, plan
from gapscope.study.plan_words import everything, replacing
from gapscope.study.run import do, planned, run, write_settings
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import ledger, note_done

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose data are made for real, and all else is noted down as done: a minute a unit."""
    place = tmp_path_factory.mktemp("plan")
    write_two_domains(place / "data")
    study = study_of(parse_config(TEXT), place / "run", place / "data")
    write_settings(study, TEXT)
    do(units_of(study), study, only="data")
    noted_as_done(study, seconds=60.0)
    return place


@pytest.fixture
def done(finished: Path, tmp_path: Path) -> Study:
    """A copy of it, dates of files and all."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return study_of(parse_config(TEXT), tmp_path / "run", tmp_path / "data")


def changed(study: Study, *changes: tuple[str, str]) -> list[Todo]:
    """What is to be done with other settings."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    other = study_of(parse_config(text), study.folder.root, study.data_root)
    return plan(other, units_of(other))


def of(todo: list[Todo], name: str) -> Todo:
    return next(one for one in todo if one.unit.name == name)


def test_a_finished_study_has_nothing_to_do(done):
    assert changed(done) == []
    assert everything([]) == ["nothing is to be done"] and replacing([], done.folder) == []


def test_a_changed_setting_is_named_with_both_values_and_the_cost(done):
    todo = changed(done, ("[train]\n", "[train]\nlearning_rate = 1e-3\n"))
    one = of(todo, "train/u-real/seed0")
    assert (one.how, one.why, one.seconds) == ("again", ("[train] learning_rate 0.0001 -> 0.001",), 60.0)
    lines = replacing(todo, done.folder)
    assert lines[:2] == [
        "finished before, and to be done again:",
        "  train/u-real/seed0, train/u-real/seed1, train/f-game/seed0 and 1 more: "
        "[train] learning_rate 0.0001 -> 0.001 (took 4 min)",
    ]
    assert "  evaluate: 8: follows (took 8 min)" in lines
    assert lines[-2] == "  41 min of finished work in all"
    assert lines[-1].startswith(f"  what stands there now is kept in {done.folder.root / 'before'} and valid again")


def test_several_changes_are_all_named(done):
    todo = changed(done, ("[train]\n", '[train]\nloss = "darknet"\n'), ("width = 0.0625", "width = 0.125"))
    assert of(todo, "train/u-real/seed0").why == (
        '[train] loss "giou" -> "darknet"',
        "[train] box_gain 3.54 -> 1.0",
        "[train] objectness_gain 64.3 -> 1.0",
        "[train] class_gain 37.4 -> 1.0",
        "[model] width 0.0625 -> 0.125",
    )


def test_arms_that_are_new_or_gone_are_named_alone_and_not_setting_by_setting(done):
    added = changed(
        done, ("[record]", '[arms.half]\ndomains = ["real"]\nrecord = false\nimages = { real = 2 }\n\n[record]')
    )
    assert of(added, "report").why == ("[arms.half] is new",)
    why = of(changed(done, ("[arms.f-game]", "[arms.other]")), "report").why
    assert why[:2] == ("[arms.other] is new", "[arms.f-game] is left out")
    assert not [one for one in why if "->" in one]


def test_a_changed_image_is_named_and_what_follows_depends_on_what_is_found(done, tmp_path):
    noise(tmp_path / "data/game/images/003.png", (48, 32), seed=999)
    (tmp_path / "data/game/images/extra.txt").touch()
    (tmp_path / "data/game/labels/004.txt").unlink()
    todo = changed(done)
    assert of(todo, "data/game").why == (
        "1 file changed or newly dated (images/003.png), 1 file new (images/extra.txt), 1 file gone (labels/004.txt)",
    )
    assert of(todo, "train/f-game/seed0").how == "perhaps"
    assert "train/u-real/seed0" not in {one.unit.name for one in todo}
    assert "  0.0 s of finished work" not in "\n".join(replacing(todo, done.folder))


def test_a_file_that_is_gone_is_named(done):
    done.folder.weights(units_of(done)[3].run).unlink()
    todo = changed(done)
    assert of(todo, "train/u-real/seed0").why == ("arms/u-real/seed0/weights.safetensors is gone",)
    assert of(todo, "evaluate/u-real/seed0/real").how == "again"


def test_an_older_record_does_not_say_what_changed(done):
    for unit in units_of(done):
        record = done.folder.read_record(unit.name)
        if unit.stage == "train":
            done.folder.write_record(unit.name, {key: record[key] for key in ("unit", "key", "seconds")})
    todo = changed(done, ("[train]\n", "[train]\nlearning_rate = 1e-3\n"))
    why = "made from other settings or data, which were not noted then"
    assert of(todo, "train/u-real/seed0").why == (why,)


def test_another_version_of_a_stage_is_a_reason(done, monkeypatch):
    from gapscope.study import units

    monkeypatch.setitem(units.STAGE_VERSIONS, "record", 9)
    todo = changed(done)
    assert of(todo, "record/u-real/seed0/32").why == (
        "this gapscope gives other results (version 2 -> 9 of the stage)",
    )
    assert {one.unit.stage for one in todo} == {"record", "compare", "report"}


def test_more_epochs_are_said_to_go_on_only_where_they_do(done):
    run = units_of(done)[3].run
    more = ("[train]\n", "[train]\nepochs = 200\n")
    done.folder.metrics(run).write_text('{"epoch": 100, "loss": 1.0, "val_map50": 0.5}\n')
    one = of(changed(done, more), "train/u-real/seed0")
    assert one.how == "again" and one.why[-1] == "from the start, since its metrics.jsonl is damaged"
    note_done(ledger(units_of(done), done.folder)["train/u-real/seed0"], done.folder, 0.0)
    one = of(changed(done, more), "train/u-real/seed0")
    assert one.how == "again" and one.why[-1] == "from the start, since where it ended was not kept"
    done.folder.end_state(run).touch()
    one = of(changed(done, more), "train/u-real/seed0")
    assert (one.how, one.why) == ("goes on", ("[train] epochs 100 -> 200", "goes on from epoch 100"))
    one = of(changed(done, (more[0], "[train]\nepochs = 50\n")), "train/u-real/seed0")
    assert one.how == "again" and one.why[-1] == "from the start, since it would have ended before"


def test_with_a_schedule_over_all_epochs_more_of_them_are_said_to_be_a_new_training(done):
    text = TEXT.replace("[train]\n", '[train]\nschedule = "cosine"\n')
    study = study_of(parse_config(text), done.folder.root, done.data_root)
    noted_as_done(study, seconds=60.0)
    more = parse_config(text.replace("[train]\n", "[train]\nepochs = 200\n"))
    longer = study_of(more, done.folder.root, done.data_root)
    one = of(plan(longer, units_of(longer)), "train/u-real/seed0")
    assert one.how == "again"
    assert one.why == (
        "[train] epochs 100 -> 200",
        'from the start, since with schedule "cosine" every learning rate depends on how many epochs there are',
    )


def test_what_was_kept_is_said_to_be_taken_back(done):
    from gapscope.study.replaced import put_aside

    (unit,) = (unit for unit in units_of(done) if unit.name == "train/u-real/seed0")
    put_aside(unit, done.folder)
    todo = changed(done)
    assert [(one.unit.name, one.how) for one in todo] == [("train/u-real/seed0", "taken back")]
    assert replacing(todo, done.folder) == ["taken back as it was before, without work: train/u-real/seed0"]


def test_it_is_announced_before_anything_changes(done):
    seen: list[list[Todo]] = []

    def announce(todo: list[Todo]) -> None:
        seen.append(todo)
        assert (done.folder.records / "train--u-real--seed0.json").exists()
        raise KeyboardInterrupt

    text = TEXT.replace("[train]\n", "[train]\nlearning_rate = 1e-3\n").replace('"streets"', '"scratch"')
    with pytest.raises(KeyboardInterrupt):
        run(parse_config(text), done.folder.root, data_root=done.data_root, announce=announce)
    assert of(seen[0], "train/u-real/seed0").how == "again"
    assert changed(done) == []


def test_dry_says_everything_and_does_nothing(done, tmp_path):
    config = tmp_path / "study.toml"
    text = TEXT.replace("[train]\n", "[train]\nlearning_rate = 1e-3\n")
    config.write_text(text.replace("seeds = [0, 1]", "seeds = [0, 2]"))
    before = {path: path.stat().st_mtime_ns for path in done.folder.root.rglob("*")}
    said = gapscope("run", config, "--out", done.folder.root, "--data-root", tmp_path / "data", "--dry")
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert "train/u-real/seed0: again: [train] learning_rate 0.0001 -> 0.001 (took 1 min)" in lines
    assert "train/u-real/seed2: not done yet (about 1 min)" in lines
    (follow,) = (line for line in lines if line.startswith("evaluate/u-real/seed0/real, "))
    assert follow.endswith(" and 1 more: again, since what it is made from is (took 4 min)")
    more = [re.search(r" and (\d+) more: ", line) for line in lines[:-1]]
    assert lines[-1].startswith(f"{sum(3 + int(many[1]) if many else 1 for many in more)} to be done: about ")
    assert {path: path.stat().st_mtime_ns for path in done.folder.root.rglob("*")} == before


def test_a_study_that_has_not_begun_is_planned_too(tmp_path):
    write_two_domains(tmp_path / "data")
    todo = planned(parse_config(TEXT), tmp_path / "new", tmp_path / "data")
    assert {one.how for one in todo} == {"anew"}
    said = everything(todo)
    assert said[-1] == f"{len(todo)} to be done; how long that takes is known once the first of each stage are done"
    train = [one for one in todo if one.unit.stage == "train"]
    names = ", ".join(one.unit.name for one in train[:3])
    assert len(train) > 3 and f"{names} and {len(train) - 3} more: not done yet" in said
    assert replacing(todo, study_of(parse_config(TEXT), tmp_path / "new", tmp_path).folder) == []
    assert not (tmp_path / "new").exists()


def test_splits_leaks_and_dropped_names_are_printed_before_anything_is_trained(finished, tmp_path, monkeypatch):
    shutil.copytree(finished / "data", tmp_path / "data")
    monkeypatch.setattr(arm_training, "train_run", mock.Mock(side_effect=InputError("here it would train")))
    shutil.copyfile(tmp_path / "data/real/images/000.png", tmp_path / "data/real/images/001.png")
    text = TEXT.replace('classes = ["car", "bus"]', 'classes = ["car"]').replace('"streets"', '"scratch"')
    (tmp_path / "study.toml").write_text(text.replace('root = "real"', 'root = "real"\ndrop = ["*"]'))
    arguments = ["run", "study.toml", "--data-root", "data", "--out", "run", "--only"]
    refused = gapscope(*arguments, "data", cwd=tmp_path)
    assert refused.returncode == 2 and "[domains.game]: label map: unmapped 'bus' (15 boxes)" in refused.stderr
    (tmp_path / "study.toml").write_text(text.replace("root =", 'drop = ["*"]\nroot ='))
    said = gapscope(*arguments, "data", cwd=tmp_path).stdout
    assert "real: 18 train, 6 val, 6 test images (single images at random, 60/20/20 %, seed 0)" in said
    assert 'game: drop = ["*"] drops what nothing else names, in boxes: bus (15).' in said
    assert re.search(
        r"real: \d of 6 (val|test) images \(.*%\) have a near-duplicate in (train|val), such as images/", said
    )
    assert "real: Look at the examples; remove repeated images, or give what belongs together one group." in said
    again = gapscope("run", "study.toml", "--data-root", "data", "--out", "run", cwd=tmp_path)
    assert "have a near-duplicate" in again.stdout and "here it would train" in again.stderr
