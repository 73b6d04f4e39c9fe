"""Whatever goes wrong in whichever stage: one sentence, nothing lost, and the next start ends with the same numbers."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from campaign import ROUNDS
from command import ONE_THREAD, gapscope
from test_intact import damaged_units
from test_kill_and_resume import numbers, weights

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")]

STAGES = ("data", "train", "evaluate", "record", "compare", "report")
KINDS = ("full disk", "read-only", "no memory", "killed", "worker killed")
CODES = dict.fromkeys(KINDS, 2) | {"killed": -9}


@pytest.fixture(scope="module")
def run(smaller_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which things go wrong; it is whole again after each test."""
    return Path(shutil.copytree(smaller_run, tmp_path_factory.mktemp("faults") / "run"))


def contents(run: Path) -> dict[str, bytes]:
    """What no date, no seconds and no name of a machine stands in."""
    places = ("data/*/images/*.png", "data/*/*.txt", "evaluation/*", "similarity/*.nc", "tables/table[2-5].csv")
    return {str(path.relative_to(run)): path.read_bytes() for place in places for path in sorted(run.glob(place))}


@pytest.mark.faults
@pytest.mark.parametrize("round", range(ROUNDS))
def test_trouble_in_any_stage_is_one_sentence_and_is_gone_with_the_next_start(run, smaller_run, round):
    """In `make test` two stages that are quickly done again, in each further round of a campaign all."""
    stages = STAGES if round else ("evaluate", "compare")
    script, config = Path(__file__).parent / "faulty_run.py", smaller_run.parent / "smaller.toml"
    command = [sys.executable, script, str(round), ",".join(stages), ",".join(KINDS), config, run]
    done = subprocess.run(command, env=ONE_THREAD, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for one in found:
        assert one["code"] == CODES[one["kind"]], one
        said = [line for line in one["said"].splitlines() if line]
        assert one["kind"] == "killed" or (len(said) == 1 and said[0].startswith("gapscope: ")), one
        assert one["again"] == 0, one
    assert damaged_units(run) == []
    assert contents(run) == contents(smaller_run) and weights(run) == weights(smaller_run)
    print(f"tried: {[(one['stage'], one['kind']) for one in found]}")


@pytest.mark.faults
@pytest.mark.parametrize("round", range(ROUNDS))
def test_images_that_vanish_or_change_between_stages_are_drawn_again(run, smaller_run, round):
    chance = random.Random(f"images-{round}")
    images = sorted(run.glob("data/*/images/*.png"))
    gone, changed, swapped = chance.sample(images, 3)
    gone.unlink()
    content = bytearray(changed.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    changed.write_bytes(content)
    shutil.copyfile(next(one for one in images if one not in (gone, changed, swapped)), swapped)
    done = gapscope("run", smaller_run.parent / "smaller.toml", "--out", run, "--only", "data")
    assert done.returncode == 0, done.stderr
    for path in (gone, changed, swapped):
        assert path.name in " ".join(done.stdout.split() + done.stderr.split())
    assert contents(run) == contents(smaller_run)
    assert [one for one in damaged_units(run) if not one.startswith("report")] == []


def test_a_second_process_on_one_folder_is_told_of_the_first_and_changes_nothing(run, smaller_run):
    """The first holds its lock, as it does from its start to its end."""
    holding = f"""
import sys
from pathlib import Path
from gapscope.run_folder import RunFolder
with RunFolder(Path({str(run)!r})).locked():
    print("held", flush=True)
    sys.stdin.read()
"""
    first = subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ONE_THREAD
    )
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    second = gapscope("run", smaller_run.parent / "smaller.toml", "--out", run)
    assert second.returncode == 2 and "another gapscope process is working in this run folder" in second.stderr
    first.communicate("")
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before
    assert numbers(run) == numbers(smaller_run)
