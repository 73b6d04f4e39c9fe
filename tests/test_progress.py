"""Progress away from a terminal: long stages are followed, short ones do not fill the log."""

import pytest

from gapscope.progress import PlainLines
from gapscope.study.stage_progress import StageProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set by hand."""
    now = [100.0]
    monkeypatch.setattr("gapscope.progress.time.monotonic", lambda: now[0])
    return now


def run_stage(lines: PlainLines, clock: list[float], what: str, steps: int, seconds: float) -> None:
    lines(what, 0, steps)
    for done in range(1, steps + 1):
        clock[0] += seconds / steps
        lines(what, done, steps)


def test_the_first_stage_is_told_from_beginning_to_end(clock, capsys):
    run_stage(PlainLines(), clock, "recording", 4, 2.0)
    assert capsys.readouterr().out.splitlines() == ["recording: 0/4", "recording: 4/4 in 2.0 s"]


def test_a_long_stage_has_a_line_every_fifteen_seconds_with_the_time_left(clock, capsys):
    run_stage(PlainLines(), clock, "training", 100, 50.0)
    assert capsys.readouterr().out.splitlines() == [
        "training: 0/100",
        "training: 30/100, 35 s left",
        "training: 60/100, 20 s left",
        "training: 90/100, 5 s left",
        "training: 100/100 in 50.0 s",
    ]


def test_many_short_stages_have_a_line_or_two_every_ten_seconds(clock, capsys):
    lines = PlainLines()
    for number in range(40):
        run_stage(lines, clock, f"intervals of network {number}", 50, 2.5)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) <= 2 * (1 + 40 * 2.5 / 10)
    assert printed[:2] == ["intervals of network 0: 0/50", "intervals of network 0: 50/50 in 2.5 s"]


def test_stages_side_by_side_are_each_followed(clock, capsys):
    lines = PlainLines()
    for done in range(41):
        lines("training a", done, 40, "loss 2")
        lines("training b", done, 40)
        clock[0] += 1.0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "training a: 0/40  loss 2" and printed[1] == "training b: 10/40, 30 s left"
    assert [line for line in printed if "40/40" in line] == [
        "training a: 40/40 in 40.0 s  loss 2",
        "training b: 40/40 in 40.0 s",
    ]


def test_a_stage_that_comes_again_begins_anew(clock, capsys):
    lines = PlainLines()
    for _ in range(2):
        run_stage(lines, clock, "page", 1, 12.0)
    assert capsys.readouterr().out.splitlines() == ["page: 0/1", "page: 1/1 in 12.0 s", "page: 1/1 in 12.0 s"]


def test_a_stage_says_how_long_it_and_those_behind_it_will_take(clock):
    told = []
    stage = StageProgress(lambda what, done, total, note="": told.append((what, done, note)))
    for evaluation, said in ((30.0, "in all 3 min"), (None, "in all 2 min or more")):
        told.clear()
        stage.begin("train", 3, {"evaluate": (2, evaluation), "graft": (0, None)})
        clock[0] += 60.0
        stage.one_done("train/u-real/seed0")
        assert told == [("stage 2/7 train", 0, ""), ("stage 2/7 train", 1, f"{said}; u-real/seed0")]
