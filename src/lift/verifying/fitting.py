"""Scores and labels to groups with thresholds and probabilities, and what they do on photos left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from lift.calibration import (
    ASK,
    MATCH,
    MISMATCH,
    Thresholds,
    calibration_noise,
    controlled_thresholds,
    decide,
    fit_probability,
    labels_needed,
    one_per_photo,
)
from lift.errors import LiftError
from lift.metrics import auroc
from lift.verifying.folder import Group, name_of

LENGTHS = (40.0,)
PARTS = 20  # left out in turn: of 48 labelled photos 45 are left, which is the least for 5 % at 90 %
ROUNDING = 1e-6  # cosines of one pair differ by up to 2e-7 with the other photos of its batch


@dataclass(frozen=True)
class Promise:
    """At most false_alarm of the true ones called mismatch, at most missed of the false ones match, so surely."""

    false_alarm: float = 0.05
    missed: float = 0.05
    confidence: float = 0.9

    @property
    def delta(self) -> float:
        """Chance that a promise is broken."""
        return 1 - self.confidence

    @property
    def needed(self) -> tuple[int, int]:
        """Photos with a true, and with a false description that are the least for each promise."""
        return labels_needed(self.false_alarm, self.delta), labels_needed(self.missed, self.delta)


class Scored(NamedTuple):
    """Pairs as arrays (n,): cosine, whether true, number of the photo, words, asked about for being doubtful."""

    scores: np.ndarray
    labels: np.ndarray
    photos: np.ndarray
    words: np.ndarray
    doubtful: np.ndarray

    def only(self, chosen: np.ndarray) -> Scored:
        """Those of a mask (n,)."""
        return Scored(*(part[chosen] for part in self))


def fit_groups(
    pairs: Scored, promise: Promise, *, lengths: Sequence[float], merge: bool, seed: int
) -> tuple[list[Group], list[str]]:
    """Groups by length, each with its thresholds and probability, and notes on groups that were joined.

    merge: a group with too few labels is joined with a neighbour that has some. LiftError, with the numbers of labels
    missing, when no group can promise anything.
    """
    sure = pairs.only(~pairs.doubtful)
    spans, notes = _spans(sure, promise, lengths, merge)
    groups = []
    for over, up_to in spans:
        inside = _inside(pairs.words, over, up_to)
        groups.append(_fit(pairs.only(inside), promise, over, up_to, seed))
    if not any(g.thresholds.low is not None or g.thresholds.high is not None for g in groups):
        raise LiftError(
            "there are too few labels to promise anything: " + "; ".join(missing_in_words(g) for g in groups),
            "label more pairs (one photo counts once, however many descriptions of it are labelled), or allow more "
            "errors: --false-alarm, --missed, --confidence",
        )
    return groups, notes


def missing_in_words(group: Group) -> str:
    """How many labels a group lacks; "" when it lacks none."""
    true, false = group.facts["missing"]["true"], group.facts["missing"]["false"]
    parts = [f"{n} photos with a {word} description" for n, word in ((true, "true"), (false, "false")) if n]
    return f"{group.name}: {' and '.join(parts)} missing" if parts else ""


def _inside(words: np.ndarray, over: float, up_to: float | None) -> np.ndarray:
    return (words > over) & (words <= (np.inf if up_to is None else up_to))


def _counts(pairs: Scored, over: float, up_to: float | None) -> tuple[int, int]:
    """Photos with a true and with a false description of that length."""
    inside = _inside(pairs.words, over, up_to)
    return (
        len(np.unique(pairs.photos[inside & pairs.labels])),
        len(np.unique(pairs.photos[inside & ~pairs.labels])),
    )


def _spans(
    pairs: Scored, promise: Promise, lengths: Sequence[float], merge: bool
) -> tuple[list[tuple[float, float | None]], list[str]]:
    """Lengths of the groups; those without any pair are left out, small ones joined with their smaller neighbour."""
    edges: list[float | None] = [0.0, *sorted({float(edge) for edge in lengths}), None]
    spans = [(float(a or 0), b) for a, b in pairwise(edges) if sum(_counts(pairs, float(a or 0), b))]
    notes: list[str] = []
    while merge and (joint := _to_join(pairs, spans, promise)) is not None:
        one, other = joint
        counts = [_counts(pairs, *span) for span in spans]
        a, b = sorted((one, other))
        notes.append(
            f"{name_of(*spans[one])} has too few labels of its own ({counts[one][0]} photos with a true, "
            f"{counts[one][1]} with a false description) and was joined with {name_of(*spans[other])}: the promise "
            "holds for their mix, not for each length"
        )
        spans[a : b + 1] = [(spans[a][0], spans[b][1])]
    return spans, notes


def _to_join(
    pairs: Scored, spans: Sequence[tuple[float, float | None]], promise: Promise
) -> tuple[int, int] | None:
    """The first span with too few labels and the smaller of its neighbours; None where nothing is left to join.

    Spans with lengths between them of which there was no pair are no neighbours: those lengths are left to people.
    """
    counts = [_counts(pairs, *span) for span in spans]
    for one, have in enumerate(counts):
        near = [
            n for n in (one - 1, one + 1)
            if 0 <= n < len(spans) and spans[min(one, n)][1] == spans[max(one, n)][0]
        ]  # fmt: skip
        if near and any(h < need for h, need in zip(have, promise.needed, strict=True)):
            return one, min(near, key=lambda n: sum(counts[n]))
    return None


def _fit(pairs: Scored, promise: Promise, over: float, up_to: float | None, seed: int) -> Group:
    """One group; pairs that were asked about for being doubtful serve its probability only."""
    sure = pairs.only(~pairs.doubtful)
    generator = np.random.default_rng(seed)
    thresholds = cautious(thresholds_of(sure, promise, generator))
    fitted = fit_probability(pairs.scores, pairs.labels, pairs.photos, seed)
    true, false = _counts(sure, 0, None)
    facts: dict[str, Any] = {
        "photos": {"true": true, "false": false},
        "pairs": {
            "true": int(sure.labels.sum()),
            "false": int((~sure.labels).sum()),
            "doubtful": int(pairs.doubtful.sum()),
        },
        "missing": {
            "true": max(0, promise.needed[0] - true),
            "false": max(0, promise.needed[1] - false),
        },
        "auroc": round(auroc(sure.scores, sure.labels), 2) if true and false else None,
        "left_out": measured(sure, promise, seed, thresholds),
        "probability_measured": None
        if fitted is None
        else {
            "brier": {name: round(value, 3) for name, value in fitted.brier.items()},
            "ece": {name: round(value, 3) for name, value in fitted.ece.items()},
            "ece_of_a_perfect_one": round(calibration_noise(fitted.map(pairs.scores), generator, 20), 3),
        },
    }
    return Group(name_of(over, up_to), over, up_to, thresholds, fitted.map if fitted else None, facts)


def thresholds_of(pairs: Scored, promise: Promise, generator: np.random.Generator) -> Thresholds:
    """Controlled thresholds of one group: of each photo one true and one false description, drawn at random, enter."""
    sides = []
    for label in (True, False):
        part = pairs.only(pairs.labels == label)
        sides.append(part.scores[one_per_photo(part.photos, generator)])
    return controlled_thresholds(sides[0], sides[1], (promise.false_alarm, promise.missed), promise.delta)


def cautious(thresholds: Thresholds) -> Thresholds:
    """Thresholds that rounding does not cross: many pairs may have the very score of one (copies of a description)."""
    low, high = thresholds
    return Thresholds(None if low is None else low - ROUNDING, None if high is None else high + ROUNDING)


def measured(pairs: Scored, promise: Promise, seed: int, thresholds: Thresholds) -> dict[str, int | None]:
    """What thresholds of 19 in 20 photos do to the last one, each twentieth once: pairs and errors in all.

    None for what cannot be told: the group has a threshold, and 19 in 20 of its photos are too few for one.
    """
    names, number = np.unique(pairs.photos, return_inverse=True)
    parts = (np.random.default_rng((seed, len(names))).permutation(len(names)) % PARTS)[number]
    decisions = np.full(len(pairs.scores), ASK)
    told = [True, True]
    for part in np.unique(parts):
        here = parts == part
        found = thresholds_of(pairs.only(~here), promise, np.random.default_rng((seed, int(part))))
        decisions[here] = decide(pairs.scores[here], cautious(found))
        for side in range(2):
            told[side] &= found[side] is not None or thresholds[side] is None
    true, decided = pairs.labels, decisions != ASK
    return {
        "true": int(true.sum()),
        "false": int((~true).sum()),
        "false_alarms": int((true & (decisions == MISMATCH)).sum()) if told[0] else None,
        "missed": int((~true & (decisions == MATCH)).sum()) if told[1] else None,
        "true_decided": int((true & decided).sum()) if all(told) else None,
        "false_decided": int((~true & decided).sum()) if all(told) else None,
    }
