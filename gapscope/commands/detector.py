"""Commands for the network and its weights: layers."""

from typing import Annotated

import typer

from gapscope.commands.app import app


@app.command()
def layers(
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 5,
    width: Annotated[float, typer.Option(help="Factor on the number of channels.")] = 1.0,
    size: Annotated[int, typer.Option(help="Side of the input in pixels.")] = 416,
) -> None:
    """Print YOLOv3's 107 layers: type, channels, stride, inputs, features.

    Example: gapscope layers --width 0.25 --size 160
    """
    from gapscope.detector.layers import yolov3_layers

    print(f"{'layer':>5}  {'type':8}  {'channels':>8}  {'kernel':>6}  {'stride':>6}  {'from':>8}  {'features':>9}")
    for layer in yolov3_layers(classes, width):
        kernel = f"{layer.size}x{layer.size}/{layer.step}" if layer.size else ""
        source = ", ".join("image" if i < 0 else str(i) for i in layer.inputs)
        line = f"{layer.index:5}  {layer.kind:8}  {layer.filters:8}  {kernel:>6}  {layer.stride:6}  {source:>8}"
        print(f"{line}  {layer.num_features(size):9}")
