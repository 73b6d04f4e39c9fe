"""Commands for the network and its weights: layers, weights info, weights convert, detect."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.app import app, chosen_device
from gapscope.commands.short_help import ShortHelp
from gapscope.detector.thresholds import SHOWN_CONFIDENCE, SHOWN_OVERLAP
from gapscope.words import number_of

weights = typer.Typer(cls=ShortHelp, no_args_is_help=True, help="Look into weights files and convert them.")
app.add_typer(weights, name="weights")

Cfg = Annotated[str | None, typer.Option(help="A Darknet file's network: a .cfg, or a built-in name.")]
Names = Annotated[Path | None, typer.Option(help="File of class names, one a line.")]


class Resize(StrEnum):
    letterbox = "letterbox"
    stretch = "stretch"


@app.command()
def layers(
    network: Annotated[
        str, typer.Argument(help="yolov3, yolov3-tiny, yolov3-spp, darknet53, or a .cfg file.")
    ] = "yolov3",
    classes: Annotated[int | None, typer.Option(help="Number of classes; 5 unless a .cfg says it.")] = None,
    width: Annotated[float, typer.Option(help="Factor on the number of channels.")] = 1.0,
    size: Annotated[int | None, typer.Option(help="Side of the input; left out, the network's own.")] = None,
) -> None:
    """Print a network's layers: type, channels, stride, inputs, features.

    Example: gapscope layers yolov3 --width 0.25 --size 160
    """
    from gapscope.detector.cfg_plan import plan_from
    from gapscope.errors import InputError

    plan = plan_from(network, 5 if classes is None else classes, width)
    if classes not in (None, plan.classes) and plan.classes:
        raise InputError(f"{network} says {plan.classes} classes itself, not {classes}. Leave --classes out.")
    sources = [", ".join("image" if i < 0 else str(i) for i in layer.inputs) for layer in plan.layers]
    wide = max(8, *map(len, sources))
    input_width, input_height = plan.size if size is None else (size, size)
    last = f"features at {input_width}x{input_height}"
    print(f"{'layer':>5}  {'type':8}  {'channels':>8}  {'kernel':>7}  {'stride':>6}  {'from':>{wide}}  {last}")
    for layer, source in zip(plan.layers, sources, strict=True):
        kernel = f"{layer.size}x{layer.size}/{layer.step}" if layer.size else ""
        line = f"{layer.index:5}  {layer.kind:8}  {layer.filters:8}  {kernel:>7}  {layer.stride:6}  {source:>{wide}}"
        cells = (input_width // layer.stride) * (input_height // layer.stride) if layer.stride else 1
        print(f"{line}  {layer.filters * cells:{len(last)}}")
    for note in plan.notes:
        print(f"note: {note}")


@weights.command()
def info(
    file: Annotated[Path, typer.Argument(help="A .safetensors, .weights or timm file.")],
    cfg: Cfg = None,
) -> None:
    """Show what is in a weights file: network, layers, origin, hash.

    Example: gapscope weights info darknet53.conv.74
    """
    from gapscope.detector.weights_info import weights_facts

    facts = weights_facts(file, cfg)
    wide = max(len(name) for name, _ in facts) + 1
    for name, value in facts:
        print(f"{name + ':':<{wide}} {value}")


@weights.command()
def convert(
    source: Annotated[Path, typer.Argument(help="The file to convert; it stays as it is.")],
    target: Annotated[Path, typer.Argument(help="The file to write: .safetensors for ours, else Darknet's.")],
    cfg: Cfg = None,
    names: Names = None,
) -> None:
    """Convert weights between Darknet's format and ours.

    A Darknet file is written with the .cfg that belongs to it.

    Example: gapscope weights convert yolov3.weights yolov3.safetensors
    --names coco.names
    """
    from gapscope.detector.class_names import read_names
    from gapscope.detector.convert_weights import convert_weights

    written = convert_weights(source, target, cfg, read_names(names) if names else None)
    print(f"written: {', '.join(map(str, written))}; look into it: gapscope weights info {target}")


@app.command()
def detect(
    weights: Annotated[Path, typer.Argument(help="A .safetensors or .weights file.")],
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    cfg: Cfg = None,
    names: Names = None,
    size: Annotated[
        int | None, typer.Option(help="Input size in pixels; left out, what the .cfg says, or 416.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Show boxes from this confidence on.")] = SHOWN_CONFIDENCE,
    iou: Annotated[float, typer.Option(help="Of boxes that overlap more, one stays.")] = SHOWN_OVERLAP,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures and detections.json.")] = Path(
        "detections"
    ),
    resize: Annotated[Resize, typer.Option(help="Keep the images' shape, or stretch them.")] = Resize.letterbox,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto for cuda where there is one.")] = "auto",
) -> None:
    """Find objects in images: a picture each, and all boxes in one file.

    detections.json holds the table of images and classes and a list of
    results as COCO has them: x, y, width, height in pixels of the image.

    Example: gapscope detect yolov3-tiny.weights photos --names coco.names
    """
    from gapscope.detector.class_names import read_names
    from gapscope.detector.detect_files import collect_images, counts_in_words, detect_to_folder
    from gapscope.detector.plans import reading_notes
    from gapscope.detector.weights import load_weights
    from gapscope.lettering import unwritten

    network = load_weights(weights, cfg, read_names(names) if names else None)
    for note in [*reading_notes(network.plan, size), *unwritten(network.class_names)]:
        print(note)
    images_found = boxes = 0
    for found in detect_to_folder(
        network,
        weights,
        collect_images(images),
        out,
        size=size,
        confidence=confidence,
        iou=iou,
        resize="stretch" if resize is Resize.stretch else "letterbox",
        device=chosen_device(device),
    ):
        images_found, boxes = images_found + 1, boxes + len(found.detections.classes)
        print(f"{found.file.name}: {counts_in_words(found, network.class_names)}")
    found_all = f"{number_of(boxes, 'box', 'boxes')} in {number_of(images_found, 'image')}"
    print(f"{found_all} -> {out / 'detections.json'}, pictures beside it")
