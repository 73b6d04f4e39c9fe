"""What one network made of the probe images: the file between recording and comparing."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, atomic_path, parse_json
from gapscope.intact import check_intact, remedy
from gapscope.recording.netcdf import check_own_values
from gapscope.recording.objects import Objects
from gapscope.showing import first_and_last, html_table
from gapscope.words import number_of

FORMAT = "gapscope recording 1"
STATISTICS = ("mean", "median", "std", "min", "max")
PER_LAYER = ("kind", "p", "channels", *STATISTICS)
IN_MEMORY = 2**30
"""Bytes of the largest dataset that is put together in memory."""
HEADROOM = 2**27
"""Bytes that must be free beyond those of a larger dataset's values."""
ATTRIBUTES = ("network_sha256", "pixels_sha256", "size", "device", "dtype")


@dataclass(frozen=True, eq=False)
class Recording:
    """One network, one list of images, one size: a Gram matrix and a few numbers per layer.

    With L layers and n images; the statistics are over all n * p values of a layer, in the unit of its activations.
    """

    layers: NDArray[np.int64] | NDArray[np.str_]
    """(L,) Darknet index; of models that are not gapscope's, the layer's name. No two are the same."""
    kind: NDArray[np.str_]
    """(L,) conv, shortcut, route, upsample, yolo; of other models, the module's class."""
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
    skipped: Mapping[str, str] = field(default_factory=dict)
    """What the model puts out besides and could not be recorded, by name, with the reason."""
    input_gram: NDArray[np.float64] | None = None
    """(n, n) of the column-centred pixels that the network saw; None in recordings that were made without it."""
    objects: Objects | None = None
    """Where the rows are objects, not images: what is known of them. Features are then a layer's map averaged over each
    box, so p is the number of channels, and `pooled` holds the features themselves."""

    def __post_init__(self) -> None:
        num_layers, n = len(self.layers), len(self.images)
        expected = {"gram": (num_layers, n, n), "pooled": (n, int(self.channels.sum()))}
        expected |= dict.fromkeys(PER_LAYER, (num_layers,))
        if self.input_gram is not None:
            expected["input_gram"] = (n, n)
        if self.objects is not None and (len(self.objects), len(self.objects.maps)) != (n, num_layers):
            raise InputError(
                f"this recording knows {len(self.objects)} objects on {len(self.objects.maps)} maps, but has {n} rows "
                f"and {num_layers} layers. Record it again."
            )
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InputError(
                    f"this recording's {name} has shape {getattr(self, name).shape}, but {num_layers} layers and "
                    f"{n} images need {shape}. Record it again."
                )
        taken = sorted(set(self.provenance) & {"format", "images_sha256", "skipped", *ATTRIBUTES})
        if taken:
            raise InputError(f"provenance holds {', '.join(taken)}, which a recording sets itself. Use other names.")

    def __repr__(self) -> str:
        layers = f"{number_of(len(self.layers), 'layer')} ({first_and_last(self.layers.tolist())})"
        images = f"{self.rows_text} of {self.size} x {self.size} pixels"
        return f"<Recording of {self.name}: {layers}, {images}, network {self.network_sha256[:12]}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        rows = [
            ("layers", f"{len(self.layers)}: {first_and_last(self.layers.tolist())}"),
            ("images" if self.objects is None else "objects", f"{len(self.images)}: {first_and_last(self.images)}"),
            ("input", f"{self.size} x {self.size} pixels, SHA-256 {self.pixels_sha256[:12]}"),
            ("network", f"SHA-256 {self.network_sha256[:12]}"),
            ("recorded", f"on {self.device} in {self.dtype}"),
            *([("not recorded", f"{len(self.skipped)}: {first_and_last(list(self.skipped))}")] if self.skipped else []),
            *self.provenance.items(),
        ]
        return html_table(f"Recording of {self.name}", rows)

    @property
    def rows_text(self) -> str:
        """`200 images`, or `500 objects in 180 images`."""
        if self.objects is None:
            return number_of(len(self.images), "image")
        images = number_of(len(np.unique(self.objects.image)), "image")
        return f"{number_of(len(self.images), 'object')} in {images}"

    @property
    def name(self) -> str:
        """The one that was given; else arm and seed where they are known, `u-real-seed0`; else the model's class."""
        if self.provenance.get("name"):
            return self.provenance["name"]
        arm = self.provenance.get("arm", self.provenance.get("model", "network"))
        seed = self.provenance.get("seed")
        return arm if seed is None else f"{arm}-seed{seed}"

    @property
    def images_sha256(self) -> str:
        """Of the names in their order."""
        return hash_names(self.images)

    def pooled_of(self, layer: int | str) -> NDArray[np.float32]:
        """A layer's channel means (n, c)."""
        at = self.layers.tolist().index(layer)
        start = int(self.channels[:at].sum())
        return self.pooled[:, start : start + int(self.channels[at])]

    def select(self, layers: Sequence[int | str]) -> "Recording":
        """The same recording with some of its layers only.

        Raises:
            ValueError: If it has no such layer.
        """
        rows = [self.layers.tolist().index(layer) for layer in layers]
        per_layer = {name: getattr(self, name)[rows] for name in ("layers", "gram", *PER_LAYER)}
        pooled = np.concatenate([self.pooled_of(layer) for layer in layers], axis=1)
        objects = None if self.objects is None else replace(self.objects, maps=self.objects.maps[rows])
        return replace(self, **per_layer, pooled=pooled, objects=objects)

    def take_objects(self, rows: ArrayLike) -> "Recording":
        """The same recording of some of its objects alone, with Gram matrices and statistics of these.

        Args:
            rows: Numbers of rows, or for each object whether it is meant (m,).

        Raises:
            InputError: The rows are no objects, or fewer than 4 are meant.
        """
        if self.objects is None:
            raise InputError("the rows of this recording are images. Record with boxes to have objects.")
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.intp)
        if len(chosen) < 4:
            raise InputError(f"{len(chosen)} objects are meant - expected at least 4, better 100. Take more of them.")
        pooled = self.pooled[chosen]
        parts = np.split(pooled.astype(np.float64), np.cumsum(self.channels)[:-1], axis=1)
        found: dict[str, Any] = {name: np.array([getattr(np, name)(part) for part in parts]) for name in STATISTICS}
        gram = self.gram[:, chosen[:, None], chosen]
        gram = gram - gram.mean(2, keepdims=True) - gram.mean(1, keepdims=True) + gram.mean((1, 2), keepdims=True)
        objects = self.objects.take(chosen)
        return replace(self, gram=gram, pooled=pooled, images=objects.names, objects=objects, **found)

    def to_dataset(self) -> xr.Dataset:
        """The recording with named axes: layer, image_i, image_j, pooled_feature."""
        per_layer = {name: ("layer", getattr(self, name)) for name in PER_LAYER}
        of_input = {} if self.input_gram is None else {"input_gram": (("image_i", "image_j"), self.input_gram)}
        return xr.Dataset(
            {
                "gram": (("layer", "image_i", "image_j"), self.gram),
                "pooled": (("image_i", "pooled_feature"), self.pooled),
                **per_layer,
                **of_input,
                **({} if self.objects is None else self.objects.to_variables()),
            },
            coords={"layer": _plain(self.layers), "image": ("image_i", np.array(self.images, dtype=object))},
            attrs={
                "format": FORMAT,
                "images_sha256": self.images_sha256,
                **{name: getattr(self, name) for name in ATTRIBUTES},
                **({"skipped": json.dumps(dict(self.skipped), ensure_ascii=False)} if self.skipped else {}),
                **self.provenance,
            },
        )

    def save(self, path: Path | str) -> None:
        """Write netCDF (HDF5), whole or not at all."""
        write_dataset(self.to_dataset(), Path(path))


