"""Metrics as pure functions: numpy arrays in, arrays per item out, all in percent (0-100).

Per-item values come first and means second, so that intervals can resample the items and two runs can be
compared item by item. Ties always count for what random tie-breaking gives on average: a model that gives
every candidate the same score gets exactly chance, not 0 and not 100.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from lift.ranking import CELLS, rank_counts, rank_counts_both_ways, refuse_broken

KS = (1, 5, 10)
Statistic = Callable[[np.ndarray], np.ndarray]  # weights (samples, n) -> values (samples,)


def chance_within(
    better: Int[np.ndarray, " n"], tied: Int[np.ndarray, " n"], relevant: Int[np.ndarray, " n"], k: int
) -> Float[np.ndarray, " n"]:
    """Percent (n,): chance that a relevant item is among the first k when ties are broken at random.

    `better` items score above the best relevant one, `tied` items share its score (itself included) and
    `relevant` of those are relevant. The first k take k - better of the tied ones at random (hypergeometric).
    """
    draws = np.clip(k - better, 0, tied)
    missed = np.ones(len(better))
    for drawn in range(min(k, int(draws.max(initial=0)))):
        left = np.maximum(tied - drawn, 1)
        missed *= np.where(drawn < draws, np.clip((left - relevant) / left, 0.0, 1.0), 1.0)
    return 100.0 * (1.0 - missed)


def hit_chances(
    queries: Float[np.ndarray, "q d"],
    candidates: Float[np.ndarray, "c d"],
    relevant: tuple[np.ndarray, np.ndarray],
    ks: Sequence[int] = KS,
    cells: int = CELLS,
    itself: Int[np.ndarray, " q"] | None = None,
) -> dict[int, np.ndarray]:
    """For each k, percent (q,): chance that a relevant candidate is among the k of highest dot product.

    See ranking.rank_counts for the arguments and for what counts as a tie.
    """
    counts = rank_counts(queries, candidates, relevant, cells, itself)
    return {k: chance_within(counts[0], counts[1], counts[2], k) for k in ks}


def recall_outcomes(
    image_features: Float[np.ndarray, "n d"],
    text_features: Float[np.ndarray, "m d"],
    image_of_text: Int[np.ndarray, " m"],
    ks: Sequence[int] = KS,
    cells: int = CELLS,
) -> dict[str, np.ndarray]:
    """Percent per query, in both directions: `text_to_image/recall@k` (m,) and `image_to_text/recall@k` (n,).

    Text j belongs to image image_of_text[j] only, also where another image has the same text. An image is
    found by the best of its texts. Every image needs a text.
    """
    to_image, to_text = rank_counts_both_ways(image_features, text_features, image_of_text, cells)
    return recall_of_counts(to_image, to_text, ks)


def recall_of_counts(
    to_image: Int[np.ndarray, "3 m"], to_text: Int[np.ndarray, "3 n"], ks: Sequence[int] = KS
) -> dict[str, np.ndarray]:
    """recall_outcomes from the counts of ranking.rank_counts_both_ways."""
    sides = {"text_to_image": to_image, "image_to_text": to_text}
    return {
        f"{name}/recall@{k}": chance_within(counts[0], counts[1], counts[2], k)
        for name, counts in sides.items()
        for k in ks
    }


def recall_at_k(
    image_features: Float[np.ndarray, "n d"],
    text_features: Float[np.ndarray, "m d"],
    image_of_text: Int[np.ndarray, " m"],
    ks: Sequence[int] = KS,
) -> dict[str, float]:
    """Mean recall in percent, both directions; see recall_outcomes."""
    outcomes = recall_outcomes(image_features, text_features, image_of_text, ks)
    return {name: float(values.mean()) for name, values in outcomes.items()}


def pair_outcomes(
    positive: Float[np.ndarray, " n"], negative: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Percent (n,): 100 where the true text scores higher, 50 on a tie, 0 otherwise."""
    refuse_broken(positive, negative)
    return np.where(positive > negative, 100.0, np.where(positive == negative, 50.0, 0.0))


def pair_accuracy(positive: Float[np.ndarray, " n"], negative: Float[np.ndarray, " n"]) -> float:
    """Percent of pairs in which the true text scores higher; a tie is half a hit."""
    return float(pair_outcomes(positive, negative).mean())


