"""Which places of a photo a text speaks of: the cosine of every patch of the image encoder with the text."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image

from lift.errors import LiftError
from lift.image import ImageEncoder
from lift.rewording import language_of

#: Nine steps of cividis (Nuñez, Anderton & Renslow 2018): from blue to yellow, ever lighter, so that people who see few
#: colours, and prints in grey, keep the order.
CIVIDIS: Final = (
    (0, 34, 78), (26, 56, 111), (67, 78, 108), (97, 101, 111), (125, 124, 120), (155, 148, 118), (188, 174, 108),
    (222, 201, 88), (254, 232, 56),
)  # fmt: skip
#: Chosen among seven on drawn scenes: benchmarks/explaining.py.
NEUTRAL_TEXT: Final = {"en": "an object", "ja": "物"}
MOST_COVER = 0.75  # of the photo under the hottest place


def tells_places(image_encoder: object) -> bool:
    """Whether `heatmap` can be made: the photo's vector is the head of the mean of its patches' vectors.

    Not so for class-token and attention pooling, nor for ConvNeXt, whose last norm comes after the mean, nor for
    published models behind `lift.rival`, which give one vector alone.
    """
    if not isinstance(image_encoder, ImageEncoder):
        return False
    backbone = image_encoder.backbone
    return backbone is None or (
        backbone.pooling == "mean" and backbone.family not in ("convnext", "convnextv2")
    )


def patch_cosines(
    image_encoder: ImageEncoder, pixels: UInt8[np.ndarray, "B S S 3"], text_features: Float[np.ndarray, "B D"]
) -> Float[np.ndarray, "B h w"]:
    """Cosine of every patch of B photos, sent through the head by itself, with each photo's text.

    Of text_features that are no unit vectors, the difference of two texts, it is the difference of the cosines.
    LiftError when the encoder has no patches whose mean is the photo.
    """
    if not tells_places(image_encoder):
        raise LiftError(
            "this model does not tell which place of a photo a text speaks of",
            "use a model whose image encoder takes the mean of its patches (--image-pooling mean)",
        )
    device = image_encoder.mean.device
    images = torch.from_numpy(np.array(pixels)).to(device).permute(0, 3, 1, 2).float().div_(255)
    texts = torch.from_numpy(np.array(text_features, np.float32)).to(device)
    with torch.inference_mode():
        tokens = image_encoder.patch_features(images)
        vectors = F.normalize(image_encoder.head(tokens).float(), dim=-1)
        cosines = torch.einsum("btd,bd->bt", vectors, texts).cpu().numpy()
    side = round(cosines.shape[1] ** 0.5)
    return cosines.reshape(len(cosines), side, side)


def neutral_text(text: str) -> str:
    """What `text` is compared with: a text of its language that names no thing."""
    return NEUTRAL_TEXT[language_of(text)]


def heatmap(
    image_encoder: ImageEncoder,
    pixels: UInt8[np.ndarray, "S S 3"],
    text_features: Float[np.ndarray, " D"],
    neutral: Float[np.ndarray, " D"],
) -> Float[np.ndarray, "h w"]:
    """How much each patch of a photo has to do with a text: float32 (h, w), 0 the least of this photo and 1 the most.

    The patch's cosine with the text above that with `neutral`, the vector of `neutral_text(text)`: without it, what is
    near every text would be hot. pixels: the photo as the model sees it (`Model.prepare`). All 0 when no patch differs.
    Says nothing of whether the text is true: every photo has a hottest place. LiftError as `patch_cosines`.
    """
    return scaled(patch_cosines(image_encoder, pixels[None], (text_features - neutral)[None])[0])


def scaled(cosines: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The same between 0 and 1."""
    low, high = float(cosines.min()), float(cosines.max())
    if high - low < 1e-7:
        return np.zeros(cosines.shape, np.float32)
    return ((cosines - low) / (high - low)).astype(np.float32)


def overlay(photo: Image.Image, heat: Float[np.ndarray, "h w"]) -> Image.Image:
    """The photo in grey with warm places in yellow; RGB, of the photo's size."""
    grey = np.asarray(photo.convert("L").convert("RGB"), np.float32)
    coarse = Image.fromarray(np.asarray(heat, np.float32)).resize(photo.size, Image.Resampling.BICUBIC)
    warmth = np.clip(np.asarray(coarse, np.float32), 0, 1)
    steps = np.linspace(0, 1, len(CIVIDIS))
    colours = np.stack([np.interp(warmth, steps, [c[i] for c in CIVIDIS]) for i in range(3)], axis=-1)
    cover = MOST_COVER * (0.4 + 0.6 * warmth[..., None])
    return Image.fromarray((grey * (1 - cover) + colours * cover).round().astype(np.uint8))