def hash_names(names: Sequence[str]) -> str:
    """SHA-256 (hex) of names, one a line, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def read_recording(path: Path | str) -> Recording:
    """Read what `Recording.save` wrote.

    Raises:
        InputError: If the file is missing, broken or no recording.
    """
    dataset = read_dataset(Path(path), FORMAT, "a recording", "Record it again")
    attrs = dict(dataset.attrs)
    try:
        del attrs["format"], attrs["images_sha256"]
        own: dict[str, Any] = {name: attrs.pop(name) for name in ATTRIBUTES}
        arrays: dict[str, Any] = {
            field.name: dataset["layer" if field.name == "layers" else field.name].to_numpy()
            for field in fields(Recording)
            if field.name not in {"images", "provenance", "skipped", "input_gram", "objects", *ATTRIBUTES}
        }
        arrays["input_gram"] = dataset["input_gram"].to_numpy() if "input_gram" in dataset else None
        skipped = dict(parse_json(attrs.pop("skipped", "{}")))
        images = tuple(str(name) for name in dataset["image"].to_numpy())
        own |= {name: str(own[name]) for name in ATTRIBUTES if name != "size"}
        own["size"] = int(own["size"])
        arrays["kind"] = arrays["kind"].astype(str)
        if not np.issubdtype(arrays["layers"].dtype, np.integer):
            arrays["layers"] = arrays["layers"].astype(str)
        _check_numbers(arrays)
        objects = Objects.from_dataset(dataset, images)
        provenance = {key: str(value) for key, value in attrs.items()}
        return Recording(**arrays, **own, images=images, provenance=provenance, skipped=skipped, objects=objects)
    except KeyError as error:
        raise InputError(f"{path} is a recording without {error}. {remedy(Path(path), 'Record it again')}") from error
    except OTHER_CONTENT as error:
        raise InputError(
            f"{path} cannot be read as a recording ({error}). {remedy(Path(path), 'Record it again')}"
        ) from error


def _check_numbers(arrays: Mapping[str, Any]) -> None:
    for name, values in arrays.items():
        if name not in ("layers", "kind") and values is not None and not np.issubdtype(values.dtype, np.number):
            raise ValueError(f"{name} is {values.dtype}, not numbers")
    for name in ("p", "channels"):
        if not np.issubdtype(arrays[name].dtype, np.integer) or (arrays[name] < 0).any():
            raise ValueError(f"{name} holds what is no count")


def _plain(layers: NDArray[np.int64] | NDArray[np.str_]) -> NDArray[Any]:
    """Names as Python texts, which netCDF stores at their own length."""
    return layers if np.issubdtype(layers.dtype, np.integer) else layers.astype(object)


def write_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as netCDF (HDF5), whole or not at all.

    HDF5 that finds the disk full brings the whole process down when it ends. So what is not too large is put together
    in memory, and for the rest there must be room before it is begun.

    Raises:
        OSError: The disk is full, or the place cannot be written to.
    """
    small = dataset.nbytes <= IN_MEMORY
    with atomic_path(path, locked=small) as temporary:
        if small:
            temporary.write_bytes(dataset.to_netcdf(engine="h5netcdf"))
            return
        if shutil.disk_usage(path.parent).free < dataset.nbytes + HEADROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        dataset.to_netcdf(temporary, engine="h5netcdf")


def read_dataset(path: Path, form: str, what: str, otherwise: str) -> xr.Dataset:
    """Read netCDF into memory and check its `format` attribute.

    Raises:
        InputError: If there is no such file, it is broken or cut off, or is something else.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}. It should be {what}. {otherwise}.")
    check_intact(path)
    try:
        with h5py.File(path, "r") as file:
            check_own_values(file, path)
        dataset = xr.load_dataset(path, engine="h5netcdf")
    except Exception as error:  # HDF5, h5netcdf and xarray raise a different kind for every way a file can be broken
        advice = remedy(path, otherwise)
        raise InputError(f"{path} cannot be read: it is broken or cut off ({error}). {advice}") from error
    if str(dataset.attrs.get("format")) != form:
        raise InputError(f"{path} is not {what}: its format is {dataset.attrs.get('format')!r}, not {form!r}.")
    return dataset
