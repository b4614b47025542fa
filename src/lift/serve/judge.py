"""Verdicts for the routes: calibrated ones when there is a CALIBRATION, else cosines to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lift.errors import LiftError
from lift.model import Model, Rival
from lift.verifying import Verdict, Verifier
from lift.verifying.wording import Decision


class Judge:
    """What the routes ask of lift.verifying; `words` and `places` say what may be shown."""

    def __init__(self, model: Model | Rival, calibration: Path | None) -> None:
        self.model, self.verifier = model, Verifier.load(model, calibration)
        self.calibrated = self.verifier.calibrated
        self.promises: dict[str, Any] | None = self.verifier.promises or None
        self.words, self.places = self.verifier.shows("words"), self.verifier.shows("places")

    def verdicts(self, pixels: np.ndarray, texts: Sequence[str], *, words: bool) -> list[Verdict]:
        """One verdict per text, for a photo as the model sees it."""
        photo = self.model.encode_pixels(pixels[None])[0]
        return self.verifier.judge(photo, texts, words=words)

    def decision(self, text: str, cosine: float) -> Decision | None:
        """What a cosine means for a sentence; None when uncalibrated."""
        return self.verifier.verdict(text, cosine).decision

    def heatmap(self, pixels: np.ndarray, text: str) -> np.ndarray:
        """Which patches of the photo have to do with the text: float32 (h, w) in 0..1."""
        photo = self.model.encode_pixels(pixels[None])[0]
        heat = self.verifier.judge(photo, [text], pixels=pixels, words=False, places=True)[0].heatmap
        if heat is None:
            raise LiftError("this model does not tell places", "only verdicts can be had of it")
        return heat
