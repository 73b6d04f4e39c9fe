"""Which triangles make a box, a rod, a ball, a hull or a tyre?

All lengths are metres; x points right, y ahead, z up. The functions build many pieces per call, since a street
has thousands of them.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int32]

_CORNERS = np.array([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)], np.float32)
_BOX_QUADS = [[0, 1, 3, 2], [4, 5, 7, 6], [0, 1, 5, 4], [2, 3, 7, 6], [0, 2, 6, 4], [1, 3, 7, 5]]
_BOX_FACES = np.array([[q[i], q[j], q[k]] for q in _BOX_QUADS for i, j, k in ((0, 1, 2), (0, 2, 3))], np.int32)

# A rod is a stack of rings: (place along the rod 0..1, overshoot in radii, radius in radii).
_FLAT_ENDS = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]], np.float32)
_ROUND_ENDS = np.array([[0, -0.8, 0.4], [0, 0, 1], [1, 0, 1], [1, 0.8, 0.4]], np.float32)


class Mesh(NamedTuple):
    """Triangles: `vertices` (v, 3) float32 and `faces` (f, 3) int32, in equal shares for the pieces of one call."""

    vertices: Floats
    faces: Ints


def vector(*values: float) -> Floats:
    """A row of float32, so that sums with float32 arrays stay float32."""
    return np.array(values, np.float32)


def join(vertices: Sequence[Floats], faces: Sequence[Ints]) -> Mesh:
    """One mesh of many, each with its own vertex numbering."""
    starts = np.cumsum([0, *(len(piece) for piece in vertices[:-1])])
    moved = [piece + np.int32(start) for piece, start in zip(faces, starts, strict=True)]
    return Mesh(np.concatenate(vertices), np.concatenate(moved))


def boxes(centres: ArrayLike, sizes: ArrayLike, tapers: ArrayLike = (1, 1), shifts: ArrayLike = (0, 0)) -> Mesh:
    """n boxes of 12 triangles, `centres` and `sizes` (n, 3) or (3,).

    The top faces are scaled by `tapers` (n, 2) or (2,) and moved by `shifts`, in x and y.
    """
    centres, sizes = np.atleast_2d(np.asarray(centres, np.float32)), np.atleast_2d(np.asarray(sizes, np.float32))
    count = max(len(centres), len(sizes))
    vertices = np.broadcast_to(_CORNERS * sizes[:, None], (count, 8, 3)).copy()
    vertices[:, 4:, :2] *= np.reshape(np.asarray(tapers, np.float32), (-1, 1, 2))
    vertices[:, 4:, :2] += np.reshape(np.asarray(shifts, np.float32), (-1, 1, 2))
    return _numbered(vertices + centres[:, None], _BOX_FACES)


def rods(
    starts: ArrayLike,
    ends: ArrayLike,
    radii: ArrayLike,
    end_radii: ArrayLike | None = None,
    *,
    sides: int = 8,
    round_ends: bool = False,
) -> Mesh:
    """n rods or cones from `starts` to `ends` (n, 3), with closed flat or round ends."""
    starts, ends = np.atleast_2d(np.asarray(starts, np.float32)), np.atleast_2d(np.asarray(ends, np.float32))
    starts, ends = np.broadcast_arrays(starts, ends)
    r0 = np.broadcast_to(np.asarray(radii, np.float32), len(starts))
    r1 = r0 if end_radii is None else np.broadcast_to(np.asarray(end_radii, np.float32), len(starts))
    along = _unit(ends - starts)
    upright = np.abs(along[:, 2:]) > 0.9
    across = _unit(cross(along, np.where(upright, vector(1, 0, 0), vector(0, 0, 1))))
    third = cross(along, across)
    place, overshoot, cosine, sine, faces = _rod(sides, round_ends)
    radius = r0[:, None] * (1 - place) + r1[:, None] * place
    vertices = starts[:, None] + (ends - starts)[:, None] * place[:, None]
    vertices += (overshoot * radius)[..., None] * along[:, None]
    vertices += (cosine * radius)[..., None] * across[:, None]
    vertices += (sine * radius)[..., None] * third[:, None]
    return _numbered(vertices, faces)


def balls(centres: ArrayLike, radii: ArrayLike, *, sides: int = 7, rings: int = 5) -> Mesh:
    """n balls or ellipsoids: `centres` (n, 3), `radii` (n, 3) or anything that broadcasts to it."""
    centres = np.atleast_2d(np.asarray(centres, np.float32))
    latitude = np.linspace(0, np.pi, rings, dtype=np.float32)[:, None]
    cosine, sine = _circle(sides)
    unit = np.stack([np.sin(latitude) * cosine, np.sin(latitude) * sine, np.cos(latitude) + 0 * cosine], -1)
    sized = unit.reshape(1, -1, 3) * np.broadcast_to(np.asarray(radii, np.float32), centres.shape)[:, None]
    return _numbered(sized + centres[:, None], _sheet(rings, sides, pointed=True))


def tyres(centres: ArrayLike, radius: float, thickness: float, *, sides: int = 16) -> Mesh:
    """n tori standing in the y-z plane, as the wheels of a cycle: `radius` to the outer edge, tubes of `thickness`."""
    centres = np.atleast_2d(np.asarray(centres, np.float32))
    tube_cosine, tube_sine = _circle(5)
    cosine, sine = _circle(sides)
    reach = radius - thickness + thickness * tube_cosine[:, None]
    ring = np.stack([thickness * tube_sine[:, None] + 0 * cosine, reach * cosine, reach * sine], -1)
    ring = np.concatenate([ring, ring[:1]]).reshape(1, -1, 3)
    return _numbered(ring + centres[:, None], _sheet(6, sides))


def hull(stations: ArrayLike, *, exponent: float = 5.0, sides: int = 16) -> Mesh:
    """A closed body along y: `stations` (n, 4) hold y, bottom z, top z and half width of rounded cross sections.

    The cross section is a superellipse: exponent 2 is an ellipse, a large one a rectangle.
    """
    stations = np.asarray(stations, np.float32)
    caps = stations[[0, -1]].copy()
    caps[:, 1] = caps[:, 2] = stations[[0, -1], 1:3].mean(1)
    caps[:, 3] = 0
    y, bottom, top, half_width = np.concatenate([caps[:1], stations, caps[1:]]).T[:, :, None]
    angle = (np.arange(sides, dtype=np.float32) + 0.5) * np.float32(2 * np.pi / sides)
    x, z = (np.sign(value) * np.abs(value) ** (2 / exponent) for value in (np.cos(angle), np.sin(angle)))
    vertices = np.stack([x * half_width, y + 0 * x, (bottom + top) / 2 + z * (top - bottom) / 2], -1)
    return Mesh(vertices.reshape(-1, 3).astype(np.float32), _sheet(len(stations) + 2, sides, pointed=True))


def cross(a: Floats, b: Floats) -> Floats:
    """Vector products of rows (n, 3); numpy's own is several times slower on few rows."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


