"""Rival: a published image and text encoder with the methods of lift.model.Model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from lift.console import progress_bar
from lift.data import decode_image, upright_rgb
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.store import EmbeddingStore

Photo = Path | str | bytes | Image.Image


@dataclass(frozen=True)
class Towers:
    """The parts of a two-tower model: what prepares a photo, and what turns stacks of them, and texts, into vectors.

    prepare: upright RGB picture -> array. images: stack of those -> (n, D). texts: sentences -> (n, D). tokens:
    sentences -> how many tokens each has before it is cut, where that can be known.
    """

    prepare: Callable[[Image.Image], np.ndarray]
    images: Callable[[np.ndarray], Tensor]
    texts: Callable[[list[str]], Tensor]
    tokens: Callable[[Sequence[str]], np.ndarray] | None = None


class Rival:
    """Any two-tower model behind the face of `lift.model.Model`, with the preprocessing it was published with."""

    stands_in = None
    resize_mode = "own"  # not one of a DATASET's: the model resizes by itself

    def __init__(
        self,
        towers: Towers,
        *,
        name: str,
        method: str,
        source: Path | None,
        weights: str,
        fingerprint: Fingerprint,
        transform: Any,
        image_size: int,
        logit_scale: float | None,
        device: str,
    ) -> None:
        self._towers, self.name, self.method, self.run = towers, name, method, source
        self.weights, self.id = weights, f"{name}@{weights[:16]}"
        self.fingerprint, self.dim, self.image_size = fingerprint, fingerprint.dim, image_size
        self.transform = transform
        self.logit_scale, self.device = logit_scale, device
        self.config: dict[str, Any] = {}

    def prepare(self, photo: Photo, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """One photo as the model sees it. Raises data.BadImage for an unreadable file."""
        if isinstance(photo, Image.Image):
            return self._towers.prepare(upright_rgb(photo))
        return self._towers.prepare(decode_image(photo, max_pixels=max_pixels))

    def pixels(self, images: np.ndarray | Sequence[Photo]) -> np.ndarray:
        """Photos as the model sees them, stacked; images: uint8 (n, H, W, 3), or paths and PIL images."""
        pictures = [Image.fromarray(image) for image in images] if isinstance(images, np.ndarray) else images
        return np.stack([self.prepare(picture) for picture in pictures])

    @torch.inference_mode()
    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch of what `pixels` gives."""
        return normalize(self._towers.images(pixels).float(), dim=-1).cpu().numpy()

    def encode_image(
        self, images: np.ndarray | Sequence[Photo], *, batch_size: int = 256, progress: bool = False
    ) -> np.ndarray:
        """Unit vectors float32 (n, D) of photos: uint8 (n, H, W, 3), or paths and PIL images in any mix."""
        out = np.empty((len(images), self.dim), np.float32)
        with progress_bar("encoding photos", len(images), shown=progress) as bar:
            for start in range(0, len(images), batch_size):
                part = images[start : start + batch_size]
                out[start : start + len(part)] = self.encode_pixels(self.pixels(part))
                bar.advance(len(part))
        return out

    @torch.inference_mode()
    def encode_text(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 64,
        progress: bool = False,
        store: EmbeddingStore | None = None,
    ) -> np.ndarray:
        """Unit vectors float32 (n, D) of sentences, each distinct one encoded once."""
        if store is not None:
            raise LiftError(
                f"{self.name} has a text encoder of its own, the STORE {store.folder} cannot help it",
                "leave --texts away",
            )
        distinct = sorted(dict.fromkeys(texts), key=len)  # like lengths together: less padding
        row = {text: number for number, text in enumerate(distinct)}
        vectors = np.empty((len(distinct), self.dim), np.float32)
        with progress_bar("encoding texts", len(distinct), shown=progress) as bar:
            for start in range(0, len(distinct), batch_size):
                part = distinct[start : start + batch_size]
                found = normalize(self._towers.texts(part).float(), dim=-1)
                vectors[start : start + len(part)] = found.cpu().numpy()
                bar.advance(len(part))
        return vectors[[row[text] for text in texts]].reshape(len(texts), self.dim)

    @property
    def counts_tokens(self) -> bool:
        """Whether `token_counts` is to be had."""
        return self._towers.tokens is not None

    @property
    def max_tokens(self) -> int:
        """Tokens of a sentence that are read; what is beyond is cut off."""
        return self.fingerprint.max_tokens

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens (n,) of each sentence before any cut."""
        if self._towers.tokens is None:
            raise LiftError(f"{self.name} does not tell its tokens", "leave the count out")
        return self._towers.tokens(texts)

    def stand_in(self, folder: Path | str) -> None:
        """Refused: a light encoder is distilled from the STORE of a trained RUN."""
        raise LiftError(
            f"{self.name} is no RUN, so {folder} cannot stand in for its text encoder", "leave it away"
        )
