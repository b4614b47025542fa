"""Which phrases of a text do not fit a photo: how the cosine moves without them, with others, or with them alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from lift.errors import LiftError
from lift.explaining.probes import Probe, probes

EncodeText = Callable[[list[str]], np.ndarray]
METHOD = "out+alone"
LEAST_SPREAD = 1e-6  # of cosines over the photos that a score is measured against


class Suspicion(NamedTuple):
    """Characters start..end of a text and how badly they fit the photo: larger = more suspicious."""

    start: int
    end: int
    text: str
    score: float


class Prepared(NamedTuple):
    """A text's phrases and the vectors that are needed to judge them, of any photo: `said`, `out`, `neutral` and
    `alone` (P, D), `alternatives` P arrays (k, D)."""

    text: str
    probes: list[Probe]
    said: Float[np.ndarray, "P D"]
    out: Float[np.ndarray, "P D"]
    neutral: Float[np.ndarray, "P D"]
    alone: Float[np.ndarray, "P D"]
    alternatives: list[Float[np.ndarray, "k D"]]


def prepare(texts: Sequence[str], encode_text: EncodeText, *, longest: int | None = None) -> list[Prepared]:
    """The vectors of many texts' phrases, every distinct text encoded once, in one call of `encode_text`.

    For captions that are stored and judged again and again; `functools.partial(model.encode_text, store=STORE)` takes
    what a STORE has.
    """
    found = [probes(text, longest=longest) for text in texts]
    needed = list(dict.fromkeys(one for group in found for probe in group for one in probe.texts))
    vectors = np.asarray(encode_text(needed), np.float32) if needed else np.zeros((0, 0), np.float32)
    row = {text: number for number, text in enumerate(needed)}

    def of(parts: Sequence[str]) -> np.ndarray:
        return vectors[[row[part] for part in parts]].reshape(len(parts), vectors.shape[1])

    return [
        Prepared(
            text,
            group,
            of([probe.said for probe in group]),
            of([probe.out for probe in group]),
            of([probe.neutral for probe in group]),
            of([probe.alone for probe in group]),
            [of(probe.alternatives) for probe in group],
        )
        for text, group in zip(texts, found, strict=True)
    ]


Photos = Float[np.ndarray, "N D"]


def _out(photos: Photos, text: Prepared) -> np.ndarray:
    return photos @ (text.out - text.said).T


def _neutral(photos: Photos, text: Prepared) -> np.ndarray:
    return photos @ (text.neutral - text.said).T


def _alone(photos: Photos, text: Prepared) -> np.ndarray:
    return -photos @ text.alone.T


def _alternatives(photos: Photos, text: Prepared) -> np.ndarray:
    """The best alternative's cosine above the text's; 0 for every photo where there is none."""
    found = np.zeros((len(photos), len(text.probes)), np.float32)
    for number, vectors in enumerate(text.alternatives):
        if len(vectors):
            found[:, number] = (photos @ vectors.T).max(axis=1) - photos @ text.said[number]
    return found


#: Measures of how badly a phrase fits: photos (N, D) and a text with P phrases -> (N, P).
MEASURES: Final[dict[str, Callable[[Photos, Prepared], np.ndarray]]] = {
    "out": _out,
    "neutral": _neutral,
    "alone": _alone,
    "alternatives": _alternatives,
}


def phrase_scores(
    photo: Float[np.ndarray, " D"], text: Prepared, others: Photos | None = None, *, method: str = METHOD
) -> Float[np.ndarray, " P"]:
    """How badly each phrase fits the photo, float (P,); the sum over the measures that `method` joins by "+".

    others: vectors of other photos (N, D). Each measure is told as standard deviations above its mean over them, so
    that what a phrase does to any photo's cosine does not count; without them as cosines.
    """
    if unknown := [name for name in method.split("+") if name not in MEASURES]:
        raise LiftError(f"there is no measure {unknown[0]!r} of a phrase", f"known: {', '.join(MEASURES)}")
    total = np.zeros(len(text.probes))
    if not text.probes:
        return total
    for name in method.split("+"):
        own = MEASURES[name](photo[None].astype(np.float32), text)[0].astype(float)
        if others is not None and len(others):
            usual = MEASURES[name](others, text).astype(float)
            own = (own - usual.mean(axis=0)) / np.maximum(usual.std(axis=0), LEAST_SPREAD)
        total += own
    return total


def judged(
    photo: Float[np.ndarray, " D"], text: Prepared, others: Photos | None = None, *, method: str = METHOD
) -> list[Suspicion]:
    """The phrases of a prepared text, most suspicious first; equal ones in the order of the text."""
    scores = phrase_scores(photo, text, others, method=method)
    order = np.argsort(-scores, kind="stable").tolist()
    return [_suspicion(text.probes[number], scores[number]) for number in order]


def _suspicion(probe: Probe, score: float) -> Suspicion:
    return Suspicion(probe.phrase.start, probe.phrase.end, probe.phrase.text, float(score))


def suspicions(
    photo_features: Float[np.ndarray, " D"],
    text: str,
    encode_text: EncodeText,
    others: Photos | None = None,
    *,
    method: str = METHOD,
) -> list[Suspicion]:
    """The phrases of a text, the one that fits the photo worst first; none for a text without words.

    photo_features: unit vector (D,). others: unit vectors (N, D) of other photos, a few hundred are enough; without
    them the scores are far less reliable. The cost is 4 texts a phrase and its alternatives, in one call of
    `encode_text`.
    """
    return judged(photo_features, prepare([text], encode_text)[0], others, method=method)
