"""Commands for looking inside networks: record, compare, separability."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gapscope.commands.app import app
from gapscope.words import number_of

if TYPE_CHECKING:
    from gapscope.recording.layer_sync import Precision
    from gapscope.recording.recording import Recording

Several = list[str] | None


@app.command()
def record(
    model: Annotated[str, typer.Argument(help="A weights file, or module:factory that builds any model.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of images that the network looks at, in order of name.")
    ] = None,
    objects: Annotated[
        list[Path] | None, typer.Option(help="Instead, a labelled folder: its objects. Repeat it for a second set.")
    ] = None,
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
    per_class: Annotated[int, typer.Option(help="Objects of each class and set, at most.", min=1)] = 200,
    smallest: Annotated[float, typer.Option(help="Least side of an object in input pixels: root of its area.")] = 0.0,
    format: Annotated[str | None, typer.Option(help="Format of the labels, if it is not found.")] = None,
    label_map: Annotated[str, typer.Option(help="A map of their classes: gapscope data maps")] = "",
    map: Annotated[Several, typer.Option(help='"car=car,van": class = its names there. Repeat it.')] = None,
    drop: Annotated[Several, typer.Option(help="A name there whose objects are left out. Repeat it.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what memory, disk and time it will take.")] = False,
) -> None:
    """Record what every layer makes of a folder of images, or of objects.

    The model is a weights file of gapscope, or what a Python function
    builds: my_models.py:build, torchvision.models:resnet18. With --objects
    each layer's map is averaged over every labelled box.

    Example: gapscope record runs/demo/arms/u-real/seed0/weights.safetensors
    --images photos --size 416 -o real.nc
    """
    from gapscope.data.labels import parse_mapping
    from gapscope.errors import InputError
    from gapscope.progress import for_terminal
    from gapscope.recording.record_files import plan_files, record_files
    from gapscope.recording.record_objects import record_labelled_folders
    from gapscope.words import byte_size, duration

    if (images is None) == (not objects):
        raise InputError("either --images or --objects says what is recorded. Name one folder of images, or objects.")
    speed = cast("Precision", precision)  # any text; what there is, is said where it is used
    if plan and images is None:
        raise InputError("--plan is for images alone. Leave it out, or plan the images of the folder: --images.")
    if plan and images is not None:
        cost, seconds = plan_files(model, images, size=size, precision=speed, memory=memory)
        disk, at_once, file = (byte_size(each) for each in (cost.disk, cost.disk_at_once, cost.file))
        print(f"memory {byte_size(cost.memory)} beside images and network ({byte_size(cost.everything)} with all kept)")
        print(f"disk {disk} written and read again on the way, {at_once} at a time, {file} to stay")
        print(f"about {duration(seconds)} here, going by one image and a small Gram matrix (disk not counted)")
        return
    how: dict[str, Any] = {"size": size, "layers": layers or None, "preprocess": preprocess, "precision": speed}
    how |= {"memory": memory, "name": name, "progress": for_terminal()}
    if images is not None:
        recording = record_files(model, images, **how)
    else:
        labels = parse_mapping(map or [], "--map")
        how |= {"format": format, "label_map": label_map, "labels": labels, "drop": drop or []}
        how |= {"per_class": per_class, "smallest": smallest}
        recording = record_labelled_folders(model, objects or [], **how)
        for line in _small_objects(recording):
            print(line)
    recording.save(out)
    if "handing_on" in recording.provenance:
        print(f"no layers of their own: {recording.provenance['handing_on']}")
    counts = f"{recording.rows_text}, {number_of(len(recording.layers), 'layer')}"
    if recording.skipped:
        name, reason = next(iter(recording.skipped.items()))
        more = len(recording.skipped) - 1
        print(f"not recorded: {name}, which {reason}" + (f"; and {more} more, all listed in the file" if more else ""))
    print(f"{counts} -> {out}; compare it with another: gapscope compare A.nc B.nc")


def _small_objects(recording: "Recording") -> list[str]:
    """Where objects cover less than a cell, in words."""
    assert recording.objects is not None
    small = (recording.objects.in_cells(recording.size) < 1).sum(1)
    worst = small.argmax()
    if not small[worst]:
        return []
    return [
        f"{(small > 0).sum()} layers have maps of which some objects cover less than a cell, up to {small[worst]} of "
        f"{len(recording.objects)} (layer {recording.layers[worst]}): there their rows tell as much of what is around "
        "them; --smallest leaves them out"
    ]


class By(StrEnum):
    """What objects are parted by."""

    label = "class"
    size = "size"


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
    by: Annotated[By | None, typer.Option(help="Of objects: each class, or each size, by itself.")] = None,
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
    from gapscope.similarity.object_parts import compare_objects
    from gapscope.similarity.summary import grid_table, in_sentences

    names = measure or ["cka_debiased", "cka_biased"]
    recordings = read_recording(a), read_recording(b)
    how: dict[str, Any] = {"measures": names, "cells": "diagonal" if diagonal else "all", "floor": floor.value}
    how |= {"interval": interval.value, "permutations": permutations, "bootstraps": bootstraps}
    how |= {"remove_top": remove_top, "progress": for_terminal()}
    if by is not None:
        for part, grid in compare_objects(*recordings, "class" if by is By.label else "size", **how).items():
            place = out.with_name(f"{out.stem}.{part}{out.suffix}")
            write_similarity(grid, place)
            if csv:
                write_text(csv.with_name(f"{csv.stem}.{part}{csv.suffix}"), grid_table(grid).to_csv(index=False))
            print(f"{part}, {grid.attrs['n']} objects -> {place}")
            for line in in_sentences(grid, names):
                print(f"  {line}")
        return
    grid = compare_recordings(*recordings, **how)
    write_similarity(grid, out)
    if csv:
        write_text(csv, frame_csv(grid_table(grid)))
    for line in in_sentences(grid, names):
        print(line)
    counts = [grid.sizes["layer_a"]] if diagonal else [grid.sizes["layer_a"], grid.sizes["layer_b"]]
    also = f" and, as a table, in {csv}" if csv else "; as a table: gapscope compare ... --csv FILE"
    print(f"all {' x '.join(map(str, counts))} layers, floor and intervals are in {out}{also}")


@app.command()
def separability(
    recording: Annotated[Path, typer.Argument(help="A recording over two sets together.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the result goes (.nc).")] = Path("separability.nc"),
    shuffles: Annotated[int, typer.Option(help="Orders of the labels behind the floor.", min=20)] = 1000,
    bootstraps: Annotated[int, typer.Option(help="Halves behind each interval; 0 for none.", min=0)] = 200,
    csv: Annotated[Path | None, typer.Option(help="Also write it as a table, a row per layer.")] = None,
) -> None:
    """Ask how well each layer of one network tells two sets apart.

    The sets are the labelled folders that objects were recorded from, or
    of images the two folders that their names begin with. Objects of one
    image are shuffled together; docs/objects.md says how to read it.

    Example: gapscope record w.safetensors --objects photos --objects
    renders -o both.nc; gapscope separability both.nc
    """
    from gapscope.files import write_text
    from gapscope.progress import for_terminal
    from gapscope.recording.recording import read_recording
    from gapscope.similarity.object_parts import sets_of
    from gapscope.similarity.separability import in_words, separability as separate, write_separability

    read = read_recording(recording)
    labels, groups = sets_of(read)
    found = separate(read, labels, groups=groups, shuffles=shuffles, bootstraps=bootstraps, progress=for_terminal())
    write_separability(found, out)
    if csv:
        write_text(csv, found.to_dataframe().to_csv())
    for line in in_words(found):
        print(line)
    also = f" and, as a table, in {csv}" if csv else "; as a table: --csv FILE"
    print(f"all {found.sizes['layer']} layers with floors and intervals are in {out}{also}")
