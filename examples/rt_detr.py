"""RT-DETR, a transformer, as the detector of a study: transformers has the network, these lines what a study asks.

    pip install transformers

    [model]
    name = "rt_detr.py:build"       # in an experiment file beside this one

It begins at random. Weights of Hugging Face for the same shape go in as `trained = "model.safetensors"` of an arm.
"""

from torchvision.ops import box_convert
from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

CHANNELS = [64, 128, 256, 512]
"""Of the four stages of a ResNet-18. A quarter of them makes a network for a laptop."""
HIDDEN, QUERIES, DECODER_LAYERS = 256, 300, 3
"""Channels behind the backbone, boxes an image, layers of the decoder: those of RT-DETR-R18."""


class RTDetr(RTDetrForObjectDetection):
    stride = 32

    def __init__(self, config):
        super().__init__(config)
        self.loss_type = RTDetrForObjectDetection.__name__  # which is taken from the name of the class otherwise

    def losses(self, images, targets):
        side = images.shape[-1]
        labels = [
            {"class_labels": classes, "boxes": box_convert(xyxy, "xyxy", "cxcywh") / side} for xyxy, classes in targets
        ]
        parts = self(images, labels=labels).loss_dict  # weighted, one of each layer of the decoder and of noised boxes
        kinds = {"class": "loss_vfl", "box": "loss_bbox", "overlap": "loss_giou"}
        return {name: sum(parts[key] for key in parts if key.startswith(kind)) for name, kind in kinds.items()}

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
        found = [f"{decoder}.{part}.{i}" for i in layers for part in ("layers", "bbox_embed", "class_embed")]
        return {
            "backbone": {"stem": [f"{body}.embedder"]}
            | {f"stage {i + 1}": [f"{body}.encoder.stages.{i}"] for i in stages},
            "head": {"encoder": neck, "queries": queries, "decoder": found},
            "not recorded": {"noised boxes": ["model.denoising_class_embed"]},  # which training alone has
        }


def build(classes, size, seed):
    return RTDetr(
        RTDetrConfig(
            backbone_config=RTDetrResNetConfig(
                embedding_size=CHANNELS[0],
                hidden_sizes=CHANNELS,
                depths=[2, 2, 2, 2],
                layer_type="basic",
                out_features=["stage2", "stage3", "stage4"],
            ),
            encoder_in_channels=CHANNELS[1:],
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
    )
