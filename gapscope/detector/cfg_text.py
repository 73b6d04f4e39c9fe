"""A network's plan -> the text of a Darknet .cfg file, so that Darknet and others can use weights trained here."""

from collections.abc import Iterable, Sequence

from gapscope.detector.plans import Plan
from gapscope.detector.stack import LEAK, Layer
from gapscope.errors import InputError

NAMES = {"conv": "convolutional"}
"""Kinds of layers that Darknet calls otherwise."""


def cfg_text(plan: Plan, anchors: Sequence[Sequence[float]]) -> str:
    """The .cfg file of a network; reading it gives the same layers.

    Args:
        plan: The network.
        anchors: Its anchors, (a, 2) in pixels of its input; they may be scaled.

    Raises:
        InputError: If a leaky ReLU has another slope than Darknet's.
    """
    check_leaks(plan.layers)
    width, height = plan.size
    sections = [section("net", {"batch": 1, "width": width, "height": height, "channels": 3})]
    sections += [section(NAMES.get(layer.kind, layer.kind), entries(layer, anchors)) for layer in plan.layers]
    return "\n".join(sections)


def check_leaks(layers: Sequence[Layer]) -> None:
    """Refuse layers that Darknet would compute otherwise."""
    odd = [layer for layer in layers if layer.leak != LEAK]
    if odd:
        raise InputError(
            f"layer {odd[0].index} has a leaky ReLU of slope {odd[0].leak:g}, as timm's weights need - Darknet's is "
            f"{LEAK:g}, and its files cannot say otherwise. Keep these weights as .safetensors."
        )


def section(kind: str, values: dict[str, object]) -> str:
    return "\n".join([f"[{kind}]", *(f"{key}={value}" for key, value in values.items()), ""])


def entries(layer: Layer, anchors: Sequence[Sequence[float]]) -> dict[str, object]:
    """What the section of a layer says."""
    match layer.kind:
        case "conv":
            return conv_entries(layer)
        case "shortcut":
            sources = comma_joined(source - layer.index for source in layer.inputs[1:])
            return {"from": sources, "activation": layer.activation}
        case "route":
            cut: dict[str, object] = {"groups": layer.groups, "group_id": layer.part} if layer.groups > 1 else {}
            return {"layers": comma_joined(layer.inputs), **cut}
        case "upsample":
            return {"stride": layer.factor}
        case "maxpool":
            return {"size": layer.size, "stride": layer.step, "padding": layer.pad}
        case "dropout":
            return {"probability": layer.probability}
        case "yolo":
            pairs = comma_joined(f"{w:g},{h:g}" for w, h in anchors)
            return {
                "mask": comma_joined(layer.anchors),
                "anchors": pairs,
                "classes": layer.classes,
                "num": len(anchors),
                "scale_x_y": f"{layer.scale_xy:g}",
            }
        case "avgpool" | "softmax":
            return {}


def conv_entries(layer: Layer) -> dict[str, object]:
    first = {"batch_normalize": 1} if layer.normalized else {}
    groups = {"groups": layer.groups} if layer.groups > 1 else {}
    sides = {"filters": layer.filters, "size": layer.size, "stride": layer.step, "padding": layer.pad}
    return first | groups | sides | {"activation": layer.activation}


def comma_joined(values: Iterable[object]) -> str:
    return ",".join(map(str, values))
