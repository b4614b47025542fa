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
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    group = np.cumsum(first) - 1  # number of each item's score, from low to high
    level = np.unique(ratings[order], return_inverse=True)[1]
    members = [np.flatnonzero(level == number) for number in range(level.max() + 1)]

    def tau(weights: np.ndarray) -> np.ndarray:
        return np.array([one(own) for own in weights[:, order].astype(np.float64)])

    def one(own: np.ndarray) -> float:
        """Tau of one resample, row by row: its arrays then stay in the processor's cache."""
        sizes = np.bincount(group, weights=own)
        below = np.cumsum(sizes) - sizes  # how many have a lower score, by score
        lower_rated = np.zeros(len(sizes))  # of these, how many a lower rating
        surplus, counts = 0.0, []  # concordant minus discordant pairs
        for items in members:
            place = group[items]
            here = np.bincount(place, weights=own[items], minlength=len(sizes))
            equal = np.cumsum(here) - here
            higher_rated = below - lower_rated - equal
            surplus += float((here * (lower_rated - higher_rated)).sum())
            lower_rated += equal
            counts.append(float(here.sum()))
        return _tau_of(surplus, sizes, np.array(counts), variant)

    return tau


def _tau_of(surplus: float, scores: np.ndarray, ratings: np.ndarray, variant: str) -> float:
    """Tau times 100 from concordant minus discordant pairs and how often each score and each rating occurs."""
    total = ratings.sum()
    if variant == "b":
        pairs = total * (total - 1) / 2
        untied = [pairs - (ties * (ties - 1) / 2).sum() for ties in (scores, ratings)]
        return float(100.0 * surplus / np.sqrt(untied[0] * untied[1])) if min(untied) > 0 else np.nan
    distinct = min((scores > 0).sum(), (ratings > 0).sum())
    return float(100.0 * 2 * surplus / (total**2 * (distinct - 1) / distinct)) if distinct > 1 else np.nan
