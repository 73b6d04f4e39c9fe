"""What stands where: bodies made of material parts, put together into one labelled triangle scene."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gapscope.streets.meshes import Floats, Ints, Mesh, join, vector

CLASSES = ("person", "cycle", "car", "bus", "truck")
NO_OBJECT = -1


class Kind(IntEnum):
    """What a surface is made of; which colour that has is for the style to say."""

    ROAD = 0
    WALK = auto()
    GRASS = auto()
    FACADE = auto()
    ROOF = auto()
    PAINT = auto()
    GLASS = auto()
    RUBBER = auto()
    TRIM = auto()
    CHROME = auto()
    HEADLAMP = auto()
    TAILLAMP = auto()
    PLATE = auto()
    DISPLAY = auto()
    CARGO = auto()
    SKIN = auto()
    HAIR = auto()
    SHIRT = auto()
    TROUSERS = auto()
    LEAF = auto()
    BARK = auto()
    POLE = auto()
    LAMP = auto()
    SIGNAL = auto()
    SIGN = auto()


class Material(NamedTuple):
    """A kind of surface and its `dye`: numbers in 0..1 by which a style chooses colour, brightness and pattern."""

    kind: Kind
    dye: tuple[float, float, float] = (0.0, 0.5, 0.5)


def dyed(kind: Kind, rng: np.random.Generator) -> Material:
    """A material of this kind with a dye drawn at random."""
    first, second, third = rng.random(3).tolist()
    return Material(kind, (first, second, third))


@dataclass
class Body:
    """One thing, in its own coordinates: origin on the ground, facing +y."""

    meshes: list[Mesh] = field(default_factory=list)
    materials: list[Sequence[Material]] = field(default_factory=list)
    smooth: list[bool] = field(default_factory=list)

    def add(self, mesh: Mesh, materials: Material | Sequence[Material], *, smooth: bool = False) -> None:
        """Add a mesh in one material, or in several that share its pieces equally, in order."""
        self.meshes.append(mesh)
        self.materials.append([materials] if isinstance(materials, Material) else materials)
        self.smooth.append(smooth)


@dataclass(frozen=True)
class Road:
    """What the road surface needs to know to be painted; metres, the centre line at x = 0."""

    lanes: int
    lane_width: float
    half_width: float
    crossing: float | None
    """y of the centre of the crossing street, if there is one."""
    crossing_half_width: float
    zebra: float | None
    """y of the centre of a zebra crossing, if there is one."""


@dataclass(frozen=True)
class Scene:
    """A street without style: triangles, what each is made of and which object it belongs to."""

    vertices: Floats
    faces: Ints
    face_material: NDArray[np.int32]
    face_object: NDArray[np.int32]
    face_smooth: NDArray[np.bool_]
    kinds: NDArray[np.int32]
    dyes: Floats
    object_classes: tuple[str, ...]
    lamps: Floats
    road: Road

    def vertices_of(self, number: int) -> Floats:
        """The vertices (v, 3) of one object; they lie next to each other, as bodies are placed one by one."""
        used = self.faces[self.face_object == number]
        return self.vertices[used.min() : used.max() + 1]


class SceneBuilder:
    """Collects bodies where they stand; `build` makes the scene."""

    def __init__(self) -> None:
        self.vertices: list[Floats] = []
        self.faces: list[Ints] = []
        self.face_material: list[NDArray[np.int32]] = []
        self.face_object: list[NDArray[np.int32]] = []
        self.face_smooth: list[NDArray[np.bool_]] = []
        self.materials: dict[Material, int] = {}
        self.object_classes: list[str] = []
        self.lamps: list[tuple[float, float, float]] = []

    def place(
        self, body: Body, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0, label: str | None = None
    ) -> None:
        """Put a body at (x, y, z), turned left by `yaw` radians; with a label it is an object of that class."""
        number = NO_OBJECT
        if label is not None:
            number = len(self.object_classes)
            self.object_classes.append(label)
        vertices, faces = join([mesh.vertices for mesh in body.meshes], [mesh.faces for mesh in body.meshes])
        cosine, sine = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        turned = [vertices[:, 0] * cosine - vertices[:, 1] * sine, vertices[:, 0] * sine + vertices[:, 1] * cosine]
        self.vertices.append(np.stack([*turned, vertices[:, 2]], 1) + vector(x, y, z))
        self.faces.append(faces)
        self.face_object.append(np.full(len(faces), number, np.int32))
        for mesh, materials, smooth in zip(body.meshes, body.materials, body.smooth, strict=True):
            numbers = [self.materials.setdefault(material, len(self.materials)) for material in materials]
            self.face_material.append(np.repeat(np.array(numbers, np.int32), len(mesh.faces) // len(materials)))
            self.face_smooth.append(np.full(len(mesh.faces), smooth))

    def build(self, road: Road) -> Scene:
        vertices, faces = join(self.vertices, self.faces)
        return Scene(
            vertices=np.ascontiguousarray(vertices),
            faces=np.ascontiguousarray(faces),
            face_material=np.concatenate(self.face_material),
            face_object=np.concatenate(self.face_object),
            face_smooth=np.concatenate(self.face_smooth),
            kinds=np.array([material.kind for material in self.materials], np.int32),
            dyes=np.array([material.dye for material in self.materials], np.float32),
            object_classes=tuple(self.object_classes),
            lamps=np.array(self.lamps, np.float32).reshape(-1, 3),
            road=road,
        )
