"""Cosines turned into decisions with a promised error rate, and into probabilities. Arrays in, numbers out.

A promise, "at most `alpha` of the true descriptions are called a mismatch, with confidence 1 - `delta`", is kept by
testing thresholds from the most cautious on and keeping the last that passes (learn then test with a fixed sequence,
Angelopoulos et al. 2021, arXiv 2110.01052). Each test is an exact binomial one. For a threshold on one score that
comes to an order statistic, the tolerance limit of Wilks (1941), so there is nothing to search.

It holds for pairs that come as the calibration pairs came (exchangeable), and counts independent ones: of the pairs
of one photo only one may enter, see `one_per_photo`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

FOLDS = 5
FEWEST_FOR_STEPS = 500  # pairs: with fewer the smooth curve is taken without a contest
LEAST_IN_STEP, MOST_STEPS = 50, 100  # pairs behind a step of the isotonic curve; steps
MISMATCH, ASK, MATCH = -1, 0, 1
Method = Literal["platt", "isotonic"]


def allowed_errors(n: int, alpha: float, delta: float) -> int:
    """The most errors among `n` independent items that still show a rate of at most `alpha`; -1 when even 0 does not.

    The largest k with P(Binomial(n, alpha) <= k) <= delta.
    """
    from scipy.stats import binom

    if n < 1:
        return -1
    k = int(binom.ppf(delta, n, alpha))  # the smallest k whose probability reaches delta
    while k >= 0 and binom.cdf(k, n, alpha) > delta:
        k -= 1
    return k


def labels_needed(alpha: float, delta: float) -> int:
    """How many items without one error show a rate of at most `alpha`: the least n with (1 - alpha)^n <= delta."""
    n = max(1, int(np.floor(np.log(delta) / np.log1p(-alpha))))
    while (1 - alpha) ** n > delta:
        n += 1
    return n


def one_per_photo(photos: np.ndarray, generator: np.random.Generator) -> Int[np.ndarray, " p"]:
    """Positions (p,) of one item of each photo, drawn at random, ascending; `photos` (n,) says whose an item is."""
    order = generator.permutation(len(photos))
    _, first = np.unique(photos[order], return_index=True)
    return np.sort(order[first])


class Thresholds(NamedTuple):
    """match above `high`, mismatch below `low`, else a person is asked. None: never called so, for want of labels."""

    low: float | None
    high: float | None


def controlled_thresholds(
    true: Float[np.ndarray, " t"], false: Float[np.ndarray, " f"], miss: tuple[float, float], delta: float
) -> Thresholds:
    """Thresholds from scores of true (t,) and false (f,) descriptions, one a photo.

    miss: the largest rates of true ones called mismatch, and of false ones called match. Each is kept with
    confidence 1 - delta on its own. Where the two thresholds cross, both are moved to the middle, which errs less.
    """
    low = high = None
    if (allowed := allowed_errors(len(true), miss[0], delta)) >= 0:
        low = float(np.sort(true)[allowed])  # so many lie below it, or fewer where scores are equal
    if (allowed := allowed_errors(len(false), miss[1], delta)) >= 0:
        high = float(np.sort(false)[::-1][allowed])
    if low is not None and high is not None and low > high:
        low = high = (low + high) / 2
    return Thresholds(low, high)


def decide(scores: Float[np.ndarray, " n"], thresholds: Thresholds) -> Int[np.ndarray, " n"]:
    """MATCH, MISMATCH or ASK (n,) for each score."""
    found = np.full(np.shape(scores), ASK)
    if thresholds.low is not None:
        found[np.asarray(scores) < thresholds.low] = MISMATCH
    if thresholds.high is not None:
        found[np.asarray(scores) > thresholds.high] = MATCH
    return found


@dataclass(frozen=True)
class ProbabilityMap:
    """Scores to the probability that a description is true, for the share of false ones among the pairs it was made of.

    method platt: 1 / (1 + exp(-(slope s + intercept))), points = [[slope, intercept]]. isotonic: straight lines
    between points [[score, probability], …], level outside.
    """

    method: Method
    points: list[list[float]]
    false_share: float

    def __call__(self, scores: Float[np.ndarray, " n"], false_share: float | None = None) -> np.ndarray:
        """Probabilities (n,); false_share: how many of the pairs asked about are false, where it is another share.

        Bayes: the odds are multiplied by the ratio of the two odds of being true.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if self.method == "platt":
            slope, intercept = self.points[0]
            odds = np.exp(np.clip(slope * scores + intercept, -30, 30))
        else:
            at, level = np.array(self.points).T
            value = np.interp(scores, at, level)
            odds = value / (1 - value)
        if false_share is not None:
            odds = odds * (1 - false_share) / false_share * self.false_share / (1 - self.false_share)
        return odds / (1 + odds)

    def asdict(self) -> dict[str, Any]:
        """For JSON."""
        return {"method": self.method, "points": self.points, "false_share": self.false_share}

    @classmethod
    def restore(cls, stored: Mapping[str, Any]) -> ProbabilityMap:
        """From what `asdict` gave; ValueError for what it never gives."""
        method, share = stored["method"], float(stored["false_share"])
        points = [[float(at), float(value)] for at, value in stored["points"]]
        if method not in ("platt", "isotonic") or not points or not 0 < share < 1:
            raise ValueError("a probability without its curve")
        return cls(method, points, share)


