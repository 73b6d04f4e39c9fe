"""What is a figure made from? Numbers and words of any kind -> one short text that changes when any of them does."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr

PACKAGE = Path(__file__).parents[1]


def fingerprint(*parts: object) -> str:
    """SHA-256 (hex) of texts, numbers, arrays and what is made of them, in their order.

    Raises:
        TypeError: One of them is of a kind whose content is not known, such as a function within a function.
    """
    digest = hashlib.sha256()
    for piece in _pieces(parts):
        digest.update(piece)
    return digest.hexdigest()


@cache
def drawing_version() -> str:
    """Of what draws: any other code of this package, or another matplotlib, may draw the same numbers otherwise."""
    code = ((str(path.relative_to(PACKAGE)), path.read_bytes()) for path in sorted(PACKAGE.rglob("*.py")))
    return fingerprint(mpl.__version__, list(code))


def _pieces(value: Any) -> Iterator[bytes]:
    """Bytes that no other value has: each part says its kind and its length."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        text = repr(value).encode()
        yield b"%s %d:" % (type(value).__name__.encode(), len(text)) + text
    elif isinstance(value, np.generic):
        yield from _pieces(value.item())
    elif isinstance(value, np.ndarray):
        yield f"array {value.dtype.str} {value.shape}:".encode()
        yield from _pieces(value.tolist()) if value.dtype.hasobject else (np.ascontiguousarray(value).tobytes(),)
    elif isinstance(value, xr.Dataset):  # what it says about itself is not drawn
        yield from _pieces({str(name): (list(map(str, one.dims)), one.values) for name, one in value.variables.items()})
    elif isinstance(value, pd.DataFrame):
        yield from _pieces({str(name): value[name].tolist() for name in value})
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _pieces([type(value).__name__, *(getattr(value, one.name) for one in fields(value))])
    elif isinstance(value, Mapping):
        yield from _pieces([*value.items()])
    elif isinstance(value, Sequence):
        yield b"list %d:" % len(value)
        for one in value:
            yield from _pieces(one)
    elif callable(value) and "<" not in getattr(value, "__qualname__", "<"):
        yield from _pieces(f"{value.__module__}.{value.__qualname__}")
    else:
        raise TypeError(f"what a figure is made from holds a {type(value).__name__}, whose content is not known")
