"""Verdicts for the routes: calibrated ones when there is a CALIBRATION, else cosines to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lift.indexing.judging import judge as judge_plain


@dataclass
class PlainVerdict:
    text: str
    cosine: float
    decision: str | None = None
    probability: float | None = None
    group: str | None = None
    suspicious: tuple = ()
    beaten: int | None = None
    background: int | None = None


class Judge:
    """What the routes ask of lift.verifying; `words` and `places` say what may be shown."""

    def __init__(self, model: Any, calibration: Path | None) -> None:
        self.model = model
        self.calibrated = False
        self.promises: dict[str, Any] | None = None
        self.words = self.places = False

    def verdicts(self, pixels: np.ndarray, texts: Sequence[str], *, words: bool) -> list[Any]:
        """One verdict per text."""
        photo = self.model.encode_pixels(pixels[None])[0]
        vectors = self.model.encode_text(list(texts))
        return [PlainVerdict(v.text, v.cosine) for v in judge_plain(texts, photo, vectors, vectors[:0])]

    def decision(self, text: str, cosine: float) -> Literal["match", "mismatch", "ask"] | None:
        """What a cosine means for a sentence; None when uncalibrated."""
        return None

    def heatmap(self, pixels: np.ndarray, text: str) -> np.ndarray:
        raise NotImplementedError
