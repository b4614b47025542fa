"""Decisions: thresholds and costs by hand and against trying every cut; hubs, worst queries, damaged photos."""

import json
from pathlib import Path

import numpy as np
import pytest

from lift.errors import LiftError
from lift.evaluation import EvaluateConfig
from lift.evaluation.controls import wrong_photos
from lift.evaluation.hubs import hub_facts, occurrences, skewness, worst_queries
from lift.evaluation.robustness import DAMAGES, damaged
from lift.evaluation.running import check_costs
from lift.evaluation.selective import best_threshold, class_decisions, folds_of, threshold_decisions
from lift.evaluation.working_cost import (
    Costs,
    best_thresholds,
    decide,
    expected_cost,
    item_costs,
    item_weights,
)


def test_best_threshold_by_hand() -> None:
    scores, labels = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True])
    assert best_threshold(scores, labels) == pytest.approx(
        0.15
    )  # 3 right; as many as at 0.35, which is higher
    assert best_threshold(scores, np.array([False, False, True, True])) == pytest.approx(0.25)
    assert best_threshold(scores, np.ones(4, bool)) < 0.1


def test_folds_keep_photos_together() -> None:
    photos = np.repeat(np.arange(20), 3)
    folds = folds_of(photos, seed=0)
    assert all(len(set(folds[photos == photo])) == 1 for photo in range(20))
    assert np.bincount(folds).tolist() == [12] * 5
    assert folds_of(np.zeros(4, int), seed=0).tolist() == [0] * 4


def test_decisions_are_taken_by_other_photos() -> None:
    labels = np.tile([True, False], 30)
    scores = np.where(labels, 1.0, 0.0)
    found = threshold_decisions(scores, labels, np.repeat(np.arange(30), 2), seed=0)
    assert found is not None and not found.wrong.any() and np.allclose(found.confidence, 0.5)
    assert threshold_decisions(scores[:2], labels[:2], np.zeros(2), seed=0) is None


def test_class_decisions_by_hand() -> None:
    images = np.array([[0.9, 0.1, 0.4], [0.2, 0.3, 0.1]])
    found = class_decisions(images, np.eye(3), np.array([0, 2]), np.arange(2))
    np.testing.assert_allclose(found.confidence, [0.5, 0.1], atol=1e-6)
    assert found.wrong.tolist() == [False, True]


COSTS = Costs(missed=10.0, false_alarm=2.0, ask=1.0)


def test_costs_by_hand() -> None:
    labels = np.array([True, False, True, False])
    assert item_costs(np.array([0, 0, 1, 2]), labels, COSTS).tolist() == [2, 0, 1, 10]
    assert decide(np.array([0.1, 0.5, 0.9]), 0.3, 0.6).tolist() == [0, 1, 2]
    # 2 false below, then mixed (ask: 1 each beats 10 or 2), then 2 true above.
    scores = np.array([0.1, 0.2, 0.4, 0.5, 0.8, 0.9])
    labels = np.array([False, False, True, False, True, True])
    low, high = best_thresholds(scores, labels, np.ones(6), COSTS)
    assert low == pytest.approx(0.3) and high == pytest.approx(0.65)
    np.testing.assert_allclose(item_weights(labels, 10), np.where(labels, 0.9 / 0.5, 0.1 / 0.5))


