"""What the pages of docs/ show is true: commands and files exist, and no page is left out."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import typer

from gapscope.commands.app import app
from gapscope.experiment_file import parse_config

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a page in one language; "" for those that name none."""
    text = page.read_text(encoding="utf-8")
    return [block for name, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M) if name == language]


def shown_commands() -> list[str]:
    """Every line that calls gapscope, without its comment and what a column beside it says."""
    lines = [line for page in PAGES for block in blocks(page, "") for line in block.splitlines()]
    found = [line for line in lines if re.match(r"(?:\.venv/bin/)?gapscope [a-z]", line)]
    return sorted({re.split(r"\s{2,}| # ", line)[0] for line in found})


def all_commands() -> dict[str, typer.core.TyperCommand]:
    """Every command by the words that call it, such as `data check`."""
    import gapscope.cli  # registers them

    assert gapscope.cli.app is app
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {word}": one for word, one in inner.items()} if inner else {name: command}
    return found


@pytest.mark.parametrize("line", shown_commands())
def test_a_command_that_is_shown_has_these_arguments(line):
    words = shlex.split(re.sub(r"[\[\]]", "", line))[1:]
    commands = all_commands()
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in commands), None)
    assert name, f"there is no such command: {line}"
    arguments = words[len(name.split()) :]
    commands[name].make_context(name, arguments).close()  # raises where an option or its value does not exist


def test_the_page_of_commands_lists_every_command_and_no_other():
    listed = re.findall(r"^\| `([a-z ]+)` \|", (ROOT / "docs/commands.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(all_commands())


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_files_of_the_package_that_are_named_exist(page):
    named = re.findall(r"`(gapscope/[\w/]+\.\w+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_experiment_that_is_shown_whole_is_one():
    shown = {page.name: [one for one in blocks(page, "toml") if one.startswith("name = ")] for page in PAGES}
    for name, some in shown.items():
        for text in some:
            parse_config(text, name)
    assert {name for name, some in shown.items() if some} >= {"README.md", "tutorial.md", "experiment-file.md"}


def together(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A recipe put into a file: tables are filled into those that are there, new ones come first; arms that are made of
    those that are there come last."""
    found = dict(whole)
    for key, value in part.items():
        found[key] = together(whole.get(key, {}), value) if isinstance(value, dict) else value
    new = [key for key in found if key not in whole]
    last = [key for key in new if isinstance(found[key], dict) and made_of(found[key]) & set(whole)]
    return {key: found[key] for key in [*(key for key in new if key not in last), *whole, *last]}


def made_of(table: dict[str, Any]) -> set[str]:
    """The names that an arm starts from or averages; none of another table."""
    return {str(table.get("start", "")), *map(str, table.get("average", []))}


@pytest.mark.parametrize("recipe", blocks(ROOT / "docs/recipes.md", "toml"), ids=lambda text: text.split("\n")[0])
def test_a_recipe_fits_into_the_readmes_experiment(recipe):
    (readme,) = blocks(ROOT / "README.md", "toml")
    parse_config(tomli_w.dumps(together(tomllib.loads(readme), tomllib.loads(recipe))), "recipes.md")


def test_decisions_are_numbered_once_and_say_what_would_change_them():
    text = (ROOT / "docs/decisions.md").read_text(encoding="utf-8")
    paragraphs = [one for one in text.split("\n\n") if one.startswith("**D")]
    numbers = [int(re.match(r"\*\*D(\d+)\. ", one)[1]) for one in paragraphs]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert [one for one in paragraphs if not re.search(r"\*Would change our mind: [^*]+\.\*$", one.strip())] == []


def test_the_glossary_explains_no_word_twice():
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    words = [word for row in re.findall(r"^\| ([^|]+) \|", text, re.M) for word in re.split(r", | / ", row)]
    assert len(words) > 30 and len(set(words)) == len(words)
