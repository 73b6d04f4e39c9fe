"""docs/tutorial.md, command by command, on tiny made-up images: two folders become a verdict."""

import os
import re
import shlex
from pathlib import Path
from unittest import mock

import pytest
from command import gapscope
from two_domains import write_two_domains

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parents[1] / "docs/tutorial.md").read_text(encoding="utf-8")
TINY = {
    "image_size = 160": "image_size = 32",
    "epochs = 20": "epochs = 1",
    "images = 100": "images = 5",
    "seeds = [0, 1] ": "seeds = [0] ",
    "sizes = [160, 32]": "sizes = [32]\n[evaluate]\nbootstraps = 20\n[similarity]\npermutations = 20\nbootstraps = 20",
}
"""What is changed in the tutorial's experiment so that it takes seconds."""


def experiment() -> str:
    shown = re.search(r"^```toml\n(.*?)^```", TEXT, re.S | re.M)
    text = shown[1]
    for given, tiny in TINY.items():
        assert text.count(given) == 1, given
        text = text.replace(given, tiny)
    return text


def commands() -> list[list[str]]:
    """All commands of the tutorial in their order, without the word gapscope."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.S | re.M)
    lines = [line for language, block in blocks if not language for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("gapscope ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole tutorial was followed; every command ended well."""
    place = tmp_path_factory.mktemp("tutorial")
    write_two_domains(place / "data")
    (place / "data/real").rename(place / "data/photos")
    (place / "data/game").rename(place / "data/renders")
    (place / "study.toml").write_text(experiment(), encoding="utf-8")
    with mock.patch.dict(os.environ, dict(re.findall(r"^export (\w+)=(\S+)", TEXT, re.M))):
        for arguments in commands():
            done = gapscope(*arguments, cwd=place)
            assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
    return place


def test_it_shows_every_step():
    steps = ["data check", "data check", "data show", "data leaks", "data stats", "init", "run", "status", "figures"]
    assert [" ".join(words[:2]) if words[0] == "data" else words[0] for words in commands()] == steps


def test_it_ends_with_a_page_that_asks_how_big_the_gap_is_and_does_not_answer_for_networks_that_did_not_learn(place):
    page = (place / "runs/first/report.html").read_text(encoding="utf-8")
    gap = page[page.index('<section id="gap"') : page.index('<section id="where"')]
    assert (
        "How big is the gap, and how sure is that?" in gap
        and "No verdict: the arms did not learn; train longer." in gap
    )


def test_everything_that_it_names_is_there(place):
    for name in ("photos.jpg", "stats/stats.json", "runs/first/report.html", "runs/first/paper/one-column/figures.tex"):
        assert (place / name).exists(), name
