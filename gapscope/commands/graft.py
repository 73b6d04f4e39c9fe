"""Commands for finding where a loss sits: graft."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapscope.commands.app import app, chosen_device
from gapscope.commands.images import takes_images

if TYPE_CHECKING:
    from gapscope.grafting.where import Which
    from gapscope.study.scoring import Images


class Kinds(StrEnum):
    """Whose batch statistics a graft has."""

    own = "own"
    estimated = "estimated"
    both = "both"


KINDS: dict[Kinds, tuple["Which", ...]] = {
    Kinds.own: ("own",),
    Kinds.estimated: ("estimated",),
    Kinds.both: ("own", "estimated"),
}


@app.command()
@takes_images
def graft(
    host: Annotated[Path, typer.Argument(help="Weights of the network whose loss is to be found.")],
    donor: Annotated[Path, typer.Argument(help="Weights of the network that does better.")],
    images: "Images",
    control: Annotated[Path | None, typer.Option(help="Weights of another seed of the host's arm.")] = None,
    start: Annotated[str | None, typer.Option(help="Weights the host's backbone began with, or 'streets'.")] = None,
    untrained: Annotated[bool, typer.Option("--untrained", help="Also blocks that have learnt nothing.")] = False,
    blocks: Annotated[str | None, typer.Option(help='Ranges or names: "0-4, 5-74, head".')] = None,
    orders: Annotated[int, typer.Option(help="Behind shares of the gap; 0 for no shares.", min=0)] = 0,
    statistics: Annotated[Kinds, typer.Option(help="Batch statistics: own, estimated anew, or both.")] = Kinds.both,
    unlabelled: Annotated[Path | None, typer.Option(help="Images for them; else those scored on.")] = None,
    size: Annotated[int | None, typer.Option(help="Input size; left out, the .cfg's, the run's, or 416.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it will cost.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for cuda where there is one.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the result goes (.json).")] = None,
) -> None:
    """Put layers of one network into another, and see what that changes.

    Each block of the donor alone in the host, each left out, from the
    front and from the back, beside another seed's block in its place:
    where does the loss sit? Layers that differ need not be those that cost.

    Example: gapscope graft synthetic.safetensors real.safetensors
    --data photos --control synthetic-1.safetensors -o grafts.json
    """
    from rich.console import Console

    from gapscope.grafting.tables import cost_lines, graft_notes, graft_tables
    from gapscope.progress import for_terminal
    from gapscope.study.graft_files import ask_files
    from gapscope.study.scoring import check_outputs

    check_outputs(out)
    files = {"host": host, "donor": donor, "control": control, "start": start, "unlabelled": unlabelled}
    asked = ask_files(
        {name: path for name, path in files.items() if path is not None},
        images,
        blocks=blocks,
        untrained=untrained,
        orders=orders,
        size=size,
        statistics=KINDS[statistics],
        device=chosen_device(device),
    )
    if plan:
        for line in cost_lines(asked.cost()):
            print(line)
        return
    result = asked.score(for_terminal())
    console = Console()
    for table in graft_tables(result):
        console.print(table)
    for line in graft_notes(result):
        print(line)
    if out is None:
        print("nothing was written; -o FILE.json keeps all grafts with their intervals")
        return
    result.save(out)
    print(f"all grafts: {out}; draw them: gapscope.plot.graft(gapscope.read_grafts('{out}'))")
