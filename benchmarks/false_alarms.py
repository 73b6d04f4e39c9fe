"""How often does a study in which there is nothing to find say that it has found something?

    python benchmarks/false_alarms.py                   1,000 studies of each kind, 107 layers
    python benchmarks/false_alarms.py --studies 100 --layers 30

    python benchmarks/false_alarms.py --only grafts      only the last kind

Networks are made up: a layer is a linear map of what images hold, plus a part of its own. Layers change slowly from
one to the next, so that neighbours err together, as in a real network. Five kinds of null hypothesis:

    unrelated    two networks that see nothing in common: is any layer above its floor?
    networks     four networks, every two of them equally alike in the population: is any layer called less alike than
                 two seeds? An alarm is false whatever it is said to be about.
    scenes       the same, where the images are frames of scenes: 20 scenes of 5 frames, nine tenths in common
    trainings    exchangeable trainings that differ among each other, named as two arms: do the arms differ?
    grafts       nine blocks, of which the donor's changes the host as much as another seed's does, by 0, 2, 5 or 20 AP
                 points over all images there are: is any said to gain or lose?

Prints, before and after what `gapscope.similarity.many_layers`, `groups`, `trainings` and `gapscope.grafting.verdicts`
do, the share of studies with at least one false alarm over all layers (or blocks) together, with its 95 % interval
(Wilson); of `trainings` also the share of layers.
"""

import argparse
import time
from collections import defaultdict

import numpy as np

from gapscope.evaluation.bootstrap import image_weights
from gapscope.grafting.scoring import Score
from gapscope.grafting.verdicts import GAINS, LOSES, verdicts
from gapscope.recording.recording import Recording
from gapscope.similarity.all_pairs import compare_all
from gapscope.similarity.compare import compare
from gapscope.similarity.layer_summary import layer_summary
from gapscope.similarity.trainings import exchange_arms

SHARED, OWN, WIDTH = 12, 8, 16
"""Directions of the images that all networks see, those that each adds, and features of a layer."""
BLOCKS = 9
CHANGES = (0.0, -0.02, -0.05, -0.2)
"""What a foreign block changes, in parts of 1: the donor's and another seed's alike."""
SLOWLY = 0.9
"""How much of a layer is that of the layer before it."""


def maps(rng: np.random.Generator, layers: int, directions: int) -> np.ndarray:
    """Random linear maps (layers, directions, features) that change slowly, of falling importance."""
    steps = rng.standard_normal((layers, directions, WIDTH)) * np.sqrt(1 - SLOWLY**2)
    steps[0] = rng.standard_normal((directions, WIDTH))
    for layer in range(1, layers):
        steps[layer] += SLOWLY * steps[layer - 1]
    return steps * np.linspace(1.5, 0.5, directions)[:, None]


