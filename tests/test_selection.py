"""Selective prediction: areas by hand, by the formulas of the papers, and as repeats where weights say so."""

import numpy as np
import pytest

from lift import metrics, selection


def once(n: int) -> np.ndarray:
    return np.ones((1, n), dtype=np.int64)


def test_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    wrong = np.array([False, True, False, True])
    # Risks at coverage 1/4 to 4/4: 0, 1/2, 1/3, 1/2. Wrong answers so far of all four: 0, 1, 1, 2 quarters.
    assert selection.aurc(confidence, wrong)(once(4))[0] == pytest.approx(
        100 * (0 + 1 / 2 + 1 / 3 + 1 / 2) / 4
    )
    assert selection.augrc(confidence, wrong)(once(4))[0] == pytest.approx(100 * (0 + 0.5 + 1 + 1.5) / 4 / 4)
    at = [selection.coverage_at_risk(confidence, wrong, risk)(once(4))[0] for risk in (0, 34, 50)]
    assert at == [25, 75, 100]
    curve = selection.risk_coverage_curve(confidence, wrong)
    assert curve["coverage"] == [25, 50, 75, 100] and curve["risk"] == [0, 50, 33.333, 50]


def test_augrc_is_the_papers_formula() -> None:
    # Traub et al. 2024, eq. 7: (1 - AUROC) acc (1 - acc) + (1 - acc)^2 / 2, AUROC of right above wrong answers.
    drawn = np.random.default_rng(0)
    confidence, wrong = drawn.integers(0, 30, 400).astype(float), drawn.random(400) < 0.3
    area, accuracy = metrics.auroc(confidence, ~wrong) / 100, 1 - wrong.mean()
    expected = (1 - area) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert selection.augrc(confidence, wrong)(once(400))[0] == pytest.approx(100 * expected)


def test_equal_confidence_is_chance() -> None:
    wrong = np.arange(10) < 3
    assert selection.aurc(np.ones(10), wrong)(once(10))[0] == pytest.approx(30)
    assert selection.augrc(np.ones(10), wrong)(once(10))[0] == pytest.approx(15)
    assert selection.coverage_at_risk(np.ones(10), wrong, 29)(once(10))[0] == 0


def test_weights_mean_repeats() -> None:
    drawn = np.random.default_rng(1)
    confidence, wrong = drawn.integers(0, 8, 40).astype(float), drawn.random(40) < 0.4
    weights = drawn.integers(0, 4, (3, 40))
    for make in (selection.aurc, selection.augrc, lambda c, w: selection.coverage_at_risk(c, w, 35.0)):
        together = make(confidence, wrong)(weights)
        for row, value in zip(weights, together, strict=True):
            again, errors = np.repeat(confidence, row), np.repeat(wrong, row)
            assert value == pytest.approx(make(again, errors)(once(len(again)))[0])


def test_ties_are_the_mean_over_orders() -> None:
    drawn = np.random.default_rng(2)
    confidence, wrong = np.repeat([3.0, 2.0, 1.0], 4), drawn.random(12) < 0.5
    orders = [selection.aurc(confidence + 1e-6 * drawn.random(12), wrong)(once(12))[0] for _ in range(4000)]
    assert selection.aurc(confidence, wrong)(once(12))[0] == pytest.approx(np.mean(orders), abs=0.2)
