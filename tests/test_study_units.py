"""What hangs on what: data that come out the same keep what was made from them, wherever they lie and however old."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import noise
from two_domains import TEXT, noted_as_done, study_of, write_two_domains

from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.files import write_json
from gapscope.study.run import do, write_settings
from gapscope.study.stages import units_of
from gapscope.study.state import Watched
from gapscope.study.status import again_lines
from gapscope.study.study import Study
from gapscope.study.units import Below, Unit, ledger, note_done, pending

EXPERIMENT = parse_config(TEXT)


def waiting(study: Study) -> set[str]:
    return {unit.name for unit in pending(units_of(study), study.folder)}


@pytest.fixture
def done(tmp_path: Path) -> Study:
    """Data made for real; everything after it is noted down as done, with empty files."""
    write_two_domains(tmp_path / "data")
    study = study_of(EXPERIMENT, tmp_path / "run", tmp_path / "data")
    write_settings(study, TEXT)
    units = units_of(study)
    do(units, study, only="data")
    noted_as_done(study)
    assert waiting(study) == set()
    return study


def made_again(study: Study, root: Path | None = None) -> set[str]:
    """What has still to be done after the data stage has run again."""
    study = study_of(EXPERIMENT, study.folder.root, root or study.data_root)
    do(units_of(study), study, only="data")
    return waiting(study)


def test_copied_data_are_read_again_and_nothing_is_trained_again(done, tmp_path):
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    moved = study_of(EXPERIMENT, done.folder.root, tmp_path / "elsewhere")
    assert {"data/real", "data/game", "train/u-real/seed0"} <= waiting(moved)  # before anybody has looked at them
    assert made_again(done, tmp_path / "elsewhere") == {"report"}
    assert str(tmp_path / "elsewhere") in (done.folder.domain("real") / "summary.json").read_text()


def test_until_copied_data_are_read_status_says_that_nothing_else_may_be_made_again(done, tmp_path):
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    lines = again_lines(Watched(done.folder.root, tmp_path / "elsewhere").state(), done.folder)
    unless = "unless the data, once they are read again, are what they were"
    assert [line.partition(" (took")[0] for line in lines[1:5]] == [
        "  data/real, data/game: 61 files changed or newly dated (data.yaml, images/000.png, images/001.png, ...)",
        f"  probe/game: {unless}",
        f"  train/u-real/seed0, train/u-real/seed1, train/f-game/seed0 and 1 more: {unless}",
        f"  evaluate: 8: {unless}",
    ]


def other_pixels(done: Study, domain: str, split: str) -> None:
    """Another first image of a split, of the same name and size."""
    image = done.data_root / domain / done.folder.split(domain, split).read_text().splitlines()[0]
    length = image.stat().st_size
    noise(image, (48, 32), seed=999)
    image.write_bytes(image.read_bytes().ljust(length, b"\0"))  # as long as before, if PNG packed it no worse


def test_another_pixel_trains_again_what_has_seen_it_and_measures_no_other_network_again(done):
    other_pixels(done, "game", "train")
    again = made_again(done)
    assert {name for name in again if name.startswith("train")} == {"train/f-game/seed0", "train/f-game/seed1"}
    assert again - {"report"} == {name for name in again if "f-game" in name}


def test_another_test_image_trains_nothing_again_and_is_looked_at_by_all_networks(done):
    other_pixels(done, "game", "test")
    again = made_again(done)
    assert {name for name in again if name.startswith(("train", "data"))} == set()
    runs = [f"{arm}/seed{seed}" for arm in ("u-real", "f-game") for seed in (0, 1)]
    assert {name for name in again if name.startswith("evaluate")} == {f"evaluate/{run}/game" for run in runs}
    assert {name for name in again if name.startswith("record")} == {f"record/{run}/game-32" for run in runs}


def test_what_went_by_a_whole_domain_stays_done_when_its_parts_are_known(done, tmp_path):
    """As a version left it that noted no parts; then the data are read again and come out the same."""
    for name in ("real", "game"):
        path = done.folder.summary(name)
        write_json(path, {key: value for key, value in json.loads(path.read_text()).items() if key != "parts_sha256"})
    for unit in units_of(done):
        done.folder.forget(unit.name)
    for unit in units_of(done):
        note_done(ledger(units_of(done), done.folder)[unit.name], done.folder, 0.0)
    assert not done.folder.read_record("data/real")["parts"] and waiting(done) == set()
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert made_again(done, tmp_path / "elsewhere") == {"report"}
    parts = done.folder.read_record("data/real")["parts"]
    assert done.folder.read_record("evaluate/u-real/seed0/real")["needs"]["data/real"] == parts["test"]


def test_another_label_trains_again_what_has_seen_it(done, tmp_path):
    (tmp_path / "data/real/labels/003.txt").write_text("0 0.5 0.5 0.4 0.5\n")
    again = made_again(done)
    assert "train/u-real/seed0" in again and "train/f-game/seed0" not in again


def test_a_record_that_does_not_say_what_was_left_goes_by_what_it_was_made_from(done, tmp_path):
    """As an older version left it: its run stays done, until the data change."""
    units = units_of(done)
    for unit in units:
        done.folder.forget(unit.name)
    for unit in units:
        one = ledger(units, done.folder)[unit.name]
        key = one.keys.former or one.keys.now  # what no older version could leave has the key of now
        done.folder.write_record(unit.name, {"unit": unit.name, "key": key, "seconds": 0.0})
    assert waiting(done) == set()
    (tmp_path / "data/real/labels/003.txt").touch()
    assert "train/u-real/seed0" in made_again(done)


def test_a_broken_summary_is_refused_by_name(done):
    path = done.folder.domain("game") / "summary.json"
    path.write_text("{")
    unit = next(unit for unit in units_of(done) if unit.name == "data/game")
    with pytest.raises(InputError, match=r"summary\.json is damaged: it does not hold what data/game wrote there"):
        unit.left()
    done.folder.forget(unit.name)
    with pytest.raises(InputError, match=r"summary\.json cannot be read as a domain's summary"):
        unit.left()


def test_after_a_training_only_what_goes_by_it_is_looked_at_again(done, monkeypatch):
    """Or a study of a hundred arms, with its 5,000 comparisons, would be looked through a hundred times."""
    units, arms = units_of(done), [f"train/{arm}/seed0" for arm in ("u-real", "f-game")]
    for name in arms:
        done.folder.forget(name)
    looked: list[str] = []

    def look(unit, before, folder):
        looked.append(unit.name)
        return before[unit.name]

    monkeypatch.setitem(do.__globals__, "look_up", look)
    idle = [replace(unit, work=lambda study, keys: None) for unit in units]
    do(idle, done, only="train")
    wanted = [one for name in arms for one in going_by(name, units)]
    assert looked == wanted and len(wanted) < 2 * len(units) - 8


def going_by(name: str, units: Sequence[Unit]) -> list[str]:
    """By looking at every unit until nothing is added."""
    found = {name}
    while (more := found | {one.name for one in units if found & set(one.needs)}) != found:
        found = more
    (unit,) = [one for one in units if one.name == name]
    assert [one.name for one in Below(units).of(unit)] == [one.name for one in units if one.name in found]
    return [one.name for one in units if one.name in found]
