"""Selective prediction: answer where one is sure, leave the rest to a person; what is then still wrong.

Risk is the share of wrong answers among those given, coverage the share of items answered, in order of confidence.
Items of equal confidence are answered together: curves run straight through them, as over all their orders on average.
All values in percent. Statistics take weights, so that intervals can resample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

Statistic = Callable[[np.ndarray], np.ndarray]  # weights (samples, n) -> values (samples,)
RISKS = (1.0, 5.0, 10.0)  # percent of wrong answers that may be tolerable


class _Curve:
    """Weighted items from the surest down, in groups of equal confidence."""

    def __init__(self, confidence: np.ndarray, wrong: np.ndarray) -> None:
        if not np.isfinite(confidence).all():
            raise ValueError("confidences must be finite")
        self.order = np.argsort(-confidence, kind="stable")
        ordered = confidence[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.wrong = wrong[self.order].astype(np.int64)

    def groups(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items and wrong ones among them per group, (samples, groups) each."""
        ordered = weights[:, self.order]
        return (
            np.add.reduceat(ordered, self.starts, axis=1),
            np.add.reduceat(ordered * self.wrong, self.starts, axis=1),
        )


def augrc(confidence: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> Statistic:
    """Area under the generalised risk-coverage curve: the share of all items that are answered, and wrongly.

    Traub et al. 2024 (arXiv 2407.01032): unlike AURC every failure counts alike. 0 is perfect; confidence that says
    nothing gives half the share of wrong answers.
    """
    curve = _Curve(confidence, wrong)

    def area(weights: np.ndarray) -> np.ndarray:
        items, errors = curve.groups(weights)
        until = np.cumsum(errors, axis=1)
        total = items.sum(axis=1).astype(np.float64)
        return 100.0 * (items * (until - errors / 2)).sum(axis=1) / total**2

    return area


def aurc(confidence: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"]) -> Statistic:
    """Area under the risk-coverage curve (Geifman & El-Yaniv 2017): the mean risk over all coverages 1/n to n/n."""
    curve = _Curve(confidence, wrong)

    def area(weights: np.ndarray) -> np.ndarray:
        items, errors = curve.groups(weights)
        most = int(items.sum(axis=1).max())
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, most + 1))])
        after, until = np.cumsum(items, axis=1), np.cumsum(errors, axis=1)
        before, earlier = after - items, until - errors
        rate = errors / np.maximum(items, 1)
        inside = rate * items + (earlier - rate * before) * (harmonic[after] - harmonic[before])
        return 100.0 * inside.sum(axis=1) / items.sum(axis=1)

    return area


def coverage_at_risk(
    confidence: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"], risk: float
) -> Statistic:
    """The largest share of items that some threshold on the confidence answers with at most `risk` percent wrong.

    The threshold is picked on the very items it is judged by, which flatters; it is for comparing models.
    """
    curve = _Curve(confidence, wrong)

    def coverage(weights: np.ndarray) -> np.ndarray:
        items, errors = curve.groups(weights)
        after, until = np.cumsum(items, axis=1), np.cumsum(errors, axis=1)
        allowed = 100.0 * until <= risk * after + 1e-9
        return 100.0 * np.where(allowed, after, 0).max(axis=1) / after[:, -1]

    return coverage


def risk_coverage_curve(
    confidence: Float[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"], points: int = 100
) -> dict[str, list[float]]:
    """Percent `coverage` and `risk` at up to `points` thresholds, for drawing."""
    curve = _Curve(confidence, wrong)
    items, errors = curve.groups(np.ones((1, len(confidence)), dtype=np.int64))
    after, until = np.cumsum(items[0]), np.cumsum(errors[0])
    wanted = np.unique(np.searchsorted(after, np.linspace(1, after[-1], points)))
    return {
        "coverage": [round(float(100 * x / after[-1]), 3) for x in after[wanted]],
        "risk": [round(float(100 * e / x), 3) for e, x in zip(until[wanted], after[wanted], strict=True)],
    }
