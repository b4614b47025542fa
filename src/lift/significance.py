"""Whether a difference is more than chance: exact tests of paired outcomes, Holm's correction, pooled seeds.

Pure functions of numpy arrays. Outcomes are per item and may be grouped: the texts of one photo succeed and fail
together, so whole photos are resampled and whole photos change sides in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

#: Half widths of a 95 % interval, and that plus the one-sided 80 % point: a difference so many standard errors
#: large is found four times out of five.
NORMAL_95, POWER_80 = 1.959964, 0.841621
UNIT = 1e-6  # differences are whole multiples of something at least this large, or there is no exact test


class PValue(NamedTuple):
    """Two-sided p of no difference: exact, and mid-p, where the outcome seen counts half (Fagerland et al. 2013)."""

    exact: float
    mid: float


def mcnemar(only_a: int, only_b: int) -> PValue:
    """McNemar's test from the numbers of items that only the first, and only the second, got right.

    Exact: the binomial test of the smaller among both. Mid-p: Fagerland, Lydersen & Laake 2013.
    """
    found = sign_flip_test(np.repeat([1.0, -1.0], [only_a, only_b]))
    assert found is not None  # all sizes are 1
    return found


def sign_flip_test(differences: Float[np.ndarray, " c"]) -> PValue | None:
    """Exact test that differences per group (c,) are as likely positive as negative, from all 2^c sign patterns.

    With one item a group and outcomes 0 or 1 this is McNemar's test; with several it keeps a photo's texts together.
    None when the sizes are not whole multiples of one unit, or too many of them for the table.
    """
    sizes = np.abs(np.asarray(differences, dtype=np.float64))
    sizes = sizes[sizes > UNIT]
    if not len(sizes):
        return PValue(1.0, 1.0)
    whole = sizes / sizes.min()
    for divisor in (1, 2, 3, 4, 6, 12):  # ties count in fractions
        steps = np.rint(whole * divisor)
        if np.allclose(whole * divisor, steps, atol=1e-6):
            break
    else:
        return None
    values, counts = np.unique(steps.astype(np.int64), return_counts=True)
    if int((values * counts).sum()) > 2_000_000 or len(values) > 200:
        return None
    chances = np.ones(1)
    for place in np.argsort(-counts, kind="stable").tolist():  # the longest first, while the table is short
        chances = _convolved(chances, int(counts[place]), int(values[place]))
    centre = (len(chances) - 1) / 2  # place k of the table is the sum 2 * (k - centre)
    seen = abs(round(float(np.sign(differences[np.abs(differences) > UNIT]) @ steps)))
    away = np.abs(2 * (np.arange(len(chances)) - centre))
    at_least, exactly = chances[away >= seen - 0.5].sum(), chances[np.abs(away - seen) < 0.5].sum()
    exact = min(1.0, float(at_least))
    return PValue(exact, max(0.0, exact - float(exactly) / 2))


def _binomial(n: int) -> np.ndarray:
    """Chances (n + 1,) of 0 to n heads in n throws."""
    k = np.arange(1, n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(n - k + 1) - np.log(k))])
    return np.exp(logs - n * np.log(2))


def _convolved(chances: np.ndarray, count: int, step: int) -> np.ndarray:
    """Chances of the sum after `count` more throws that each add `step` or nothing."""
    out = np.zeros(len(chances) + count * step)
    for heads, chance in enumerate(_binomial(count).tolist()):
        if chance > 0:  # the far tails of many throws underflow
            out[heads * step : heads * step + len(chances)] += chance * chances
    return out


def paired_test(
    a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> PValue | None:
    """sign_flip_test of the sums of a - b within each cluster."""
    _, number = np.unique(clusters, return_inverse=True)
    return sign_flip_test(np.bincount(number, weights=np.asarray(a, float) - np.asarray(b, float)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected by Holm 1979: below 5 % each, all false alarms together stay below 5 %."""
    order = np.argsort(p_values, kind="stable")
    corrected, worst = [0.0] * len(p_values), 0.0
    for place, number in enumerate(order.tolist()):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[number]))
        corrected[number] = worst
    return corrected


def detectable(low: float, high: float) -> float:
    """The smallest true difference that a test with this 95 % interval finds four times out of five."""
    return (high - low) / (2 * NORMAL_95) * (NORMAL_95 + POWER_80)


class Pooled(NamedTuple):
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


def pooled_interval(
    outcomes: Float[np.ndarray, "s n"], clusters: Int[np.ndarray, " n"], seed: int = 0, samples: int = 2000
) -> Pooled:
    """Mean over seeds (s) and items (n), with both drawn anew: seeds with replacement, whole clusters too."""
    return _summary(outcomes.mean(), _draws([outcomes], clusters, seed, samples)[0])


def pooled_difference(
    a: Float[np.ndarray, "s n"],
    b: Float[np.ndarray, "t n"],
    clusters: Int[np.ndarray, " n"],
    seed: int = 0,
    samples: int = 2000,
) -> Pooled:
    """Mean of a - b over seeds and items: the items are drawn together for both, the seeds of each by themselves.

    An arm of one seed gives no hint of how seeds differ: the interval then speaks of the photos only.
    """
    ours, theirs = _draws([a, b], clusters, seed, samples)
    return _summary(a.mean() - b.mean(), ours - theirs)


def _summary(value: float, drawn: np.ndarray) -> Pooled:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Pooled(float(value), float(low), float(high))


def _draws(arms: Sequence[np.ndarray], clusters: np.ndarray, seed: int, samples: int) -> list[np.ndarray]:
    """Means (samples,) of each arm (s, n) under one drawing of clusters and a drawing of seeds of each arm.

    Seeds drawn with replacement spread too little, by (s - 1) / s in variance; their deviations are stretched by
    the root of s / (s - 1) to make up for it.
    """
    generator = np.random.default_rng(seed)
    names, number = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(number).astype(np.float64)
    sums = [np.stack([np.bincount(number, weights=row) for row in arm]) for arm in arms]
    found: list[list[np.ndarray]] = [[] for _ in arms]
    step = max(1, 2**21 // len(names))
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = generator.integers(0, len(names), size=(rows, len(names)))
        drawn += len(names) * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, -1)
        for place, arm in enumerate(sums):
            means = (counts @ arm.T) / (counts @ sizes)[:, None]  # (rows, s)
            seeds = len(arm)
            chosen = generator.integers(0, seeds, size=(rows, seeds))
            again = np.take_along_axis(means, chosen, axis=1).mean(axis=1)
            stretch = np.sqrt(seeds / (seeds - 1)) if seeds > 1 else 1.0
            middle = means.mean(axis=1)
            found[place].append(middle + stretch * (again - middle))
    return [np.concatenate(parts) for parts in found]


def seed_spread(values: Sequence[float]) -> float:
    """How far two seeds of one arm are apart on average, from their values: 2 / sqrt(pi) standard deviations."""
    return float(np.std(values, ddof=1) * 2 / np.sqrt(np.pi))