def mean_per_class(
    outcomes: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Per-item values (n,) whose mean is the mean over classes of the mean outcome in the class.

    An item's value is that mean plus its own weighted deviation from its class (the influence of the item),
    so that resampling the items gives an honest interval although classes differ in size.
    """
    _, number, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.bincount(number, weights=outcomes) / sizes
    return means.mean() + (outcomes - means[number]) * len(labels) / (len(sizes) * sizes[number])


def auroc(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Area under the ROC curve in percent: chance that a true item scores above a false one, ties half."""
    return float(auroc_placements(scores, labels).mean())


def auroc_placements(
    scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Per-item values (n,) in percent whose mean is the AUROC, for paired comparisons of two runs.

    An item's value is the AUROC plus its weighted deviation from it: the share of the opposite class that it
    is on the right side of (DeLong et al. 1988, structural components).
    """
    refuse_broken(scores)
    true, false = np.sort(scores[labels]), np.sort(scores[~labels])
    if not len(true) or not len(false):
        raise ValueError("an AUROC needs items of both labels")

    def share_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
        under = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
        return 50.0 * under / len(others)

    right = np.empty(len(scores))
    right[labels] = share_below(scores[labels], false)
    right[~labels] = 100.0 - share_below(scores[~labels], true)
    area = right[labels].mean()
    return area + (right - area) * len(scores) / np.where(labels, len(true), len(false))


def weighted_auroc(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> Statistic:
    """Function of weights (s, n) giving the AUROC (s,) in percent of the items so often repeated."""
    order, starts = _tie_groups(scores)
    truth = labels[order]

    def area(weights: np.ndarray) -> np.ndarray:
        sorted_weights = weights[:, order]
        true = np.add.reduceat(sorted_weights * truth, starts, axis=1)
        false = np.add.reduceat(sorted_weights * ~truth, starts, axis=1)
        above = false.sum(axis=1, keepdims=True) - np.cumsum(false, axis=1)  # groups run from high to low
        with np.errstate(invalid="ignore"):  # a resample may hold one label only: nan, left out
            return 100.0 * (true * (above + false / 2)).sum(axis=1) / (true.sum(axis=1) * false.sum(axis=1))

    return area


def weighted_average_precision(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> Statistic:
    """Function of weights (s, n) giving the average precision (s,) in percent of the items so often repeated.

    Items of equal score enter together, so that a constant score gives the share of true items.
    """
    order, starts = _tie_groups(scores)
    truth = labels[order]

    def precision(weights: np.ndarray) -> np.ndarray:
        sorted_weights = weights[:, order]
        true = np.add.reduceat(sorted_weights * truth, starts, axis=1)
        everything = np.cumsum(np.add.reduceat(sorted_weights, starts, axis=1), axis=1)
        hits = np.cumsum(true, axis=1)
        with np.errstate(invalid="ignore"):
            return 100.0 * (true * hits / np.maximum(everything, 1)).sum(axis=1) / hits[:, -1]

    return precision


def average_precision(scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Average precision in percent: mean precision at each true item, going down from the highest score."""
    return float(weighted_average_precision(scores, labels)(np.ones((1, len(scores)), dtype=np.int64))[0])


def resampled_weights(clusters: np.ndarray, seed: int, samples: int) -> Iterator[Int[np.ndarray, "s n"]]:
    """Yield how often each item is drawn (s, n) when whole clusters are drawn with replacement, in chunks."""
    names, number = np.unique(clusters, return_inverse=True)
    for counts in _cluster_counts(len(names), max(len(names), len(number)), seed, samples):
        yield counts[:, number]


def statistic_interval(
    statistic: Statistic, clusters: np.ndarray, seed: int = 0, samples: int = 1000
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a statistic of the item weights, resampling whole clusters."""
    drawn = np.concatenate([statistic(weights) for weights in resampled_weights(clusters, seed, samples)])
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_interval(
    values: np.ndarray, clusters: np.ndarray, seed: int = 0, samples: int = 1000
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean of `values` (n,), resampling whole clusters (n,)."""
    low, high = np.percentile(bootstrap_means(values, clusters, seed, samples), [2.5, 97.5])
    return float(low), float(high)


def bootstrap_means(
    values: np.ndarray, clusters: np.ndarray, seed: int = 0, samples: int = 1000
) -> Float[np.ndarray, " s"]:
    """Means (s,) of `values` (n,) with whole clusters (n,) drawn anew, with replacement."""
    names, number = np.unique(clusters, return_inverse=True)
    sums, sizes = np.bincount(number, weights=values), np.bincount(number).astype(np.float64)
    drawn = [
        (counts @ sums) / (counts @ sizes)
        for counts in _cluster_counts(len(names), len(names), seed, samples)
    ]
    return np.concatenate(drawn)


def paired_bootstrap(
    a: np.ndarray, b: np.ndarray, clusters: np.ndarray, seed: int = 0, samples: int = 2000
) -> tuple[float, float, float]:
    """Mean of a - b (n,) over the same items, with its 95 % interval (low, high), resampling clusters."""
    if a.shape != b.shape:
        raise ValueError(f"paired values must be of one shape, got {a.shape} and {b.shape}")
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return float(difference.mean()), *bootstrap_interval(difference, clusters, seed, samples)


def _cluster_counts(clusters: int, width: int, seed: int, samples: int) -> Iterator[np.ndarray]:
    """Yield int64 (s, clusters) counts of multinomial draws, so many at once that (s, width) stays small."""
    generator = np.random.default_rng(seed)
    step = max(1, CELLS // width)
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = generator.integers(0, clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)


def _tie_groups(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order (n,) from high to low score, and where in it each group of equal scores starts."""
    refuse_broken(scores)
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
