"""Backgrounds: large pale canvases, one per kind, of which every picture shows a piece of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from lift.scenes.scene import BACKGROUNDS

CANVAS = 3  # canvas side in picture sides
HORIZON = (0.4, 0.58)  # how far down a window of the meadow may lie, so that it shows both sky and grass
Canvas = np.ndarray  # float32 (side, side, 3), 0-255


@cache
def canvas(background: str, size: int) -> Canvas:
    """The canvas of `background` for pictures of `size` pixels: float32 (3 size, 3 size, 3)."""
    chance = np.random.Generator(np.random.PCG64(BACKGROUNDS.index(background)))
    side = CANVAS * size
    y, x = (axis.astype(np.float32) / size for axis in np.mgrid[:side, :side])
    return np.ascontiguousarray(_PAINTERS[background](chance, x, y).clip(0, 255), dtype=np.float32)


def piece(background: str, size: int, right: float, down: float, mirrored: bool) -> Canvas:
    """The part of the canvas `right` and `down` (0-1 of the way) from its corner: float32 (size, size, 3)."""
    whole = canvas(background, size)
    if background == "meadow":
        down = HORIZON[0] + (HORIZON[1] - HORIZON[0]) * down
    left, top = (int(share * (CANVAS - 1) * size) for share in (right, down))
    part = whole[top : top + size, left : left + size]
    return part[:, ::-1] if mirrored else part


def _flat(x: np.ndarray, colour: tuple[int, int, int]) -> Canvas:
    return np.broadcast_to(np.array(colour, np.float32), (*x.shape, 3)).copy()


def _blobs(
    chance: np.random.Generator, x: np.ndarray, y: np.ndarray, number: int, radius: float
) -> np.ndarray:
    """Soft round spots: (side, side) in 0-1."""
    total = np.zeros_like(x)
    for cx, cy, r in zip(
        *chance.uniform(0, CANVAS, (2, number)), chance.uniform(0.5, 1.3, number), strict=True
    ):
        total += np.exp(-((x - cx) ** 2 + ((y - cy) * 1.7) ** 2) / (radius * r) ** 2)
    return total.clip(0, 1)


def _grain(chance: np.random.Generator, x: np.ndarray, strength: float) -> np.ndarray:
    return chance.normal(0, strength, x.shape)[..., None]


def _sky(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    base = _flat(x, (168, 206, 238)) + 10 * (y - 1.5)[..., None]
    clouds = _blobs(chance, x, y, 26, 0.2)[..., None]
    return base * (1 - clouds) + 240 * clouds


def _night_sky(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    base = _flat(x, (44, 48, 92)) + 8 * (y - 1.5)[..., None]
    specks = chance.random(x.shape) < 0.012
    base[specks] = 205
    return base


def _meadow(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    horizon = 1.5 + 0.06 * np.sin(2 * np.pi * x / 1.5)
    grass = _flat(x, (176, 208, 142)) + _grain(chance, x, 9)
    return np.where((y > horizon)[..., None], grass, _flat(x, (188, 220, 244)) - 14 * (y - 1)[..., None])


def _lawn(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    blades = (
        12 * np.sin(2 * np.pi * (x * 9 + 2 * np.sin(y * 7)))[..., None] * chance.random(x.shape)[..., None]
    )
    return _flat(x, (172, 206, 140)) + blades + _grain(chance, x, 7)


def _beach(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    ripples = 7 * np.sin(2 * np.pi * (y * 5 + 0.3 * np.sin(x * 6)))[..., None]
    return _flat(x, (238, 220, 176)) + ripples + _grain(chance, x, 8)


def _snow(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    return _flat(x, (232, 238, 246)) - 26 * _blobs(chance, x, y, 20, 0.25)[..., None] + _grain(chance, x, 3)


def _water(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    waves = np.sin(2 * np.pi * (y * 7 + 0.35 * np.sin(2 * np.pi * x * 1.6)))
    return _flat(x, (150, 200, 214)) + 17 * waves[..., None] + _grain(chance, x, 2)


def _brick_wall(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    row = np.floor(y * 8)
    along = x * 4 + 0.5 * (row % 2)
    tone = chance.uniform(-12, 12, (64, 64))[row.astype(int) % 64, np.floor(along).astype(int) % 64][
        ..., None
    ]
    mortar = ((y * 8) % 1 < 0.16) | (along % 1 < 0.08)
    return np.where(mortar[..., None], 222, _flat(x, (206, 158, 138)) + tone)


def _wall(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    return _flat(x, (216, 210, 214)) + 10 * np.sin(x + y)[..., None] + _grain(chance, x, 2)


def _wooden_floor(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    board = np.floor(y * 5)
    tone = chance.uniform(-12, 12, 64)[board.astype(int) % 64][..., None]
    fibre = 6 * np.sin(2 * np.pi * (y * 22 + 0.5 * np.sin(x * 3 + board)))[..., None]
    gap = ((y * 5) % 1 < 0.1) | ((x + 0.37 * board) % 1.3 < 0.03)
    return np.where(gap[..., None], _flat(x, (160, 128, 92)), _flat(x, (214, 182, 138)) + tone + fibre)


def _tiles(chance: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Canvas:
    dark = ((np.floor(x * 4) + np.floor(y * 4)) % 2)[..., None]
    return _flat(x, (226, 230, 232)) - 36 * dark + _grain(chance, x, 2)


_PAINTERS: dict[str, Callable[[np.random.Generator, np.ndarray, np.ndarray], Canvas]] = {
    "sky": _sky, "night sky": _night_sky, "meadow": _meadow, "lawn": _lawn, "beach": _beach, "snow": _snow,
    "water": _water, "brick wall": _brick_wall, "wall": _wall, "wooden floor": _wooden_floor, "tiles": _tiles,
}  # fmt: skip
