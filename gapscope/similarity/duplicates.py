"""Are some images as good as the same? They lift every similarity: a network finds an image like itself."""

import numpy as np
from numpy.typing import NDArray

from gapscope.recording.recording import Recording
from gapscope.similarity.gram import squared_distances
from gapscope.similarity.groups import Groups

AS_GOOD_AS_ZERO = 1e-4
"""Of the median squared distance of two images: pixels that differ by a hundredth of what images usually differ by."""


def with_a_twin(recording: Recording, groups: Groups | None = None) -> NDArray[np.intp]:
    """Rows of the images whose pixels, or what the first layer makes of them, are those of another image.

    Images of one group do not count: their pairs are left out anyway.
    """
    gram = recording.gram[0] if recording.input_gram is None else recording.input_gram
    if not np.isfinite(gram).all():
        return np.empty(0, dtype=np.intp)
    distances = squared_distances(gram)
    apart = ~np.eye(len(gram), dtype=bool) if groups is None else groups.apart
    usual = float(np.median(distances[apart]))
    return (
        np.flatnonzero((apart & (distances <= AS_GOOD_AS_ZERO * usual)).any(1)) if usual > 0 else np.empty(0, np.intp)
    )
