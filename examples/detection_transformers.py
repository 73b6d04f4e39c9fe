"""RT-DETR and D-FINE as detectors of a study: transformers has the networks, these lines what a study asks.

    pip install "gapscope[transformers]"

    [model]
    name = "detection_transformers.py:rt_detr"       # or :d_fine, in an experiment file beside this one

They begin at random. A checkpoint of the same shape goes in as `trained = "model.pt"` of an arm, once it is loaded by
transformers' `from_pretrained` and written by `torch.save(model.state_dict(), "model.pt")`.
"""

from torch import zeros
from torchvision.ops import box_convert
from transformers import (
    DFineConfig,
    DFineForObjectDetection,
    HGNetV2Config,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
)

CHANNELS = [64, 128, 256, 512]
"""Of the four stages of a ResNet-18. A quarter of them makes a network for a laptop."""
HIDDEN, QUERIES, DECODER_LAYERS = 256, 300, 3
"""Channels behind the backbone, boxes an image, layers of the decoder: those of RT-DETR-R18 and D-FINE-S."""
KINDS = {
    "class": ("loss_vfl",),
    "box": ("loss_bbox",),
    "overlap": ("loss_giou",),
    "distribution": ("loss_fgl", "loss_ddf"),
}
"""Parts of the loss -> what transformers calls them, with an end for each layer of the decoder and for noised boxes."""


class Studied:
    """What a study asks, beside a network of transformers that names its parts as RT-DETR does."""

    stride = 32
    kinds, last_alone = ("class", "box", "overlap"), ()

    def losses(self, images, targets):
        side = images.shape[-1]
        labels = [
            {"class_labels": classes, "boxes": box_convert(xyxy, "xyxy", "cxcywh") / side} for xyxy, classes in targets
        ]
        parts = self(images, labels=labels).loss_dict  # weighted already
        none = zeros((), device=images.device)
        return {kind: sum((parts[key] for key in parts if key.startswith(KINDS[kind])), none) for kind in self.kinds}

    def detect(self, images):
        out = self(images)
        boxes = box_convert(out.pred_boxes, "cxcywh", "xyxy") * images.shape[-1]
        confidences, places = out.logits.sigmoid().flatten(1).topk(min(QUERIES, out.logits[0].numel()))
        classes, queries = places % out.logits.shape[-1], places // out.logits.shape[-1]
        return [(boxes[i, queries[i]], confidences[i], classes[i]) for i in range(len(images))]

    def blocks(self):
        body, encoder, decoder = "model.backbone.model", "model.encoder", "model.decoder"
        config = self.config
        stages, levels = range(len(config.backbone_config.depths)), range(len(config.encoder_in_channels))
        layers, between = range(config.decoder_layers), range(len(config.encoder_in_channels) - 1)
        neck = [f"model.encoder_input_proj.{i}" for i in levels]
        neck += [f"{encoder}.aifi.{i}" for i in range(len(config.encode_proj_layers))]
        neck += [f"{encoder}.{part}.{i}" for i in between for part in ("lateral_convs", "fpn_blocks")]
        neck += [f"{encoder}.{part}.{i}" for i in between for part in ("downsample_convs", "pan_blocks")]
        neck += [f"model.decoder_input_proj.{i}" for i in levels]
        queries = ["model.enc_output", "model.enc_score_head", "model.enc_bbox_head", f"{decoder}.query_pos_head"]
        early = [f"{decoder}.{part}.{i}" for i in layers[:-1] for part in self.last_alone]  # asked in training alone
        found = [f"{decoder}.{part}.{i}" for i in layers for part in self.of_each_layer]
        first = [f"{decoder}.{part}" for part in self.of_the_first_layer]
        return {
            "backbone": {"stem": [f"{body}.embedder"]}
            | {f"stage {i + 1}": [f"{body}.encoder.stages.{i}"] for i in stages},
            "head": {
                "encoder": neck,
                "queries": queries,
                "decoder": found[:1] + first + [one for one in found[1:] if one not in early],
            },
            "not recorded": {"learning": [*early, "model.denoising_class_embed"]},
        }


class RTDetr(Studied, RTDetrForObjectDetection):
    of_each_layer, of_the_first_layer = ("layers", "bbox_embed", "class_embed"), ()

    def __init__(self, config):
        super().__init__(config)
        self.loss_type = RTDetrForObjectDetection.__name__  # which is taken from the name of the class otherwise


class DFine(Studied, DFineForObjectDetection):
    of_each_layer, of_the_first_layer = ("layers", "bbox_embed", "class_embed", "lqe_layers"), ("pre_bbox_head",)
    last_alone = ("class_embed", "lqe_layers")
    kinds = tuple(KINDS)

    def __init__(self, config):
        super().__init__(config)
        self.loss_type = DFineForObjectDetection.__name__


def shape(classes):
    """What both are told."""
    return {
        "freeze_backbone_batch_norms": False,  # they begin at random, so there is nothing to keep
        "encoder_in_channels": CHANNELS[1:],
        "encoder_hidden_dim": HIDDEN,
        "encoder_ffn_dim": 4 * HIDDEN,
        "hidden_expansion": 0.5,
        "d_model": HIDDEN,
        "decoder_in_channels": [HIDDEN] * 3,
        "decoder_ffn_dim": 4 * HIDDEN,
        "decoder_layers": DECODER_LAYERS,
        "num_queries": QUERIES,
        "num_labels": len(classes),
    }


def rt_detr(classes, size, seed):
    body = RTDetrResNetConfig(
        embedding_size=CHANNELS[0],
        hidden_sizes=CHANNELS,
        depths=[2, 2, 2, 2],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    return RTDetr(RTDetrConfig(backbone_config=body, **shape(classes)))


def d_fine(classes, size, seed):
    first, *rest = CHANNELS
    body = HGNetV2Config(
        stem_channels=[3, first // 4, first // 4],
        stage_in_channels=[first // 4, first, *rest[:-1]],
        stage_mid_channels=[channels // 4 for channels in CHANNELS],
        stage_out_channels=CHANNELS,
        stage_num_blocks=[1, 1, 2, 1],
        stage_numb_of_layers=[3, 3, 3, 3],
        hidden_sizes=CHANNELS,
        use_learnable_affine_block=True,
        out_features=["stage2", "stage3", "stage4"],
    )
    return DFine(DFineConfig(backbone_config=body, **shape(classes)))
