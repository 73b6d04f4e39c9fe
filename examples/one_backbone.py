"""FCOS and RT-DETR on the backbone of yolov3-tiny: three kinds of detectors that can begin from the same weights.

    pip install "gapscope[transformers]"

    [model]
    name = "one_backbone.py:fcos"                    # or :rt_detr, in an experiment file beside this one

    [arms.u-real]
    domains = ["real"]
    start = "weights/yolov3-tiny.weights"            # of which they take layers 0-12, as yolov3-tiny does

What differs between three such studies is how objects are found: by anchors, by every place of a feature pyramid, or
by queries. It needs detection_transformers.py beside it.
"""

from collections import OrderedDict

from detection_transformers import RTDetr
from torch import nn
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7
from transformers import RTDetrConfig, RTDetrResNetConfig

import gapscope

READ = {6: 128, 8: 256, 12: 1024}
"""Layers of yolov3-tiny that are read, at strides 8, 16 and 32, and their channels."""
STAGES = {
    "stem": [0],
    "stage 1": [1, 2],
    "stage 2": [3, 4],
    "stage 3": [5, 6],
    "stage 4": [7, 8],
    "stage 5": [9, 10, 11, 12],
}
PYRAMID, CONVOLUTIONS = 64, 2
"""Channels of the feature pyramid of FCOS, and layers of each of its two towers; torchvision has 256 and 4."""
HIDDEN, QUERIES, DECODER_LAYERS = 64, 100, 3
"""Channels of RT-DETR behind the backbone, boxes an image, layers of the decoder."""


class Backbone(nn.Module):
    """Layers 0-12 of yolov3-tiny, numbered as in Darknet."""

    def __init__(self):
        super().__init__()
        self.layers = gapscope.darknet("yolov3-tiny", ["any"]).layers[: max(READ) + 1]

    def forward(self, images):
        found, maps = OrderedDict(), images
        for index, layer in enumerate(self.layers):
            maps = layer(maps)
            if index in READ:
                found[str(index)] = maps
        return found


def stages(place):
    return {stage: [f"{place}.layers.{index}" for index in layers] for stage, layers in STAGES.items()}


class WithPyramid(nn.Module):
    """As torchvision has it: the maps of a body, and a feature pyramid on them."""

    def __init__(self):
        super().__init__()
        self.body, self.out_channels = Backbone(), PYRAMID
        self.fpn = FeaturePyramidNetwork(list(READ.values()), PYRAMID, LastLevelP6P7(PYRAMID, PYRAMID))

    def forward(self, images):
        return self.fpn(self.body(images))


class Fcos(nn.Module):
    stride = 32

    def __init__(self, classes, size, seed):
        super().__init__()
        backbone = WithPyramid()
        head = FCOSHead(PYRAMID, 1, len(classes), CONVOLUTIONS)
        self.model = FCOS(
            backbone,
            len(classes),
            min_size=size,
            max_size=size,
            image_mean=[0, 0, 0],  # Darknet's weights know pixels from 0 to 1
            image_std=[1, 1, 1],
            head=head,
            score_thresh=0.01,
            detections_per_img=300,
        )

    def forward(self, images):
        self.model.transform.min_size, self.model.transform.max_size = (images.shape[-1],), images.shape[-1]
        return self.model(list(images))

    def losses(self, images, targets):
        return self.model(list(images), [{"boxes": boxes, "labels": classes} for boxes, classes in targets])

    def detect(self, images):
        return [(one["boxes"], one["scores"], one["labels"]) for one in self(images)]

    def blocks(self):
        fpn = "model.backbone.fpn"
        levels = range(len(READ) - 1, -1, -1)  # coarse maps first, as they are computed
        neck = [f"{fpn}.{part}.{level}" for level in levels for part in ("inner_blocks", "layer_blocks")]
        neck += [f"{fpn}.extra_blocks.{part}" for part in ("p6", "p7")]
        classes, boxes = "model.head.classification_head", "model.head.regression_head"
        return {
            "backbone": stages("model.backbone.body"),
            "head": {
                "pyramid": neck,
                "classes": [*tower(classes), f"{classes}.cls_logits"],
                "boxes": [*tower(boxes), f"{boxes}.bbox_reg", f"{boxes}.bbox_ctrness"],
            },
        }


def tower(head):
    """The convolutions of a head; each is followed by a normalization and a ReLU."""
    return [f"{head}.conv.{3 * at + part}" for at in range(CONVOLUTIONS) for part in (0, 1)]


class Bare(nn.Module):
    """The backbone as RT-DETR reads it: a list of maps, each with a mask that nothing looks at."""

    def __init__(self):
        super().__init__()
        self.model = Backbone()

    def forward(self, pixel_values, pixel_mask):
        return [(maps, pixel_mask) for maps in self.model(pixel_values).values()]


class OnDarknet(RTDetr):
    """RT-DETR of transformers whose backbone is replaced."""

    def __init__(self, config):
        super().__init__(config)
        self.model.backbone = Bare()

    def blocks(self):
        self.config.backbone_config.depths = []  # whose stages are replaced
        found = super().blocks()
        return found | {"backbone": stages("model.backbone.model")}


def fcos(classes, size, seed):
    return Fcos(classes, size, seed)


def rt_detr(classes, size, seed):
    replaced = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, *READ.values()],  # whose channels the rest is built for
        depths=[1] * 4,
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=replaced,
        encoder_in_channels=list(READ.values()),
        encoder_hidden_dim=HIDDEN,
        encoder_ffn_dim=4 * HIDDEN,
        hidden_expansion=0.5,
        d_model=HIDDEN,
        decoder_in_channels=[HIDDEN] * 3,
        decoder_ffn_dim=4 * HIDDEN,
        decoder_layers=DECODER_LAYERS,
        num_queries=QUERIES,
        num_labels=len(classes),
    )
    return OnDarknet(config)
