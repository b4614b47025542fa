"""Scene -> pixels."""

from __future__ import annotations

import random
from functools import cache

import numpy as np

from lift.scenes.backdrops import piece
from lift.scenes.scene import Place, Scene
from lift.scenes.silhouettes import coverage

COLOUR_VALUES: dict[str, tuple[int, int, int]] = {
    "red": (218, 36, 36),
    "orange": (250, 134, 18),
    "yellow": (252, 220, 40),
    "green": (30, 150, 52),
    "blue": (32, 84, 220),
    "purple": (132, 46, 178),
    "pink": (250, 140, 196),
    "brown": (112, 66, 30),
    "white": (248, 248, 248),
    "black": (28, 28, 32),
}
JITTER = 9  # levels by which an object's colour may be off
DARK_RIM, PALE_RIM = (30, 28, 34), (168, 168, 174)  # black objects need a pale rim
NOISE = (0.0, 2.0, 4.0, 6.0)  # standard deviations, one is drawn per picture
NOISE_SPAN = 1 << 15
GLOOM = 0.72  # brightness of dim light
WARMTH = (1.05, 0.95, 0.8)  # evening light on red, green, blue
SLOPE = (1.14, 0.62)  # brightness on the lit and on the far side


def draw(scene: Scene, size: int = 64) -> np.ndarray:
    """The picture of a scene: uint8 (size, size, 3). Equal scenes give equal pixels."""
    lots = random.Random(scene.grain)
    backdrop = piece(scene.background, size, lots.random(), lots.random(), lots.random() < 0.5)
    pixels = backdrop + lots.uniform(-8, 8)
    for number in painting_order(scene):
        group = scene.groups[number]
        jitter = [lots.uniform(-JITTER, JITTER) for _ in range(3)]
        paint = np.array(COLOUR_VALUES[group.thing.colour], np.float32) + np.array(jitter, np.float32)
        rim = np.array(PALE_RIM if group.thing.colour == "black" else DARK_RIM, np.float32)
        for place in group.places:
            _lay(pixels, group.thing.kind, place, paint, rim)
    pixels *= _brightness(scene.light, size)
    sigma = lots.choice(NOISE)
    if sigma:
        start = lots.randrange(NOISE_SPAN)
        pixels += sigma * _noise(size)[start : start + pixels.size].reshape(pixels.shape)
    return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)


def painting_order(scene: Scene) -> list[int]:
    """Group numbers, the covered one before the one that covers it."""
    order = list(range(len(scene.groups)))
    if scene.overlap is not None:
        front, _ = scene.overlap
        order.remove(front)
        order.append(front)
    return order


def _lay(pixels: np.ndarray, kind: str, place: Place, paint: np.ndarray, rim: np.ndarray) -> None:
    """Paint one object over `pixels` (in place)."""
    size = len(pixels)
    width = max(1, round(place.width * size))
    left, top = round(place.x * size - width / 2), round(place.y * size - width / 2)
    left, top = max(0, min(left, size - width)), max(0, min(top, size - width))
    cover = coverage(kind, width, place.tilt)
    if place.mirrored:
        cover = cover[:, ::-1]
    spot = pixels[top : top + width, left : left + width]
    spot *= 1 - cover[..., :1]
    spot += cover[..., 1:2] * paint + cover[..., 2:3] * rim + cover[..., 3:]


@cache
def _brightness(light: str, size: int) -> np.ndarray:
    """What a light multiplies pixels with: float32, broadcast over (size, size, 3)."""
    if light in ("left", "right"):
        ramp = np.linspace(*(SLOPE if light == "left" else SLOPE[::-1]), size, dtype=np.float32)
        return ramp[None, :, None]
    factors = {"bright": (1.04, 1.04, 1.04), "dim": (GLOOM, GLOOM, GLOOM), "evening": WARMTH}
    return np.array(factors[light], np.float32)


@cache
def _noise(size: int) -> np.ndarray:
    """Standard normal numbers, of which every picture takes a run of its own."""
    return np.random.Generator(np.random.PCG64(size)).standard_normal(
        NOISE_SPAN + 3 * size * size, np.float32
    )
