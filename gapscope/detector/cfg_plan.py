"""A Darknet .cfg file -> the plan of its network, layer by layer at Darknet's own indices."""

from collections.abc import Callable
from pathlib import Path
from typing import cast, get_args

from gapscope.detector.cfg import NET_KINDS, Section, parse_sections, read_sections
from gapscope.detector.fits import stored_values
from gapscope.detector.plans import Plan, built_in_plan
from gapscope.detector.stack import IMAGE_CHANNELS, Activation, Layer, Stack
from gapscope.errors import InputError

Anchors = list[tuple[float, float]]
MOST_VALUES = 500_000_000
"""Weights of a network: YOLOv3 has 62 million, the largest of Darknet's family 290."""

TRAINING_KEYS = {"stopbackward", "dontload", "dontloadscales", "learning_rate", "burnin_update", "train_only_bn"}
"""Known to Darknet in any layer; they say how it is trained or loaded, not what it computes."""
NET_KEYS = {"batch", "subdivisions", "width", "height", "channels", "momentum", "decay", "inputs"}
CONV_KEYS = {"batch_normalize", "filters", "size", "stride", "pad", "padding", "groups", "activation"}
CONV_OFF = {
    "stride_x": "1",
    "stride_y": "1",
    "dilation": "1",
    "antialiasing": "0",
    "binary": "0",
    "xnor": "0",
    "bin_output": "0",
    "flipped": "0",
    "assisted_excitation": "0",
    "share_index": "none",
    "deform": "0",
    "rotate": "0",
    "sway": "0",
    "stretch": "0",
    "stretch_sway": "0",
    "coordconv": "0",
    "cbn": "0",
}
YOLO_KEYS = {"mask", "anchors", "classes", "num", "scale_x_y", "jitter", "random", "max", "map"}


def read_cfg(path: str | Path) -> Plan:
    """The plan of a .cfg file: convolutional, shortcut, route, upsample, maxpool, yolo, avgpool, softmax, dropout.

    Raises:
        InputError: With file and line, if something is missing, misspelt, out of range or of an unknown type.
    """
    path = Path(path)
    sections, text = read_sections(path)
    return plan_of(sections, path.name, text)


def plan_from(source: str | Path, classes: int = 80, width: float = 1.0) -> Plan:
    """The plan of a .cfg file or of a built-in network; a .cfg decides its classes and width itself."""
    if Path(source).suffix != ".cfg":
        return built_in_plan(str(source), classes, width)
    if width != 1:
        raise InputError(
            f"width = {width} - only built-in networks can be made thinner. Change the filters in {source}."
        )
    return read_cfg(source)


def parse_cfg(text: str, name: str, file: str) -> Plan:
    """The plan of a .cfg file's text; `file` names it in messages."""
    return plan_of(parse_sections(text, file), name, text)


def plan_of(sections: list[Section], name: str, text: str) -> Plan:
    """The plan that sections make, the first of which is [net]."""
    net, *rest = sections
    if net.kind not in NET_KINDS:
        raise InputError(f"{net.where} comes first - expected [net], which says the input's size. Add it.")
    net.check_keys(NET_KEYS, {}, lenient=True)
    if net.whole("channels", IMAGE_CHANNELS) != IMAGE_CHANNELS:
        raise InputError(f"{net.at('channels')} - gapscope reads RGB images. Use a network with channels=3.")
    if not rest:
        raise InputError(f"{net.where} is the only section - expected layers after it. Copy the file again.")
    stack, anchors = Stack(), list[tuple[float, float]]()
    for section in rest:
        add_layer(stack, section, anchors)
    check_classes(stack, rest)
    values = sum(map(stored_values, stack.layers))
    if values > MOST_VALUES:
        raise InputError(
            f"{net.file}: its layers have {values:,} weights - expected at most {MOST_VALUES:,}, which take 2 GB. Use "
            "a smaller network."
        )
    size = (net.whole("width", 416, least=1), net.whole("height", 416, least=1))
    return Plan(tuple(stack.layers), tuple(anchors), name, size=size, cfg=text, notes=tuple(net.notes))


def add_layer(stack: Stack, section: Section, anchors: Anchors) -> None:
    """Put one section's layer on the stack; a yolo layer's anchors join the others'."""
    index = stack.last + 1
    if section.kind == "yolo":
        positions = add_anchors(section, anchors)
    elif section.kind not in ADDERS:
        raise InputError(
            f"{section.where} is layer {index}: layers of this type are not supported - expected one of "
            f"{', '.join(sorted([*ADDERS, 'yolo']))}. Use another network, or correct the type."
        )
    try:
        if section.kind == "yolo":
            add_yolo(stack, section, positions)
        else:
            ADDERS[section.kind](stack, section)
    except InputError as error:
        if str(error).startswith(section.file):
            raise
        raise InputError(f"{section.where}, layer {index}: {error}") from None