def images(rng: np.random.Generator, n: int, directions: int, scenes: int = 0) -> np.ndarray:
    """What n images hold (n, directions); frames of one scene share nine tenths of it."""
    if not scenes:
        return rng.standard_normal((n, directions))
    of_scene = np.repeat(rng.standard_normal((scenes, directions)), n // scenes, axis=0)
    return np.sqrt(0.9) * of_scene + np.sqrt(0.1) * rng.standard_normal((n, directions))


def recorded(features: np.ndarray, name: str, seed: int) -> Recording:
    """A recording of features (layers, n, p)."""
    centred = features - features.mean(1, keepdims=True)
    layers, n, p = features.shape
    ones = np.ones(layers)
    return Recording(
        layers=np.arange(layers),
        kind=np.full(layers, "conv"),
        gram=centred @ centred.swapaxes(1, 2),
        p=np.full(layers, p),
        channels=np.ones(layers, dtype=np.int64),
        mean=0 * ones,
        median=0 * ones,
        std=ones,
        min=-ones,
        max=ones,
        pooled=np.zeros((n, layers), dtype=np.float32),
        images=tuple(f"{i}.png" for i in range(n)),
        size=416,
        network_sha256=f"{name}{seed}",
        pixels_sha256="",
        device="cpu",
        dtype="float32",
        provenance={"arm": name, "seed": str(seed)},
    )


def unrelated(rng: np.random.Generator, layers: int, n: int) -> dict[str, bool]:
    """Two networks of independent images."""
    a, b = (recorded(images(rng, n, SHARED) @ maps(rng, layers, SHARED), name, 0) for name in "ab")
    grid = compare(a, b, measures=["cka_debiased"], cells="diagonal", permutations=100, bootstraps=0)
    p, q, p_all = (grid[f"floor_{name}"].to_numpy()[0] for name in ("p", "q", "p_all"))
    return {
        "unrelated   before: some p <= 0.05": bool((p <= 0.05).any()),
        "unrelated   before: some q < 0.05": bool((q < 0.05).any()),
        "unrelated   after: some p of all layers <= 0.05": bool((p_all <= 0.05).any()),
        "unrelated   after: p of the most alike layer <= 0.05": bool(grid["max_p"].item() <= 0.05),
    }


def equally_alike(rng: np.random.Generator, layers: int, n: int, scenes: int = 0) -> list[Recording]:
    """Two seeds of two arms; every two networks share the same part and have as much of their own."""
    common, own = maps(rng, layers, SHARED), 0.8 * maps(rng, layers, OWN)
    shared = images(rng, n, SHARED, scenes) @ common
    names = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    return [recorded(shared + images(rng, n, OWN, scenes) @ own, *name) for name in names]


def of_networks(rng: np.random.Generator, layers: int, n: int, scenes: int = 0, before: bool = True) -> dict[str, bool]:
    """Layers called less alike than two seeds, where none is."""
    a, a_again, b, b_again = equally_alike(rng, layers, n, scenes)
    kind = "scenes      " if scenes else "networks    "
    groups = [f"scene {at // (n // scenes)}" for at in range(n)] if scenes else None
    seeds = [(a, a_again), (b, b_again)]
    found = layer_summary(a, b, seeds, groups=groups, permutations=20, bootstraps=200)
    alarms = {}
    if before:
        plain = layer_summary(a, b, seeds, permutations=20, bootstraps=200) if scenes else found
        alarms[f"{kind}before: some interval above 0"] = bool((plain["shortfall_low"] > 0).any())
        alarms[f"{kind}before: and below every pair of seeds"] = bool(called(plain, "shortfall_low").any())
    if scenes:
        alarms[f"{kind}between: groups, some interval above 0"] = bool((found["shortfall_low"] > 0).any())
    return alarms | {
        f"{kind}after: the band above 0 somewhere": bool((found["shortfall_band_low"] > 0).any()),
        f"{kind}after: and below every pair of seeds": bool(called(found, "shortfall_band_low").any()),
    }


def called(summary, end: str) -> np.ndarray:
    """Layers (layers,) that a rule names: the end above 0, and the similarity below that of every pair of seeds."""
    return ((summary[end] > 0) & (summary["similarity"] < summary["ceiling_min"])).to_numpy()


def trained(rng: np.random.Generator, layers: int, n: int, seeds: int) -> list[Recording]:
    """Exchangeable trainings, the first half of them named as one arm: each has random maps near common ones."""
    common, seen = maps(rng, layers, SHARED), images(rng, n, SHARED)
    every = [seen @ (common + 0.8 * maps(rng, layers, SHARED)) for _ in range(2 * seeds)]
    return [recorded(one, "ab"[at // seeds], at % seeds) for at, one in enumerate(every)]


def read_as_trainings(a: Recording, a_again: Recording, b: Recording, b_again: Recording) -> dict[str, float]:
    """What an interval over images says of trainings, if it is read so."""
    seeds = [(a, a_again), (b, b_again)]
    both = [layer_summary(*pair, seeds, permutations=20, bootstraps=200) for pair in ((a, b), (a_again, b_again))]
    alone, guarded = (both[0]["shortfall_low"] > 0).to_numpy(), called(both[0], "shortfall_low")
    everywhere = guarded & called(both[1], "shortfall_low")
    return {
        "trainings   before: some interval above 0, one seed": alone.any(),
        "trainings   before: share of layers so": alone.mean(),
        "trainings   before: and below every pair of seeds": guarded.any(),
        "trainings   before: share of layers so, below every pair": guarded.mean(),
        "trainings   before: so at both seeds": everywhere.any(),
        "trainings   before: share of layers so at both seeds": everywhere.mean(),
    }


def of_trainings(rng: np.random.Generator, layers: int, n: int, before: bool) -> dict[str, float]:
    """Arms said to differ, where they train the same kind of network."""
    two = trained(rng, layers, n, 2)
    found = read_as_trainings(*two) if before else {}
    for networks in (two, trained(rng, layers, n, 4)):
        count = len(networks) // 2
        values = compare_all(networks)["value"].to_numpy()
        parts = np.stack([part.mean(-1) for part in np.array_split(values, 9, axis=-1)], axis=-1)
        test = exchange_arms(parts, range(count))
        found[f"trainings   after: p <= 0.05, {count} seeds an arm"] = test.p <= 0.05
        found[f"trainings   after: p of some part <= 0.05, {count} seeds"] = bool((test.p_parts <= 0.05).any())
    return found


def of_grafts(rng: np.random.Generator, n: int, before: bool) -> dict[str, bool]:
    """Blocks said to gain or lose more than another seed's, where both change the host alike.

    A score is a mean over images here. A graft changes every image by that much, and by something of its own.
    """
    weights = image_weights(n, 500, int(rng.integers(2**31))) / n
    host = 0.3 * rng.standard_normal(n)
    alarms = {}
    for change in CHANGES:

        def grafted(change: float = change) -> list[Score]:
            return [score(host + change + 0.15 * own) for own in rng.standard_normal((BLOCKS, n))]

        def score(images_: np.ndarray) -> Score:
            return Score(float(images_.mean()), weights @ images_)

        donor, control, whole = grafted(), grafted(), score(host)
        name = f"{100 * abs(change):.0f} points"
        if before:
            one_by_one = [verdicts([a], whole, [c])[0] for a, c in zip(donor, control, strict=True)]
            alarms[f"grafts      before: some block gains or loses, {name}"] = bool({GAINS, LOSES} & set(one_by_one))
        together = verdicts(donor, whole, control)
        alarms[f"grafts      after: some block gains or loses, {name}"] = bool({GAINS, LOSES} & set(together))
    return alarms


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.96
    middle, room = share + z**2 / (2 * count), z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = (middle + sign * room for sign in (-1, 1))
    return max(0.0, low / (1 + z**2 / count)), high / (1 + z**2 / count)


def main() -> None:
    """Print one line per rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=107)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--before", type=int, default=200, help="studies of scenes and trainings that try both ways")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["grafts"], help="one kind alone")
    options = parser.parse_args()
    counts: dict[str, list[float]] = defaultdict(list)
    start = time.perf_counter()
    for study in range(options.studies):
        rng = np.random.default_rng([options.seed, study])
        before, found = study < options.before, {}
        if options.only is None:
            found |= unrelated(rng, options.layers, options.images)
            found |= of_networks(rng, options.layers, options.images)
            found |= of_networks(rng, options.layers, 100, 20, before)
            found |= of_trainings(rng, options.layers, options.images, before)
        found |= of_grafts(np.random.default_rng([options.seed, study, 1]), options.images, before)
        for name, value in found.items():
            counts[name].append(float(value))
    took = f"{time.perf_counter() - start:.0f} s"
    print(f"{options.layers} layers, {options.images} images (scenes: 20 of 5), 200 draws; {took}")
    for name, values in counts.items():
        share, whole = float(np.mean(values)), set(values) <= {0.0, 1.0}
        ends = "".join(f" {100 * end:.1f}" for end in wilson(share, len(values))) if whole else ""
        print(f"{name:62s} {100 * share:6.1f} % of {len(values)}{f' ({ends.strip()})' if ends else ''}")


if __name__ == "__main__":
    main()
