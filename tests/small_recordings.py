"""Recordings made from features, without a network."""

from dataclasses import replace

import numpy as np

from gapscope.recording.recording import Recording
from gapscope.similarity.gram import features_gram


def features(n, p, seed):
    return np.random.default_rng(seed).standard_normal((n, p))


def recorded(*layers, **changes):
    """A recording of layers given as features (n, p), each feature a channel of its own."""
    num_layers, n = len(layers), len(layers[0])
    recording = Recording(
        layers=np.arange(num_layers),
        kind=np.array(["conv"] * num_layers),
        gram=np.stack([features_gram(x) for x in layers]),
        p=np.array([x.shape[1] for x in layers]),
        channels=np.array([x.shape[1] for x in layers]),
        mean=np.array([x.mean() for x in layers]),
        median=np.array([np.median(x) for x in layers]),
        std=np.array([x.std() for x in layers]),
        min=np.array([x.min() for x in layers]),
        max=np.array([x.max() for x in layers]),
        pooled=np.concatenate(layers, axis=1).astype(np.float32),
        images=tuple(f"{i}.png" for i in range(n)),
        size=32,
        network_sha256="0",
        pixels_sha256="1",
        device="cpu",
        dtype="float32",
        provenance={"arm": "u-real", "seed": "0", "probe": "real"},
    )
    return replace(recording, **changes)


def two_networks(n=30):
    """Three layers each: related, weakly related, unrelated."""
    shared = features(n, 6, seed=0)
    a = recorded(shared, shared + features(n, 6, 1), features(n, 40, 2))
    b = recorded(
        shared + 0.2 * features(n, 6, 3),
        shared + features(n, 6, 4),
        features(n, 50, 5),
        provenance={"arm": "u-synth", "seed": "1", "probe": "real"},
    )
    return a, b
