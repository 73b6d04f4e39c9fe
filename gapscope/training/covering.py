"""Regions that say neither object nor background, for detectors whose losses know no such thing: covered with grey.

Darknet's losses leave them open (`gapscope.detector.targets`). A detector of another make would be taught that there is
nothing in them, though there is; what it does not see, it is not taught about.
"""

import torch
from torch import Tensor

from gapscope.data.batches import Batch
from gapscope.data.letterbox import FILL


def covered(batch: Batch) -> Tensor:
    """The images with their ignore regions covered, grey as the bars of a letterbox. What a taught box holds is seen.

    Args:
        batch: Images and boxes; it stays as it is.

    Returns:
        uint8 (b, 3, s, s). A pixel belongs to a box that holds its centre. Without ignore regions it is the batch's
        own tensor.
    """
    if not bool(batch.ignore.any()):
        return batch.images
    hidden = batch.images.new_zeros((len(batch), *batch.images.shape[-2:]), dtype=torch.bool)
    for regions, value in ((batch.ignore, True), (~batch.ignore, False)):
        edges = (batch.boxes[regions] - 0.5).ceil().long().clamp(min=0).tolist()
        for image, (left, top, right, bottom) in zip(batch.image_index[regions].tolist(), edges, strict=True):
            hidden[image, top:bottom, left:right] = value
    return batch.images.masked_fill(hidden[:, None], FILL)
