"""Looking at a run while it goes on: at a terminal and in a browser, without touching it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from command import ONE_THREAD, gapscope
from in_browser import draw_all, serious, text_of
from made_up_run import write_made_up_run

from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.run_folder import RunFolder
from gapscope.study.state import TrainingState, Watched, seconds_left, training_state
from gapscope.study.status import performance_tables
from gapscope.study.units import ledger, note_done
from gapscope.training.metrics import read_epochs
from gapscope.watching.live import LiveView
from gapscope.watching.watch import LiveServer, has_screen, make_server, watch
from gapscope.words import duration

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_run(tmp_path_factory.mktemp("watch") / "run", seeds=(0,))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A run that has begun its first training."""
    begun = tmp_path / "run"
    for name in ("experiment.toml", "experiment.resolved.toml", "environment.json"):
        link(finished, begun, name)
    for pattern in ("data/*/*", "data/*/images/*"):
        link(finished, begun, pattern)
    record_as_done(begun)
    begin_training(begun, "base", epochs=3)
    return begun


def link(finished: Path, begun: Path, pattern: str) -> None:
    """What a stage leaves, put into a run."""
    for path in filter(Path.is_file, finished.glob(pattern)):
        here = begun / path.relative_to(finished)
        here.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, here)


def begin_training(run: Path, arm: str, epochs: int, seconds: float = 6.0) -> None:
    """A training with a checkpoint and so many finished epochs."""
    here = run / f"arms/{arm}/seed0"
    here.mkdir(parents=True, exist_ok=True)
    lines = [
        {"epoch": e + 1, "loss": 9.0 - e, "val_map50": 0.1 * e if e % 2 else None, "seconds": seconds}
        for e in range(epochs)
    ]
    (here / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (here / "checkpoint.pt").touch()


def record_as_done(run: Path) -> None:
    """Records of all units whose files stand, as the run itself leaves them; what a made-up run lacks is left empty."""
    watched = Watched(run)
    _, units = watched._units()
    for unit in units:
        lacking = [path for path in unit.outputs if not path.exists()]
        if all(path.suffix == ".safetensors" or path.parent.name == "probe" for path in lacking):
            for path in lacking:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            standing = ledger(units, watched.folder)[unit.name]
            note_done(replace(standing, unit=replace(unit, left=None)), watched.folder, 1.0)  # nothing is read there


@pytest.fixture
def server(run: Path) -> Iterator[LiveServer]:
    """To be asked for before the browser, so that it answers until the page is closed: that asks every other second."""
    with Serving(LiveView(run)) as started:
        yield started


class Serving:
    """A server in a thread of its own."""

    def __init__(self, view: LiveView) -> None:
        self.server = make_server(view, 0)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> LiveServer:
        self.thread.start()
        return self.server

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def ask(server: LiveServer, path: str, host: str | None = None, method: str = "GET") -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def state_of(server: LiveServer, query: str = "") -> dict[str, Any]:
    return json.loads(ask(server, f"/state{query}")[1])


def test_the_state_says_what_runs_what_is_done_and_what_is_left(server):
    state = state_of(server)
    assert state["problem"] is None and not state["done"] and state["title"] == "A made-up study"
    assert [(stage["done"], stage["total"]) for stage in state["stages"][:2]] == [(2, 2), (0, 4)]
    assert [stage["name"] for stage in state["stages"]] == ["data", "train", "evaluate", "record", "compare", "report"]
    (training,) = state["trainings"]
    assert (training["arm"], training["epoch"], training["loss"], training["best_map50"]) == ("base", 3, 7.0, 0.1)
    assert training["left"] == f"about {duration(6 * (training['epochs'] - 3))}"
    assert state["curves"] == [
        {
            "title": "base",
            "arm": 0,
            "seed": 0,
            "epoch": [1, 2, 3],
            "loss": [9.0, 8.0, 7.0],
            "val_map50": [None, 0.1, None],
        }
    ]
    assert 0 <= state["now"] - state["changed"] < 600


def test_curves_are_sent_again_only_when_they_have_changed(server, run):
    first = state_of(server)
    seen = f"?seen={first['curvesVersion']}"
    assert state_of(server, seen)["curves"] is None
    begin_training(run, "base", epochs=4)
    assert state_of(server, seen)["curves"][0]["epoch"] == [1, 2, 3, 4]


def test_the_report_is_that_of_what_is_done_so_far(server):
    answer, text = ask(server, "/report")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "A made-up study" in text and "once the stage <code>evaluate</code> has run" in text


def test_a_report_is_made_once_for_many_readers(server, monkeypatch):
    from gapscope.watching import live

    made: list[int] = []
    monkeypatch.setattr(live, "render_report", lambda results: made.append(1) or "a report")
    threads = [threading.Thread(target=ask, args=(server, "/report")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "[::1]:80", ""])
def test_another_name_for_this_machine_is_refused(server, host):
    """A page elsewhere can make its own name point here; what its scripts then ask for carries that name."""
    for path in ("/", "/state", "/report"):
        answer, text = ask(server, path, host=host or "x")
        assert answer.status == 421 and "made-up" not in text
    assert ask(server, "/state", host=f"localhost:{server.server_port}")[0].status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/experiment.toml",
        "/../run/experiment.toml",
        "/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/report/../../x",
        "/report.html",
        "/state/",
        "/\\etc\\passwd",
        "/etc/passwd%00",
    ],
)
def test_no_path_leads_to_a_file(server, path):
    answer, text = ask(server, path)
    assert answer.status == 404 and "three pages" in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_sent(server, method):
    assert ask(server, "/state", method=method)[0].status == 501


