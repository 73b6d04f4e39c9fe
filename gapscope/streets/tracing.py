"""What does a ray hit first, and is the way free? Embree does the work, on a scene's triangles."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.errors import InputError
from gapscope.streets.meshes import Floats, cross
from gapscope.streets.scene import Scene


@dataclass(frozen=True)
class Hits:
    """Where n rays met the scene; rays that met nothing are left out.

    `ray` (n,) numbers the rays that hit, `distance` (n,) is in ray lengths, `normal` (n, 3) has length 1 and faces the
    ray's origin; `material` and `object` (n,) index the scene's tables.
    """

    ray: NDArray[np.intp]
    distance: Floats
    point: Floats
    normal: Floats
    material: NDArray[np.int32]
    object: NDArray[np.int32]


def load_embree() -> tuple[ModuleType, ModuleType]:
    """embreex's two modules.

    Raises:
        InputError: Where embreex cannot be imported, saying where it can.
    """
    try:
        from embreex import mesh_construction, rtcore_scene
    except ImportError as error:
        raise InputError(
            f"the embedded streets are rendered with embreex, which cannot be imported here ({error}). "
            "It comes as a wheel for Linux x86_64, Windows x86_64 and macOS (x86_64 and arm64); there is none for "
            "Linux aarch64. Install it with 'pip install embreex', or use images of your own: gapscope run CONFIG."
        ) from error
    return rtcore_scene, mesh_construction


class Tracer:
    """Answers ray queries about one scene."""

    def __init__(self, scene: Scene) -> None:
        rtcore_scene, mesh_construction = load_embree()
        self.scene = scene
        self.embree: Any = rtcore_scene.EmbreeScene()
        mesh_construction.TriangleMesh(self.embree, scene.vertices, scene.faces)
        corners = scene.vertices[scene.faces]
        self.face_cross = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        self.face_normals = unit_vectors(self.face_cross)
        self.vertex_normals = self._vertex_normals()

    def _vertex_normals(self) -> Floats:
        """Area-weighted mean of the normals around each vertex, where a surface is smooth."""
        faces, normals = self.scene.faces[self.scene.face_smooth], np.zeros_like(self.scene.vertices)
        around = self.face_cross[self.scene.face_smooth]
        for axis in range(3):
            weights = np.repeat(around[:, axis], 3)
            normals[:, axis] = np.bincount(faces.ravel(), weights, len(normals))
        return unit_vectors(normals)

    def first_hits(self, origins: Floats, directions: Floats) -> Hits:
        """What rays (n, 3) meet first."""
        found = self.embree.run(origins, directions, query="INTERSECT", output=1)
        ray = np.flatnonzero(found["primID"] >= 0)
        face, distance = found["primID"][ray], found["tfar"][ray]
        along = directions[ray]
        normal = self._normals(face, found["u"][ray], found["v"][ray])
        normal *= np.where(dot(normal, along) > 0, np.float32(-1), np.float32(1))[:, None]
        point = origins[ray] + along * distance[:, None]
        scene = self.scene
        return Hits(ray, distance, point, normal, scene.face_material[face], scene.face_object[face])

    def _normals(self, face: NDArray[np.int32], u: Floats, v: Floats) -> Floats:
        normal = self.face_normals[face]
        smooth = np.flatnonzero(self.scene.face_smooth[face])
        corners = self.vertex_normals[self.scene.faces[face[smooth]]]
        u, v = u[smooth, None], v[smooth, None]
        normal[smooth] = unit_vectors(corners[:, 0] * (1 - u - v) + corners[:, 1] * u + corners[:, 2] * v)
        return normal

    def blocked(self, origins: Floats, directions: Floats) -> NDArray[np.bool_]:
        """Whether rays (n, 3), however long, meet anything."""
        if not len(origins):
            return np.zeros(0, bool)
        return self.embree.run(origins, directions, query="OCCLUDED") != -1


def dot(a: Floats, b: Floats) -> Floats:
    """Row by row."""
    return np.einsum("ij,ij->i", a, b)


def unit_vectors(vectors: Floats) -> Floats:
    """Rows scaled to length 1; rows of zeros stay."""
    return vectors / (np.sqrt(dot(vectors, vectors)) + np.float32(1e-12))[:, None]