def add_conv(stack: Stack, section: Section) -> None:
    section.check_keys(CONV_KEYS | TRAINING_KEYS, CONV_OFF)
    size = section.whole("size", 1, least=1)
    pad = section.whole("padding", 0)
    if section.whole("pad", 0):
        pad = size // 2
    stack.conv(
        section.whole("filters", least=1),
        size,
        section.whole("stride", 1, least=1),
        pad=pad,
        groups=section.whole("groups", 1, least=1),
        normalized=section.whole("batch_normalize", 0) != 0,
        activation=activation_of(section),
    )


def add_shortcut(stack: Stack, section: Section) -> None:
    off = {"weights_type": "none", "weights_normalization": "none", "alpha": "1", "beta": "1"}
    section.check_keys({"from", "activation"} | TRAINING_KEYS, off)
    sources = section.references("from", stack.last + 1)
    stack.shortcut(*sources, activation=activation_of(section, "linear"))


def add_route(stack: Stack, section: Section) -> None:
    section.check_keys({"layers", "groups", "group_id"} | TRAINING_KEYS, {})
    sources = section.references("layers", stack.last + 1)
    stack.route(*sources, groups=section.whole("groups", 1, least=1), part=section.whole("group_id", 0))


def add_upsample(stack: Stack, section: Section) -> None:
    section.check_keys({"stride"} | TRAINING_KEYS, {"scale": "1"})
    stack.upsample(section.whole("stride", 2))


def add_maxpool(stack: Stack, section: Section) -> None:
    off = {"stride_x": "1", "stride_y": "1", "maxpool_depth": "0", "out_channels": "1", "antialiasing": "0"}
    section.check_keys({"size", "stride", "padding"} | TRAINING_KEYS, off)
    step = section.whole("stride", 1, least=1)
    size = section.whole("size", step, least=1)
    stack.maxpool(size, step, section.whole("padding", size - 1))


def add_dropout(stack: Stack, section: Section) -> None:
    section.check_keys({"probability"} | TRAINING_KEYS, {"dropblock": "0"}, lenient=True)
    stack.dropout(section.number("probability", 0.5))


def add_avgpool(stack: Stack, section: Section) -> None:
    stack.avgpool()


def add_softmax(stack: Stack, section: Section) -> None:
    section.check_keys({"groups", "temperature"} | TRAINING_KEYS, {"groups": "1", "temperature": "1", "spatial": "0"})
    stack.softmax()


ADDERS: dict[str, Callable[[Stack, Section], None]] = {
    "convolutional": add_conv,
    "conv": add_conv,
    "shortcut": add_shortcut,
    "route": add_route,
    "upsample": add_upsample,
    "maxpool": add_maxpool,
    "max": add_maxpool,
    "dropout": add_dropout,
    "avgpool": add_avgpool,
    "avg": add_avgpool,
    "softmax": add_softmax,
    "soft": add_softmax,
}
"""Section type, with Darknet's own short forms -> what puts its layer on the stack."""


def add_yolo(stack: Stack, section: Section, positions: tuple[int, ...]) -> None:
    section.check_keys(YOLO_KEYS | TRAINING_KEYS, {"new_coords": "0"}, lenient=True)
    scale = section.number("scale_x_y", 1.0)
    if not 0 < scale < 10:
        raise InputError(f"{section.at('scale_x_y')} - expected a factor above 0, usually 1 to 2. Correct it.")
    stack.yolo(positions, section.whole("classes", least=1), scale)


def add_anchors(section: Section, anchors: Anchors) -> tuple[int, ...]:
    """Indices of a yolo layer's anchors among all of the network's, which gain this layer's list if it is new."""
    own = section.pairs("anchors")
    if section.whole("num", len(own)) != len(own):
        raise InputError(f"{section.at('num')} - but there are {len(own)} pairs in 'anchors'. Correct one of the two.")
    mask = section.wholes("mask") if "mask" in section.entries else list(range(len(own)))
    for position in mask:
        if not 0 <= position < len(own):
            raise InputError(
                f"{section.at('mask')} - there is no anchor {position}, they are 0 to {len(own) - 1}. Correct the mask."
            )
    starts = range(len(anchors) - len(own) + 1)
    start = next((i for i in starts if anchors[i : i + len(own)] == own), None)
    if start is None:
        start = len(anchors)
        anchors.extend(own)
    return tuple(start + position for position in mask)


def activation_of(section: Section, default: str | None = None) -> Activation:
    name = section.text("activation", default)
    if name not in get_args(Activation):
        raise InputError(
            f"{section.at('activation')} - expected one of {', '.join(get_args(Activation))}. "
            "Correct it, or use another network."
        )
    return cast(Activation, name)


def check_classes(stack: Stack, sections: list[Section]) -> None:
    """Refuse yolo layers that differ in their number of classes."""
    yolo: list[tuple[Layer, Section]] = [
        pair for pair in zip(stack.layers, sections, strict=True) if pair[0].kind == "yolo"
    ]
    for layer, section in yolo:
        if layer.classes != yolo[0][0].classes:
            raise InputError(
                f"{section.at('classes')} - but line {yolo[0][1].entries['classes'][1]} says {yolo[0][0].classes}. All "
                "[yolo] sections of a network have the same classes. Correct one."
            )
