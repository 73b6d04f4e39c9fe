"""What do the networks of several runs make of the same images? Recordings -> draws within a run, CKA across runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from gapscope.detector.network_map import LayerMap
from gapscope.findings.layer_curves import DEBIASED, PARTS, part_mask
from gapscope.findings.layer_findings import RunPair
from gapscope.progress import Progress, silent
from gapscope.recording.recording import Recording, read_recording
from gapscope.run_folder import RunName
from gapscope.several.runs import Run
from gapscope.several.statements import defined_mean
from gapscope.similarity.gram import Array
from gapscope.similarity.intervals import bootstrap_cka, draw_images
from gapscope.similarity.measures import find_measure
from gapscope.similarity.prepared import finished, kernels, prepare, views_of

DRAWS = 500
"""Of the probe images, behind the intervals of means and of contrasts."""
MOST_MAPS = 12
"""Layer-by-layer maps on a page."""


@dataclass(frozen=True, eq=False)
class Network:
    """One network of one run and what its layers make of the probe images."""

    run: Run
    name: RunName
    layers: tuple[int | str, ...]
    vectors: Array
    """(layers, pairs of images), unit length: products of two are debiased CKA; NaN where a layer is undefined."""

    @property
    def map(self) -> LayerMap:
        """What its layers are."""
        return self.run.results.layer_map(self.name.arm)

    @property
    def architecture(self) -> tuple[str, tuple[int | str, ...]]:
        """Equal for networks whose layers are counterparts: those that are called alike and have as many."""
        return self.map.network, self.layers

    @property
    def label(self) -> str:
        return f"{self.run.letter} {self.run.results.run_title(self.name)}"


@dataclass(frozen=True, eq=False)
class Recorded:
    """One run's networks at one image size."""

    pixels: str
    """Hash of what the networks saw; runs with the same can be compared with each other."""
    n: int
    """Probe images."""
    size: int
    networks: tuple[Network, ...]
    draws: Mapping[RunPair, Array]
    """By pair: (draws, layers) debiased CKA of same-index layers, over the same draws of images for all pairs."""


def recorded_networks(run: Run, size: int, *, draws: bool = True, progress: Progress = silent) -> Recorded | None:
    """Read a run's recordings of its main probe; None where not all reported networks have been recorded at this size.

    Args:
        run: Whose recordings.
        size: Of the images, pixels.
        draws: Whether to draw the probe images anew, which takes a second per pair of networks and 200 images.
        progress: Told of that.

    Raises:
        InputError: If a recording is broken.
    """
    results = run.results
    names = results.recorded_runs()
    paths = [_path(run, name, size) for name in names]
    if not all(path.is_file() for path in paths):
        return None
    found = {name: read_recording(path) for name, path in zip(names, paths, strict=True)}
    pairs = [(RunName(a, seed), RunName(b, seed)) for seed in results.seeds for a, b in results.pairs] if draws else []
    drawn = {}
    for done, (a, b) in enumerate(pairs, start=1):
        drawn[a, b] = _draws(found[a], found[b])
        progress(f"{run.letter}: drawing images anew", done, len(pairs), f"{a} vs {b}")
    first = found[names[0]]
    networks = tuple(_network(run, name, one) for name, one in found.items())
    return Recorded(first.pixels_sha256, len(first.images), size, networks, drawn)


def _path(run: Run, name: RunName, size: int) -> Path:
    return run.results.run_folder.recording(name, run.results.probe, size)


def _draws(a: Recording, b: Recording) -> Array:
    """(draws, layers) of two networks with the same layers."""
    measure = find_measure(DEBIASED)
    one, other = (kernels(views, prepare(views, measure)) for views in (views_of(a), views_of(b)))
    counts = draw_images(len(a.images), DRAWS, np.random.default_rng([0, 2]))
    return bootstrap_cka(one, other, counts, measure.debiased)


def _network(run: Run, name: RunName, recording: Recording) -> Network:
    vectors = prepare(views_of(recording), find_measure(DEBIASED)).vectors
    return Network(run, name, tuple(recording.layers.tolist()), vectors)


@dataclass(frozen=True, eq=False)
class Across:
    """Networks of two or more runs that saw the same pixels, all against all."""

    runs: tuple[Run, ...]
    n: int
    size: int
    networks: tuple[Network, ...]
    same_index: Array
    """(networks, networks, layers) debiased CKA of same-index layers; all NaN where two networks have other layers."""
    maps: tuple["Map", ...]

    @property
    def means(self) -> dict[str, Array]:
        """(networks, networks) by part: the mean over its layers; only of all layers where networks have other ones."""
        if len({network.architecture for network in self.networks}) > 1:
            return {"all": defined_mean(self.same_index)}
        layers, last = np.array(self.networks[0].layers), self.networks[0].map.backbone_last
        return {part: defined_mean(self.same_index[..., part_mask(layers, part, last)]) for part in PARTS}


@dataclass(frozen=True, eq=False)
class Map:
    """Every layer of a network against every layer of one of another run."""

    a: Network
    b: Network
    value: Array
    """(layers of a, layers of b) debiased CKA"""


def across(found: Mapping[Run, Recorded | None]) -> list[Across]:
    """One set for every probe that two or more runs share, pixel by pixel."""
    by_pixels: dict[tuple[str, int], dict[Run, Recorded]] = {}
    for run, one in found.items():
        if one is not None:
            by_pixels.setdefault((one.pixels, one.size), {})[run] = one
    return [_across(same) for same in by_pixels.values() if len(same) > 1]


def _across(found: Mapping[Run, Recorded]) -> Across:
    networks = tuple(network for one in found.values() for network in one.networks)
    longest = max(len(network.layers) for network in networks)
    same_index = np.full((len(networks), len(networks), longest), np.nan)
    for row, column in combinations(range(len(networks)), 2):
        a, b = networks[row], networks[column]
        if a.architecture == b.architecture:
            products = np.einsum("lv,lv->l", a.vectors, b.vectors)
            same_index[row, column, : len(a.layers)] = same_index[column, row, : len(a.layers)] = _cka(products)
    for at, network in enumerate(networks):
        same_index[at, at, : len(network.layers)] = _cka(np.einsum("lv,lv->l", network.vectors, network.vectors))
    first = next(iter(found.values()))
    maps = tuple(Map(a, b, _cka(a.vectors @ b.vectors.T)) for a, b in _mapped(networks))
    return Across(tuple(found), first.n, first.size, networks, same_index, maps)


def _cka(products: Array) -> Array:
    return finished(find_measure(DEBIASED), products)


def _mapped(networks: Sequence[Network]) -> list[tuple[Network, Network]]:
    """The same arm in two runs, its first seed in each; as many as fit on a page."""
    first: dict[tuple[int, str], Network] = {}
    for network in networks:
        first.setdefault((network.run.at, network.name.arm), network)
    pairs = combinations(first.values(), 2)
    return [(a, b) for a, b in pairs if a.run is not b.run and a.run.called(a.name.arm) == b.run.called(b.name.arm)][
        :MOST_MAPS
    ]