def test_only_this_machine_is_listened_to_and_nothing_is_kept_or_framed(server):
    assert server.server_address[0] == "127.0.0.1"
    headers = ask(server, "/")[0].headers
    assert headers["Cache-Control"] == "no-store" and headers["X-Content-Type-Options"] == "nosniff"
    assert (
        headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        and headers["Cross-Origin-Resource-Policy"] == "same-origin"
    )
    assert "Python" not in headers["Server"]


def test_a_run_that_vanishes_or_breaks_is_said_and_looked_for_again(server, run):
    (run / "arms/base/seed0/metrics.jsonl").write_text('{"epoch": 1, "lo')
    assert "metrics.jsonl cannot be read" in state_of(server)["problem"]
    assert "metrics.jsonl cannot be read" in ask(server, "/report")[1] and ask(server, "/")[0].status == 200
    away = run.rename(run.with_name("away"))
    assert "holds no run" in state_of(server)["problem"] and "There is no report to show" in ask(server, "/report")[1]
    away.rename(run)
    begin_training(run, "base", epochs=5)
    assert state_of(server)["trainings"][0]["epoch"] == 5


def test_looking_changes_nothing_in_the_run_folder(server, run):
    def listing() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in (run, *run.rglob("*"))}

    before = listing()
    for path in ("/", "/state", "/report"):
        ask(server, path)
    assert gapscope("status", run).returncode == 0
    assert listing() == before


def test_a_taken_port_is_said_with_what_to_do(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = gapscope("watch", run, "--port", str(port), "--no-open")
        assert (
            done.returncode == 2
            and f"port {port} of this machine cannot be used" in done.stderr
            and "--port 0" in done.stderr
        )


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no run"):
        watch(tmp_path, 0)


@pytest.mark.slow
def test_ctrl_c_ends_the_watching_with_zero(run):
    command = [sys.executable, "-m", "gapscope.cli", "watch", str(run), "--port", "0", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ONE_THREAD)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert "Ctrl-C ends the watching" in first
    port = int(first.split("127.0.0.1:")[1].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)):  # a browser that is still connected does not keep it
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and err == "" and f"gapscope status {run}" in out


def test_a_browser_is_opened_only_where_it_would_be_seen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_screen()
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22")
    assert not has_screen()


def test_time_left_is_that_of_units_like_those_that_are_done():
    assert seconds_left([], 3) is None and seconds_left([10.0], 0) is None
    assert seconds_left([10.0, 20.0], 4) == 60
    one = TrainingState("a", 0, epoch=4, epochs=10, loss=1.0, val_map50=None, best_map50=None, seconds_left=30.0)
    assert seconds_left([], 1, (one,)) == 30
    assert seconds_left([100.0], 3, (one,)) == 30 + 2 * 100
    assert seconds_left([100.0], 4, (one, one)) == (30 + 30 + 2 * 100) / 2  # two at a time


def test_a_training_is_what_its_last_epochs_say():
    lines = [
        {"epoch": e, "loss": 1 / e, "val_map50": v, "seconds": s}
        for e, v, s in ((1, 0.3, 50.0), (2, 0.5, 10.0), (3, 0.4, 10.0))
    ]
    state = training_state("a", 1, lines, most=9)
    assert (state.epoch, state.val_map50, state.best_map50, state.seconds_left) == (3, 0.4, 0.5, 60.0)
    assert training_state("a", 1, [{"epoch": 1, "loss": 2.0}], most=9).seconds_left is None


@pytest.mark.parametrize("text", ["[1]\n", '{"loss": 1}\n', '{"epoch": 1, "loss"', "x"])
def test_a_broken_line_of_metrics_names_the_file(tmp_path, text):
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"metrics\.jsonl cannot be read as one line of JSON per epoch"):
        read_epochs(tmp_path / "metrics.jsonl")
    assert read_epochs(tmp_path / "none.jsonl") == []


