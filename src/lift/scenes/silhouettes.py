"""What each kind of object looks like: shapes as data, and the coverage maps made from them.

A figure lives in the unit square, y downwards. Shapes are painted one over another in a *material*; the
colour of an object is laid on later, so that one silhouette serves all colours.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

EMPTY, BODY, SHADE, DEEP, LIGHT, PALE, INK, WOOD, LEAF, RIM = range(10)
# Per material: coverage, share of the object's and of the rim's colour; then red, green, blue to add.
MATERIALS = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 0.72, 0, 0, 0, 0],
        [1, 0.48, 0, 0, 0, 0],
        [1, 0.62, 0, 97, 97, 97],
        [1, 0, 0, 238, 234, 222],
        [1, 0, 0, 40, 40, 46],
        [1, 0, 0, 104, 70, 40],
        [1, 0, 0, 62, 128, 62],
        [1, 0, 1, 0, 0, 0],
    ],
    dtype=np.float32,
)
TILTS = (-10, 0, 10)  # degrees; more would turn a pyramid into another thing
FINENESS = 6  # sub-pixels a side

Corners = tuple[float, ...]


class Shape(NamedTuple):
    """One painted shape: ellipse, its upper half or rectangle (x0, y0, x1, y1), or polygon (x, y, …)."""

    form: str
    material: int
    corners: Corners


def _oval(material: int, *corners: float) -> Shape:
    return Shape("ellipse", material, corners)


def _rect(material: int, *corners: float) -> Shape:
    return Shape("rectangle", material, corners)


def _poly(material: int, *corners: float) -> Shape:
    return Shape("polygon", material, corners)


def _half(material: int, *corners: float) -> Shape:
    return Shape("half", material, corners)


def _spikes(points: int, inner: float) -> Corners:
    """Corners of a star that fills the unit square, first spike up."""
    angles = np.arange(2 * points) * np.pi / points - np.pi / 2
    radii = np.where(np.arange(2 * points) % 2, inner, 0.52)
    ring = np.stack([0.5 + radii * np.cos(angles), 0.53 + radii * np.sin(angles)], axis=1)
    return tuple(float(value) for value in ring.ravel())


def _heart_outline() -> Corners:
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = 0.5 + np.sin(turn) ** 3 * 0.48
    y = 0.46 - (13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)) / 34
    return tuple(float(value) for value in np.stack([x, y], axis=1).ravel())


FIGURES: dict[str, tuple[Shape, ...]] = {
    "ball": (
        _oval(SHADE, 0.03, 0.03, 0.97, 0.97),
        _oval(BODY, 0.05, 0.04, 0.88, 0.87),
        _oval(LIGHT, 0.22, 0.17, 0.5, 0.42),
    ),
    "boat": (
        _rect(WOOD, 0.47, 0.05, 0.53, 0.7),
        _poly(PALE, 0.56, 0.06, 0.92, 0.58, 0.56, 0.58),
        _poly(PALE, 0.44, 0.16, 0.44, 0.58, 0.14, 0.58),
        _poly(BODY, 0.02, 0.66, 0.98, 0.66, 0.8, 0.94, 0.2, 0.94),
        _poly(SHADE, 0.14, 0.84, 0.86, 0.84, 0.8, 0.94, 0.2, 0.94),
    ),
    "bottle": (
        _rect(WOOD, 0.42, 0.02, 0.58, 0.12),
        _rect(BODY, 0.41, 0.11, 0.59, 0.4),
        _half(BODY, 0.27, 0.28, 0.73, 0.66),
        _rect(BODY, 0.27, 0.46, 0.73, 0.98),
        _rect(PALE, 0.27, 0.58, 0.73, 0.8),
        _rect(SHADE, 0.64, 0.46, 0.73, 0.58),
        _rect(SHADE, 0.64, 0.8, 0.73, 0.98),
    ),
    "car": (
        _poly(BODY, 0.2, 0.5, 0.32, 0.24, 0.68, 0.24, 0.84, 0.5),
        _poly(PALE, 0.28, 0.48, 0.36, 0.31, 0.48, 0.31, 0.48, 0.48),
        _poly(PALE, 0.54, 0.48, 0.54, 0.31, 0.65, 0.31, 0.74, 0.48),
        _rect(BODY, 0.02, 0.47, 0.98, 0.72),
        _rect(SHADE, 0.02, 0.64, 0.98, 0.72),
        _oval(INK, 0.12, 0.58, 0.38, 0.84),
        _oval(INK, 0.62, 0.58, 0.88, 0.84),
        _oval(PALE, 0.2, 0.66, 0.3, 0.76),
        _oval(PALE, 0.7, 0.66, 0.8, 0.76),
    ),
    "cube": (
        _poly(LIGHT, 0.05, 0.28, 0.5, 0.04, 0.95, 0.28, 0.5, 0.52),
        _poly(BODY, 0.05, 0.28, 0.5, 0.52, 0.5, 0.98, 0.05, 0.74),
        _poly(DEEP, 0.5, 0.52, 0.95, 0.28, 0.95, 0.74, 0.5, 0.98),
    ),
    "cup": (
        _oval(BODY, 0.56, 0.3, 0.98, 0.74),
        _oval(EMPTY, 0.67, 0.41, 0.87, 0.63),
        _poly(BODY, 0.06, 0.18, 0.78, 0.18, 0.7, 0.92, 0.14, 0.92),
        _poly(SHADE, 0.6, 0.18, 0.78, 0.18, 0.7, 0.92, 0.54, 0.92),
        _oval(DEEP, 0.06, 0.08, 0.78, 0.28),
    ),
    "fish": (
        _poly(SHADE, 0.3, 0.5, 0.02, 0.2, 0.1, 0.5, 0.02, 0.8),
        _poly(SHADE, 0.42, 0.34, 0.56, 0.12, 0.74, 0.32),
        _oval(BODY, 0.2, 0.25, 0.98, 0.75),
        _poly(DEEP, 0.46, 0.5, 0.6, 0.44, 0.6, 0.6),
        _oval(PALE, 0.76, 0.36, 0.88, 0.48),
        _oval(INK, 0.8, 0.39, 0.86, 0.45),
    ),
    "flower": (
        _rect(LEAF, 0.46, 0.55, 0.54, 0.98),
        _poly(LEAF, 0.5, 0.92, 0.24, 0.7, 0.32, 0.9),
        _oval(BODY, 0.35, 0.01, 0.65, 0.31),
        _oval(BODY, 0.54, 0.13, 0.84, 0.43),
        _oval(BODY, 0.48, 0.35, 0.78, 0.65),
        _oval(BODY, 0.22, 0.35, 0.52, 0.65),
        _oval(BODY, 0.16, 0.13, 0.46, 0.43),
        _oval(INK, 0.4, 0.24, 0.6, 0.44),
    ),
    "heart": (_poly(BODY, *_heart_outline()), _oval(LIGHT, 0.18, 0.18, 0.36, 0.36)),
    "house": (
        _rect(SHADE, 0.7, 0.08, 0.82, 0.4),
        _rect(BODY, 0.12, 0.44, 0.88, 0.96),
        _poly(DEEP, 0.01, 0.48, 0.5, 0.06, 0.99, 0.48),
        _rect(INK, 0.42, 0.64, 0.58, 0.96),
        _rect(PALE, 0.2, 0.56, 0.35, 0.73),
        _rect(PALE, 0.65, 0.56, 0.8, 0.73),
    ),
    "key": (
        _oval(BODY, 0.02, 0.28, 0.46, 0.72),
        _oval(EMPTY, 0.14, 0.4, 0.34, 0.6),
        _rect(BODY, 0.42, 0.44, 0.98, 0.56),
        _rect(BODY, 0.86, 0.5, 0.98, 0.76),
        _rect(BODY, 0.68, 0.5, 0.78, 0.7),
    ),
    "moon": (_oval(BODY, 0.06, 0.02, 0.98, 0.98), _oval(EMPTY, 0.4, -0.06, 1.2, 0.8)),
    "mushroom": (
        _poly(PALE, 0.4, 0.5, 0.6, 0.5, 0.66, 0.97, 0.34, 0.97),
        _half(BODY, 0.02, 0.06, 0.98, 1.06),
        _oval(PALE, 0.2, 0.28, 0.36, 0.44),
        _oval(PALE, 0.45, 0.14, 0.6, 0.29),
        _oval(PALE, 0.66, 0.3, 0.82, 0.46),
    ),
    "pyramid": (
        _poly(BODY, 0.5, 0.04, 0.64, 0.96, 0.02, 0.84),
        _poly(DEEP, 0.5, 0.04, 0.98, 0.78, 0.64, 0.96),
    ),
    "rocket": (
        _poly(DEEP, 0.34, 0.55, 0.12, 0.94, 0.36, 0.86),
        _poly(DEEP, 0.66, 0.55, 0.88, 0.94, 0.64, 0.86),
        _half(BODY, 0.3, 0.0, 0.7, 0.8),
        _rect(BODY, 0.3, 0.38, 0.7, 0.86),
        _rect(SHADE, 0.58, 0.4, 0.7, 0.86),
        _oval(PALE, 0.4, 0.34, 0.6, 0.54),
        _rect(INK, 0.38, 0.86, 0.62, 0.96),
    ),
    "star": (_poly(BODY, *_spikes(5, 0.23)),),
    "tree": (
        _rect(WOOD, 0.41, 0.6, 0.59, 0.98),
        _oval(SHADE, 0.04, 0.26, 0.52, 0.72),
        _oval(SHADE, 0.48, 0.26, 0.96, 0.72),
        _oval(BODY, 0.2, 0.02, 0.8, 0.6),
        _oval(BODY, 0.1, 0.24, 0.5, 0.6),
        _oval(BODY, 0.5, 0.24, 0.88, 0.6),
    ),
    "umbrella": (
        _rect(INK, 0.47, 0.02, 0.53, 0.9),
        _half(BODY, 0.02, 0.08, 0.98, 1.0),
        _poly(SHADE, 0.5, 0.08, 0.34, 0.54, 0.66, 0.54),
        _oval(EMPTY, 0.03, 0.47, 0.33, 0.65),
        _oval(EMPTY, 0.67, 0.47, 0.97, 0.65),
        _rect(INK, 0.47, 0.54, 0.53, 0.9),
        _rect(INK, 0.53, 0.84, 0.68, 0.92),
    ),
}  # fmt: skip
KINDS = tuple(FIGURES)


@cache
def coverage(kind: str, width: int, tilt: int) -> np.ndarray:
    """Coverage maps of `kind` at `width` pixels, float32 (width, width, 6), columns as in MATERIALS."""
    fine = width * FINENESS
    rim = max(FINENESS * width // 24, FINENESS // 2 + 1)
    image = Image.new("L", (fine, fine), EMPTY)
    brush = ImageDraw.Draw(image)
    scale = fine - 2 * rim - 1
    for form, material, corners in FIGURES[kind]:
        spots = [rim + value * scale for value in corners]
        if form == "ellipse":
            brush.ellipse(spots, fill=material)
        elif form == "rectangle":
            brush.rectangle(spots, fill=material)
        elif form == "half":
            brush.pieslice(spots, 180, 360, fill=material)
        else:
            brush.polygon(spots, fill=material)
    painted = np.asarray(image.rotate(TILTS[tilt], resample=Image.Resampling.NEAREST))
    painted = np.where(painted > 0, painted, np.where(_grown(painted > 0, rim), RIM, EMPTY))
    return MATERIALS[painted].reshape(width, FINENESS, width, FINENESS, 6).mean(axis=(1, 3))


@cache
def outline(kind: str, width: int, tilt: int, mirrored: bool) -> np.ndarray:
    """Pixels that belong to the object, bool (width, width)."""
    inside = coverage(kind, width, tilt)[..., 0] > 0.5
    return inside[:, ::-1] if mirrored else inside


def _grown(mask: np.ndarray, radius: int) -> np.ndarray:
    """`mask` widened by about `radius` pixels: the union of its copies moved in 16 directions."""
    height, width = mask.shape
    padded = np.pad(mask, radius)
    grown = np.zeros_like(mask)
    for angle in np.arange(16) * np.pi / 8:
        down, right = round(radius * np.sin(angle)) + radius, round(radius * np.cos(angle)) + radius
        grown |= padded[down : down + height, right : right + width]
    return grown
