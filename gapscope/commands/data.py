"""Commands for looking at data before training on it: gapscope data ..."""

import typer

from gapscope.commands.app import app

data = typer.Typer(no_args_is_help=True, help="Look at data before training on it.")
app.add_typer(data, name="data")