def fit_map(
    scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"], method: Method
) -> ProbabilityMap:
    """A ProbabilityMap by logistic regression (Platt 1999) or isotonic regression; both labels must occur.

    Platt: the score is put to mean 0 and deviation 1 first, so that the light ridge of scikit-learn weighs the same
    for every model. Isotonic: over parts of at least 50 pairs, each with one true and one false pair added (Laplace),
    so that no probability rests on a handful of pairs.
    """
    false_share = float(np.mean(~labels))
    scores = np.asarray(scores, dtype=np.float64)
    if method == "platt":
        from sklearn.linear_model import LogisticRegression

        mean, deviation = scores.mean(), scores.std() or 1.0
        fitted = LogisticRegression().fit((scores[:, None] - mean) / deviation, labels)
        slope = max(0.0, float(fitted.coef_[0, 0]) / deviation)  # a higher score never makes it less likely
        return ProbabilityMap("platt", [[slope, float(fitted.intercept_[0]) - slope * mean]], false_share)
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(scores, kind="stable")
    bins = np.array_split(order, max(1, min(len(scores) // LEAST_IN_STEP, MOST_STEPS)))
    middle = [scores[part].mean() for part in bins]
    level = [(labels[part].sum() + 1) / (len(part) + 2) for part in bins]
    steps = IsotonicRegression().fit(middle, level, sample_weight=[len(part) for part in bins])
    points = [[float(at), float(value)] for at, value in zip(middle, steps.predict(middle), strict=True)]
    return ProbabilityMap("isotonic", points, false_share)


class FittedMap(NamedTuple):
    """A ProbabilityMap, and percent Brier score and calibration error of each method on photos left out."""

    map: ProbabilityMap
    brier: dict[str, float]
    ece: dict[str, float]


def fit_probability(
    scores: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"], photos: np.ndarray, seed: int
) -> FittedMap | None:
    """The map with the lower Brier score on photos left out in turn; None where a label is missing in a part.

    Fewer than 500 pairs always take the smooth one: the other would have fewer than ten steps.
    """
    names, number = np.unique(photos, return_inverse=True)
    folds = (np.random.default_rng((seed, len(names))).permutation(len(names)) % FOLDS)[number]
    methods: tuple[Method, ...] = ("platt", "isotonic")
    brier: dict[str, float] = {}
    ece: dict[str, float] = {}
    for method in methods:
        found = np.empty(len(scores))
        for fold in range(FOLDS):
            here = folds == fold
            if len(np.unique(labels[~here])) < 2:
                return None
            found[here] = fit_map(scores[~here], labels[~here], method)(scores[here])
        brier[method] = brier_score(found, labels)
        ece[method] = calibration_error(found, labels)
    steps = len(scores) >= FEWEST_FOR_STEPS and brier["isotonic"] < brier["platt"]
    return FittedMap(fit_map(scores, labels, "isotonic" if steps else "platt"), brier, ece)


def brier_score(probabilities: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Mean squared distance of probabilities from what was true, in percent; 25 is what "always 0.5" gets."""
    return float(100 * np.mean((probabilities - labels) ** 2))


def calibration_error(
    probabilities: Float[np.ndarray, " n"], labels: Bool[np.ndarray, " n"], bins: int = 10
) -> float:
    """Expected calibration error in percent, over `bins` bins of equally many items.

    A perfect model does not get 0 on few items: see `calibration_noise`.
    """
    parts = np.array_split(np.argsort(probabilities, kind="stable"), min(bins, len(probabilities)))
    gaps = [len(part) * abs(probabilities[part].mean() - labels[part].mean()) for part in parts]
    return float(100 * sum(gaps) / len(probabilities))


def calibration_noise(
    probabilities: Float[np.ndarray, " n"], generator: np.random.Generator, draws: int = 100
) -> float:
    """The mean calibration error in percent of labels drawn by these very probabilities: the floor at this n."""
    return float(
        np.mean(
            [
                calibration_error(probabilities, generator.random(len(probabilities)) < probabilities)
                for _ in range(draws)
            ]
        )
    )
