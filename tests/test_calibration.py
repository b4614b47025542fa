"""Promised error rates and probabilities: by hand, against MAPIE, and over many draws of a known distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mapie.risk_control import BinaryClassificationController
from scipy.stats import norm

from lift.calibration import (
    ASK,
    MATCH,
    MISMATCH,
    ProbabilityMap,
    Thresholds,
    allowed_errors,
    brier_score,
    calibration_error,
    calibration_noise,
    controlled_thresholds,
    decide,
    fit_map,
    fit_probability,
    labels_needed,
    one_per_photo,
)


def at_most(k: int, n: int, rate: float) -> float:
    """P(Binomial(n, rate) <= k), summed term by term."""
    return sum(math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in range(k + 1))


def test_how_many_labels_a_promise_needs() -> None:
    # 0.95^44 = 0.1047, 0.95^45 = 0.0994; 0.95^58 = 0.0510, 0.95^59 = 0.0485; 0.9^21 = 0.1094, 0.9^22 = 0.0985
    assert [labels_needed(0.05, 0.1), labels_needed(0.05, 0.05), labels_needed(0.1, 0.1)] == [45, 59, 22]
    assert labels_needed(0.5, 0.25) == 2  # 0.25 itself is enough
    assert labels_needed(0.01, 0.1) == 230


@pytest.mark.parametrize(
    ("n", "alpha", "delta"), [(44, 0.05, 0.1), (45, 0.05, 0.1), (500, 0.05, 0.1), (37, 0.3, 0.2)]
)
def test_allowed_errors_are_the_most_that_the_sum_allows(n: int, alpha: float, delta: float) -> None:
    k = allowed_errors(n, alpha, delta)
    assert k == -1 or at_most(k, n, alpha) <= delta
    assert at_most(k + 1, n, alpha) > delta
    assert (k == -1) == (n < labels_needed(alpha, delta))


def test_allowed_errors_by_hand() -> None:
    assert allowed_errors(45, 0.05, 0.1) == 0 and allowed_errors(44, 0.05, 0.1) == -1
    assert allowed_errors(2, 0.5, 0.25) == 0  # exactly a quarter
    assert allowed_errors(0, 0.05, 0.1) == -1


def test_thresholds_on_tiny_arrays() -> None:
    half = (0.5, 0.5)  # two items allow no error at confidence 75 %, four allow one at 68.75 %
    assert controlled_thresholds(np.array([0.9, 0.3]), np.array([0.5, 0.1]), half, 0.25) == (0.3, 0.5)
    true, false = np.array([0.2, 0.6, 0.7, 0.9]), np.array([0.1, 0.3, 0.4, 0.8])
    # 0.6 and 0.4 cross: both become the middle
    assert controlled_thresholds(true, false, half, 0.3125) == pytest.approx((0.5, 0.5))
    assert controlled_thresholds(true, false[:1], half, 0.25) == (0.2, None)
    assert controlled_thresholds(true[:1], false[:1], half, 0.25) == (None, None)


def test_each_side_has_its_own_promise() -> None:
    scores = np.arange(22.0)  # 22 allow no error at 10 %, and 7 at 50 %: P(Binomial(22, 0.5) <= 7) = 0.067
    low, high = controlled_thresholds(scores - 100, scores, (0.5, 0.1), 0.1)
    assert (low, high) == (-93, 21)
    low, high = controlled_thresholds(scores - 100, scores, (0.1, 0.5), 0.1)
    assert (low, high) == (-100, 14)


def test_decisions_are_strict_on_both_sides() -> None:
    scores = np.array([0.2, 0.3, 0.4, 0.5, 0.6])
    assert decide(scores, Thresholds(0.3, 0.5)).tolist() == [MISMATCH, ASK, ASK, ASK, MATCH]
    assert decide(scores, Thresholds(None, 0.5)).tolist() == [ASK, ASK, ASK, ASK, MATCH]
    assert decide(scores, Thresholds(0.4, 0.4)).tolist() == [MISMATCH, MISMATCH, ASK, MATCH, MATCH]


def test_equal_scores_break_no_promise() -> None:
    low, high = controlled_thresholds(np.full(100, 0.5), np.full(100, 0.5), (0.05, 0.05), 0.1)
    assert decide(np.full(3, 0.5), Thresholds(low, high)).tolist() == [ASK, ASK, ASK]


@pytest.mark.parametrize(
    "n", [64, 256, 512]
)  # of these every k / n is exact: MAPIE rounds 14 / 400 up to 15 errors
def test_the_same_thresholds_as_mapie(n: int) -> None:
    """By its false positive rate on both sides, with the sides exchanged for the other."""
    generator = np.random.default_rng(n)
    true, false = generator.beta(4, 2, n), generator.beta(2, 4, n)
    low, high = controlled_thresholds(true, false, (0.05, 0.05), 0.1)
    assert low is not None and high is not None and low < high

    def chances(x: np.ndarray) -> np.ndarray:
        return np.stack([1 - x[:, 0], x[:, 0]], axis=1)

    for negatives, positives, ours in ((false, true, high), (1 - true, 1 - false, 1 - low)):
        above = np.nextafter(
            np.sort(negatives)[::-1], 2
        )  # MAPIE decides from the threshold on, lift beyond it
        found = BinaryClassificationController(
            chances, "fpr", 0.05, 0.9, list_predict_params=above, fwer_method="fixed_sequence"
        ).calibrate(np.concatenate([positives, negatives])[:, None], np.repeat([1, 0], n))
        assert found.valid_predict_params.min() == np.nextafter(ours, 2)


def test_the_promise_is_broken_as_often_as_theory_says_and_no_more() -> None:
    generator, n, draws = np.random.default_rng(0), 100, 1000
    rates = []
    for _ in range(draws):
        low, _ = controlled_thresholds(generator.normal(size=n), generator.normal(size=n), (0.05, 0.05), 0.1)
        rates.append(norm.cdf(low))  # the true rate of false alarms of this threshold
    broken = np.mean(np.array(rates) > 0.05)
    exact = at_most(allowed_errors(n, 0.05, 0.1), n, 0.05)  # 3.7 %: one error more would be 11.8 %
    assert exact == pytest.approx(0.0371, abs=1e-3)
    assert abs(broken - exact) < 4 * math.sqrt(exact * (1 - exact) / draws)


def test_pairs_of_one_photo_count_once() -> None:
    photos = np.array([7, 7, 3, 7, 3, 9])
    drawn = [one_per_photo(photos, np.random.default_rng(seed)) for seed in range(200)]
    assert all(
        photos[rows].tolist() in ([7, 3, 9], [3, 7, 9]) or len(set(photos[rows])) == 3 for rows in drawn
    )
    assert {int(row) for rows in drawn for row in rows} == set(range(6))  # each has its turn
    # Five sentences a photo with one score each: taken for 250 pairs they promise far too much.
    generator = np.random.default_rng(1)
    broken = {"pairs": 0, "photos": 0}
    for _ in range(250):
        of_photo = generator.normal(size=50)
        scores, whose = np.repeat(of_photo, 5), np.repeat(np.arange(50), 5)
        one = scores[one_per_photo(whose, generator)]
        for name, some in (("pairs", scores), ("photos", one)):
            low = controlled_thresholds(some, some, (0.05, 0.05), 0.1).low
            broken[name] += low is not None and bool(norm.cdf(low) > 0.05)
    assert broken["photos"] <= 0.1 * 250 + 4 * math.sqrt(0.09 * 250)
    assert broken["pairs"] > 0.2 * 250


def test_probabilities_for_another_share_of_mismatches_by_hand() -> None:
    smooth = ProbabilityMap("platt", [[2.0, -1.0]], 0.5)
    assert smooth(np.array([0.5]))[0] == pytest.approx(0.5)
    assert smooth(np.array([0.5]), 0.9)[0] == pytest.approx(0.1)  # odds 1 become 1/9
    assert smooth(np.array([0.5]), 0.5)[0] == pytest.approx(0.5)
    assert smooth(np.array([1.0]))[0] == pytest.approx(1 / (1 + math.exp(-1)))
    quarter = ProbabilityMap("isotonic", [[0.0, 0.2], [1.0, 0.6]], 0.25)
    assert quarter(np.array([-5, 0.5, 9])) == pytest.approx([0.2, 0.4, 0.6])
    # odds 2/3, true ones thrice as frequent as false ones; when they are equally frequent: odds 2/9
    assert quarter(np.array([0.5]), 0.5)[0] == pytest.approx(2 / 11)
    assert ProbabilityMap.restore(quarter.asdict()) == quarter


def test_both_curves_find_a_known_probability() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=20_000)
    truth = 1 / (1 + np.exp(-(1.5 * scores - 0.5)))
    labels = generator.random(20_000) < truth
    smooth = fit_map(scores, labels, "platt")
    assert smooth.points[0] == pytest.approx([1.5, -0.5], abs=0.06)
    at = np.linspace(-2, 2, 9)
    for method in ("platt", "isotonic"):
        found = fit_map(scores, labels, method)(at)
        assert found == pytest.approx(1 / (1 + np.exp(-(1.5 * at - 0.5))), abs=0.06)
        assert (np.diff(found) >= 0).all()
    steps = fit_map(np.arange(60.0), np.arange(60) >= 30, "isotonic")
    assert [level for _, level in steps.points] == pytest.approx(
        [31 / 62]
    )  # one part of 60 pairs, 30 + 1 of 62
    assert (
        fit_map(-scores, labels, "platt").points[0][0] == 0
    )  # a higher score is never held against a description


def test_few_pairs_take_the_smooth_curve_and_one_label_none() -> None:
    generator = np.random.default_rng(0)
    scores, labels, photos = generator.normal(size=400), generator.random(400) < 0.5, np.arange(400) // 2
    fitted = fit_probability(scores, labels, photos, seed=0)
    assert fitted is not None and fitted.map.method == "platt" and set(fitted.brier) == {"platt", "isotonic"}
    assert fit_probability(scores, np.ones(400, bool), photos, seed=0) is None
    # Photos are left out as a whole: without photo 0 nothing false is left, however many of its pairs there are.
    assert (
        fit_probability(np.arange(200.0), np.arange(200) >= 40, np.maximum(np.arange(200) - 39, 0), 0) is None
    )
    # A step that no smooth curve follows, and enough photos to see it.
    scores = generator.uniform(size=4000)
    labels = generator.random(4000) < np.where(
        (scores > 0.4) & (scores < 0.6), 0.5, np.where(scores > 0.5, 0.9, 0.45)
    )
    fitted = fit_probability(scores, labels, np.arange(4000), seed=0)
    assert fitted is not None and fitted.map.method == "isotonic"
    assert fitted.brier["isotonic"] < fitted.brier["platt"]


def test_brier_and_calibration_error_by_hand() -> None:
    chance, labels = np.array([0.2, 0.2, 0.8, 0.8]), np.array([False, True, True, True])
    assert brier_score(chance, labels) == pytest.approx(100 * (0.04 + 0.64 + 0.04 + 0.04) / 4)
    assert calibration_error(chance, labels, bins=2) == pytest.approx(100 * (2 * 0.3 + 2 * 0.2) / 4)
    # A perfect model of 100 items has an error too: each of ten bins of ten strays by about 0.12.
    noise = calibration_noise(np.full(100, 0.5), np.random.default_rng(0), draws=300)
    assert noise == pytest.approx(100 * math.sqrt(0.25 / 10) * math.sqrt(2 / math.pi), rel=0.06)
