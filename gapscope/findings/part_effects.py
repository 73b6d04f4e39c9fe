"""How much of what two seeds share do two arms share, in the backbone and in the head?"""

import numpy as np

from gapscope.findings.layer_curves import part_mask
from gapscope.findings.results import Results

PARTS = ("backbone", "head")


def part_effects(results: Results, a: str, b: str) -> dict[str, list[float]]:
    """Mean effect over the layers of a part where it is defined, one per seed; no entry where there is none.

    Of debiased CKA at the first size on the main probe; see gapscope.similarity.layer_summary.
    """
    found: dict[str, list[float]] = {part: [] for part in PARTS}
    for one, other in results.run_pairs(a, b):
        summary = results.effects.get((one, other, results.sizes[0]))
        if summary is None:
            continue
        layers, effect = np.asarray(summary["layer"].values, np.int64), np.asarray(summary["effect"].values, float)
        last = results.layer_map(a).backbone_last
        for part in PARTS:
            known = effect[part_mask(layers, part, last) & np.isfinite(effect)]
            if len(known):
                found[part].append(float(known.mean()))
    return found
