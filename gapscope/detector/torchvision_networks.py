"""torchvision's detectors behind the protocol: FCOS, RetinaNet, Faster R-CNN and SSDlite.

Whole ones by torchvision's own names, such as `fcos_resnet50_fpn`, and small ones put together of its parts, such as
`fcos_mobilenet_v3_small_fpn`. Nothing is downloaded: weights are drawn at random.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models import detection, get_model, mobilenet_v3_large, mobilenet_v3_small, resnet18, resnet34
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from gapscope.detector.factories import PUT_TOGETHER
from gapscope.detector.protocol import BACKBONE, HEAD, UNSEEN, Target
from gapscope.errors import InputError

LEAST_SCORE = 0.01
"""Least confidence of what a detector hands out; average precision looks at all of it."""
MOST_FOUND = 300
"""Boxes per image."""
CHANNELS = 256
"""Of a feature pyramid, at width 1."""
MOBILE: Mapping[str, tuple[Callable[..., nn.Module], tuple[int, int, int]]] = {
    "mobilenet_v3_small": (mobilenet_v3_small, (3, 8, 12)),
    "mobilenet_v3_large": (mobilenet_v3_large, (6, 12, 16)),
}
"""Name -> what builds it, and its last parts at strides 8, 16 and 32."""
RESNETS: Mapping[str, Callable[..., nn.Module]] = {"resnet18": resnet18, "resnet34": resnet34}
STRIDE = 32


class TorchvisionDetector(nn.Module):
    """One of torchvision's detectors, offering `gapscope.detector.protocol.Detector`.

    It looks at images as large as they are: torchvision's own resizing is told their size. Its suppression of overlaps
    is torchvision's, down to a confidence of `LEAST_SCORE`.

    Args:
        name: One of `gapscope.detector.factories.TORCHVISION`.
        num_classes: Of the study, without a background.
        width: Factor on the channels of a network that is put together here of MobileNetV3.
        anchor_scale: Factor on the anchors of RetinaNet and Faster R-CNN, which torchvision chose for 800 pixels.

    Raises:
        InputError: It has no width or anchors that could be changed.
    """

    def __init__(self, name: str, num_classes: int, width: float = 1.0, anchor_scale: float = 1.0) -> None:
        super().__init__()
        self.family = name.partition("_")[0].rstrip("0123456789")
        self.background = int(self.family in ("fasterrcnn", "ssdlite"))
        classes = num_classes + self.background
        limits: dict[str, Any] = {"fasterrcnn": {"box_score_thresh": LEAST_SCORE, "box_detections_per_img": MOST_FOUND}}
        limits = limits.get(self.family, {"score_thresh": LEAST_SCORE, "detections_per_img": MOST_FOUND})
        check_settings(name, self.family, width, anchor_scale)
        if name in PUT_TOGETHER:
            self.model = put_together(name, classes, width, limits)
        else:
            self.model = get_model(name, weights=None, weights_backbone=None, num_classes=classes, **limits)
        if anchor_scale != 1:
            scale_anchors(self.model, self.family, anchor_scale)

    def forward(self, images: Tensor) -> Any:
        """torchvision's own pass over images (b, 3, s, s) in 0..1, in evaluation mode with its post-processing."""
        self.at_size(images)
        return self.model(list(images))

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        self.at_size(images)
        given = [{"boxes": one.boxes, "labels": one.classes + self.background} for one in targets]
        found: dict[str, Tensor] = self.model(list(images), given)
        return found

    def detect(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        found: list[dict[str, Tensor]] = self(images)
        return [(one["boxes"], one["scores"], one["labels"] - self.background) for one in found]

    def at_size(self, images: Tensor) -> None:
        """Have images looked at in the size that they have."""
        height, width = images.shape[-2:]
        transform: Any = self.model.transform
        transform.min_size, transform.max_size = (min(height, width),), max(height, width)
        if transform.fixed_size is not None:
            transform.fixed_size = (width, height)

    def blocks(self) -> dict[str, dict[str, list[str]]]:
        """Backbone, then what reads its maps. Modules are those whose output says something: blocks, not every leaf."""
        backbone: Any = self.model.backbone
        found: dict[str, dict[str, list[str]]] = {
            BACKBONE: dict(body_blocks(backbone)),
            HEAD: dict(neck_blocks(backbone)),
        }
        if self.family == "fasterrcnn":
            found[HEAD]["proposals"] = [f"model.rpn.head.{part}" for part in ("conv", "cls_logits", "bbox_pred")]
            found[UNSEEN] = {"boxes": ["model.roi_heads.box_head", "model.roi_heads.box_predictor"]}
        else:
            found[HEAD] |= dict(head_blocks(self.model.head))
        return found


def check_settings(name: str, family: str, width: float, anchor_scale: float) -> None:
    """Refuse what a network cannot be told."""
    if width != 1 and not (name in PUT_TOGETHER and "mobilenet" in name):
        thin = ", ".join(one for one in PUT_TOGETHER if "mobilenet" in one)
        raise InputError(f"width = {width:g}: {name} has one width. Leave width out, or take {thin}.")
    if anchor_scale != 1 and family not in ("retinanet", "fasterrcnn"):
        raise InputError(f"anchor_scale = {anchor_scale:g}: {name} has no anchors of a fixed size. Leave it out.")


def put_together(name: str, classes: int, width: float, limits: Mapping[str, Any]) -> nn.Module:
    """A detector that torchvision has no name for, of its backbones, its feature pyramid and its heads."""
    family, _, backbone_name = name.removesuffix("_fpn").partition("_")
    channels = max(32, round(CHANNELS * width / 32) * 32)  # heads normalize in groups of 32
    if backbone_name in RESNETS:
        body = RESNETS[backbone_name](weights=None)
        returned = {f"layer{at}": str(at) for at in (2, 3, 4)}
        found = [128, 256, 512]
    else:
        build, ends = MOBILE[backbone_name]
        whole: Any = build(weights=None, width_mult=width)
        body, returned = whole.features, {str(end): str(end) for end in ends}
        found = [body[end].out_channels for end in ends]
    backbone = BackboneWithFPN(body, returned, found, channels, extra_blocks=LastLevelP6P7(channels, channels))
    if family == "fcos":
        return detection.FCOS(backbone, classes, **limits)
    sizes = tuple((side, int(side * 2 ** (1 / 3)), int(side * 2 ** (2 / 3))) for side in (32, 64, 128, 256, 512))
    if family == "retinanet":
        return detection.RetinaNet(backbone, classes, AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5), **limits)
    anchors = AnchorGenerator(tuple((side,) for side, *_ in sizes), ((0.5, 1.0, 2.0),) * 5)
    wide = max(32, round(1024 * width))
    return detection.FasterRCNN(
        backbone,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(channels, anchors.num_anchors_per_location()[0]),
        box_head=TwoMLPHead(channels * 7**2, wide),
        box_predictor=FastRCNNPredictor(wide, classes),
        **limits,
    )