def test_status_fits_eighty_columns_and_names_training_scores_and_disk(run, finished, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    link(finished, run, "evaluation/*-seed0--camera.json")
    shown = gapscope("status", run)
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines()[:-3])) <= 80
    value = json.loads((run / "evaluation/u-real-seed0--camera.json").read_text())["rules"]["coco"]
    low, high = value["interval"]["headline_map50"]
    assert f"{value['headline_map50']:.3f} [{low:.2f}, {high:.2f}]" in shown.stdout
    assert (
        "3/100" in shown.stdout
        and "about 10 min" in shown.stdout
        and "on disk:" in shown.stdout
        and "ago" in shown.stdout
    )


def test_scores_that_the_next_run_makes_again_are_marked_as_old(run, finished):
    link(finished, run, "evaluation/*-seed0--camera.json")
    experiment = read_config(run / "experiment.resolved.toml")
    (table,) = performance_tables(RunFolder(run), experiment, {("u-real", 0, "camera")})
    camera = list(table.columns[2].cells)
    assert sum(cell.endswith("] old") for cell in camera) == 1 and sum(cell.endswith("]") for cell in camera) >= 2


def test_status_names_a_broken_evaluation(run, finished):
    link(finished, run, "evaluation/*-seed0--camera.json")
    path = run / "evaluation/u-real-seed0--camera.json"
    path.unlink()
    path.write_text("{}")
    done = gapscope("status", run)
    assert done.returncode == 2 and f"{path} cannot be read as an evaluation" in done.stderr


def test_what_a_run_is_made_from_is_looked_up_once(run, monkeypatch):
    from gapscope.study import state

    looked: list[int] = []
    real = state.units_of
    monkeypatch.setattr(state, "units_of", lambda study: looked.append(1) or real(study))
    watched = Watched(run)
    watched.state(), watched.state()
    assert len(looked) == 1
    config = run / "experiment.resolved.toml"
    text = config.read_text()
    config.unlink()
    config.write_text(text.replace("A made-up study", "Another"))
    assert watched.state().experiment.title == "Another" and len(looked) == 2


def test_the_live_page_follows_the_run_and_keeps_what_the_reader_chose(server, browser, run, finished):
    browser.heard.local = True
    page = browser.open(f"http://127.0.0.1:{server.server_port}/")
    report = page.frame_locator("iframe:not(.behind)")
    report.locator("#gap").wait_for(state="attached")
    assert (
        "epoch 3 of at most 100" in text_of(page, "#now")
        and "once the stage evaluate has run" in report.locator("#gap").inner_text()
    )
    draw_all(page)
    begin_training(run, "base", epochs=6)
    page.wait_for_function("() => document.getElementById('now').textContent.includes('epoch 6 of at most 100')")
    frame = page.frames[-1]
    frame.select_option("#theme", "dark")
    frame.evaluate("document.querySelectorAll('#more details.more').forEach((d) => { d.open = !d.open; })")
    opened = frame.evaluate("[...document.querySelectorAll('#more details.more')].map((d) => d.open)")
    frame.evaluate("document.getElementById('data').scrollIntoView({ behavior: 'instant' })")
    top = frame.evaluate("document.getElementById('data').getBoundingClientRect().top")
    for path in (run / "arms/base/seed0").iterdir():
        path.unlink()
    for pattern in ("arms/*/*/*", "evaluation/*"):
        link(finished, run, pattern)
    record_as_done(run)
    page.wait_for_function(
        "() => document.querySelector('iframe:not(.behind)').contentDocument?.getElementById('table2')"
    )
    page.wait_for_function("() => document.querySelectorAll('iframe').length === 1")
    frame = page.frames[-1]
    assert [one.evaluate("document.documentElement.dataset.theme") for one in (page, frame)] == ["dark", "dark"]
    assert frame.evaluate("[...document.querySelectorAll('#more details.more')].map((d) => d.open)") == opened
    frame.wait_for_function(
        "(top) => Math.abs(document.getElementById('data').getBoundingClientRect().top - top) <= 2", arg=top
    )


def test_the_live_page_says_when_watching_has_ended(browser, run):
    browser.heard.local = True
    with Serving(LiveView(run)) as server:
        page = browser.open(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector("iframe:not(.behind)")
    page.wait_for_function(
        "() => document.getElementById('written').textContent.includes('No answer from gapscope watch')"
    )
    page.close()  # or it would complain once more
    browser.heard.complaints = [one for one in browser.heard.complaints if "ERR_CONNECTION_REFUSED" not in one]


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_barrier_in_the_live_page(server, browser, dark):
    browser.heard.local = True
    page = browser.open(f"http://127.0.0.1:{server.server_port}/", dark=dark)
    page.wait_for_selector("iframe:not(.behind)")
    assert serious(page) == []
