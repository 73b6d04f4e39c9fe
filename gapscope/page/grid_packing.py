"""How do maps of 107 x 107 cells fit on a page? As 16-bit steps, the most wanted first, up to a number of maps."""

import base64
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

STEP = 0.001
"""Maps are read to three decimals; the netCDF files hold all of them."""
UNDEFINED = -32768
LARGEST = 32767
MOST_MAPS = 16
"""About 17 kB each on the compressed page, which is to stay below 4 MB."""


def pack_cells(values: ArrayLike) -> dict[str, Any]:
    """A table of values as text.

    Args:
        values: (rows, columns), NaN where undefined.

    Returns:
        `step`, and `cells`: base64 of whole multiples of the step as signed 16-bit integers, row by row, -32768 where
        undefined. The low bytes of all cells come before the high bytes of all, which compresses better.
    """
    table = np.asarray(values, dtype=np.float64)
    largest = float(np.max(np.abs(table), initial=0, where=np.isfinite(table)))
    step = STEP if largest <= STEP * LARGEST else largest / LARGEST
    steps = np.where(np.isfinite(table), np.rint(np.nan_to_num(table) / step), UNDEFINED).astype("<i2")
    planes = np.frombuffer(steps.tobytes(), dtype=np.uint8).reshape(-1, 2).T
    return {"step": step, "cells": base64.b64encode(planes.tobytes()).decode()}


def unpack_cells(packed: dict[str, Any], columns: int) -> np.ndarray:
    """What `pack_cells` packed, (rows, columns), NaN where undefined."""
    planes = np.frombuffer(base64.b64decode(packed["cells"]), dtype=np.uint8).reshape(2, -1)
    steps = np.ascontiguousarray(planes.T).view("<i2").reshape(-1, columns).astype(np.float64)
    return np.where(steps == UNDEFINED, np.nan, steps * packed["step"])