def scale_anchors(model: Any, family: str, factor: float) -> None:
    """Make all anchors larger or smaller."""
    generator = model.anchor_generator if family == "retinanet" else model.rpn.anchor_generator
    generator.sizes = tuple(tuple(side * factor for side in level) for level in generator.sizes)
    generator.cell_anchors = [
        generator.generate_anchors(sides, ratios)
        for sides, ratios in zip(generator.sizes, generator.aspect_ratios, strict=True)
    ]


def body_blocks(backbone: Any) -> Iterator[tuple[str, list[str]]]:
    """The blocks of a classifier's features, by its own stages or where the resolution falls."""
    if hasattr(backbone, "body"):
        place, body = "model.backbone.body", backbone.body
        if hasattr(body, "layer1"):
            yield "stem", [f"{place}.conv1", f"{place}.bn1"]
            for stage in ("layer1", "layer2", "layer3", "layer4"):
                yield stage, [f"{place}.{stage}.{at}" for at, _ in body[stage].named_children()]
            return
        parts = [(f"{place}.{name}", part) for name, part in body.named_children()]
    else:
        parts = [
            (f"model.backbone.features.{name}.{inner}", part)
            for name, stage in backbone.features.named_children()
            for inner, part in stage.named_children()
        ]
    yield from by_resolution([one for one in parts if any(True for _ in one[1].parameters())])


def by_resolution(parts: Sequence[tuple[str, nn.Module]]) -> Iterator[tuple[str, list[str]]]:
    """Parts in stages: a new one begins with a convolution that leaves pixels out."""
    stages: list[list[str]] = []
    for name, part in parts:
        strided = any(isinstance(one, nn.Conv2d) and max(one.stride) > 1 for one in part.modules())
        if strided or not stages:
            stages.append([])
        stages[-1].append(name)
    for number, names in enumerate(stages):
        yield f"stage {number}" if number else "stem", names


def neck_blocks(backbone: Any) -> Iterator[tuple[str, list[str]]]:
    """The feature pyramid, coarse maps first, as it is computed; or the further maps of SSDlite."""
    if hasattr(backbone, "fpn"):
        fpn, place = backbone.fpn, "model.backbone.fpn"
        levels = reversed(range(len(fpn.inner_blocks)))
        names = [f"{place}.{kind}.{level}" for level in levels for kind in ("inner_blocks", "layer_blocks")]
        extra = [f"{place}.extra_blocks.{name}" for name, _ in fpn.extra_blocks.named_children()]
        yield "pyramid", [*names, *extra]
    else:
        yield "extra maps", [f"model.backbone.extra.{name}" for name, _ in backbone.extra.named_children()]


def head_blocks(head: Any) -> Iterator[tuple[str, list[str]]]:
    """What is said of classes, then of boxes."""
    for name, part in head.named_children():
        place = f"model.head.{name}"
        found = [(inner, one) for inner, one in part.named_children() if any(True for _ in one.parameters())]
        names = [
            f"{place}.{inner}.{at}"
            for inner, one in found
            if isinstance(one, nn.ModuleList)
            for at, _ in one.named_children()
        ]
        names += [f"{place}.{inner}" for inner, one in found if not isinstance(one, nn.ModuleList)]
        yield name.removesuffix("_head"), names
