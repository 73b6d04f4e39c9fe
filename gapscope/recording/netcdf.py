"""netCDF as gapscope writes it -> a dataset in memory.

h5netcdf looks every dimension up anew for each variable. Reading through h5py takes a tenth of the time, which a report
of hundreds of grids feels.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import h5py
import xarray as xr

OWN = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates", "_NCProperties")
"""Attributes by which HDF5 and netCDF keep house."""


SMALL = 2**28
"""Bytes of values that any file may claim."""
MOST_PER_BYTE = 20
"""Bytes of values per byte of a file, where it claims more: gapscope's own have about 1, compressed ones some more."""


def read_netcdf(path: Path, drop: Collection[str] = ()) -> xr.Dataset:
    """The variables of a file, and its attributes: what `xarray.load_dataset` gives for files that gapscope wrote.

    Texts are Python texts. Packed or dated values, which gapscope does not write, stay as they are stored.

    Args:
        path: The file.
        drop: Variables to leave out.

    Raises:
        OSError, KeyError, ValueError, RuntimeError: If the file is missing, broken or cut off, or its values are not in
            it.
    """
    with h5py.File(path, "r") as file:
        check_own_values(file, path)
        about = _attributes(file.attrs)
        coordinates = set(about.pop("coordinates", "").split())
        variables = {}
        for name, stored in file.items():
            attributes = _attributes(stored.attrs)
            coordinates |= set(attributes.pop("coordinates", "").split())
            if name in drop or _is_bare_dimension(stored):
                continue
            attributes.pop("_FillValue", None)
            texts = h5py.check_string_dtype(stored.dtype)
            values = stored.asstr()[()] if texts else stored[()]
            variables[name] = xr.Variable(_dimensions(name, stored, file), values, attributes)
    return xr.Dataset(variables, attrs=about).set_coords(coordinates & set(variables))


def check_own_values(file: h5py.File, path: Path) -> None:
    """Refuse a file that takes values from other files, or claims far more of them than it has bytes.

    HDF5 follows links to files, values stored in files and views into files without asking, wherever they are.

    Raises:
        ValueError: Naming the variable.
    """
    total = 0
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name!r} is a link, which could lead into any file of this machine")
        stored = file[name]
        if not isinstance(stored, h5py.Dataset):
            raise ValueError(f"{name!r} is a {type(stored).__name__.lower()}, and only variables are expected")
        if stored.external or stored.is_virtual:
            raise ValueError(f"the values of {name!r} lie in another file")
        total += 0 if _is_bare_dimension(stored) else stored.nbytes
    most = max(SMALL, MOST_PER_BYTE * path.stat().st_size)
    if total > most:
        raise ValueError(f"it claims {total:,} bytes of values, which a file of its size cannot hold")


def _is_bare_dimension(stored: h5py.Dataset) -> bool:
    return bytes(stored.attrs.get("NAME", b"")).startswith(b"This is a netCDF dimension but not a netCDF variable")


def _dimensions(name: str, stored: h5py.Dataset, file: h5py.File) -> tuple[str, ...]:
    if "DIMENSION_LIST" in stored.attrs:
        scales = (scale[0] for scale in stored.attrs["DIMENSION_LIST"])
        return tuple(h5py.h5r.get_name(scale, file.id).decode().lstrip("/") for scale in scales)
    return (name,) * stored.ndim


def _attributes(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and texts; one-element arrays, as netCDF keeps numbers, are what they hold."""
    found = {}
    for name, value in stored.items():
        if name not in OWN:
            empty = isinstance(value, h5py.Empty)
            found[name] = "" if empty else value[0] if getattr(value, "shape", None) == (1,) else value
    return found
