"""Where does the light come from? Sun, sky and fog of one image, by style and severity."""

from dataclasses import dataclass

import numpy as np

from gapscope.streets.meshes import Floats, vector
from gapscope.streets.noise import cloud_noise


@dataclass(frozen=True)
class Weather:
    """Light of one image: radiances in linear RGB, in units in which a sunlit white wall is about 1."""

    sun_direction: Floats
    sun: Floats
    zenith: Floats
    horizon: Floats
    overcast: float
    fog: float
    """Extinction, 1/m: at distance d a share exp(-fog d) of the light is left."""
    wet: float
    night: bool
    lamps_lit: bool


def draw_weather(rng: np.random.Generator, style: str, severity: float) -> Weather:
    """Fair weather for the two games; all weathers for the camera, harsher and darker with `severity` (0..1)."""
    azimuth = rng.uniform(0, 2 * np.pi)
    if style != "camera":
        elevation, overcast = np.radians(rng.uniform(28, 60)), 0.0
        return _lit_by(azimuth, elevation, overcast, fog=0.0, wet=0.0, hazy=0.0)
    if rng.random() < 0.18 * severity:
        return _night(azimuth)
    low = rng.random() < 0.35 * severity
    elevation = np.radians(rng.uniform(5, 14) if low else rng.uniform(18, 62))
    overcast = rng.uniform(0.3, 1.0) * (0.5 + 0.5 * severity) if rng.random() < 0.45 else 0.0
    fog = rng.choice([0.001, 0.004, 0.010, 0.022, 0.045], p=[0.38, 0.32, 0.19, 0.08, 0.03]) * severity
    wet = rng.uniform(0.4, 1.0) if rng.random() < 0.35 * severity else 0.0
    return _lit_by(azimuth, elevation, overcast, fog=float(fog), wet=float(wet), hazy=1.0)


def _lit_by(azimuth: float, elevation: float, overcast: float, *, fog: float, wet: float, hazy: float) -> Weather:
    """Daylight: the lower the sun, the weaker and redder it is."""
    high = np.clip(np.sin(elevation) / 0.5, 0, 1) ** 0.6
    sun = _mix([1.0, 0.48, 0.20], [1.0, 0.95, 0.86], high) * (0.5 + 0.9 * high) * (1 - overcast) ** 1.5
    cloud = np.array([0.62, 0.64, 0.67]) * (0.30 + 0.35 * high)
    zenith = _mix(_mix([0.16, 0.20, 0.34], [0.14, 0.32, 0.75], high), cloud, overcast)
    horizon = _mix(_mix([0.70, 0.45, 0.30], [0.62, 0.74, 0.92], high), cloud * 1.1, overcast)
    grey = np.array([0.55, 0.58, 0.62]) * (0.6 + 0.4 * high)
    return Weather(
        sun_direction=_direction(azimuth, elevation),
        sun=sun.astype(np.float32),
        zenith=_mix(zenith, grey * 0.8, 0.35 * hazy).astype(np.float32),
        horizon=_mix(horizon, grey, 0.35 * hazy).astype(np.float32),
        overcast=float(overcast),
        fog=fog,
        wet=wet,
        night=False,
        lamps_lit=bool(elevation < np.radians(10)),
    )


def _night(azimuth: float) -> Weather:
    dark, glow = vector(0.010, 0.012, 0.020), vector(0.034, 0.029, 0.024)
    return Weather(
        _direction(azimuth, 0.5), np.zeros(3, np.float32), dark, glow, 0.6, 0.002, 0.3, night=True, lamps_lit=True
    )


def _direction(azimuth: float, elevation: float) -> Floats:
    return vector(np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation))


def _mix(a: list[float] | np.ndarray, b: list[float] | np.ndarray, share: float) -> np.ndarray:
    """`a` with a share of `b`."""
    return np.asarray(a) * (1 - share) + np.asarray(b) * share


def sky(weather: Weather, directions: Floats, *, plain: bool = False) -> Floats:
    """Radiance (n, 3) of the sky in `directions` (n, 3) of length 1; `plain` leaves clouds and sun glow out."""
    height = np.clip(directions[:, 2:3], 0, 1)
    colour = weather.horizon + (weather.zenith - weather.horizon) * height ** np.float32(0.45)
    if plain:
        return colour
    flat = np.maximum(directions[:, 2], np.float32(0.04))
    u, v = directions[:, 0] / flat, directions[:, 1] / flat
    density = cloud_noise(u * 0.9, v * 0.9) + 0.5 * cloud_noise(u * 3.1, v * 3.1) - 0.1 + 0.5 * weather.overcast
    cover = (np.clip(density * 2, 0, 0.8) * np.clip(directions[:, 2] * 7, 0, 1))[:, None]
    colour = colour * (1 - cover) + weather.horizon * (0.8 + 0.35 * np.clip(density, 0, 1)[:, None]) * cover
    near_sun = np.clip(np.einsum("ij,j->i", directions, weather.sun_direction), 0, 1)[:, None]
    return colour + weather.sun * (0.10 * near_sun**8 + 0.5 * near_sun**100 + 4 * (near_sun > 0.9993))


def in_fog(weather: Weather, colour: Floats, distance: Floats) -> Floats:
    """What is left of `colour` (n, 3) seen through `distance` (n,) metres of fog."""
    if weather.fog == 0:
        return colour
    left = np.exp(-weather.fog * distance)[:, None]
    return colour * left + weather.horizon * np.float32(0.9) * (1 - left)
