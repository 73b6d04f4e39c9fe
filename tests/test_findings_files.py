"""Files of a run folder become values with names; one that is not what it should be is refused by its own name."""

import ast
import json
import re
from pathlib import Path

import pytest
from made_up_run import write_made_up_run

from gapscope.errors import InputError
from gapscope.findings import find, read_results

ROOT = Path(__file__).parents[1] / "gapscope"
LOOKS = {"plot", "page", "paper", "several", "watching"}
COMPUTED = ("line_up", "run_gaps", "run_curves", "recorded_networks", "ranks", "statements", "settings", "runs")
"""What several/ says of runs side by side, apart from how it is shown."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("files") / "run", seeds=(0,), sizes=(160,))


def copied(run: Path, folder: Path, name: str) -> Path:
    """One file of a run and its configuration, in a folder of its own."""
    for one in ("experiment.resolved.toml", name):
        (folder / one).parent.mkdir(parents=True, exist_ok=True)
        (folder / one).write_bytes((run / one).read_bytes())
    return folder / name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("data/camera/summary.json", "fingerprint"),
        ("arms/u-real/seed0/summary.json", "weights_sha256"),
        ("evaluation/u-real-seed0--camera.json", "rules"),
    ],
)
def test_a_file_without_a_part_that_every_version_wrote_is_refused_in_one_sentence(run, tmp_path, name, part):
    path = copied(run, tmp_path, name)
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != part}))
    wanted = f"{path} cannot be read: it holds no '{part}'. Delete it and run the study again: only what is missing is"
    with pytest.raises(InputError, match=re.escape(wanted)):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data/camera/summary.json", "[1, 2]"),
        ("arms/u-real/seed0/summary.json", '"done"'),
        ("evaluation/u-real-seed0--camera.json", '{"num_images": 3, "targets": 4, "rules": {}}'),
        ("environment.json", "[1]"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_by_name(run, tmp_path, name, content):
    path = copied(run, tmp_path, name)
    path.write_text(content)
    with pytest.raises(InputError, match=re.escape(f"{path} cannot be read")):
        read_results(tmp_path)


def test_runs_of_an_arm_are_its_seeds_and_pairs_go_seed_by_seed(tmp_path):
    results = read_results(write_made_up_run(tmp_path / "run", sizes=(160,)))
    assert [str(run) for run in results.runs("u-real")] == ["u-real-seed0", "u-real-seed1"]
    assert len(results.runs()) == 6 and results.runs()[2].arm == "u-synthetic"
    pairs = [(str(a), str(b)) for a, b in results.run_pairs("u-real", "f-synthetic")]
    assert pairs == [("u-real-seed0", "f-synthetic-seed0"), ("u-real-seed1", "f-synthetic-seed1")]


def imported_rooms(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[1] for name in modules if name.startswith("gapscope.")}


@pytest.mark.parametrize("file", sorted((ROOT / "findings").glob("*.py")), ids=lambda path: path.stem)
def test_what_is_found_knows_nothing_of_how_it_is_shown(file):
    assert imported_rooms(file).isdisjoint(LOOKS)


@pytest.mark.parametrize("name", COMPUTED)
def test_what_several_runs_say_is_computed_apart_from_their_page(name):
    tree = (ROOT / f"several/{name}.py").read_text(encoding="utf-8")
    assert imported_rooms(ROOT / f"several/{name}.py").isdisjoint(LOOKS - {"several"})
    assert not re.search(r"gapscope\.several\.(several_page|chart_numbers|csv_files|dots)", tree)


def test_blocks_are_looked_for_once_and_only_when_asked_for(run):
    findings = find(read_results(run))
    assert "blocks" not in vars(findings)
    assert findings.blocks is findings.blocks
