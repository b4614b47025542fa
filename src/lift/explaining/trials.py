"""Trials of heatmaps: painting the hottest patches over, and pointing at things whose boxes are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from lift.explaining.places import patch_cosines
from lift.image import ImageEncoder

BLANKED: Final = 0.25  # of the patches, in the deletion test
DRAWS: Final = 4  # of random patches for every photo
Box = tuple[float, float, float, float]  # left, top, right, bottom in picture widths


class Falls(NamedTuple):
    """How much N cosines fell when a quarter of the patches was painted in the photo's mean colour."""

    hottest: Float[np.ndarray, " N"]
    random: Float[np.ndarray, " N"]
    middle: Float[np.ndarray, " N"]


def deletion(
    image_encoder: ImageEncoder,
    pixels: UInt8[np.ndarray, "N S S 3"],
    text_features: Float[np.ndarray, "N D"],
    neutral: Float[np.ndarray, " D"],
    *,
    seed: int = 0,
    batch: int = 64,
) -> Falls:
    """Paint over the hottest patches for each photo's text, as many at random, and the ones in the middle.

    What is told of is mostly in the middle of a photo, so a heatmap is of use only where it beats that.
    """
    lots = np.random.default_rng(seed)
    falls = Falls(*(np.zeros(len(pixels)) for _ in range(3)))
    for start in range(0, len(pixels), batch):
        part, texts = np.asarray(pixels[start : start + batch]), text_features[start : start + batch]
        grid = patch_cosines(image_encoder, part, texts - neutral)
        heat, side, stop = grid.reshape(len(part), -1), grid.shape[1], start + len(part)
        blanked = max(1, round(BLANKED * heat.shape[1]))
        after = partial(_without, image_encoder, part, texts, blanked, side)
        before = _cosines(image_encoder, part, texts)
        falls.hottest[start:stop] = before - after(np.argsort(-heat, axis=1, kind="stable"))
        middle = np.argsort(-centrality(side).ravel(), kind="stable")
        falls.middle[start:stop] = before - after(np.tile(middle, (len(part), 1)))
        every = np.tile(np.arange(heat.shape[1]), (len(part), 1))
        for _ in range(DRAWS):
            falls.random[start:stop] += (before - after(lots.permuted(every, axis=1))) / DRAWS
    return falls


def _without(
    image_encoder: ImageEncoder,
    pixels: np.ndarray,
    texts: np.ndarray,
    blanked: int,
    side: int,
    order: np.ndarray,
) -> np.ndarray:
    """Cosines (B,) when the first `blanked` patches of each row of `order` are painted over."""
    return _cosines(image_encoder, painted(pixels, order[:, :blanked], side), texts)


def centrality(side: int) -> Float[np.ndarray, "h w"]:
    """A heatmap that always points at the middle: minus the distance to it, in patches, along the farther axis."""
    away = np.abs(np.arange(side) - (side - 1) / 2)
    return -np.maximum(away[:, None], away[None])


def painted(
    pixels: UInt8[np.ndarray, "B S S 3"], patches: Int[np.ndarray, "B k"], side: int
) -> UInt8[np.ndarray, "B S S 3"]:
    """Copies with these patches (numbered row by row on a grid of `side` x `side`) in each photo's mean colour."""
    size = pixels.shape[1] // side
    out = np.array(pixels)
    for photo, chosen in zip(out, patches, strict=True):
        colour = photo.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
        for row, column in zip(*np.divmod(chosen, side), strict=True):
            photo[row * size : (row + 1) * size, column * size : (column + 1) * size] = colour
    return out


def _cosines(
    image_encoder: ImageEncoder, pixels: UInt8[np.ndarray, "B S S 3"], text_features: Float[np.ndarray, "B D"]
) -> Float[np.ndarray, " B"]:
    device = image_encoder.mean.device
    images = torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2).float().div_(255)
    with torch.inference_mode():
        vectors = image_encoder(images).cpu().numpy()
    return (vectors * text_features).sum(axis=1)


def pointing(heat: Float[np.ndarray, "h w"], boxes: Sequence[Box]) -> tuple[float, float]:
    """The pointing game (Zhang et al. 2018, arXiv 1608.00507) on a grid: (hit, chance).

    hit: share of the hottest patches (one, but for ties) that touch a box; chance: share of all patches that do.
    """
    inside = touched(heat.shape, boxes)
    return float(inside[heat == heat.max()].mean()), float(inside.mean())


def touched(shape: tuple[int, ...], boxes: Sequence[Box]) -> np.ndarray:
    """bool (h, w): patches that have a part, not just an edge, in common with one of the boxes."""
    height, width = shape
    top, left = np.arange(height)[:, None] / height, np.arange(width)[None] / width
    inside = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        inside |= (left < x1) & (x0 < left + 1 / width) & (top < y1) & (y0 < top + 1 / height)
    return inside
