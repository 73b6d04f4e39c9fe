"""A run folder that a stranger has made shows no picture of its reader's, runs no code and deletes nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from command import gapscope
from made_up_run import write_made_up_run
from small_data import noise
from small_run import write_small_run

from gapscope.data.image_names import stays_below
from gapscope.detector.factories import factory_file
from gapscope.errors import InputError
from gapscope.files import read_json, write_json
from gapscope.findings.pictures_here import pictures_here
from gapscope.findings.run_numbers import run_numbers
from gapscope.findings.run_reader import read_results
from gapscope.page.galleries import galleries, sample_pictures
from gapscope.page.influential_images import influence_data
from gapscope.run_folder import RunFolder
from gapscope.study.kept import keep_aside
from gapscope.study.state import Watched
from gapscope.watching.live import LiveView

pytestmark = pytest.mark.slow

CAR, FOUND = ("car", 10.0, 10.0, 30.0, 30.0), ("car", 10.0, 10.0, 30.0, 30.0, 0.9)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only read; copied by who changes it."""
    return write_made_up_run(tmp_path_factory.mktemp("stranger") / "run", seeds=(0,), sizes=(96,))


def strangers(tmp_path: Path) -> Path:
    """A run whose images lie in the reader's folder `photos`, under the names that its table holds."""
    return write_small_run(tmp_path / "run", [[CAR]] * 2, {"one": [[FOUND]] * 2, "two": [[]] * 2})


def shown(run: Path) -> int:
    results = read_results(run)
    return sum(len(one.pictures) for one in galleries(results)) + len(sample_pictures(results, "road"))


def unnoted(run: Path) -> None:
    (run / "data/road/source-files.jsonl").unlink()


def noted_otherwise(run: Path, part: int, by: int) -> None:
    path = run / "data/road/source-files.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row[part] += by
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rooted(run: Path, root: str) -> None:
    path = run / "data/road/summary.json"
    write_json(path, read_json(path) | {"root": root})
    unnoted(run)


GUESSES: dict[str, Callable[[Path], None]] = {
    "nothing noted": unnoted,
    "another size": lambda run: noted_otherwise(run, 1, 1),
    "another date": lambda run: noted_otherwise(run, 2, 1),
    "upwards": lambda run: rooted(run, "../../../photos"),
    "absolute": lambda run: rooted(run, str(run.parent / "photos")),
    "through the run folder": lambda run: rooted(run, f"{run}/../photos"),
    "without end": lambda run: rooted(run, "a" * 5000),
    "a zero byte": lambda run: rooted(run, "photos\0"),
}


@pytest.mark.parametrize("guess", GUESSES)
def test_a_picture_of_the_readers_is_not_shown_because_a_run_names_it(tmp_path, guess):
    run = strangers(tmp_path)
    assert shown(run) == 4  # two of the test, two of the training: as the run read them
    GUESSES[guess](run)
    assert shown(run) == 0


def test_a_link_among_the_images_shows_no_file_that_the_run_has_not_read(tmp_path):
    run = strangers(tmp_path)
    noise(tmp_path / "secret.png", (100, 60), seed=9)
    photo = tmp_path / "photos/test-0.png"
    photo.unlink()
    photo.symlink_to(tmp_path / "secret.png")
    assert shown(run) == 3


@pytest.mark.parametrize("name", ["../../../secret.png", "{secret}", "images/../../../../secret.png"])
def test_no_image_of_a_comparison_lies_outside_its_domain(made_up, tmp_path, name):
    run = Path(shutil.copytree(made_up, tmp_path / "run"))
    noise(tmp_path / "secret.png", (16, 16), seed=1)
    name = name.format(secret=tmp_path / "secret.png")
    assert (run / "data/camera" / name).is_file()
    for path in (run / "similarity").glob("*.nc"):
        with h5py.File(path, "r+") as file:
            if "image" in file:
                file["image"][:] = name
    assert influence_data(run_numbers(read_results(made_up)))["here"]
    found = influence_data(run_numbers(read_results(run)))
    assert found["images"][0]["path"] == name and not found["here"]


@pytest.mark.parametrize("name", ["", "/a.png", "../a.png", "a/../../b.png", "C:/a.png", r"a\..\..\b.png", r"\\host\a"])
def test_names_that_lead_out_of_a_folder_are_known_on_any_system(name):
    assert not stays_below(name)
    assert stays_below("images/a..b/..c.png")


def test_generated_images_are_found_in_the_run_folder_and_nowhere_else(made_up):
    found = pictures_here(read_results(made_up), "camera")
    some = next((made_up / "data/camera/images").iterdir()).name
    assert found(f"images/{some}") is not None and found("images/none.png") is None


def with_code(tmp_path: Path, name: str) -> Path:
    """A run whose network is a function of a module."""
    run = strangers(tmp_path)
    config = run / "experiment.resolved.toml"
    config.write_text(config.read_text().replace("[domains.road]", f'[model]\nname = "{name}"\n\n[domains.road]'))
    return run


@pytest.mark.parametrize("name", ["{evil}.py:build", "evil:build", "package.evil:build", "subprocess:call"])
def test_no_code_runs_because_a_run_folder_names_it(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "package").mkdir()
    for place in ("evil.py", "package/__init__.py", "package/evil.py"):
        (tmp_path / place).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef build(**settings): ...\n")
    run = with_code(tmp_path, name.format(evil=tmp_path / "evil"))
    for look in (lambda: read_results(run), lambda: Watched(run, tmp_path).state()):
        with pytest.raises(InputError, match="the run folder does not say what layers one has, and no code is run"):
            look()
    for command in ("status", "report"):
        assert gapscope(command, run).returncode == 2
    assert "no code is run" in LiveView(run).state()["problem"]
    assert not (tmp_path / "ran").exists()


def test_the_file_of_a_factory_is_found_without_importing_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/__init__.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "own/nets.py").write_text("raise SystemExit('imported')\n")
    assert factory_file("own.nets:build") == tmp_path / "own/nets.py"
    assert factory_file("own/nets.py:build") == Path("own/nets.py")
    assert factory_file("json.decoder:JSONDecoder") == Path(json.decoder.__file__)
    for name in ("nowhere:build", "own.nowhere:build", "own.nets.deeper:build", "nowhere.py:build"):
        with pytest.raises(InputError, match="there is no Python module"):
            factory_file(name)


@pytest.mark.parametrize("key", ["../../../ssh", "/" + "a" * 63, "." * 64, "A" * 64, ""])
def test_a_record_whose_key_is_a_path_moves_and_deletes_nothing(tmp_path, key):
    run = RunFolder(tmp_path / "run")
    theirs = tmp_path / ".ssh/id"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    run.records.mkdir(parents=True)
    (run.root / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be read as a stage record"):
        keep_aside(run, "train/a/seed0", {"key": key}, [run.root / "file"])
    assert theirs.read_text() == "theirs" and sorted(path.name for path in tmp_path.iterdir()) == [".ssh", "run"]


def test_a_link_among_the_folders_of_an_image_cache_is_refused(tmp_path):
    run = RunFolder(tmp_path / "run")
    (run.image_cache / "ab").mkdir(parents=True)
    run.refuse_links()
    (run.image_cache / "cd").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link, and a run folder holds its files itself"):
        run.refuse_links()
