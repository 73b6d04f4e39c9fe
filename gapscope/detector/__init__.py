"""The detectors: YOLOv3 with its 107 layers (backbone 0-74, head 75-106) and others; their files, losses, detections.

Open first: layers.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.detector.cfg_plan import read_cfg as read_cfg
    from gapscope.detector.cfg_text import cfg_text as cfg_text
    from gapscope.detector.class_names import read_names as read_names
    from gapscope.detector.convert_weights import convert_weights as convert_weights
    from gapscope.detector.darknet_loss import DarknetLoss as DarknetLoss
    from gapscope.detector.darknet_weights import (
        load_darknet_weights as load_darknet_weights,
        save_darknet_weights as save_darknet_weights,
    )
    from gapscope.detector.decode import Detections as Detections, detect as detect
    from gapscope.detector.detect_files import collect_images as collect_images, detect_files as detect_files
    from gapscope.detector.layers import parse_layer_ranges as parse_layer_ranges
    from gapscope.detector.loss import LossGains as LossGains, LossParts as LossParts, YoloLoss as YoloLoss
    from gapscope.detector.network import (
        Darknet as Darknet,
        YOLOv3 as YOLOv3,
        darknet as darknet,
        fingerprint as fingerprint,
        freeze as freeze,
        yolov3 as yolov3,
    )
    from gapscope.detector.network_map import BLOCKS as BLOCKS, Block as Block, block_of as block_of
    from gapscope.detector.plans import Plan as Plan, built_in_plan as built_in_plan
    from gapscope.detector.stack import Layer as Layer, Stack as Stack
    from gapscope.detector.timm_weights import from_timm as from_timm
    from gapscope.detector.weights import (
        load_backbone as load_backbone,
        load_weights as load_weights,
        save_weights as save_weights,
    )
    from gapscope.detector.weights_info import weights_facts as weights_facts

__all__ = open_room(
    __name__,
    {
        "stack": "Layer, Stack",
        "layers": "parse_layer_ranges",
        "network_map": "BLOCKS, Block, block_of",
        "plans": "Plan, built_in_plan",
        "cfg_plan": "read_cfg",
        "class_names": "read_names",
        "network": "Darknet, YOLOv3, darknet, yolov3, freeze, fingerprint",
        "decode": "Detections, detect",
        "loss": "LossGains, LossParts, YoloLoss",
        "darknet_loss": "DarknetLoss",
        "darknet_weights": "load_darknet_weights, save_darknet_weights",
        "timm_weights": "from_timm",
        "weights": "load_weights, save_weights, load_backbone",
        "cfg_text": "cfg_text",
        "convert_weights": "convert_weights",
        "weights_info": "weights_facts",
        "detect_files": "collect_images, detect_files",
    },
)
