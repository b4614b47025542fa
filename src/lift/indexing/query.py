"""What is looked for: a sentence, a photo, both, and what it shall not be; made one unit vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lift.catalogue.fields import is_text
from lift.data import BadImage
from lift.errors import LiftError
from lift.model import Model, Rival

PhotoQuery = Path | str | bytes | Image.Image | np.ndarray
#: Share of the unwanted vectors' mean that is taken off the query.
AWAY = 0.5


@dataclass(frozen=True)
class Query:
    """Text, photo or both; `without` lists sentences or vectors of what the photos shall not show.

    The vector is the unit vector of weight * text + (1 - weight) * image - AWAY * mean(without), each a unit vector: a
    query moved away from what is unwanted as in Rocchio's relevance feedback (1971). `weight` in 0..1 is the share of
    the text where both are given. image: a path, the bytes of a file, a PIL
    picture, or a unit vector (dim,).
    """

    text: str | None = None
    image: PhotoQuery | None = None
    without: Sequence[str | np.ndarray] = ()
    weight: float = 0.5

    def __post_init__(self) -> None:
        if self.text is None and self.image is None:
            raise LiftError("the query is empty", "give a sentence, a photo, or both")
        if self.text is not None and not self.text.strip():
            raise LiftError("the sentence of the query is empty", "write what to look for, or leave it away")
        refuse_unfit([text for text in (self.text, *self.without) if isinstance(text, str)])
        if not 0 <= self.weight <= 1:
            raise LiftError(f"weight must be between 0 and 1, not {self.weight}", "0.5 counts both alike")

    @property
    def needs_model(self) -> bool:
        """Whether there is something to encode."""
        parts = [self.text, self.image, *self.without]
        return any(part is not None and not isinstance(part, np.ndarray) for part in parts)

    def vector(self, model: Model | Rival | None) -> np.ndarray:
        """The unit vector float32 (dim,); LiftError for a photo that cannot be read, or when nothing is left."""
        wanted = [(self.text, self.weight, False), (self.image, 1 - self.weight, True)]
        parts = [part for part in wanted if part[0] is not None]
        vector = sum(
            (share if len(parts) == 2 else 1.0) * _encode(part, model, photo=photo)
            for part, share, photo in parts
        )
        if self.without:
            away = np.mean([_encode(part, model, photo=False) for part in self.without], axis=0)
            vector = vector / _length(vector) - AWAY * away
        return np.asarray(vector / _length(vector), np.float32)


def refuse_unfit(sentences: Sequence[str]) -> None:
    """LiftError for a sentence that no tokenizer takes."""
    for sentence in sentences:
        if not is_text(sentence):
            raise LiftError(f"{sentence!r} is no valid Unicode text", "write it again")


def _length(vector: Any) -> float:
    length = float(np.linalg.norm(vector))
    if not length > 1e-6:
        raise LiftError("the parts of the query cancel each other out", "leave one of them away")
    return length


def _encode(part: Any, model: Model | Rival | None, *, photo: bool) -> np.ndarray:
    """The unit vector of one part, float64."""
    if isinstance(part, np.ndarray):
        return np.asarray(part, np.float64) / _length(part)
    if model is None:
        raise LiftError("a model is needed for sentences and photos", "give model=index.load_model()")
    if not photo:
        return np.asarray(model.encode_text([part])[0], np.float64)
    try:
        return np.asarray(model.encode_image([part])[0], np.float64)
    except BadImage as error:
        raise LiftError(f"the photo of the query: {error.reason}", error.remedy) from error
