"""What one network made of the probe images: the file between recording and comparing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gapscope.errors import InputError
from gapscope.files import atomic_path

FORMAT = "gapscope recording 1"
STATISTICS = ("mean", "median", "std", "min", "max")
ATTRIBUTES = ("network_sha256", "pixels_sha256", "size", "device", "dtype")


@dataclass(frozen=True, eq=False)
class Recording:
    """One network, one list of images, one size: a Gram matrix and a few numbers per layer.

    With L layers and n images; the statistics are over all n * p values of a layer, in the unit of its activations.
    """

    layers: NDArray[np.int64]
    """(L,) Darknet index."""
    kind: NDArray[np.str_]
    """(L,) conv, shortcut, route, upsample, yolo."""
    gram: NDArray[np.float64]
    """(L, n, n) of the column-centred features; NaN in a layer that put out a value that is not finite."""
    p: NDArray[np.int64]
    """(L,) features per image: channels * height * width."""
    channels: NDArray[np.int64]
    """(L,)"""
    mean: NDArray[np.float64]
    median: NDArray[np.float64]
    std: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    pooled: NDArray[np.float32]
    """(n, sum of channels): each channel's mean over the map, layer after layer; see `pooled_of`."""
    images: tuple[str, ...]
    """The images' names in the order of the rows."""
    size: int
    """Side of the square input, pixels."""
    network_sha256: str
    pixels_sha256: str
    """Of the bytes the network saw."""
    device: str
    dtype: str
    provenance: Mapping[str, str]
    """arm, seed, probe or whatever else the caller wants to keep with it."""

    def __post_init__(self) -> None:
        num_layers, n = len(self.layers), len(self.images)
        expected = {"gram": (num_layers, n, n), "pooled": (n, int(self.channels.sum()))}
        expected |= dict.fromkeys(("kind", "p", "channels", *STATISTICS), (num_layers,))
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"this recording's {name} has shape {getattr(self, name).shape}, but {num_layers} layers and "
                    f"{n} images need {shape}. Record it again."
                )
        taken = sorted(set(self.provenance) & {"format", "images_sha256", *ATTRIBUTES})
        if taken:
            raise InputError(f"provenance holds {', '.join(taken)}, which a recording sets itself. Use other names.")

    @property
    def name(self) -> str:
        """Arm and seed where they are known: u-real-seed0."""
        arm, seed = self.provenance.get("arm", "network"), self.provenance.get("seed")
        return arm if seed is None else f"{arm}-seed{seed}"

    @property
    def images_sha256(self) -> str:
        """Of the names in their order."""
        return hash_names(self.images)

    def pooled_of(self, layer: int) -> NDArray[np.float32]:
        """A layer's channel means (n, c)."""
        at = self.layers.tolist().index(layer)
        start = int(self.channels[:at].sum())
        return self.pooled[:, start : start + int(self.channels[at])]

    def to_dataset(self) -> xr.Dataset:
        """The recording with named axes: layer, image_i, image_j, pooled_feature."""
        per_layer = {name: ("layer", getattr(self, name)) for name in ("kind", "p", "channels", *STATISTICS)}
        return xr.Dataset(
            {
                "gram": (("layer", "image_i", "image_j"), self.gram),
                "pooled": (("image_i", "pooled_feature"), self.pooled),
                **per_layer,
            },
            coords={"layer": self.layers, "image": ("image_i", np.array(self.images, dtype=object))},
            attrs={
                "format": FORMAT,
                "images_sha256": self.images_sha256,
                **{name: getattr(self, name) for name in ATTRIBUTES},
                **self.provenance,
            },
        )

    def save(self, path: Path) -> None:
        """Write netCDF (HDF5), whole or not at all."""
        write_dataset(self.to_dataset(), path)


def hash_names(names: Sequence[str]) -> str:
    """SHA-256 (hex) of names, one a line, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def read_recording(path: Path) -> Recording:
    """Read what `Recording.save` wrote.

    Raises:
        InputError: If the file is missing, broken or no recording.
    """
    dataset = read_dataset(path, FORMAT, "a recording", "Record it again")
    attrs = dict(dataset.attrs)
    try:
        del attrs["format"], attrs["images_sha256"]
        own: dict[str, Any] = {name: attrs.pop(name) for name in ATTRIBUTES}
        arrays: dict[str, Any] = {
            field.name: dataset["layer" if field.name == "layers" else field.name].to_numpy()
            for field in fields(Recording)
            if field.name not in {"images", "provenance", *ATTRIBUTES}
        }
        images = tuple(str(name) for name in dataset["image"].to_numpy())
    except KeyError as error:
        raise InputError(f"{path} is a recording without {error}. Record it again.") from error
    own["size"] = int(own["size"])
    arrays["kind"] = arrays["kind"].astype(str)
    return Recording(**arrays, **own, images=images, provenance={key: str(value) for key, value in attrs.items()})


def write_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as netCDF (HDF5), whole or not at all."""
    with atomic_path(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf")


def read_dataset(path: Path, form: str, what: str, remedy: str) -> xr.Dataset:
    """Read netCDF into memory and check its `format` attribute.

    Raises:
        InputError: If there is no such file, it is broken or cut off, or is something else.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}. It should be {what}. {remedy}.")
    try:
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:  # what HDF5 raises on damaged files
        raise InputError(f"{path} cannot be read: it is broken or cut off ({error}). {remedy}.") from error
    if dataset.attrs.get("format") != form:
        raise InputError(f"{path} is not {what}: its format is {dataset.attrs.get('format')!r}, not {form!r}.")
    return dataset