@pytest.mark.parametrize("seed", range(4))
def test_thresholds_equal_trying_every_pair_of_cuts(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    scores, labels = drawn.integers(0, 12, 40).astype(float), drawn.random(40) < 0.5
    weights, costs = item_weights(labels, 20), Costs(*drawn.uniform(0.5, 5, 3))

    def cost(low: float, high: float) -> float:
        return float((weights * item_costs(decide(scores, low, high), labels, costs)).sum())

    cuts = [-np.inf, *(np.unique(scores)[1:] - 0.5), np.inf]
    least = min(cost(low, high) for low in cuts for high in cuts if low <= high)
    assert cost(*best_thresholds(scores, labels, weights, costs)) == pytest.approx(least)


def test_expected_cost_of_a_perfect_and_of_a_blind_model() -> None:
    labels = np.tile([True, True, True, False], 50)
    photos = np.repeat(np.arange(50), 4)
    perfect = expected_cost(np.where(labels, 1.0, 0.0), labels, photos, COSTS)
    assert perfect is not None
    assert perfect["model"] == {"value": 0, "low": 0, "high": 0}
    assert perfect["always_ask"]["value"] == 1000 and perfect["accept_everything"]["value"] == 2500
    assert perfect["share"] == {"rejected": 25, "asked": 0, "accepted": 75}
    blind = expected_cost(np.zeros(200), labels, photos, COSTS)
    assert blind is not None and blind["model"]["value"] == 1000  # asking is cheapest: 1 against 2.5 and 1.5
    assert blind["thresholds"] == {"reject_below": None, "accept_from": None}
    json.dumps(blind, allow_nan=False)
    rare = expected_cost(np.zeros(200), labels, photos, Costs(10.0, 2.0, 1.0, false_share=5.0))
    assert rare is not None and rare["accept_everything"]["value"] == pytest.approx(500)
    assert rare["model"]["value"] == pytest.approx(500) and rare["false_share"] == 5
    assert expected_cost(np.zeros(4), labels[:4], photos[:4], COSTS) is None
    told = " ".join(perfect["sentences"])
    assert "250 of them false" in told and "the model saves 1,000.00" in told
    assert "not shown" in " ".join(blind["sentences"])


def test_costs_must_be_complete() -> None:
    with pytest.raises(LiftError, match="--cost-minute"):
        check_costs(EvaluateConfig(Path("run"), cost_missed=1.0, cost_false_alarm=1.0))
    with pytest.raises(LiftError, match="false-share"):
        check_costs(EvaluateConfig(Path("run"), false_share=100.0))
    check_costs(EvaluateConfig(Path("run"), cost_missed=1.0, cost_false_alarm=1.0, cost_minute=0.5))


def test_hubs_by_hand() -> None:
    images = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], np.float32)
    texts = np.array([[1.0, 0.1], [0.9, 0.3], [0.2, 1.0], [1.0, -0.1]], np.float32)
    assert occurrences(images, texts, depth=1).tolist() == [3, 1, 0]
    assert skewness(np.array([3, 1, 0])) == pytest.approx((20 / 27) / (14 / 9) ** 1.5)
    assert skewness(np.array([2, 2])) == 0
    facts = hub_facts(images, texts, ["a", "b", "c"])
    assert facts["depth"] == 3 and facts["expected"] == 4 and facts["never_found"] == 0
    worst = worst_queries(np.array([1.0, 7.0, 2.5]), ["one", "two", "three"], ["a", "b", "c"])
    assert worst == [
        {"query": "two", "truth": "b", "rank": 7.0},
        {"query": "three", "truth": "c", "rank": 2.5},
    ]


def test_wrong_photos_are_others() -> None:
    positions = np.array([0, 3, 3, 7, 9])
    nobody = [("true",)] * 5, [()] * 10
    found = wrong_photos(positions, *nobody, seed=0)
    assert (found != positions).all() and found[1] == found[2] and (found < 10).all()
    every = np.stack([wrong_photos(np.arange(3), [("a",)] * 3, [()] * 3, seed) for seed in range(200)])
    assert np.mean(every[:, 0] == 1) == pytest.approx(0.5, abs=0.12)
    # Of four photos the first three have the text a: each of them gets the last, which has it not, and that any other.
    texts = [{"a"}, {"a"}, {"a", "b"}, {"b"}]
    for seed in range(20):
        found = wrong_photos(np.arange(4), [("a",), ("a",), ("a",), ("c",)], texts, seed)
        assert found[:3].tolist() == [3, 3, 3] and found[3] != 3
    assert wrong_photos(np.array([0]), [("a",)], texts[:2], 0).tolist() == [1]  # there is no better one


def test_damages_grow_and_repeat() -> None:
    grid = np.add.outer(np.arange(32), np.arange(32))[:, :, None] * np.array([4, 3, 2])
    photo = np.where(grid // 16 % 2, grid, 255 - grid).astype(np.uint8)[None]
    for kind, (_, strengths) in DAMAGES.items():
        assert len(strengths) == 5
        changes = [
            np.abs(damaged(photo, np.array([5]), kind, strength, 0).astype(int) - photo).mean()
            for strength in strengths
        ]
        assert changes[0] > 0 and changes[-1] > changes[0], kind
        twice = damaged(np.repeat(photo, 2, axis=0), np.array([5, 6]), kind, strengths[2], 0)
        alone = damaged(photo, np.array([6]), kind, strengths[2], 0)
        np.testing.assert_array_equal(twice[1], alone[0])
    dark = damaged(np.full((1, 4, 4, 3), 200, np.uint8), np.array([0]), "brightness", 40.0, 0)
    assert (dark == 80).all()
