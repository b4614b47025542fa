"""Verifier: is this description true of this photo? match, mismatch, or ask a person, as a CALIBRATION promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lift.calibration import MATCH, MISMATCH, decide
from lift.errors import UsageError
from lift.explaining import Suspicion, heatmap, neutral_text, suspicions
from lift.model import Model, Rival
from lift.predict import count_beaten, exact_scores
from lift.rewording import language_of
from lift.text.encoder import counts_tokens
from lift.verifying.folder import Calibration, group_of
from lift.verifying.wording import Decision, promise_in_words

_DECISIONS: dict[int, Decision] = {MATCH: "match", MISMATCH: "mismatch"}


@dataclass(frozen=True)
class Verdict:
    """What is known of one description of one photo.

    decision and probability (that it is true) are None without a CALIBRATION; with one, "ask" leaves it to a person.
    group: the lengths it was judged among; None where there was no pair of its length or language. suspicious, heatmap:
    words that fit least, and float32 (h, w) in 0..1 where the text is seen; empty and None unless proved. beaten: how
    many of `background` other sentences fit worse.
    """

    text: str
    cosine: float
    decision: Decision | None = None
    probability: float | None = None
    group: str | None = None
    suspicious: list[Suspicion] = field(default_factory=list)
    heatmap: np.ndarray | None = None
    beaten: int | None = None
    background: int | None = None


class Verifier:
    """Judges descriptions with one model; without a CALIBRATION it compares them only."""

    def __init__(
        self,
        model: Model | Rival,
        calibration: Calibration | None = None,
        *,
        false_share: float | None = None,
    ) -> None:
        """false_share: how many of the descriptions asked about are false (0..1), for the probability."""
        if false_share is not None and not 0 < false_share < 1:
            raise UsageError(
                f"a share of mismatches of {false_share:g} is no share",
                "give a number between 0 and 1, as 0.05",
            )
        if calibration is not None:
            calibration.check_model(model)
        elif false_share is not None:
            raise UsageError(
                "a share of mismatches changes probabilities, and there are none without a CALIBRATION",
                "add --calibration CALIBRATION",
            )
        self.model, self.calibration, self.false_share = model, calibration, false_share

    @classmethod
    def load(
        cls, model: Model | Rival, calibration: Path | str | None, *, false_share: float | None = None
    ) -> Verifier:
        """A Verifier with the CALIBRATION of a folder, or with none; LiftError when it is not this model's."""
        return cls(
            model, Calibration(calibration) if calibration is not None else None, false_share=false_share
        )

    @property
    def calibrated(self) -> bool:
        """Whether it decides."""
        return self.calibration is not None

    @property
    def promises(self) -> dict[str, Any]:
        """What is promised: false_alarm, missed, confidence (0..1), groups, words (en, ja); {} without one."""
        if self.calibration is None:
            return {}
        groups = [
            {"name": g.name, "over": g.over, "up_to": g.up_to}
            | {
                "decides_mismatch": g.thresholds.low is not None,
                "decides_match": g.thresholds.high is not None,
            }
            | g.facts
            for g in self.calibration.groups
        ]
        words = {language: promise_in_words(self.calibration.promise, language) for language in ("en", "ja")}
        return {**self.calibration.promise, "groups": groups, "words": words}

    @cached_property
    def others(self) -> np.ndarray | None:
        """Unit vectors of other photos, against which suspicious words were proved."""
        return self.calibration.others() if self.calibration is not None else None

    def shows(self, what: str) -> bool:
        """Whether "words" or "places" beat a random control when the CALIBRATION was made."""
        if self.calibration is None:
            return False
        proved = self.calibration.proved
        return proved is not None and (proved.words_shown if what == "words" else proved.places_shown)

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """Of which texts the model reads the beginning only; False where its encoder cannot tell."""
        encoder = self.model if isinstance(self.model, Rival) else self.model.text_encoder
        long = [
            text for text in dict.fromkeys(texts) if len(text) + 2 > encoder.max_tokens
        ]  # a token is a sign at least
        if not long or not counts_tokens(encoder):
            return [False] * len(texts)
        tokens = dict(zip(long, encoder.token_counts(long), strict=True))
        return [bool(tokens.get(text, 0) > encoder.max_tokens) for text in texts]

    def judge(
        self,
        photo_features: Float[np.ndarray, " D"],
        texts: Sequence[str],
        *,
        pixels: np.ndarray | None = None,
        words: bool = True,
        places: bool = False,
        background: Float[np.ndarray, "N D"] | None = None,
    ) -> list[Verdict]:
        """A Verdict for each description of one photo, in their order.

        pixels: the photo as the model sees it, uint8 (S, S, 3); without it there is no place. words, places: look for
        suspicious words where the decision is no match, and for the place in the photo; only what was proved is given.
        background: unit vectors of sentences about other photos.
        """
        vectors = self.model.encode_text(list(texts))
        found = []
        others = (
            None if background is None or not len(background) else exact_scores(background, photo_features)
        )
        for text, vector, cosine in zip(texts, vectors, exact_scores(vectors, photo_features), strict=True):
            verdict = self.verdict(text, float(cosine))
            extra: dict[str, Any] = {}
            if words and self.shows("words") and verdict.decision != "match":
                extra["suspicious"] = suspicions(photo_features, text, self.model.encode_text, self.others)
            if places and pixels is not None and self.shows("places") and isinstance(self.model, Model):
                neutral = self.model.encode_text([neutral_text(text)])[0]
                extra["heatmap"] = heatmap(self.model.image_encoder, pixels, vector, neutral)
            if others is not None:
                extra |= {"beaten": count_beaten(verdict.cosine, others), "background": len(others)}
            found.append(Verdict(**{**vars(verdict), **extra}))
        return found

    def verdict(self, text: str, cosine: float) -> Verdict:
        """The Verdict on a description whose cosine with its photo is known."""
        if self.calibration is None:
            return Verdict(text, cosine)
        group = group_of(self.calibration.groups, text)
        languages = self.calibration.manifest.get("languages")  # none in those of the first days
        if group is None or (languages and language_of(text) not in languages):
            return Verdict(text, cosine, "ask")
        score = np.array([cosine])
        probability = None
        if group.probability is not None:
            probability = float(group.probability(score, self.false_share)[0])
        decision = _DECISIONS.get(int(decide(score, group.thresholds)[0]), "ask")
        return Verdict(text, cosine, decision, probability, group.name)
