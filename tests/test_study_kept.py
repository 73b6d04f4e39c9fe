"""What was finished once is never lost: it is kept when another result takes its place, and taken back without work."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from two_domains import TEXT

from gapscope.experiment_file import parse_config
from gapscope.files import write_text
from gapscope.run_folder import RunFolder
from gapscope.study.kept import kept_bytes
from gapscope.study.made_from import Part
from gapscope.study.run import do
from gapscope.study.study import Study
from gapscope.study.units import Unit, pending

Work = Callable[[str], None]


class Killed(BaseException):
    """As if the process had ended: nothing that was to be cleaned up is."""


def study(tmp_path: Path) -> Study:
    return Study(parse_config(TEXT), RunFolder(tmp_path / "run"))


def chain(folder: RunFolder, value: str, worked: list[str], work: Work = lambda name: None) -> list[Unit]:
    """A training of two files that `value` decides, and an evaluation that is made from it."""
    weights, metrics, scores = (folder.root / name for name in ("arms/w.txt", "arms/m.txt", "evaluation/s.txt"))

    def train(study: Study, keys: object) -> None:
        worked.append("train")
        write_text(metrics, value)
        work("train")
        write_text(weights, value)

    def evaluate(study: Study, keys: object) -> None:
        worked.append("evaluate")
        write_text(scores, f"scores of {weights.read_text()}")

    made_from = {"rate": Part(value)}
    return [
        Unit("train", "train/a", made_from, (), (weights, metrics), train, lambda: weights.read_text()),
        Unit("evaluate", "evaluate/a", {}, ("train/a",), (scores,), evaluate),
    ]


def texts(folder: RunFolder) -> dict[str, str]:
    names = ("arms/w.txt", "arms/m.txt", "evaluation/s.txt")
    return {name: (folder.root / name).read_text() for name in names if (folder.root / name).exists()}


def whole(value: str) -> dict[str, str]:
    return {"arms/w.txt": value, "arms/m.txt": value, "evaluation/s.txt": f"scores of {value}"}


def done(place: Study, value: str, work: Work = lambda name: None) -> list[str]:
    """Do what is to be done, and say what that was."""
    worked: list[str] = []
    units = chain(place.folder, value, worked, work)
    do(units, place)
    assert pending(units, place.folder) == []
    return worked


def test_a_setting_that_goes_and_comes_back_is_one_training(tmp_path):
    """A user changes something, presses Ctrl-C, and changes it back: what stood there stands there still."""
    place = study(tmp_path)
    assert done(place, "a") == ["train", "evaluate"]

    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done(place, "b", interrupted)
    assert texts(place.folder)["arms/m.txt"] == "b"  # a training writes down its epochs as they end
    assert done(place, "a") == []
    assert texts(place.folder) == whole("a")


def test_two_finished_results_take_each_others_place_without_work(tmp_path):
    place = study(tmp_path)
    assert done(place, "a") == ["train", "evaluate"] == done(place, "b")
    for value in ("a", "b", "b", "a"):
        assert done(place, value) == []
        assert texts(place.folder) == whole(value)


def test_what_is_kept_costs_its_files_and_deleting_it_frees_them(tmp_path):
    place = study(tmp_path)
    done(place, "a")
    assert kept_bytes(place.folder) == 0
    done(place, "b")
    assert kept_bytes(place.folder) >= len("a") * 2 + len("scores of a")
    for path in sorted((place.folder.root / "before").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert done(place, "b") == []
    assert done(place, "a") == ["train", "evaluate"]


def test_where_files_cannot_have_two_names_they_are_copied(tmp_path, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    place = study(tmp_path)
    done(place, "a"), done(place, "b")
    assert done(place, "a") == [] and texts(place.folder) == whole("a")


@pytest.mark.parametrize("back", [False, True], ids=["while it is replaced", "while it is taken back"])
def test_a_kill_at_any_moment_loses_nothing_that_was_finished(back, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power fails here
    for moment in range(100):
        place = study(tmp_path / str(moment))
        done(place, "a")
        if back:
            done(place, "b")
        with monkeypatch.context() as patch:
            survived = kill_at(moment, patch)
            try:
                done(place, "a" if back else "b")
            except Killed:
                survived[0] = False
        assert done(place, "a") == []
        assert texts(place.folder) == whole("a")
        if back:
            assert done(place, "b") == []
        if survived[0]:
            break
    assert 8 < moment < 99  # it was killed at so many moments before it came to its end


def kill_at(moment: int, patch: pytest.MonkeyPatch) -> list[bool]:
    """The moment-th change of a name on disk does not happen, and none after it."""
    changes = 0

    def until(original: Callable[..., None]) -> Callable[..., None]:
        def change(*arguments: object, **named: object) -> None:
            nonlocal changes
            changes += 1
            if changes > moment:
                raise Killed
            original(*arguments, **named)

        return change

    for name in ("link", "rename", "replace", "unlink", "rmdir"):
        patch.setattr(os, name, until(getattr(os, name)))
    return [True]
