"""Measures of a text encoder's vectors: pure functions of numpy arrays. Features are unit vectors (n, D)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lift import metrics

CELLS = 2**22  # scores held at once
SAME = 1e-6  # cosines closer than this are ties: a matrix product rounds equal columns differently


def related(texts: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ordered pairs (i, j), i != j, of text numbers that stand together at some item; sorted, each once.

    Text texts[m] belongs to item items[m]; a text may belong to several.
    """
    order = np.argsort(items, kind="stable")
    bounds = np.flatnonzero(np.diff(items[order])) + 1
    pairs: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    for group in np.split(texts[order], bounds):
        group = np.unique(group)
        if len(group) > 1:
            first, second = np.meshgrid(group, group, indexing="ij")
            off = first != second
            pairs.append(np.stack([first[off], second[off]], axis=1))
    found = np.unique(np.concatenate(pairs), axis=0)
    return found[:, 0], found[:, 1]


def same_item_outcomes(
    features: np.ndarray, relevant: tuple[np.ndarray, np.ndarray], ks: Sequence[int] = (1, 10)
) -> tuple[np.ndarray, dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Queries (q,), percent found per k (q,), and what chance finds (q,).

    Every text that has a companion searches all other texts; found means that a companion is among the first k.
    """
    queries, number = np.unique(relevant[0], return_inverse=True)
    outcomes = metrics.hit_chances(
        features[queries], features, (number, relevant[1]), ks, itself=queries.astype(np.int64)
    )
    companions = np.bincount(number)
    nothing, others = np.zeros(len(queries), np.int64), np.full(len(queries), len(features) - 1)
    chance = {k: metrics.chance_within(nothing, others, companions, k) for k in ks}
    return queries, outcomes, chance


def mean_pair_cosine(features: np.ndarray) -> float:
    """Mean cosine over all pairs of different rows, exactly: (|sum|² - n) / (n (n - 1)) for unit vectors."""
    total, own = features.sum(0, dtype=np.float64), float((features.astype(np.float64) ** 2).sum())
    return (float(total @ total) - own) / (len(features) * (len(features) - 1))


def weighted_pair_cosine(features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Function of weights (s, n): mean cosine over pairs of different rows, each so often repeated: (s,)."""
    own = (features.astype(np.float64) ** 2).sum(1)

    def mean(weights: np.ndarray) -> np.ndarray:
        w = weights.astype(np.float64)
        total = w @ features
        pairs = w.sum(1) ** 2 - (w**2).sum(1)  # copies of one row are no pair
        return ((total**2).sum(1) - (w**2) @ own) / pairs

    return mean


def centred(features: np.ndarray) -> np.ndarray:
    """Features minus their mean, brought back to unit length; rows equal to the mean stay zero."""
    shifted = features - features.mean(0, dtype=np.float64)
    norms = np.linalg.norm(shifted, axis=1, keepdims=True)
    return np.where(norms > SAME, shifted / np.maximum(norms, SAME), 0.0).astype(np.float32)


def variance_shares(features: np.ndarray) -> np.ndarray:
    """Shares of the variance along the principal directions, descending, sum 1; all zero for equal rows."""
    shifted = features - features.mean(0, dtype=np.float64)
    small = shifted @ shifted.T if len(shifted) < shifted.shape[1] else shifted.T @ shifted
    values = np.clip(np.linalg.eigvalsh(small)[::-1], 0.0, None)
    total = values.sum()
    return values / total if total > SAME * SAME * len(features) else np.zeros_like(values)


def effective_rank(shares: np.ndarray) -> float:
    """exp of the entropy of the variance shares (Roy and Vetterli 2007): n for n equal ones, 0 without variance."""
    positive = shares[shares > 0]
    return float(np.exp(-(positive * np.log(positive)).sum())) if len(positive) else 0.0


def jackknife(
    statistic: Callable[[np.ndarray], float], features: np.ndarray, seed: int, groups: int = 10
) -> tuple[float, float, float]:
    """The statistic of all rows with a 95 % interval from leaving out one of `groups` random parts in turn."""
    value = statistic(features)
    part = np.random.default_rng(seed).permutation(len(features)) % groups
    left = np.array([statistic(features[part != number]) for number in range(groups)])
    error = float(np.sqrt((groups - 1) / groups * ((left - left.mean()) ** 2).sum()))
    return value, value - 1.96 * error, value + 1.96 * error


def k_occurrence(features: np.ndarray, k: int = 10) -> np.ndarray:
    """How often each row is among the k nearest of another row: float (n,), sum n·k; ties are shared out."""
    count = len(features)
    occurrence = np.zeros(count)
    step = max(1, CELLS // count)
    for start in range(0, count, step):
        scores = np.round((features[start : start + step] @ features.T).astype(np.float64), 6)
        rows = np.arange(len(scores))
        scores[rows, start + rows] = -np.inf
        border = np.partition(scores, count - k, axis=1)[:, count - k, None]
        better, tied = scores > border, scores == border
        share = (k - better.sum(1)) / tied.sum(1)
        occurrence += better.sum(0) + share @ tied
    return occurrence


def skewness(values: np.ndarray) -> float:
    """Third standardised moment; 0 for equal values."""
    off = values - values.mean()
    sd = np.sqrt((off**2).mean())
    return float((off**3).mean() / sd**3) if sd > 1e-9 else 0.0


def hubness_floor(count: int, dim: int, k: int, seed: int, draws: int = 3) -> np.ndarray:
    """Skewness of the k-occurrence of `count` Gaussian unit vectors in `dim` dimensions: (draws,)."""
    random = np.random.default_rng(seed)
    floors = []
    for _ in range(draws):
        vectors = random.standard_normal((count, dim)).astype(np.float32)
        floors.append(skewness(k_occurrence(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), k)))
    return np.array(floors)


def near_pairs(features: np.ndarray, threshold: float) -> np.ndarray:
    """Pairs (i, j), i < j, of rows with a cosine above `threshold`: int64 (p, 2)."""
    found: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    step = max(1, CELLS // max(1, len(features)))
    for start in range(0, len(features), step):
        row, column = np.nonzero(features[start : start + step] @ features.T > threshold)
        keep = column > row + start
        found.append(np.stack([row[keep] + start, column[keep]], axis=1))
    return np.concatenate(found)


def false_negative_share(texts: np.ndarray, items: np.ndarray, batch_size: int) -> float:
    """Expected percent of rows of a batch that meet their own text at another item. Exact.

    A batch is `batch_size` different items drawn at random, each with one of its texts; text texts[m] belongs
    to item items[m].
    """
    names, item = np.unique(items, return_inverse=True)
    chance_of = 1.0 / np.bincount(item)  # of showing one certain text
    count, draws = len(names), min(batch_size, len(names)) - 1
    if draws < 1:
        return 0.0
    order = np.argsort(texts, kind="stable")
    known: dict[bytes, float] = {}
    total = 0.0
    for members in np.split(item[order], np.flatnonzero(np.diff(texts[order])) + 1):
        shown = np.bincount(members, minlength=0)[np.unique(members)] * chance_of[np.unique(members)]
        if len(shown) < 2:
            continue
        shown = np.sort(shown)
        key = shown.tobytes()
        if key not in known:
            known[key] = _meeting(shown, count, draws)
        total += known[key]
    return 100.0 * total / count


def _meeting(shown: np.ndarray, count: int, draws: int) -> float:
    """Expected number of rows with one text that meet it again, were each row of the set in the batch once.

    shown (m,): chance of each of m items to show the text; the batch holds `draws` others out of count - 1.
    A row meets nobody with chance E[prod(1 - shown_j)] over the sampled j: the sum over h, how many of the m - 1
    others are in the batch (hypergeometric), of the mean product over subsets of size h.
    """
    total = 0.0
    kinds, how_many = np.unique(shown, return_counts=True)
    for kind, times in zip(kinds, how_many, strict=True):
        others = np.delete(shown, np.searchsorted(shown, kind))
        if (
            len(others) > 400
        ):  # the mean chance for all: exact where all are equal, 1e-3 off where they differ
            products = (1.0 - others.mean()) ** np.arange(len(others) + 1)
        else:
            products = _mean_products(1.0 - others)
        alone = float(_hypergeometric(count - 1, len(others), draws) @ products)
        total += times * kind * (1.0 - alone)
    return total


def _mean_products(values: np.ndarray) -> np.ndarray:
    """Mean product over all subsets of each size 0..m: (m + 1,)."""
    means = np.zeros(len(values) + 1)
    means[0] = 1.0
    for done, value in enumerate(
        values, 1
    ):  # a subset of h of the first `done` holds the last with chance h/done
        size = np.arange(1, done + 1)
        means[1 : done + 1] = (1 - size / done) * means[1 : done + 1] + size / done * value * means[:done]
    return means


def _hypergeometric(population: int, marked: int, draws: int) -> np.ndarray:
    """Chance of 0..marked marked ones among `draws` of `population`: (marked + 1,)."""
    from math import lgamma

    def choose(n: int, k: int) -> float:
        return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) if 0 <= k <= n else -np.inf

    whole = choose(population, draws)
    return np.array(
        [
            np.exp(choose(marked, h) + choose(population - marked, draws - h) - whole)
            for h in range(marked + 1)
        ]
    )


def near_meeting_share(neighbours: np.ndarray, batch_size: int) -> float:
    """Expected percent of rows of a batch that meet one of their `neighbours` (n,) of n - 1 others."""
    count = len(neighbours)
    chance = 1.0 - (1.0 - neighbours / max(1, count - 1)) ** (batch_size - 1)
    return float(100.0 * chance.mean())
