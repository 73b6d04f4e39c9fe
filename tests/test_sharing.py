"""What tests share is made once and whole, whichever process begins with it and whatever becomes of that one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sharing import made_once


class Factory:
    """Stands in for pytest's, in one of several processes that share the folder above their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def getbasetemp(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        return self.folder


@pytest.fixture
def workers(tmp_path, monkeypatch) -> list[Factory]:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    return [Factory(tmp_path / f"gw{number}") for number in range(4)]


def test_it_is_made_once_for_all_processes(workers):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("whole")

    with ThreadPoolExecutor() as threads:
        folders = list(threads.map(lambda worker: made_once(worker, "shared", make), workers))
    assert len(made) == 1 and set(folders) == set(made)
    assert (folders[0] / "file").read_text() == "whole"


def test_what_was_begun_and_not_ended_is_made_anew(workers):
    def killed(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(workers[0], "shared", killed)
    folder = made_once(workers[1], "shared", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_single_process_keeps_it_in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert made_once(Factory(tmp_path / "own"), "shared", lambda _: None) == tmp_path / "own" / "shared"