@cache
def _circle(sides: int) -> tuple[Floats, Floats]:
    angle = np.arange(sides, dtype=np.float32) * np.float32(2 * np.pi / sides)
    return np.cos(angle), np.sin(angle)


def _unit(vectors: Floats) -> Floats:
    return vectors / np.sqrt(np.einsum("ij,ij->i", vectors, vectors) + np.float32(1e-18))[:, None]


@cache
def _rod(sides: int, round_ends: bool) -> tuple[Floats, Floats, Floats, Floats, Ints]:
    """Vertices of a rod (v,): place along it, then overshoot, cosine and sine in radii; and its faces."""
    place, overshoot, width = (_ROUND_ENDS if round_ends else _FLAT_ENDS).T[:, :, None]
    cosine, sine = _circle(sides)
    shape = np.ones((1, sides), np.float32)
    parts = (place * shape, overshoot * shape, width * cosine, width * sine)
    first, second, third, fourth = (part.reshape(-1) for part in parts)
    return first, second, third, fourth, _sheet(len(place), sides, pointed=not round_ends)


@cache
def _sheet(rings: int, sides: int, *, pointed: bool = False) -> Ints:
    """Faces between neighbouring rings of `sides` vertices each, every ring closed.

    If `pointed`, the first and last ring are one point each, so that half the faces there would have no area.
    """
    ring, side = np.mgrid[: rings - 1, :sides]
    here, right = ring * sides + side, ring * sides + (side + 1) % sides
    up, up_right = here + sides, right + sides
    lower, upper = np.stack([here, right, up_right], -1), np.stack([here, up_right, up], -1)
    if pointed:
        lower, upper = lower[1:], upper[:-1]
    return np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]).astype(np.int32)


def _numbered(vertices: Floats, faces: Ints) -> Mesh:
    """n alike pieces, `vertices` (n, v, 3) and the `faces` of one, as one mesh."""
    starts = np.arange(len(vertices), dtype=np.int32)[:, None, None] * np.int32(vertices.shape[1])
    return Mesh(vertices.reshape(-1, 3).astype(np.float32), (faces + starts).reshape(-1, 3))
