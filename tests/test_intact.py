"""What a run has handed over and is no longer what it was is named, made again, and never read as other numbers."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from campaign import ROUNDS
from command import gapscope

from gapscope.data.splits import read_list, write_list
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.files import write_json
from gapscope.findings.run_reader import read_results
from gapscope.intact import CHECKSUMS, check_intact, note_checksums, remedy
from gapscope.run_folder import RunFolder
from gapscope.study.plan import plan
from gapscope.study.probe import read_probe
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import ledger

pytestmark = pytest.mark.slow

WRITTEN_ANEW = (
    "report.html",
    "report.md",
    "verdict.json",
    "appendix.html",
    "tables/",
    "figures/",
    "paper/",
    "environment.json",
    "experiment.toml",
)
"""What nothing is computed from: made anew by every report, or only shown."""
SHOWN = ("/hood/",)

Damage = Callable[[bytes, random.Random], bytes]


def flipped(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content))]


def longer(content: bytes, chance: random.Random) -> bytes:
    return content + chance.randbytes(1 + chance.randrange(9))


def lines_swapped(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    if len(lines) < 2 or lines[-2] == lines[-1]:
        return flipped(content, chance)
    return b"".join([*lines[:-2], lines[-1], lines[-2]])


def emptied(content: bytes, chance: random.Random) -> bytes:
    return b"{}"


@pytest.fixture(scope="module")
def run(smaller_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that may be damaged; whoever does mends it again."""
    return Path(shutil.copytree(smaller_run, tmp_path_factory.mktemp("intact") / "run"))


def handed_over(run: Path) -> list[Path]:
    """Every file of a run that something is computed from."""
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.name != ".lock"]
    names = {path: path.relative_to(run).as_posix() for path in files}
    return [
        path
        for path, name in names.items()
        if not name.startswith(WRITTEN_ANEW) and not any(part in name for part in SHOWN)
    ]


def kinds(run: Path) -> dict[str, list[Path]]:
    """These files by what they are."""
    found: dict[str, list[Path]] = {}
    for path in handed_over(run):
        folder = path.relative_to(run).parts[0]
        kind = path.name if folder in ("data", "arms") and path.parent.name not in ("images", "labels") else path.suffix
        found.setdefault(f"{folder}/{kind}", []).append(path)
    return found


def damaged_units(run: Path) -> list[str]:
    """What a run would do again, or why it ends instead."""
    folder = RunFolder(run)
    try:
        study = Study(read_config(folder.config), folder)
        return [f"{one.unit.name}: {'; '.join(one.why)}" for one in plan(study, units_of(study))]
    except InputError as error:
        return [str(error)]


