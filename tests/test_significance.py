"""Significance: textbook p values, Holm's own example, exact tests against counting all signs, pooled seeds."""

import itertools
import math

import numpy as np
import pytest

from lift import significance as s


def test_mcnemar_of_the_literature() -> None:
    # Fagerland et al. 2013, airways before and after a transplantation: 1 against 7, exact 0.070, mid-p 0.039.
    p = s.mcnemar(1, 7)
    assert p.exact == pytest.approx(18 / 256) and p.mid == pytest.approx(10 / 256)
    assert s.mcnemar(7, 1) == pytest.approx(p)
    assert s.mcnemar(0, 0) == (1.0, 1.0)
    assert s.mcnemar(5, 5).exact == pytest.approx(1.0)


def test_mcnemar_is_the_binomial_test() -> None:
    for a, b in ((3, 14), (0, 6), (40, 61), (412, 388)):
        below = sum(math.comb(a + b, k) for k in range(min(a, b) + 1))
        assert s.mcnemar(a, b).exact == pytest.approx(2 * below / 2 ** (a + b), rel=1e-8)


def test_photos_with_several_texts_change_sides_together() -> None:
    differences = np.array([2.0, -1.0, 1.0, 3.0, 0.0, 1.5, -0.5])
    sums = [np.dot(signs, differences) for signs in itertools.product((1, -1), repeat=7)]
    seen = abs(differences.sum())
    at_least = np.mean([abs(total) >= seen - 1e-9 for total in sums])
    exactly = np.mean([abs(abs(total) - seen) < 1e-9 for total in sums])
    found = s.sign_flip_test(differences)
    assert found is not None
    assert found == pytest.approx((at_least, at_least - exactly / 2))
    a, b = np.array([1.0, 1, 0, 1, 1, 0]), np.array([0.0, 0, 0, 0, 1, 1])
    grouped = s.paired_test(a, b, np.array([4, 4, 4, 9, 9, 9]))
    assert grouped == pytest.approx(s.sign_flip_test(np.array([2.0, 0.0])))


def test_thirds_of_a_hit_have_a_test_and_any_number_has_none() -> None:
    thirds = np.array([1 / 3, -2 / 3, 1.0, 1 / 3])
    assert s.sign_flip_test(thirds) == pytest.approx(s.sign_flip_test(np.array([1.0, -2.0, 3.0, 1.0])))
    assert s.sign_flip_test(np.array([1.0, np.sqrt(2)])) is None


def test_exact_test_keeps_its_promise() -> None:
    drawn = np.random.default_rng(0)
    found = [s.sign_flip_test(drawn.choice([-2.0, -1.0, 0.0, 1.0, 2.0], 60)) for _ in range(600)]
    below = np.mean([p.exact <= 0.05 for p in found if p is not None])
    assert below <= 0.07  # 5 % promised; 600 draws allow 2 % more


def test_holm_by_hand() -> None:
    assert s.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert s.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert s.holm([0.5, 0.9]) == [1.0, 1.0] and s.holm([]) == [] and s.holm([0.03]) == [0.03]


def test_detectable_difference() -> None:
    # Standard error 1: 1.96 + 0.84 standard errors are found with 80 % power.
    assert s.detectable(-1.959964, 1.959964) == pytest.approx(2.8016, abs=1e-3)


def test_one_seed_gives_the_interval_over_photos() -> None:
    values = np.random.default_rng(1).normal(50, 10, (1, 400))
    found = s.pooled_interval(values, np.arange(400))
    half = 1.96 * values.std() / 20
    assert found == pytest.approx((values.mean(), values.mean() - half, values.mean() + half), abs=0.15)


def test_seeds_widen_the_interval_as_theory_says() -> None:
    drawn = np.random.default_rng(2)
    seeds = np.array([-3.0, -1.0, 1.0, 3.0])  # sd of the seeds 2.58
    a = 50 + seeds[:, None] + drawn.normal(0, 5, 900) + np.zeros((4, 900))
    found = s.pooled_interval(a, np.arange(900))
    half = 1.96 * np.sqrt(seeds.var(ddof=1) / 4 + 25 / 900)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)
    difference = s.pooled_difference(a, a[:1] * 1.0, np.arange(900))
    assert difference.value == pytest.approx(3.0)
    assert (difference.high - difference.low) / 2 == pytest.approx(1.96 * seeds.std(ddof=1) / 2, rel=0.12)


def test_seed_spread_is_the_mean_distance_of_two() -> None:
    drawn = np.random.default_rng(3).normal(0, 2, 20_000)
    assert s.seed_spread(drawn.tolist()) == pytest.approx(np.abs(drawn[::2] - drawn[1::2]).mean(), rel=0.03)
