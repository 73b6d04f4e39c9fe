"""Commands for looking inside networks: record, compare."""

from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.app import app


@app.command()
def record(
    weights: Annotated[Path, typer.Argument(help="A weights.safetensors file of a run.")],
    images: Annotated[Path, typer.Option(help="Folder of images that the network looks at, in order of name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the recording goes (.nc).")],
    size: Annotated[int, typer.Option(help="Input size in pixels, a multiple of 32.")] = 416,
    memory: Annotated[str, typer.Option(help="Live tensors above this spill to disk.")] = "8GiB",
) -> None:
    """Record what every layer makes of a folder of images.

    Example: gapscope record runs/demo/arms/u-real/seed0/weights.safetensors
    --images photos --size 416 -o real.nc
    """
    from gapscope.progress import for_terminal
    from gapscope.recording.files import record_files

    recording = record_files(weights, images, size=size, memory=memory, progress=for_terminal())
    recording.save(out)
    counts = f"{len(recording.images)} images, {len(recording.layers)} layers"
    print(f"{counts} -> {out}; compare it with another: gapscope compare A.nc B.nc")


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A recording.")],
    b: Annotated[Path, typer.Argument(help="Another recording, over the same images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the grid goes (.nc).")] = Path("grid.nc"),
) -> None:
    """Compare two networks layer by layer, from their recordings.

    Prints the mean similarity (1: the same images are alike to both; 0:
    nothing in common) of all layers, the backbone and the head.

    Example: gapscope compare real.nc synthetic.nc -o grid.nc
    """
    from gapscope.recording.recording import read_recording
    from gapscope.similarity import compare as similarity
    from gapscope.similarity.summary import diagonal_means

    grid = similarity.compare(read_recording(a), read_recording(b))
    similarity.write_similarity(grid, out)
    for measure, name in (("cka_debiased", "debiased"), ("cka_biased", "biased, as in the paper")):
        means = diagonal_means(grid, measure)
        print(f"CKA ({name}): all {means.all:.4f}, backbone {means.backbone:.4f}, head {means.head:.4f}")
    print(f"all {grid.sizes['layer_a']} x {grid.sizes['layer_b']} layers, floor and intervals are in {out}")
