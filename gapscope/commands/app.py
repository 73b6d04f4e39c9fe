"""The command line itself, and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.short_help import ShortHelp

app = typer.Typer(
    cls=ShortHelp,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train one detector on real and on synthetic images, and see where inside the network the difference lives.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from gapscope.version import __version__

        print(f"gapscope {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    pass


DataRoot = Annotated[
    Path | None,
    typer.Option(envvar="GAPSCOPE_DATA", help="Folder that relative 'root' entries of the experiment start at."),
]


def chosen_device(name: str) -> str:
    """What `--device` means here.

    Raises:
        InputError: A GPU is asked for and there is none.
    """
    import torch

    from gapscope.errors import InputError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not torch.cuda.is_available():
        raise InputError(f"device = {name!r}, but there is no CUDA device here. Use cpu.")
    return name
