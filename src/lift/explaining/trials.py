"""Trials of heatmaps: painting the hottest patches over, and pointing at things whose boxes are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from lift.explaining.places import patch_cosines
from lift.image import ImageEncoder

BLANKED: Final = 0.25  # of the patches, in the deletion test
DRAWS: Final = 4  # of random patches for every photo
Box = tuple[float, float, float, float]  # left, top, right, bottom in picture widths


def deletion(
    image_encoder: ImageEncoder,
    pixels: UInt8[np.ndarray, "N S S 3"],
    text_features: Float[np.ndarray, "N D"],
    *,
    seed: int = 0,
    batch: int = 64,
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Fall of the cosine when a quarter of the patches is painted in the photo's mean colour: (hottest, random)."""
    random = np.random.default_rng(seed)
    hot, chance = np.zeros(len(pixels)), np.zeros(len(pixels))
    for start in range(0, len(pixels), batch):
        part, texts = np.asarray(pixels[start : start + batch]), text_features[start : start + batch]
        grid = patch_cosines(image_encoder, part, texts)
        heat, side = grid.reshape(len(part), -1), grid.shape[1]
        blanked = max(1, round(BLANKED * heat.shape[1]))
        before = _cosines(image_encoder, part, texts)
        stop = start + len(part)
        hottest = np.argsort(-heat, axis=1, kind="stable")[:, :blanked]
        hot[start:stop] = before - _cosines(image_encoder, painted(part, hottest, side), texts)
        for _ in range(DRAWS):
            drawn = random.permuted(np.tile(np.arange(heat.shape[1]), (len(part), 1)), axis=1)[:, :blanked]
            fall = before - _cosines(image_encoder, painted(part, drawn, side), texts)
            chance[start:stop] += fall / DRAWS
    return hot, chance


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
