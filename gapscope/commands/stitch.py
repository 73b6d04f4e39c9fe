"""Commands for asking what one network's front is worth to another's back: stitch."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapscope.commands.app import app, chosen_device
from gapscope.commands.images import takes_images

if TYPE_CHECKING:
    from gapscope.study.scoring import Images


@app.command()
@takes_images
def stitch(
    front: Annotated[Path, typer.Argument(help="Weights of the network whose front is asked about.")],
    back: Annotated[Path, typer.Argument(help="Weights of the network whose back goes on behind the cut.")],
    images: "Images",
    fit: Annotated[Path | None, typer.Option(help="Images to fit on; else every other scored one.")] = None,
    cut: Annotated[list[int] | None, typer.Option(help="A layer behind which networks are cut. Repeat it.")] = None,
    controls: Annotated[bool, typer.Option(help="Also an untrained front, and noise.")] = True,
    size: Annotated[int | None, typer.Option(help="Input size; left out, the .cfg's, the run's, or 416.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for cuda where there is one.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the result goes (.json).")] = None,
) -> None:
    """Stitch the front of one network to the back of another, cut by cut.

    A 1x1 convolution turns the front's activations into the back's own,
    by least squares, without labels: how much of what the back needs has
    the front found? For networks whose grafts cannot be told.

    Example: gapscope stitch synthetic.safetensors real.safetensors
    --run runs/demo --domain camera -o stitches.json
    """
    from rich.console import Console

    from gapscope.grafting.stitch_tables import stitch_notes, stitch_table
    from gapscope.progress import for_terminal
    from gapscope.study.scoring import check_outputs
    from gapscope.study.stitch_files import stitch_files

    check_outputs(out)
    result = stitch_files(
        front,
        back,
        images,
        fit=fit,
        cuts=cut,
        controls=controls,
        size=size,
        device=chosen_device(device),
        progress=for_terminal(),
    )
    Console().print(stitch_table(result))
    for line in stitch_notes(result):
        print(line)
    if out is None:
        print("nothing was written; -o FILE.json keeps all stitches with their intervals")
        return
    result.save(out)
    print(f"all stitches: {out}; draw them: gapscope.plot.stitch(gapscope.read_stitches('{out}'))")
