"""Several processes divide an evaluation's images among them, and all get what one process would have found."""

from collections.abc import Sequence

import numpy as np
import torch.distributed
from numpy.typing import NDArray

from gapscope.detector.decode import Detections

Share = tuple[int, int]
"""(i, k): this is process i of k."""
ALONE: Share = (0, 1)


def positions_of(n: int, batch_size: int, share: Share) -> NDArray[np.int64]:
    """Which of n images are this process's: every k-th whole batch, so that no image changes its batch."""
    first, count = share
    positions = np.arange(n, dtype=np.int64)
    return positions[positions // batch_size % count == first]


def gathered(found: Sequence[Detections], n: int, batch_size: int, share: Share) -> list[Detections]:
    """What each process found in its images -> what all found in all n images, in every process."""
    if share == ALONE:
        return list(found)
    parts: list[Sequence[Detections]] = [()] * share[1]
    torch.distributed.all_gather_object(parts, list(found))
    places = np.concatenate([positions_of(n, batch_size, (i, share[1])) for i in range(share[1])])
    return [one for _, one in sorted(zip(places, (one for part in parts for one in part), strict=True), key=_place)]


def _place(found: tuple[int, Detections]) -> int:
    return found[0]
