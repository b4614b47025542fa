"""Differences between two runs over the same queries: intervals, exact p values, Holm's correction, verdict words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from lift.metrics import paired_bootstrap
from lift.report.reading import Result
from lift.report.wording import higher_is_better
from lift.significance import detectable, paired_test, pooled_difference

BETTER, WORSE, UNDECIDED, UNTESTED = "better", "worse", "no difference shown", "not tested"
ACCURACY = re.compile(r"(^|/)(recall@\d+|top\d+|accuracy)$|^pair_accuracy/")  # means of hits and misses


@dataclass(frozen=True)
class Difference:
    """Second run minus first over the same queries, with its 95 % interval and a verdict on the second.

    p: exact two-sided p of McNemar's test, whole photos changing sides; p_mid: its mid-p; p_holm: p corrected for all
    tests of the comparison. None where one of the runs is several seeds, or the metric is no count of hits.
    detectable: the smallest true difference that these queries show four times out of five.
    """

    value: float
    low: float
    high: float
    verdict: str
    p: float | None = None
    p_mid: float | None = None
    p_holm: float | None = None
    detectable: float | None = None

    def reversed(self) -> Difference:
        """The same difference seen from the first run."""
        verdict = {BETTER: WORSE, WORSE: BETTER}.get(self.verdict, self.verdict)
        return replace(self, value=-self.value, low=-self.high, high=-self.low, verdict=verdict)


def paired_difference(a: Result, b: Result, metric: str) -> Difference | None:
    """`b` minus `a` on the metric's scale over the same queries; None without per-query outcomes of both.

    Where one of them is several trainings, they are drawn anew beside the photos.
    """
    ours, theirs = a.outcomes(metric), b.outcomes(metric)
    if ours is None or theirs is None:
        return None
    scale = _scale((a.metrics[metric]["value"], b.metrics[metric]["value"]), (ours, theirs))
    if scale is None:
        return None
    clusters = a.clusters(metric)
    if clusters is None:
        clusters = np.arange(len(ours))
    p = None
    found: tuple[float, float, float]
    if a.parts or b.parts:
        found = pooled_difference(b.by_seed(metric), a.by_seed(metric), clusters)
    else:
        found = paired_bootstrap(theirs, ours, clusters)
        p = paired_test(theirs, ours, clusters) if ACCURACY.search(metric) else None
    mean, low, high = (scale * x for x in found)
    return Difference(
        mean,
        low,
        high,
        _verdict(low, high, higher_is_better(metric)),
        p=p and p.exact,
        p_mid=p and p.mid,
        detectable=detectable(low, high),
    )


def _scale(values: tuple[float, float], outcomes: tuple[np.ndarray, np.ndarray]) -> float | None:
    """100 when the metric is the outcomes' mean in percent, 1 when it is their mean, None when it is neither.

    An average precision, for one, is no mean of outcomes: subtracting means would answer another question.
    """
    means = [float(array.mean()) for array in outcomes]
    for scale in (100.0, 1.0):
        if all(abs(value - scale * mean) < 0.01 for value, mean in zip(values, means, strict=True)):
            return scale
    return None


def _verdict(low: float, high: float, higher: bool) -> str:
    if low <= 0 <= high:
        return UNDECIDED
    return BETTER if (low > 0) == higher else WORSE
