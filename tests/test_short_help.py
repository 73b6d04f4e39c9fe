"""Help fits a terminal of 80 columns: no column of types, and many options under headings."""

import re

import pytest
import typer
from typer.testing import CliRunner

import gapscope.cli
from gapscope.commands.short_help import MANY

LONG = ("evaluate", "graft", "stitch", "record")


@pytest.mark.parametrize("words", [*LONG, "run", "data check"])
def test_help_says_what_an_option_is_for_and_not_of_which_type_it_is(words):
    shown = CliRunner().invoke(gapscope.cli.app, [*words.split(), "--help"], env={"COLUMNS": "80"}).output
    assert not re.search(r"<(path|str|int|bool|float)", shown) and max(map(len, shown.splitlines())) <= 80
    assert ("Which images" in shown and "Where it goes" in shown) == (words in LONG)
    assert len(re.findall(r"^. (?:\* )? *--[a-z]", shown, flags=re.M)) >= (MANY if words in LONG else 4)


def test_every_heading_is_of_options_that_there_are():
    from gapscope.commands.short_help import PANELS

    commands = typer.main.get_command(gapscope.cli.app).commands
    inner = [one for command in commands.values() for one in getattr(command, "commands", {}).values()]
    there = {param.name for command in [*commands.values(), *inner] for param in command.params}
    assert {name for names in PANELS.values() for name in names.split()} <= there
