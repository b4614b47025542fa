"""The glossary light: is a term nearer to itself in another sentence than to what it is confused with?"""

from __future__ import annotations

import numpy as np

from lift import metrics
from lift.auditing.examinee import Examinee
from lift.auditing.glossary import CARRIERS
from lift.auditing.light import Measured
from lift.rewording import language_of

SPREAD_PAIRS = 2000  # unrelated pairs of terms drawn for the spread


def carriers_of(term: str) -> tuple[str, ...]:
    """The sentences for a term, in its language."""
    return CARRIERS["ja" if language_of(term) == "ja" else "en"]


def pair_comparison(term: np.ndarray, confusable: np.ndarray) -> tuple[float, float, float]:
    """For unit vectors (c, D) of a term and its confusable in the same c carriers: (strict, loose, margin).

    Strict, percent: over ordered pairs of carriers a != b, cos(term_a, term_b) > cos(term_a, confusable_a), ties
    half. Loose, percent: against cos(term_a, confusable_b), that is, both in another sentence. Margin: mean of the
    strict differences.
    """
    own, other = term @ term.T, term @ confusable.T
    first, second = np.nonzero(~np.eye(len(term), dtype=bool))
    itself, strict, loose = own[first, second], other[first, first], other[first, second]
    return (
        metrics.pair_accuracy(_rounded(itself), _rounded(strict)),
        metrics.pair_accuracy(_rounded(itself), _rounded(loose)),
        float((itself - strict).mean()),
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values.astype(np.float64), 6)  # rounding of a matrix product must not break a tie


def glossary(examinee: Examinee) -> list[Measured]:
    """Percent of comparisons in which the term wins, interval by term, worst pairs, spread of unrelated pairs."""
    pairs = examinee.glossary
    if not pairs:
        return [Measured("glossary", skipped="no --glossary was given")]
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    examinee.features(
        [c.format(name) for pair in pairs for name in pair for c in carriers_of(pair.term)], "terms"
    )
    plain = examinee.features([carriers_of(name)[0].format(name) for name in names], "terms")
    unrelated = _unrelated(plain, names, {frozenset(pair) for pair in pairs}, examinee.seed)
    mean, sd = (float(unrelated.mean()), float(unrelated.std())) if len(unrelated) > 2 else (None, None)
    rows = []
    for pair in pairs:
        frames = carriers_of(pair.term)
        term, other = (examinee.features([frame.format(name) for frame in frames]) for name in pair)
        strict, loose, margin = pair_comparison(term, other)
        cosine = float((term * other).sum(1).mean())
        rows.append(
            {
                "term": pair.term,
                "confusable": pair.confusable,
                "cosine": cosine,
                "sds_above_unrelated": (cosine - mean) / sd if mean is not None and sd else None,
                "nearer_to_itself": strict,
                "told_apart_in_another_sentence": loose,
                "margin": margin,
            }
        )
    values = np.array([row["nearer_to_itself"] for row in rows], dtype=np.float64)
    _, clusters = np.unique([pair.term for pair in pairs], return_inverse=True)
    low, high = metrics.bootstrap_interval(values, clusters, examinee.seed)
    lost = [row for row in rows if row["nearer_to_itself"] < 50]  # type: ignore[operator]
    return [
        Measured(
            "glossary",
            float(values.mean()),
            low,
            high,
            len(pairs),
            "%",
            f"In {values.mean():.0f} of 100 comparisons a term is nearer to itself in another sentence than to its "
            f"confusable one; {len(lost)} of {len(pairs)} pairs are mixed up.",
            normalised=float(values.mean() / 100.0),
            outcomes=(values, clusters),
            details={
                "pairs": sorted(rows, key=lambda row: row["margin"]),
                "unrelated_pairs": {"mean": mean, "sd": sd, "n": len(unrelated)},
            },
        )
    ]


def _unrelated(features: np.ndarray, names: list[str], pairs: set[frozenset[str]], seed: int) -> np.ndarray:
    """Cosines of pairs of terms that the glossary does not call confusable, at most SPREAD_PAIRS."""
    first, second = np.triu_indices(len(names), 1)
    if len(first) > SPREAD_PAIRS * 2:
        chosen = np.random.default_rng(seed).choice(len(first), SPREAD_PAIRS * 2, replace=False)
        first, second = first[chosen], second[chosen]
    free = [frozenset((names[i], names[j])) not in pairs for i, j in zip(first, second, strict=True)]
    return (features[first] * features[second]).sum(1)[np.array(free, dtype=bool)][:SPREAD_PAIRS]
