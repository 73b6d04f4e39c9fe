"""Commands for looking inside networks: record, compare."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gapscope.commands.app import app
from gapscope.words import number_of

if TYPE_CHECKING:
    from gapscope.recording.layer_sync import Precision


@app.command()
def record(
    model: Annotated[str, typer.Argument(help="A weights file, or module:factory that builds any model.")],
    images: Annotated[Path, typer.Option(help="Folder of images that the network looks at, in order of name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the recording goes (.nc).")] = Path("recording.nc"),
    size: Annotated[
        int | None, typer.Option(help="Input size, for YOLOv3 a multiple of 32; left out, the .cfg's or 416.")
    ] = None,
    layers: Annotated[
        list[str] | None, typer.Option(help="Name, 'layer1.*' or '0-74'; more than once if need be.")
    ] = None,
    preprocess: Annotated[str, typer.Option(help="'0-1' or 'imagenet': what the model expects.")] = "0-1",
    precision: Annotated[str, typer.Option(help="'32', or 'bf16': quicker on a GPU, nearly the same.")] = "32",
    memory: Annotated[str, typer.Option(help="Live tensors above this spill to disk.")] = "8GiB",
    name: Annotated[str, typer.Option(help="What figures and tables call the network.")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Only say what memory, disk and time it will take.")] = False,
) -> None:
    """Record what every layer makes of a folder of images.

    The model is a weights file of gapscope, or what a Python function
    builds: my_models.py:build, torchvision.models:resnet18.

    Example: gapscope record runs/demo/arms/u-real/seed0/weights.safetensors
    --images photos --size 416 -o real.nc
    """
    from gapscope.progress import for_terminal
    from gapscope.recording.record_files import plan_files, record_files
    from gapscope.words import byte_size, duration

    speed = cast("Precision", precision)  # any text; what there is, is said where it is used
    if plan:
        cost, seconds = plan_files(model, images, size=size, precision=speed, memory=memory)
        disk, at_once, file = map(byte_size, (cost.disk, cost.disk_at_once, cost.file))
        print(f"memory {byte_size(cost.memory)} beside images and network ({byte_size(cost.everything)} with all kept)")
        print(f"disk {disk} written and read again on the way, {at_once} at a time, {file} to stay")
        print(f"about {duration(seconds)} here, going by one image and a small Gram matrix (disk not counted)")
        return
    recording = record_files(
        model,
        images,
        size=size,
        layers=layers or None,
        preprocess=preprocess,
        precision=speed,
        memory=memory,
        name=name,
        progress=for_terminal(),
    )
    recording.save(out)
    counts = f"{number_of(len(recording.images), 'image')}, {number_of(len(recording.layers), 'layer')}"
    if recording.skipped:
        name, reason = next(iter(recording.skipped.items()))
        more = len(recording.skipped) - 1
        print(f"not recorded: {name}, which {reason}" + (f"; and {more} more, all listed in the file" if more else ""))
    print(f"{counts} -> {out}; compare it with another: gapscope compare A.nc B.nc")


class Where(StrEnum):
    """Each layer with its counterpart, or each layer with each."""

    layers = "layers"
    cells = "cells"


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A recording.")],
    b: Annotated[Path, typer.Argument(help="Another recording, over the same images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the grid goes (.nc).")] = Path("grid.nc"),
    measure: Annotated[
        list[str] | None, typer.Option(help="Such as rsa or procrustes; more than once if need be.")
    ] = None,
    diagonal: Annotated[bool, typer.Option("--diagonal", help="Each layer with its counterpart only.")] = False,
    floor: Annotated[Where, typer.Option(help="Where images are shuffled for the floor.")] = Where.layers,
    interval: Annotated[Where, typer.Option(help="Where images are drawn anew for intervals.")] = Where.layers,
    permutations: Annotated[int, typer.Option(help="Shuffles behind the floor; 0 for none.")] = 100,
    bootstraps: Annotated[int, typer.Option(help="Draws behind each interval; 0 for none.")] = 200,
    remove_top: Annotated[int, typer.Option(help="Principal components to take away first.")] = 0,
    csv: Annotated[Path | None, typer.Option(help="Also write the grid as a table, a row per cell.")] = None,
) -> None:
    """Compare two networks layer by layer, from their recordings.

    Prints means over all layers, the backbone and the head, and the layers
    that are most and least alike. Without --measure it is CKA, debiased and
    as in the paper. Between different architectures each layer is shown
    with its best match.

    Example: gapscope compare real.nc synthetic.nc -o grid.nc
    """
    from gapscope.files import write_text
    from gapscope.paper.table_files import frame_csv
    from gapscope.progress import for_terminal
    from gapscope.recording.recording import read_recording
    from gapscope.similarity.compare import compare as compare_recordings, write_similarity
    from gapscope.similarity.summary import grid_table, in_sentences

    names = measure or ["cka_debiased", "cka_biased"]
    grid = compare_recordings(
        read_recording(a),
        read_recording(b),
        measures=names,
        cells="diagonal" if diagonal else "all",
        floor=floor.value,
        interval=interval.value,
        permutations=permutations,
        bootstraps=bootstraps,
        remove_top=remove_top,
        progress=for_terminal(),
    )
    write_similarity(grid, out)
    if csv:
        write_text(csv, frame_csv(grid_table(grid)))
    for line in in_sentences(grid, names):
        print(line)
    counts = [grid.sizes["layer_a"]] if diagonal else [grid.sizes["layer_a"], grid.sizes["layer_b"]]
    also = f" and, as a table, in {csv}" if csv else "; as a table: gapscope compare ... --csv FILE"
    print(f"all {' x '.join(map(str, counts))} layers, floor and intervals are in {out}{also}")
