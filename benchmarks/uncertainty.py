"""What do certainty and other measures cost, once two networks are recorded?

    python benchmarks/uncertainty.py                  107 x 107 layers, 200 images
    python benchmarks/uncertainty.py --images 80 --draws 200 --slow

Recordings are made up: layers of 60 to 3000 features that share 30 directions. Prints wall and CPU time of each;
--slow adds the grids of measures that take a singular value decomposition per cell.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np

from gapscope.recording.recording import Recording
from gapscope.similarity.all_pairs import compare_all
from gapscope.similarity.blocks import PAPER_BLOCKS, agreement, find_blocks
from gapscope.similarity.compare import compare
from gapscope.similarity.convergence import convergence
from gapscope.similarity.gram import features_gram
from gapscope.similarity.influence import leave_one_out
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.measures import MEASURES


def made_up(n: int, layers: int, seed: int) -> Recording:
    """A network whose layers share 30 directions with those of every other such network."""
    rng, shared = np.random.default_rng(seed), np.random.default_rng(99).standard_normal((n, 30))
    grams, pooled, widths = [], [], np.geomspace(60, 3000, layers).astype(int)
    for at, p in enumerate(widths):
        x = shared @ rng.standard_normal((30, p)) + (1 + 5 * at / layers) * rng.standard_normal((n, p))
        grams.append(features_gram(x))
        pooled.append(x[:, :60].astype(np.float32))
    ones = np.ones(layers)
    return Recording(
        layers=np.arange(layers),
        kind=np.full(layers, "conv"),
        gram=np.stack(grams),
        p=widths,
        channels=np.full(layers, 60),
        mean=0 * ones,
        median=0 * ones,
        std=ones,
        min=-ones,
        max=ones,
        pooled=np.concatenate(pooled, axis=1),
        images=tuple(f"{i}.png" for i in range(n)),
        size=416,
        network_sha256=str(seed),
        pixels_sha256="",
        device="cpu",
        dtype="float32",
        provenance={"arm": "made-up", "seed": str(seed)},
        input_gram=features_gram(shared[:, :5]),
    )


def timed(what: str, work: Callable[[], object]) -> None:
    """Print wall and CPU seconds of one call; they differ where cores are many, or shared with other work."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    print(f"{what:60s} {time.perf_counter() - start:8.2f} s {time.process_time() - cpu:8.2f} CPU s", flush=True)


def main() -> None:
    """Time everything that `gapscope.similarity` offers on recordings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--layers", type=int, default=107)
    parser.add_argument("--draws", type=int, default=1000, help="bootstraps and permutations")
    parser.add_argument("--slow", action="store_true", help="also whole grids of CCA and shapes")
    options = parser.parse_args()
    n, layers, draws = options.images, options.layers, options.draws
    a, b, again = (made_up(n, layers, seed) for seed in range(3))
    print(f"{layers} layers, {n} images, {draws} draws; {os.cpu_count()} cores, {platform.processor() or 'CPU'}")

    none = {"permutations": 0, "bootstraps": 0}
    one = {"measures": ["cka_debiased"]}
    timed("all cells, debiased and biased CKA", lambda: compare(a, b, **none))
    timed("floor of the diagonal", lambda: compare(a, b, **one, permutations=draws, bootstraps=0))
    timed("interval of the diagonal", lambda: compare(a, b, **one, permutations=0, bootstraps=draws))
    timed("floor, z, p, q of all cells", lambda: compare(a, b, **one, floor="cells", permutations=draws, bootstraps=0))
    timed("interval of all cells", lambda: compare(a, b, **one, interval="cells", permutations=0, bootstraps=draws))
    timed("between floor and ceiling", lambda: layer_summary(a, b, [(a, again)], permutations=draws, bootstraps=draws))
    timed("every image left out once", lambda: leave_one_out(a, b))
    timed("how many images are enough (50 draws per size)", lambda: convergence(a, b))
    timed("three networks, all pairs", lambda: compare_all([a, b, again]))
    grid = compare(a, b, **one, **none)
    timed("blocks, and 1000 random cuts", lambda: agreement(find_blocks(grid), PAPER_BLOCKS))
    print("\nother measures, without floor and interval")
    for name, measure in MEASURES.items():
        if measure.needs == "features":
            continue
        timed(f"{name}, diagonal", lambda name=name: compare(a, b, measures=[name], cells="diagonal", **none))
        if measure.pair is None or name == "mutual_knn" or options.slow:
            timed(f"{name}, all cells", lambda name=name: compare(a, b, measures=[name], **none))


if __name__ == "__main__":
    main()
