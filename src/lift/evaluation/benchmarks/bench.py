"""Encoding for a benchmark: every usable picture once, with the model's own resizing, and every text once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from lift.console import progress_bar
from lift.data import BadImage
from lift.evaluation.benchmarks.sheets import Photo
from lift.predict import exact_scores

PRODUCTS_AT_ONCE = 8192  # pairs of vectors multiplied together


class Encoder(Protocol):
    """What a benchmark asks of a model; a RUN's lift.Model and a published Rival are such."""

    def prepare(self, photo: Path | Image.Image) -> np.ndarray:
        """One photo as the model sees it. Raises data.BadImage for an unreadable file."""
        ...

    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch of what `prepare` gives."""
        ...

    def encode_text(
        self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False
    ) -> np.ndarray:
        """Unit vectors float32 (n, D) of sentences."""
        ...


class Failure(NamedTuple):
    """A photo that could not be read, and why."""

    key: str
    reason: str


class Bench:
    """Vectors of `photos` and of texts. Photos in `skip` are not read; those that fail are in `failures`.

    `files` (n,) numbers the file of each photo: what is cut from one file succeeds and fails together.
    """

    def __init__(
        self,
        model: Encoder,
        photos: Sequence[Photo],
        *,
        skip: Collection[int] = (),
        batch_size: int = 256,
        seed: int = 0,
    ) -> None:
        self.model, self.photos, self.batch_size, self.seed = model, photos, batch_size, seed
        self.failures: list[Failure] = []
        self.unusable: set[int] = set(skip)
        self._vectors: dict[str, np.ndarray] = {}
        number = {path: n for n, path in enumerate(dict.fromkeys(photo.path for photo in photos))}
        self.files = np.array([number[photo.path] for photo in photos])
        self.image_features = self._encode(photos)

    def _encode(self, photos: Sequence[Photo]) -> np.ndarray:
        """Unit vectors float32 (n, D), zero for unusable photos; `batch_size` pictures are in memory at once."""
        features: np.ndarray | None = None
        todo = [number for number in range(len(photos)) if number not in self.unusable]
        with progress_bar("encoding photos", len(todo)) as bar:
            for start in range(0, len(todo), self.batch_size):
                numbers, pictures = [], []
                for number in todo[start : start + self.batch_size]:
                    try:
                        picture = self.model.prepare(photos[number].picture())
                    except BadImage as error:
                        self.unusable.add(number)
                        self.failures.append(Failure(str(photos[number].path), error.reason))
                        continue
                    numbers.append(number)
                    pictures.append(picture)
                if pictures:
                    vectors = self.model.encode_pixels(np.stack(pictures))
                    if features is None:
                        features = np.zeros((len(photos), vectors.shape[1]), np.float32)
                    features[numbers] = vectors
                bar.advance(min(self.batch_size, len(todo) - start))
        return np.zeros((len(photos), 1), np.float32) if features is None else features

    @cached_property
    def mean_photo(self) -> np.ndarray:
        """Mean vector (1, D) of the usable photos: what remains when no photo is looked at."""
        usable = [number for number in range(len(self.photos)) if number not in self.unusable]
        return self.image_features[usable].mean(axis=0, keepdims=True)

    @property
    def texts(self) -> list[str]:
        """The distinct texts that were encoded, those of controls included."""
        return list(self._vectors)

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (m, D) of texts, each distinct one encoded once."""
        self._encode_texts(texts)
        return np.stack([self._vectors[text] for text in texts])

    def _encode_texts(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            vectors = self.model.encode_text(new, batch_size=self.batch_size, progress=True)
            self._vectors.update(zip(new, np.asarray(vectors, np.float32), strict=True))

    def scores(self, photos: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Cosine float64 (m,) of each text with its photo."""
        return self._products(self.image_features, photos, texts)

    def blind_scores(self, texts: Sequence[str]) -> np.ndarray:
        """Score float64 (m,) of each text with the mean photo: what can be told from the text alone."""
        return self._products(self.mean_photo, np.zeros(len(texts), np.int64), texts)

    def _products(self, features: np.ndarray, rows: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Dot products (m,) of features[rows] and texts, exact in float64: equal texts tie, as in no matrix product."""
        products = np.empty(len(texts))
        self._encode_texts(texts)  # all at once: batches by length are fuller
        for start in range(0, len(texts), PRODUCTS_AT_ONCE):
            part = slice(start, start + PRODUCTS_AT_ONCE)
            products[part] = exact_scores(features[rows[part]], self.text_features(texts[part]))
        return products
