"""Lights on the space of the vectors: anisotropy, effective rank, hubness; and whether vectors repeat."""

from __future__ import annotations

import numpy as np

from lift import metrics
from lift.auditing.examinee import Examinee
from lift.auditing.light import Measured
from lift.auditing.measures import (
    centred,
    effective_rank,
    hubness_floor,
    jackknife,
    k_occurrence,
    mean_pair_cosine,
    skewness,
    variance_shares,
    weighted_pair_cosine,
)

MOST = 2000  # texts for the quadratic and cubic measures: 2 s each on a core
NEIGHBOURS = 10
FEW = 200  # texts below which the limits of the rank shrink in proportion: n texts have n - 1 directions at most
FULL_RANK = 256  # directions from which on more do not count in the score


def anisotropy(examinee: Examinee) -> list[Measured]:
    """Mean cosine of two texts drawn at random, before and after centring."""
    features = examinee.text_features
    value = mean_pair_cosine(features)
    low, high = metrics.statistic_interval(
        weighted_pair_cosine(features), examinee.corpus.item_of, examinee.seed, samples=200
    )
    after = mean_pair_cosine(centred(features))
    return [
        Measured(
            "anisotropy",
            value,
            low,
            high,
            len(features),
            "",
            f"Two texts drawn at random have a cosine of {value:.2f} on average; after subtracting the mean vector "
            f"{max(after, 0.0):.2f}.",
            details={"before_centring": value, "after_centring": after},
        )
    ]


def directions(examinee: Examinee) -> list[Measured]:
    """Effective rank of the covariance, with the variance share of the first direction."""
    features = examinee.text_features[:MOST]
    value, low, high = jackknife(lambda rows: effective_rank(variance_shares(rows)), features, examinee.seed)
    top = float(variance_shares(features)[0])
    return [
        Measured(
            "effective_rank",
            value,
            low,
            high,
            len(features),
            "",
            f"The {len(features):,} texts differ in about {value:.0f} of {features.shape[1]} directions; the strongest "
            f"one holds {100 * top:.0f} % of the differences.",
            judged=value / min(1.0, len(features) / FEW),
            normalised=float(np.clip(np.log(max(value, 1.0)) / np.log(FULL_RANK), 0.0, 1.0)),
            details={"dim": features.shape[1], "top_direction": top},
        )
    ]


def hubness(examinee: Examinee) -> list[Measured]:
    """Skewness of how often a text is among the ten nearest of others, beside that of random vectors."""
    features = examinee.text_features[:MOST]
    if len(features) < 5 * NEIGHBOURS:
        return [Measured("hubness", skipped=f"{len(features)} texts are too few for neighbourhoods of ten")]
    occurrence = k_occurrence(features, NEIGHBOURS)
    value = skewness(occurrence)
    low, high = metrics.statistic_interval(
        _weighted_skewness(occurrence), examinee.corpus.item_of[:MOST], examinee.seed, samples=200
    )
    rank = effective_rank(variance_shares(features))
    floors = {
        dim: hubness_floor(len(features), dim, NEIGHBOURS, examinee.seed).tolist()
        for dim in dict.fromkeys((max(2, round(rank)), features.shape[1]))
    }
    floor = float(np.mean(floors[max(2, round(rank))]))
    excess = max(0.0, value - floor)
    never = float(100.0 * (occurrence < 0.5).mean())
    return [
        Measured(
            "hubness",
            value,
            low,
            high,
            len(features),
            "",
            f"The most wanted text is among the ten nearest of {occurrence.max():.0f} others and {never:.0f} of 100 "
            f"texts of none; the skewness is {value:.1f}, random vectors of as many directions have {floor:.1f}.",
            judged=excess,
            normalised=1.0 / (1.0 + excess),
            details={
                "floor": {str(dim): draws for dim, draws in floors.items()},
                "excess": excess,
                "most": float(occurrence.max()),
                "percent_never": never,
                "hubs": [examinee.corpus.texts[i] for i in np.argsort(-occurrence, kind="stable")[:5]],
            },
        )
    ]


def _weighted_skewness(values: np.ndarray) -> metrics.Statistic:
    """Function of weights (s, n): the skewness of the values so often repeated: (s,)."""

    def skew(weights: np.ndarray) -> np.ndarray:
        share = weights / weights.sum(1, keepdims=True)
        off = values - (share @ values)[:, None]
        sd = np.sqrt((share * off**2).sum(1))
        return (share * off**3).sum(1) / np.maximum(sd, 1e-9) ** 3

    return skew


def determinism(examinee: Examinee, count: int = 32) -> list[Measured]:
    """Largest difference of a component between encoding alone, 32 together, and 32 together once more."""
    texts = examinee.corpus.texts[:count]
    alone = np.concatenate([examinee.encoder.encode([text]) for text in texts])
    together, again = (examinee.encoder.encode(texts) for _ in range(2))
    batch, repeat = float(np.abs(alone - together).max()), float(np.abs(again - together).max())
    cosine = float((alone * together).sum(1).min())
    worst = max(batch, repeat)
    return [
        Measured(
            "determinism",
            worst,
            n=len(texts),
            unit="",
            meaning=f"Encoded alone and together with others, a component differs by {batch:.1g} at most (cosine at "
            f"least {cosine:.6f}); encoded twice, by {repeat:.1g}.",
            details={"batch_1_against_32": batch, "twice": repeat, "smallest_cosine": cosine},
        )
    ]
