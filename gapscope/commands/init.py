"""The command for the first day: gapscope init proposes a study of two folders."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.app import app


@app.command()
def init(
    real: Annotated[Path, typer.Argument(help="Folder of the real images and their labels.")],
    synthetic: Annotated[Path, typer.Argument(help="Folder of the synthetic ones.")],
    out: Annotated[Path, typer.Option(help="The experiment file to write.")] = Path("study.toml"),
    start: Annotated[str, typer.Option(help="Where arms start: streets, or a weights file.")] = "streets",
    map: Annotated[list[str] | None, typer.Option(help='Names that belong together: "car=car,Vehicle".')] = None,
    guesses: Annotated[bool, typer.Option("--guesses", help="Take guessed names too, not only equal ones.")] = False,
    no_time: Annotated[bool, typer.Option("--no-time", help="Do not measure how long it will take.")] = False,
) -> None:
    """Propose a study of two folders: an experiment file, commented.

    Finds formats, classes, splits, leaks between them, the own car's hood,
    sizes, a start, and how long it takes here (by a few training steps).
    Names that both sets have are taken; others are guesses to confirm.

    Example: gapscope init photos renders
    Example: gapscope init photos renders --map "vehicle=car,bus,Vehicle"
    """
    from gapscope.data.labels import parse_mapping
    from gapscope.errors import InputError
    from gapscope.files import write_text
    from gapscope.progress import for_terminal

    if out.exists():
        raise InputError(f"{out} is there already. Name another with --out, or remove it.")
    said = parse_mapping(map or [], "--map")
    from gapscope.study.proposal import propose

    found = propose(
        real,
        synthetic,
        out=out,
        start=start,
        said=said,
        take_guesses=guesses,
        measure_time=not no_time,
        progress=for_terminal(),
    )
    write_text(out, found.text)
    print("\n".join(found.shown))
    if found.refusals:
        raise InputError(f"{out} is written, but cannot be run as it stands:\n" + "\n".join(found.refusals))
    print(f"written: {out}. Look at it, then: gapscope run {out}")
