"""Where the `gapscope` command starts, and how it ends."""

import sys
from importlib import import_module
from typing import Any

import typer

from gapscope.commands.app import app
from gapscope.data.problems import writable
from gapscope.errors import InputError
from gapscope.interruptions import hear_all
from gapscope.shortage import told_of_shortage

for group in (
    "init",
    "study",
    "training",
    "data",
    "data_convert",
    "detector",
    "evaluation",
    "graft",
    "stitch",
    "remedies",
    "instrument",
):  # the order in which help lists
    import_module(f"gapscope.commands.{group}")

WRONG_ARGUMENTS: Any = typer.BadParameter.__mro__[2]
"""The class of all complaints about arguments (click's ClickException), which typer does not export."""

INTERRUPTED = 130


def main() -> None:
    """Exit codes: 0 done, 1 a bug of ours, 2 something the user can fix, 130 interrupted."""
    hear_all()
    try:
        if app(standalone_mode=False) == INTERRUPTED:  # typer catches an interruption, and returns its exit code
            raise KeyboardInterrupt
    except InputError as error:
        print(f"gapscope: {writable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except UnicodeEncodeError as error:
        if "surrogates" not in error.reason:
            raise
        name = next(word for word in error.object.split("\n") if any("\ud800" <= letter <= "\udfff" for letter in word))
        print(
            f"gapscope: a name is no text in UTF-8 - expected one that can be written. Rename it: {writable(name)}",
            file=sys.stderr,
        )
        sys.exit(2)
    except (OSError, MemoryError, RuntimeError) as error:
        said = told_of_shortage(error)
        if said is None:
            raise
        print(f"gapscope: {writable(said)}", file=sys.stderr)
        sys.exit(2)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print("gapscope: interrupted; the same command goes on where this one stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except WRONG_ARGUMENTS as error:
        error.show()
        sys.exit(2)


if __name__ == "__main__":
    main()
