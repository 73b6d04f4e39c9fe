"""How does light become a picture? Rays through a lens, and a simulated camera's exposure, blur, noise and JPEG."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gapscope.streets.drives import Drive
from gapscope.streets.meshes import Floats, vector
from gapscope.streets.tracing import unit_vectors


@dataclass(frozen=True)
class View:
    """Where one image looks: angles in radians, `field_of_view` across the whole image, `eye` (3,) in metres."""

    eye: Floats
    yaw: float
    pitch: float
    roll: float
    field_of_view: float
    distortion: float

    def rays(self, side: int, offset: Floats | float = 0.5) -> Floats:
        """Directions (side * side, 3), row by row, through a square picture; `offset` is the place in each pixel."""
        row, column = np.mgrid[:side, :side].astype(np.float32)
        across, down = np.broadcast_to(np.float32(offset), (2, side, side))
        x, z = (column + across) * np.float32(2 / side) - 1, 1 - (row + down) * np.float32(2 / side)
        stretch = 1 - np.float32(self.distortion) * (x * x + z * z)
        x, z = _turned(x * stretch, z * stretch, self.roll)
        y, z = _turned(np.full_like(x, 1 / np.tan(self.field_of_view / 2)), z, self.pitch)
        x, y = _turned(x, y, self.yaw)
        return unit_vectors(np.stack([x, y, z], -1).reshape(-1, 3))

    def project(self, points: Floats, side: int) -> Floats:
        """Where points (n, 3) appear, x and y (n, 2) in pixels; points behind the camera are left out."""
        x, y, z = (points - self.eye).T
        x, y = _turned(x, y, -self.yaw)
        y, z = _turned(y, z, -self.pitch)
        x, z = _turned(x, z, -self.roll)
        depth = y * np.float32(np.tan(self.field_of_view / 2))
        ahead = depth > 0.05
        far = np.stack([x[ahead], -z[ahead]], 1) / depth[ahead, None]
        flat = far
        for _ in range(5):  # undoes the distortion: flat * (1 - distortion |flat|^2) = far
            flat = far / (1 - self.distortion * np.minimum((flat * flat).sum(1, keepdims=True), 4))
        return (flat + 1) * (side / 2)


def draw_view(drive: Drive, camera_x: float, rng: np.random.Generator, *, steady: bool) -> View:
    """The drive's camera, turned a little to the side and, unless `steady`, about its axis."""
    yaw, roll = np.radians(rng.normal(0, [1.0, 0.0] if steady else [4.0, 0.8])).tolist()
    eye = vector(camera_x, 0, drive.camera_height)
    return View(eye, yaw, drive.pitch, roll, drive.field_of_view, drive.distortion)


def _turned(a: Floats, b: Floats, angle: float) -> tuple[Floats, Floats]:
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return a * cosine - b * sine, a * sine + b * cosine


def shrink(picture: Floats, side: int) -> Floats:
    """A float picture (n, n, 3) averaged down to (side, side, 3)."""
    if len(picture) == side:
        return picture
    channels = [
        Image.fromarray(np.ascontiguousarray(picture[..., c])).resize((side, side), Image.Resampling.BOX)
        for c in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], -1)


def develop_plain(picture: Floats) -> np.ndarray:
    """8-bit picture of flat game light: a fixed exposure and gamma."""
    return _to_bytes(np.clip(picture, 0, 1) ** np.float32(1 / 1.9))


def develop_engine(picture: Floats) -> np.ndarray:
    """8-bit picture of a game engine: automatic exposure, a filmic curve, then vivid colour and high contrast."""
    exposed = 1 - np.exp(-1.35 * picture * _exposure(picture, 0.24))
    shown = _saturated(exposed ** np.float32(1 / 2.2), 1.5)
    return _to_bytes((shown - 0.5) * 1.2 + 0.5)


