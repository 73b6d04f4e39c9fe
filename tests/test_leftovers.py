"""What killed processes leave behind is removed once they are certainly dead, and processes end with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gapscope import leftovers
from gapscope.files import atomic_path, write_text
from gapscope.interruptions import hear_all, heard
from gapscope.leftovers import remove_left_files, remove_left_folders, temporary_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither SIGKILL nor such locks"),
]

WRITES = """
import os, signal, sys
from pathlib import Path
from gapscope.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
SPILLS = """
import os, signal, sys, tempfile
from gapscope.leftovers import temporary_folder
tempfile.tempdir = sys.argv[1]
with temporary_folder() as folder:
    (folder / "layer3.float32").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
"""
RENDERS = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from gapscope.interruptions import leave_to_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=leave_to_parent, initargs=(os.getpid(),))
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


def killed(text: str, argument: Path) -> None:
    done = subprocess.run([sys.executable, "-c", text, str(argument)], timeout=120)
    assert done.returncode == -signal.SIGKILL


@pytest.fixture(autouse=True)
def of_any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "YOUNGEST", -1.0)


def test_a_temporary_file_of_a_killed_process_is_removed_and_nothing_else(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    killed(WRITES, run / "arms/u-real/seed0/checkpoint.pt")
    killed(WRITES, other / "theirs.json")
    left = list(run.rglob(".checkpoint-*.pt"))
    assert len(left) == 1 and left[0].read_bytes() == b"half"
    (run / "linked").symlink_to(other)
    for name in (".lock", ".hidden", "arms/notes-abcdefgh.txt", "arms/.gitignore"):
        write_text(run / name, "mine")
    with atomic_path(run / "stages/report.json") as alive:
        assert remove_left_files(run) == left
        assert alive.exists()
    assert len(list(other.glob(".theirs-*"))) == 1  # links are not followed
    assert sorted(path.name for path in run.rglob("*") if path.is_file()) == [
        *(".gitignore", ".hidden", ".lock", "notes-abcdefgh.txt", "report.json")
    ]


def test_a_young_temporary_file_stays_since_it_may_not_be_locked_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "YOUNGEST", 60.0)
    write_text(tmp_path / ".weights-abcd1234.safetensors", "just made")
    assert remove_left_files(tmp_path) == []


def test_a_spill_folder_of_a_killed_process_goes_when_the_next_one_is_made(tmp_path, monkeypatch):
    killed(SPILLS, tmp_path)
    left = list(tmp_path.glob("gapscope-record-*"))
    assert len(left) == 1 and (left[0] / "layer3.float32").stat().st_size == 1000
    (tmp_path / "gapscope-record-notes").mkdir()  # nobody says whose it is
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder() as mine:
        assert not left[0].exists() and mine.is_dir() and (tmp_path / "gapscope-record-notes").is_dir()
        assert remove_left_folders(tmp_path) == []
    assert not mine.exists()


def test_a_worker_does_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "renders.py"
    script.write_text(RENDERS)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(1200):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            break
        if "Z" in Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2][:3]:
            break  # dead; nobody here fetches its exit code
        time.sleep(0.05)
    else:
        pytest.fail("the worker is still there")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_lost_connection_interrupts_as_ctrl_c_does_unless_it_is_to_be_ignored(name):
    number = getattr(signal, name)
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        hear_all()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            time.sleep(5)
        signal.signal(number, signal.SIG_IGN)  # as nohup starts a process
        assert number not in heard()
        hear_all()
        os.kill(os.getpid(), number)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
