"""A photo as a published model wants it: resize, crop and normalise, read from preprocessor_config.json.

The same numbers as transformers' processors for Pillow, without torchvision. Settings that are not known are refused:
passing over one silently would give other vectors than the published ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lift.errors import LiftError

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)
REMEDY = "use a model of a known family, or write to the project which settings it needs"


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an upright RGB photo, in this order: resize, centre crop, times `scale`, minus mean over std.

    shortest: the shorter side gets this many pixels. exact: (height, width). patches: (side of a patch, how many at
    most), the aspect kept (SigLIP 2 of free size).
    """

    shortest: int | None
    exact: tuple[int, int] | None
    patches: tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def image_size(self) -> int:
        """Shorter side in pixels of what the model sees."""
        if self.patches:
            return int(self.patches[0] * self.patches[1] ** 0.5)
        return min(self.crop or self.exact or (self.shortest or 0,) * 2)

    def prepare(self, image: Image.Image) -> np.ndarray:
        """uint8 (H, W, 3) at the model's size; of free size a record of patches (N, P * P * 3) and grid (2,)."""
        if self.patches:
            return self._as_patches(image)
        if self.shortest:
            width, height = image.size
            short, long = min(width, height), max(width, height)
            other = int(self.shortest * long / short)
            size = (self.shortest, other) if width <= height else (other, self.shortest)
            image = image.resize(size, self.resample)
        elif self.exact:
            image = image.resize(self.exact[::-1], self.resample)
        pixels = np.asarray(image)
        return pixels if self.crop is None else centre_crop(pixels, self.crop)

    def inputs(self, prepared: np.ndarray) -> dict[str, Tensor]:
        """What the model is called with, float32, for a stack of what `prepare` gives."""
        if not self.patches:
            return {"pixel_values": torch.from_numpy(self._normalised(prepared).transpose(0, 3, 1, 2).copy())}
        grid = prepared["grid"].astype(np.int64)
        mask = np.arange(self.patches[1]) < grid.prod(axis=1)[:, None]
        n, count = prepared["patches"].shape[:2]
        values = self._normalised(prepared["patches"].reshape(n, count, -1, 3)).reshape(n, count, -1)
        return {
            "pixel_values": torch.from_numpy(values * mask[:, :, None].astype(np.float32)),
            "pixel_attention_mask": torch.from_numpy(mask.astype(np.int32)),
            "spatial_shapes": torch.from_numpy(grid),
        }

    def _normalised(self, pixels: np.ndarray) -> np.ndarray:
        scaled = (pixels * self.scale).astype(np.float32)  # the product in float64, as transformers has it
        return (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)

    def _as_patches(self, image: Image.Image) -> np.ndarray:
        side, most = self.patches or (1, 1)
        height, width = fitted_size(image.height, image.width, side, most)
        pixels = np.asarray(image.resize((width, height), self.resample))
        rows, columns = height // side, width // side
        cut = (
            pixels.reshape(rows, side, columns, side, 3).transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1)
        )
        record = np.zeros((), [("patches", np.uint8, (most, side * side * 3)), ("grid", np.int32, 2)])
        record["patches"][: len(cut)], record["grid"][:] = cut, (rows, columns)
        return record


def centre_crop(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle (h, w) of uint8 (H, W, 3); what lies outside of a smaller picture is black."""
    room = [max(0, wanted - have) for wanted, have in zip(size, pixels.shape, strict=False)]
    if any(room):
        before = [math.ceil(extra / 2) for extra in room]
        pixels = np.pad(pixels, [(b, r - b) for b, r in zip(before, room, strict=True)] + [(0, 0)])
    top, left = ((have - wanted) // 2 for wanted, have in zip(size, pixels.shape, strict=False))
    return pixels[top : top + size[0], left : left + size[1]]


def fitted_size(height: int, width: int, patch: int, most: int) -> tuple[int, int]:
    """Height and width in whole patches, at most `most` of them, near the aspect of the photo.

    A bisection for the scale as in SigLIP 2's own code (arXiv 2502.14786), so that the rounding is the same.
    """

    def scaled(scale: float, length: int) -> int:
        return max(patch, math.ceil(length * scale / patch) * patch)

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        middle = (low + high) / 2
        if (scaled(middle, height) / patch) * (scaled(middle, width) / patch) <= most:
            low = middle
        else:
            high = middle
    return scaled(low, height), scaled(low, width)


BICUBIC, BILINEAR = int(Image.Resampling.BICUBIC), int(Image.Resampling.BILINEAR)
_CLIP = Preprocessing(224, None, None, (224, 224), BICUBIC, 1 / 255, CLIP_MEAN, CLIP_STD)
#: What a family's processor does where its file says nothing.
USUAL = {
    **dict.fromkeys(("clip", "altclip", "chinese_clip", "metaclip_2"), _CLIP),
    "siglip": Preprocessing(None, (224, 224), None, None, BICUBIC, 1 / 255, HALF, HALF),
    "siglip2": Preprocessing(None, None, (16, 256), None, BILINEAR, 1 / 255, HALF, HALF),
}


def read_preprocessing(settings: Mapping[str, Any] | None, family: str) -> Preprocessing:
    """The preprocessing that an image processor was saved with; LiftError for settings that are not known here."""
    if family not in USUAL:
        missing = [key for key in ("size", "image_mean", "image_std") if key not in (settings or {})]
        if missing:
            raise LiftError(f"the model's preprocessor_config.json does not say {', '.join(missing)}", REMEDY)
    found = replace(USUAL.get(family, _CLIP))
    settings = settings or {}
    if settings.get("do_pad") or settings.get("do_thumbnail") or settings.get("do_align_long_axis"):
        raise LiftError(
            "the model's image processor pads or thumbnails photos, which lift does not do", REMEDY
        )
    if found.patches and "patch_size" in settings:
        patches = int(settings["patch_size"]), int(settings.get("max_num_patches", 256))
        found = replace(found, patches=patches)
    if not found.patches:
        found = replace(found, **_resizing(settings, found))
    scale = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    mean, std = settings.get("image_mean") or found.mean, settings.get("image_std") or found.std
    if settings.get("do_normalize") is False:
        mean, std = (0.0,) * 3, (1.0,) * 3
    resample = settings.get("resample")
    return replace(
        found,
        scale=float(scale),
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        resample=found.resample if resample is None else int(resample),
    )


def _resizing(settings: Mapping[str, Any], usual: Preprocessing) -> dict[str, Any]:
    """`shortest`, `exact` and `crop` as the settings have them."""
    shortest, exact, crop = usual.shortest, usual.exact, usual.crop
    size = settings.get("size")
    if settings.get("do_resize") is False:
        shortest = exact = None
    elif isinstance(size, int):
        shortest, exact = size, None
    elif isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
        shortest, exact = int(size["shortest_edge"]), None
    elif isinstance(size, Mapping) and set(size) == {"height", "width"}:
        shortest, exact = None, (int(size["height"]), int(size["width"]))
    elif size is not None:
        raise LiftError(f"the model's image processor has a size that lift does not know: {size}", REMEDY)
    given = settings.get("crop_size")
    if settings.get("do_center_crop", crop is not None) is False:
        crop = None
    elif isinstance(given, int):
        crop = given, given
    elif isinstance(given, Mapping):
        crop = int(given["height"]), int(given["width"])
    if crop is None and exact is None:
        raise LiftError("the model's image processor leaves photos of unequal sizes", REMEDY)
    return {"shortest": shortest, "exact": exact, "crop": crop}
