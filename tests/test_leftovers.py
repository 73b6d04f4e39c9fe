"""What killed processes leave behind is removed once they are certainly dead, and processes end with their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_data import noise, table_of

from gapscope import leftovers
from gapscope.data.convert import convert
from gapscope.data.image_cache import ImageCache
from gapscope.files import atomic_path, write_text
from gapscope.interruptions import hear_all, heard
from gapscope.leftovers import held, remove_left_files, remove_left_folders, remove_left_in, temporary_folder

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
CONVERTS = """
import os, signal, sys
from pathlib import Path
from gapscope.leftovers import temporary_folder
out = Path(sys.argv[1])
with temporary_folder(out.parent, f".{out.name}-") as folder:
    (folder / "images").mkdir()
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


@pytest.mark.parametrize("seconds", [-1e9, 1e9, 4e9])
def test_a_temporary_file_is_removed_whatever_the_clock_said_when_it_was_made(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(leftovers, "YOUNGEST", 60.0)
    path = tmp_path / ".weights-abcd1234.safetensors"
    write_text(path, "left")
    os.utime(path, (time.time() + seconds,) * 2)
    assert remove_left_files(tmp_path) == [path] and not path.exists()


def test_what_killed_processes_left_in_an_image_cache_goes_when_the_next_image_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("gapscope.data.image_cache.SETTLED_SECONDS", -1.0)
    image, cache = noise(tmp_path / "a.png"), tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        killed_while_it_writes(cache, image)
    left = cache / ".square-abcd1234"
    left.write_bytes(b"half")
    with held(os.open(alive := cache / ".square-efgh5678", os.O_CREAT | os.O_RDWR)):
        kept = ImageCache(cache)
        kept.letterboxed(image, 32)
        assert not left.exists() and alive.exists()
        left.write_bytes(b"half")
        kept.letterboxed(noise(tmp_path / "b.png", seed=1), 32)
        assert left.exists()  # it is looked for once
    assert len(list(cache.glob("*/*.square"))) == 2 and remove_left_in(tmp_path / "none") == []


def killed_while_it_writes(folder: Path, image: Path) -> None:
    """All that is left of it is its temporary file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        ImageCache(folder).letterboxed(image, 32)


def interrupted(*given: object) -> None:
    raise KeyboardInterrupt


def test_a_folder_that_a_killed_conversion_left_goes_with_the_next_one(tmp_path):
    photos = tmp_path / "photos"
    table = table_of([[]], root=photos, size=(40, 40), paths=["a.png"])
    noise(photos / "a.png", (40, 40))
    killed(CONVERTS, tmp_path / "new")
    (left,) = tmp_path.glob(".new-*")
    (tmp_path / ".new-notes").mkdir()
    convert(table, "yolo", tmp_path / "new")
    assert not left.exists() and (tmp_path / ".new-notes").is_dir()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["data.yaml", "images", "labels"]


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
