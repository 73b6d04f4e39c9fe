"""The command for the first day: gapscope init proposes a study of two folders."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.app import app


@app.command()
def init(
    real: Annotated[Path | None, typer.Argument(help="Folder of the real images and their labels.")] = None,
    synthetic: Annotated[Path | None, typer.Argument(help="Folder of the synthetic ones.")] = None,
    real_folder: Annotated[Path | None, typer.Option("--real", help="The same as the first argument.")] = None,
    synthetic_folder: Annotated[Path | None, typer.Option("--synthetic", help="As the second one.")] = None,
    trained: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Weights of two detectors, trained on the one and on the other.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="The network: yolov3-tiny, fcos_resnet50_fpn, my_models.py:build, own.cfg.")
    ] = "",
    classes: Annotated[str, typer.Option(help='Their classes in order, if no file says them: "car,person".')] = "",
    size: Annotated[int | None, typer.Option(help="Side of its input, in pixels.")] = None,
    out: Annotated[Path, typer.Option(help="The experiment file to write.")] = Path("study.toml"),
    start: Annotated[str, typer.Option(help="Where arms start: a weights file, or streets (YOLOv3's own).")] = "",
    map: Annotated[list[str] | None, typer.Option(help='Names that belong together: "car=car,Vehicle".')] = None,
    guesses: Annotated[bool, typer.Option("--guesses", help="Take guessed names too, not only equal ones.")] = False,
    no_time: Annotated[bool, typer.Option("--no-time", help="Do not measure how long it will take.")] = False,
) -> None:
    """Propose a study of two folders: an experiment file, commented.

    With --trained it is of two detectors that you have, and trains nothing.

    Finds formats, classes, splits, leaks between them, the own car's hood,
    sizes, a start, and how long it takes here (by a few training steps).
    Names that both sets have are taken; others are guesses to confirm.

    Example: gapscope init photos renders
    Example: gapscope init photos renders --map "vehicle=car,bus,Vehicle"
    Example: gapscope init photos renders --model fcos_resnet50_fpn
    --start resnet50.pth
    Example: gapscope init photos renders --trained a.pt b.pt
    --model my_models.py:build --classes "car,person" --size 416
    """
    from gapscope.data.labels import parse_mapping
    from gapscope.errors import InputError
    from gapscope.files import write_text
    from gapscope.progress import for_terminal

    if out.exists():
        raise InputError(f"{out} is there already. Name another with --out, or remove it.")
    first, second = real or real_folder, synthetic or synthetic_folder
    if first is None or second is None:
        raise InputError("which images? Give two folders: gapscope init REAL SYNTHETIC.")
    said, progress = parse_mapping(map or [], "--map"), for_terminal()
    if trained is not None:
        from gapscope.study.proposed_given import given_detectors, propose_given

        given = given_detectors(trained, model, [one.strip() for one in classes.split(",") if one.strip()], size)
        found = propose_given(first, second, given, out=out, said=said, take_guesses=guesses, progress=progress)
    else:
        if classes:
            raise InputError("--classes says how trained detectors number theirs. Give --trained too, or leave it out.")
        from gapscope.study.proposal import propose

        found = propose(
            first,
            second,
            out=out,
            start=start,
            model=model,
            size=size,
            said=said,
            take_guesses=guesses,
            measure_time=not no_time,
            progress=progress,
        )
    write_text(out, found.text)
    print("\n".join(found.shown))
    if found.refusals:
        raise InputError(f"{out} is written, but cannot be run as it stands:\n" + "\n".join(found.refusals))
    print(f"written: {out}. Look at it, then: gapscope run {out}")
