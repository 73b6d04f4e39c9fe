"""What does the page draw below a layer's curve, so that its layers have a place in YOLOv3?"""

from typing import Any

from gapscope.detector.layers import BACKBONE_LAST, YOLO_LAYERS, yolov3_layers
from gapscope.detector.network_map import BLOCKS, ROUTES
from gapscope.similarity.blocks import PAPER_BLOCKS


def network_strip(classes: int, width: float) -> dict[str, Any]:
    """The network's parts and connections, ready for JSON.

    Returns:
        `blocks` (name, first, last, backbone) and `paper`, the blocks that the paper saw; `kinds` and `inputs` per
        layer (-1 is the image); `shortcuts` and `routes` as (layer that is read, layer that reads it), where a layer
        reads another than the one before it; `joins`, the routes that join a backbone map to the head; `detections`.
    """
    layers = yolov3_layers(classes, width)
    skips = [(layer.kind, source, layer.index) for layer in layers for source in layer.inputs]
    skips = [(kind, source, at) for kind, source, at in skips if source != at - 1]
    return {
        "blocks": [{"name": b.name, "first": b.first, "last": b.last, "backbone": b.in_backbone} for b in BLOCKS],
        "paper": [list(block) for block in PAPER_BLOCKS],
        "kinds": [f"conv {layer.size}x{layer.size}" if layer.kind == "conv" else layer.kind for layer in layers],
        "inputs": [list(layer.inputs) for layer in layers],
        "shortcuts": [[source, at] for kind, source, at in skips if kind == "shortcut"],
        "routes": [[source, at] for kind, source, at in skips if kind == "route"],
        "joins": list(ROUTES),
        "detections": list(YOLO_LAYERS),
        "backboneLast": BACKBONE_LAST,
    }
