"""Whatever a file of a run holds: who looks at the run refuses it with an InputError or shows it, and nothing else."""

import contextlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from campaign import ROUNDS
from made_up_grafts import write_made_up_grafts
from made_up_run import write_made_up_run
from seeds import damaged, other_json

from gapscope.errors import InputError
from gapscope.findings.findings import find
from gapscope.findings.run_reader import read_results
from gapscope.page.page import render_appendix, render_page
from gapscope.paper.verdict_files import verdict_lines, write_verdict
from gapscope.run_folder import RunFolder
from gapscope.study.status import print_status

pytestmark = pytest.mark.slow

SHOWN = (".png", ".html", ".md", ".toml")
"""What nothing is read from here; settings are tried in test_files_fuzz.py."""
INPUTS, IN_A_TEST = 6, 2
"""In a round of a campaign, of every kind of file; in `make test`, of all."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole again after each input. Nothing in it has a checksum, as in a run of before, so that all of it is read."""
    run = write_made_up_run(tmp_path_factory.mktemp("fuzz") / "run", sizes=(160,))
    write_made_up_grafts(run)
    RunFolder(run).write_record("report", {"unit": "report", "key": "k", "files": ["report.html"], "seconds": 1.0})
    write_verdict(find(read_results(run)))
    return run


def page(run: Path) -> None:
    findings = find(read_results(run))
    render_page(findings)
    render_appendix(findings)
    verdict_lines(run)


def status(run: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        print_status(run, None)


LOOKS: tuple[Callable[[Path], None], ...] = (page, status)


def kinds(run: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.suffix not in SHOWN:
            place = path.relative_to(run)
            kind = f"{place.parts[0]}{'/effect' if path.name.startswith('effect--') else ''} {path.suffixes[-1]}"
            found.setdefault(path.name if path.parent.parent.name in ("data", "arms") else kind, []).append(path)
    return found


def other(content: bytes, name: str, chance: random.Random) -> bytes:
    """Mostly a file that is whole, in which a value is another one."""
    if not name.endswith((".json", ".jsonl")) or chance.random() < 0.1:
        return damaged(content, name, chance)
    lines = content.splitlines(keepends=True) if name.endswith(".jsonl") else [content]
    for at in chance.choices(range(len(lines)), k=chance.choice((1, 1, 3))):
        lines[at] = other_json(lines[at], chance)
    return b"".join(lines)


def assert_only_refused(run: Path, path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(other(content, path.name, chance))
    try:
        for look in LOOKS:
            try:
                look(run)
            except InputError as error:
                assert 0 < len(str(error)) < 6000
            except Exception as error:
                kept = path.read_bytes()[:3000]
                raise AssertionError(f"{look.__name__} of {path.relative_to(run)}: {error!r:.300}, {kept!r}") from error
    finally:
        path.write_bytes(content)


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore")  # numpy comments on what it finds
@pytest.mark.parametrize("round", range(ROUNDS))
def test_no_file_of_a_run_breaks_who_looks_at_it(run, round):
    chance = random.Random(f"run{round}")
    every = kinds(run)
    wanted = [kind for kind in every for _ in range(INPUTS)] if round else chance.sample(sorted(every), IN_A_TEST)
    for kind in wanted:
        assert_only_refused(run, chance.choice(every[kind]), chance)