def develop_camera(picture: Floats, rng: np.random.Generator, severity: float, *, night: bool) -> np.ndarray:
    """8-bit picture of a cheap camera; every defect grows with `severity` (0..1)."""
    side = len(picture)
    light = picture * _exposure(picture, 0.10 if night else 0.23) * np.float32(2 ** (rng.normal(0, 0.45) * severity))
    light = _optics(light, rng, severity, side)
    balance = 1 + severity * rng.normal(0, [0.06, 0.02, 0.06])
    light = _with_noise(light * balance.astype(np.float32), rng, severity * (3 if night else 1))
    curve = 1 - np.exp(-1.35 * light) if rng.random() < 0.6 else light / (1 + 0.55 * light)
    shown = np.clip(curve, 0, 1) ** np.float32(1 / 2.2)
    shown = (shown - 0.5) * rng.uniform(0.9, 1.2) + 0.5 + rng.normal(0, 0.02)
    shown = _saturated(shown, rng.uniform(0.75, 1.2))
    if rng.random() < 0.5:
        shown = shown + 0.5 * (shown - _blurred(shown, 0.8))
    return _through_jpeg(_to_bytes(shown), quality=int(95 - severity * rng.uniform(3, 50)))


def _exposure(picture: Floats, key: float) -> np.float32:
    """The factor that brings the picture's geometric mean to `key`."""
    return np.float32(key / np.exp(np.mean(np.log(picture.mean(-1) + 1e-3))))


def _optics(light: Floats, rng: np.random.Generator, severity: float, side: int) -> Floats:
    """Bloom around lamps, defocus, motion blur, colour fringes and dark corners."""
    bright = np.minimum(np.maximum(light - 1, 0), 6)
    if bright.max() > 0.5:
        light = light + 0.2 * _blurred(bright, side / 50)
    sigma = rng.choice([0.4, 0.7, 1.0, 1.5], p=[0.35, 0.35, 0.2, 0.1]) * severity * side / 416
    light = _blurred(light, sigma)
    if rng.random() < 0.25 * severity:
        length = int(rng.integers(2, 5))
        light = sum((_shifted(light, step) for step in range(1, length)), light) / np.float32(length)
    if rng.random() < 0.6 * severity:
        light = np.stack([_shifted(light[..., 0], 1), light[..., 1], _shifted(light[..., 2], -1)], -1)
    edge = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    corner = (edge[:, None] + edge[None]) / 2
    return light * (1 - np.float32(severity * rng.uniform(0.05, 0.45)) * corner[..., None])


def _with_noise(light: Floats, rng: np.random.Generator, severity: float) -> Floats:
    """Photon noise (variance grows with the light) and read noise, a little correlated as after demosaicing."""
    gain = np.float32(0.0022 * 2 ** rng.normal(0, 0.7) * severity)
    grain = _blurred(rng.standard_normal(light.shape, np.float32), rng.uniform(0.3, 0.6))
    return np.maximum(light + grain * np.sqrt(gain * np.maximum(light, 0) + (0.6 * gain) ** 2), 0)


def _blurred(picture: Floats, sigma: float) -> Floats:
    """Gaussian blur of (h, w, c), edges repeated."""
    reach = int(3 * sigma + 0.5)
    if reach == 0:
        return picture
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        padded = np.pad(picture, [(reach, reach) if a == axis else (0, 0) for a in range(picture.ndim)], mode="edge")
        size = picture.shape[axis]
        slices = [padded[i : i + size] if axis == 0 else padded[:, i : i + size] for i in range(2 * reach + 1)]
        picture = sum(
            (weight * part for weight, part in zip(weights[1:], slices[1:], strict=True)), weights[0] * slices[0]
        )
    return picture


def _shifted(picture: Floats, columns: int) -> Floats:
    """Moved right by `columns`, the edge repeated."""
    return picture[:, np.clip(np.arange(picture.shape[1]) - columns, 0, picture.shape[1] - 1)]


def _saturated(picture: Floats, factor: float) -> Floats:
    grey = picture.mean(-1, keepdims=True)
    return grey + (picture - grey) * np.float32(factor)


def _to_bytes(picture: Floats) -> np.ndarray:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