def says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two contents are the same bytes or the same JSON."""
    try:
        return one == other or json.loads(one) == json.loads(other)
    except ValueError:
        return False


def noticed(path: Path, run: Path) -> bool:
    """Whether a run would make the file again, or its reader refuses it."""
    try:
        check_intact(path)
    except InputError as error:
        assert path.name in str(error) and "gapscope run" in str(error)
        return True
    return bool(damaged_units(run))


def test_nothing_is_damaged_before_anything_is(run):
    assert damaged_units(run) == []
    assert len(kinds(run)) >= 20, sorted(kinds(run))
    read_results(run)


@pytest.mark.faults
@pytest.mark.parametrize("round", range(ROUNDS))
@pytest.mark.parametrize("damage", [flipped, cut, longer, lines_swapped, emptied], ids=lambda damage: damage.__name__)
def test_no_kind_of_file_is_read_as_other_numbers(run, damage, round):
    chance = random.Random(f"{damage.__name__}{round}")
    unnoticed = []
    for paths in kinds(run).values():
        path = chance.choice(paths)
        before, content = path.stat(), path.read_bytes()
        path.write_bytes(damage(content, chance))
        if not says_the_same(path.read_bytes(), content) and not noticed(path, run):
            unnoticed.append(path)
        path.write_bytes(content)
        assert path.stat().st_size == before.st_size
    assert unnoticed == []


def test_a_record_without_a_key_makes_no_unit_done(run):
    paths = [path for path in RunFolder(run).record_files() if not path.name.startswith("report")]
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_text("{}")
    found = damaged_units(run)
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert len([one for one in found if not one.startswith("report")]) == len(paths) > 0


def test_what_is_damaged_is_said_made_again_and_ends_with_the_same_numbers(run, smaller_run, tmp_path):
    chance, hurt = random.Random(3), list[Path]()
    names = [
        *("arms/u-real/seed0/weights.safetensors", "probe/camera.txt", "data/engine/test.txt"),
        *("data/camera/images/camera-00003.png", "data/camera/labels/camera-00004.json"),
        "evaluation/f-synthetic-seed0--engine.json",
        *(path.relative_to(run).as_posix() for path in sorted(run.glob("recordings/*"))[:1]),
    ]
    for name in names:
        hurt.append(run / name)
        hurt[-1].write_bytes((lines_swapped if name.endswith(".txt") else flipped)(hurt[-1].read_bytes(), chance))
    refused = gapscope("report", run)
    assert refused.returncode == 2 and "is damaged: it does not hold what" in refused.stderr
    done = gapscope("run", smaller_run.parent / "smaller.toml", "--out", run)
    assert done.returncode == 0, done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert "weights.safetensors is damaged: not what this unit wrote there" in said
    assert "camera-00003.png, data/camera/labels/camera-00004.json" in said
    for path in hurt:
        if path.suffix not in (".nc", ".json", ".safetensors"):  # these hold dates, seconds or their writer's version
            assert path.read_bytes() == (smaller_run / path.relative_to(run)).read_bytes(), path
    for table in sorted(run.glob("tables/*.csv")):
        assert table.read_text() == (smaller_run / table.relative_to(run)).read_text()
    assert damaged_units(run) == []
    assert not list(run.glob("before/train*/*/arms/*/*/weights.safetensors"))  # damage is not kept


def units(run: Path) -> Iterator[str]:
    study = Study(read_config(RunFolder(run).config), RunFolder(run))
    for one in ledger(units_of(study), study.folder, by_times=True).values():
        if not one.done:
            yield one.unit.name


def test_who_only_looks_reads_what_was_written_since_and_nothing_else(smaller_run, tmp_path, monkeypatch):
    run = Path(shutil.copytree(smaller_run, tmp_path / "run"))
    path = next(run.glob("similarity/u-real*.nc"))
    content, stat = path.read_bytes(), path.stat()
    import gapscope.intact

    monkeypatch.setattr(gapscope.intact, "_hashes", {})
    monkeypatch.setattr(gapscope.intact, "_intact", set())
    read: list[Path] = []
    monkeypatch.setattr(gapscope.intact, "hash_file", lambda path: read.append(path) or "0" * 64)
    assert list(units(run)) == [] and read == []
    path.write_bytes(content)
    assert list(units(run)) and read == [path]
    monkeypatch.undo()
    assert path.stat().st_size == stat.st_size and list(units(run)) == []


@pytest.mark.parametrize("year", [1975, 2090])
def test_a_clock_that_was_wrong_when_files_were_written_makes_nothing_again(smaller_run, tmp_path, year):
    run = Path(shutil.copytree(smaller_run, tmp_path / "run"))
    for number, path in enumerate(sorted(run.rglob("*"))):  # records before, among and after what they speak of
        os.utime(path, ((year - 1970) * 31_556_952 + number * 7919 % 1000,) * 2)
    assert damaged_units(run) == [] and list(units(run)) == []
    looked = gapscope("status", run)
    assert looked.returncode == 0 and "all done" in looked.stdout


def test_a_record_of_before_gets_checksums_and_its_unit_is_not_done_again(smaller_run, tmp_path):
    run = Path(shutil.copytree(smaller_run, tmp_path / "run"))
    folder = RunFolder(run)
    for path in folder.record_files():
        record = folder.read_record("", path)
        assert record is not None
        write_json(path, {key: value for key, value in record.items() if key != CHECKSUMS})
    assert damaged_units(run) == []
    done = gapscope("run", smaller_run.parent / "smaller.toml", "--out", run)
    assert done.returncode == 0 and "again" not in done.stdout + done.stderr
    record = folder.read_record("data/camera")
    assert record is not None and len(record[CHECKSUMS]) >= 6
    assert (run / "report.html").read_bytes() == (smaller_run / "report.html").read_bytes()


def test_a_folder_in_the_place_of_a_file_is_refused_by_name(run, smaller_run):
    path = next(run.glob("evaluation/u-real*.json"))
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    done = gapscope("run", smaller_run.parent / "smaller.toml", "--out", run)
    path.rmdir()
    path.write_bytes(content)
    assert done.returncode == 2
    assert f"{path} is a folder, where a file of the run should be. Remove it, and run again." in done.stderr


def test_settings_that_were_changed_in_a_run_are_refused(run):
    path = run / "experiment.resolved.toml"
    text = path.read_text()
    path.write_text(text.replace("seeds = [\n    0,", "seeds = [\n    1,", 1))
    assert path.read_text() != text
    done = gapscope("report", run)
    path.write_text(text)
    assert done.returncode == 2 and "these are not the settings whose hash its first line holds" in done.stderr


def test_the_probe_is_the_list_of_its_hash_in_runs_without_checksums_too(run, tmp_path):
    path = tmp_path / "probe.txt"
    path.write_bytes(lines_swapped((run / "probe/camera.txt").read_bytes(), random.Random(0)))
    with pytest.raises(InputError, match="is not the list whose hash its first line holds"):
        read_probe(path)


def test_advice_in_a_run_folder_names_the_unit_and_the_command(run, tmp_path):
    path = run / "arms/u-real/seed0/weights.safetensors"
    assert remedy(path, "Copy it again") == (
        f"Delete it. This makes train/u-real/seed0 again, and says before what else: "
        f"gapscope run {run / 'experiment.toml'} --out {run}"
    )
    assert remedy(tmp_path / "weights.safetensors", "Copy it again") == "Copy it again."


def test_what_was_noted_is_known_without_reading_it_again(tmp_path, monkeypatch):
    path = tmp_path / "run/a.bin"
    path.parent.mkdir()
    path.write_bytes(np.arange(1000).tobytes())
    sums = note_checksums(tmp_path / "run", [path, path.with_name("gone")])
    assert list(sums) == ["a.bin"] and sums["a.bin"].size == 8000
    monkeypatch.setattr("gapscope.intact.hash_file", lambda path: pytest.fail("read again"))
    check_intact(path)


@pytest.mark.parametrize("name", ["a\nb.png", " a.png", "#1.png", "a.png ", '"a".png"', "a\u2028b", "\x85", "ä b.png"])
def test_an_image_of_any_name_comes_back_from_a_list(tmp_path, name):
    write_list(tmp_path / "list.txt", ["first.png", name], first="# sha256 0")
    assert read_list(tmp_path / "list.txt") == ["first.png", name]
