"""The score of an encoder, and whether two scores differ beyond the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lift.auditing.light import Measured
from lift.metrics import resampled_weights

# What bears on alignment, and how much. The weights are ours. Same-item retrieval comes first: a photo has one vector
# and must lie near all texts about it. Anisotropy is left out, because centring takes it away; so are the number of
# pieces, whose harm shows in the other parts, and repeats, which belong to the texts and not to the encoder.
WEIGHTS = {
    "same_item": 3.0,
    "minimal_change": 2.0,
    "glossary": 1.0,
    "effective_rank": 1.0,
    "hubness": 1.0,
    "truncation": 1.0,
}
SAMPLES = 1000
CONSTANT = 1e-9  # draws closer than this differ by rounding only


@dataclass(frozen=True)
class Score:
    """0-100: the weighted mean of the normalised parts (0..1) that were measured, with a 95 % interval."""

    value: float | None
    low: float | None
    high: float | None
    parts: dict[str, float]
    draws: np.ndarray

    def asdict(self) -> dict[str, Any]:
        """As written into exam.json."""
        parts = {name: {"normalised": value, "weight": WEIGHTS[name]} for name, value in self.parts.items()}
        return {"value": self.value, "low": self.low, "high": self.high, "parts": parts}


@dataclass(frozen=True)
class Gap:
    """The best encoder's score minus another's, with its paired 95 % interval; `beyond_noise` when 0 is outside.

    `resampled` is False when no part of either score changes with the items: then the interval knows nothing of noise.
    """

    name: str
    value: float
    low: float
    high: float
    resampled: bool = True

    @property
    def beyond_noise(self) -> bool:
        """Whether there is an interval, and it excludes zero."""
        return self.resampled and (self.low > 0 or self.high < 0)


def score_of(measured: Sequence[Measured], seed: int) -> Score:
    """Score the measured parts.

    The interval resamples the items of every part that has any (captions, changed texts, terms); parts that are
    one number of the whole sample (rank, hubness, truncation) stay fixed. All encoders get the same resamples.
    """
    parts = {m.name: m for m in measured if m.name in WEIGHTS and m.normalised is not None}
    if not parts:
        return Score(None, None, None, {}, np.zeros(0))
    total = sum(WEIGHTS[name] for name in parts)
    draws = np.zeros(SAMPLES)
    for place, name in enumerate(WEIGHTS):
        if name in parts:
            draws += 100.0 * WEIGHTS[name] / total * _draws(parts[name], seed + place)
    values = {name: float(m.normalised) for name, m in parts.items() if m.normalised is not None}
    value = 100.0 * sum(WEIGHTS[name] * part for name, part in values.items()) / total
    if all(part.outcomes is None for part in parts.values()):
        return Score(value, None, None, values, draws)  # nothing that could be resampled
    low, high = np.percentile(draws, [2.5, 97.5])
    return Score(value, float(low), float(high), values, draws)


def _draws(part: Measured, seed: int) -> np.ndarray:
    """Bootstrap draws of the normalised value, or the value itself: (SAMPLES,)."""
    if part.outcomes is None:
        return np.full(SAMPLES, part.normalised)
    values, clusters = part.outcomes
    means = [(weights @ values) / weights.sum(1) for weights in resampled_weights(clusters, seed, SAMPLES)]
    return np.clip(np.concatenate(means) / 100.0, 0.0, 1.0)


def gaps(scores: dict[str, Score]) -> tuple[str | None, list[Gap]]:
    """The encoder of the highest score, and its paired lead on each other that was scored on the same parts."""
    scored = {name: score for name, score in scores.items() if score.value is not None}
    if not scored:
        return None, []
    best = max(scored, key=lambda name: scored[name].value or 0.0)
    found = []
    for name, score in scored.items():
        if name != best and score.parts.keys() == scored[best].parts.keys():
            low, high = np.percentile(scored[best].draws - score.draws, [2.5, 97.5])
            lead = (scored[best].value or 0.0) - (score.value or 0.0)
            resampled = any(float(np.ptp(one.draws)) > CONSTANT for one in (scored[best], score))
            found.append(Gap(name, lead, float(low), float(high), resampled))
    return best, found
