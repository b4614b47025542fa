"""Scores of benchmarks as pure functions of arrays, in percent; ties count for what random order gives on average."""

from __future__ import annotations

from math import comb

import numpy as np

from lift.metrics import Statistic


def outrank_chances(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Percent (n,): chance that all right scores (n, r) are above all wrong ones (n, w).

    Rows with fewer wrong scores are filled up with -inf. Where d right and o wrong scores share the deciding value,
    the right ones come first in one of comb(d + o, d) equally likely orders.
    """
    if not np.isfinite(right).all() or np.isnan(wrong).any() or np.isposinf(wrong).any():
        raise ValueError("scores must be finite")
    least, most = right.min(axis=1), wrong.max(axis=1)
    chances = np.where(least > most, 100.0, 0.0)
    for row in np.flatnonzero(least == most):
        tied = int((right[row] == least[row]).sum())
        others = int((wrong[row] == least[row]).sum())
        chances[row] = 100.0 / comb(tied + others, tied)
    return chances


def matching_chances(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Winoground's three scores from cosines (n, 2, 2) of photo i with caption j; each percent (n,).

    text: both photos prefer their own caption; image: both captions prefer their own photo; group: both at once
    (Thrush et al. 2022, arXiv 2204.03162, equations 1 to 3).
    """
    own, cross = scores[:, [0, 1], [0, 1]], scores[:, [0, 1], [1, 0]]
    flipped = cross[:, ::-1]  # caption i with the other photo
    text = [outrank_chances(own[:, [i]], cross[:, [i]]) for i in (0, 1)]
    image = [outrank_chances(own[:, [i]], flipped[:, [i]]) for i in (0, 1)]
    return {
        "text_score": text[0] * text[1] / 100,
        "image_score": image[0] * image[1] / 100,
        "group_score": outrank_chances(own, cross),
    }


def weighted_kendall(scores: np.ndarray, ratings: np.ndarray, variant: str) -> Statistic:
    """Function of weights (s, n) giving Kendall's tau (s,) times 100 of the items so often repeated.

    variant "b" corrects for ties in both (Kendall 1945), "c" for the number of distinct values (Stuart 1953); as
    scipy.stats.kendalltau does. Meant for ratings with few levels: the work grows with levels x items. nan where
    all scores or all ratings are equal.
    """
    if variant not in ("b", "c"):
        raise ValueError(f"variant must be b or c, got {variant!r}")
    if not np.isfinite(scores).all() or not np.isfinite(ratings).all():
        raise ValueError("scores and ratings must be finite")
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    levels, level = np.unique(ratings[order], return_inverse=True)

    def tau(weights: np.ndarray) -> np.ndarray:
        drawn = weights[:, order].astype(np.float64)
        per_level = [
            np.add.reduceat(drawn * (level == number), starts, axis=1) for number in range(len(levels))
        ]
        below = [np.cumsum(counts, axis=1) - counts for counts in per_level]  # with a lower score
        surplus = np.zeros(len(drawn))  # concordant minus discordant pairs
        for number, counts in enumerate(per_level):
            for other, lower in enumerate(below):
                if other != number:
                    surplus += (counts * lower).sum(axis=1) * (1 if other < number else -1)
        total = drawn.sum(axis=1)
        groups = np.add.reduceat(drawn, starts, axis=1)
        sizes = np.stack([counts.sum(axis=1) for counts in per_level], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            if variant == "b":
                pairs = total * (total - 1) / 2
                untied = [pairs - (ties * (ties - 1) / 2).sum(axis=1) for ties in (groups, sizes)]
                return 100.0 * surplus / np.sqrt(untied[0] * untied[1])
            distinct = np.minimum((groups > 0).sum(axis=1), (sizes > 0).sum(axis=1))
            return 100.0 * 2 * surplus / (total**2 * (distinct - 1) / distinct)

    return tau
