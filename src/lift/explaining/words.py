"""Which phrases of a text do not fit a photo: how the cosine moves without them, with others, or with them alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from lift.errors import LiftError
from lift.explaining.probes import Probe, probes

EncodeText = Callable[[list[str]], np.ndarray]
Photos = Float[np.ndarray, "N D"]
METHOD: Final = "out+neutral+alone"  # chosen by benchmarks/explaining.py


class Suspicion(NamedTuple):
    """Characters start..end of a text and how badly they fit the photo: larger = more suspicious."""

    start: int
    end: int
    text: str
    score: float


class Prepared(NamedTuple):
    """A text's P phrases and what is needed to judge them, of any photo.

    vectors: of each kind of text that a method asks for ("said", "out", …) one array (k, D) a phrase.
    """

    text: str
    probes: list[Probe]
    vectors: dict[str, list[Float[np.ndarray, "k D"]]]


def _instead(photos: Photos, said: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """How much better the best of the changed texts fits than what is said (N,); 0 where there is none."""
    if not len(changed):
        return np.zeros(len(photos), np.float32)
    return (photos @ changed.T).max(axis=1) - photos @ said[0]


def _alone(photos: Photos, said: np.ndarray, alone: np.ndarray) -> np.ndarray:
    return -photos @ alone[0]


#: How badly a phrase fits photos (N, D), from the vectors (1, D) of what is said and (k, D) of the measure's own texts.
MEASURES: Final[dict[str, Callable[[Photos, np.ndarray, np.ndarray], np.ndarray]]] = {
    "out": _instead,
    "neutral": _instead,
    "alternatives": _instead,
    "alone": _alone,
}


def measures_of(method: str) -> list[str]:
    """The measures that a method adds up; LiftError for an unknown one."""
    names = method.split("+")
    if unknown := [name for name in names if name not in MEASURES]:
        raise LiftError(f"there is no measure {unknown[0]!r} of a phrase", f"known: {', '.join(MEASURES)}")
    return names


def prepare(
    texts: Sequence[str], encode_text: EncodeText, *, method: str = METHOD, longest: int | None = None
) -> list[Prepared]:
    """The vectors of many texts' phrases, every distinct text encoded once, in one call of `encode_text`.

    For captions that are stored and judged again and again; `functools.partial(model.encode_text, store=STORE)` takes
    what a STORE has. longest: as `phrases` has it.
    """
    asked = ["said", *measures_of(method)]
    found = [probes(text, longest=longest, alternatives="alternatives" in asked) for text in texts]
    wanted = [[{name: probe.asked[name] for name in asked} for probe in group] for group in found]
    needed = list(
        dict.fromkeys(one for group in wanted for parts in group for some in parts.values() for one in some)
    )
    vectors = np.asarray(encode_text(needed), np.float32) if needed else np.zeros((0, 0), np.float32)
    row = {text: number for number, text in enumerate(needed)}
    return [
        Prepared(
            text,
            group,
            {name: [vectors[[row[one] for one in parts[name]]] for parts in every] for name in asked},
        )
        for text, group, every in zip(texts, found, wanted, strict=True)
    ]


def phrase_scores(
    photo: Float[np.ndarray, " D"], text: Prepared, others: Photos | None = None, *, method: str = METHOD
) -> Float[np.ndarray, " P"]:
    """How badly each phrase fits the photo, in cosines (P,): the sum over the measures that `method` joins by "+".

    others: vectors of other photos (N, D). The mean over them is taken away: what a phrase does to every photo's cosine
    says nothing of this one.
    """
    names = measures_of(method)
    background = len(others) if others is not None else 0
    photos = np.concatenate([photo[None], others]) if others is not None and background else photo[None]
    scores = np.zeros((len(photos), len(text.probes)))
    for name in names:
        for number, own in enumerate(text.vectors[name]):
            scores[:, number] += MEASURES[name](photos, text.vectors["said"][number], own)
    return scores[0] - scores[1:].mean(axis=0) if background else scores[0]


def judged(
    photo: Float[np.ndarray, " D"], text: Prepared, others: Photos | None = None, *, method: str = METHOD
) -> list[Suspicion]:
    """The phrases of a prepared text, most suspicious first; equal ones in the order of the text."""
    scores = phrase_scores(photo, text, others, method=method)
    found = [
        Suspicion(probe.phrase.start, probe.phrase.end, probe.phrase.text, float(score))
        for probe, score in zip(text.probes, scores, strict=True)
    ]
    return sorted(found, key=lambda one: -one.score)


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
    them the scores are less reliable. The cost is three texts a phrase, in one call of `encode_text`.
    """
    return judged(photo_features, prepare([text], encode_text, method=method)[0], others, method=method)
