"""What mistakes cost in daily work: thresholds for accept, ask a person, reject, and the cost per 1,000 items.

An item is a sentence about a photo. A false sentence that is accepted is missed; a true one that is rejected is a false
alarm; a person who is asked is always right, and is paid for. Thresholds are chosen on other photos than those the
cost is reported on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lift.evaluation.selective import folds_of
from lift.metrics import bootstrap_interval

ITEMS = 1000


@dataclass(frozen=True)
class Costs:
    """In one currency: a missed false sentence, a false alarm, asking a person once.

    false_share: how many of 100 sentences are false in daily work; None takes the share in the data.
    """

    missed: float
    false_alarm: float
    ask: float
    false_share: float | None = None


def expected_cost(
    scores: np.ndarray, labels: np.ndarray, photos: np.ndarray, costs: Costs, seed: int = 0
) -> dict[str, Any] | None:
    """Cost per 1,000 items with thresholds from other photos, against asking always and accepting everything.

    Each entry has value, low and high (95 %, whole photos resampled, thresholds as chosen). None where there are too
    few photos to choose and to judge by.
    """
    folds = folds_of(photos, seed)
    if folds.max() == 0 or any(len(np.unique(labels[folds != fold])) < 2 for fold in range(folds.max() + 1)):
        return None
    weights = item_weights(labels, costs.false_share)
    action = np.empty(len(scores), dtype=np.int64)
    for fold in range(folds.max() + 1):
        here = folds == fold
        low, high = best_thresholds(scores[~here], labels[~here], weights[~here], costs)
        action[here] = decide(scores[here], low, high)
    cost = item_costs(action, labels, costs)
    low, high = best_thresholds(scores, labels, weights, costs)

    def per_items(values: np.ndarray) -> dict[str, float]:
        scaled = ITEMS * values * weights
        bounds = bootstrap_interval(scaled, photos, seed)
        return {
            "value": round(float(scaled.mean()), 2),
            "low": round(bounds[0], 2),
            "high": round(bounds[1], 2),
        }

    ask = np.full(len(scores), costs.ask)
    accept = np.where(labels, 0.0, costs.missed)
    found = {
        "per": ITEMS,
        "costs": {"missed": costs.missed, "false_alarm": costs.false_alarm, "ask": costs.ask},
        "false_share": round(float(100 * (weights * ~labels).sum() / len(labels)), 3),
        "model": per_items(cost),
        "always_ask": per_items(ask),
        "accept_everything": per_items(accept),
        "saved_against_asking": per_items(ask - cost),
        "saved_against_accepting": per_items(accept - cost),
        "share": {
            name: round(float(100 * (weights * (action == number)).mean()), 2)
            for number, name in enumerate(("rejected", "asked", "accepted"))
        },
        "thresholds": {"reject_below": _finite(low), "accept_from": _finite(high)},
    }
    return found | {"sentences": cost_sentences(found)}


def cost_sentences(cost: Mapping[str, Any]) -> list[str]:
    """What the thresholds mean for daily work, in sentences for a person who decides."""
    share, model, ask = cost["share"], cost["model"], cost["always_ask"]
    first = (
        f"Of 1,000 sentences, {cost['false_share'] * 10:.0f} of them false, the model would accept "
        f"{share['accepted'] * 10:.0f}, reject {share['rejected'] * 10:.0f} and give {share['asked'] * 10:.0f} to a "
        f"person. That costs {_money(model)} in all: false sentences missed, false alarms and the person's time."
    )
    second = (
        f"Asking a person about every one costs {ask['value']:,.2f}; {_saves(cost['saved_against_asking'])}."
    )
    third = (
        f"Accepting everything unseen costs {_money(cost['accept_everything'])}; "
        f"{_saves(cost['saved_against_accepting'])}."
    )
    return [first, second, third]


def _money(entry: Mapping[str, float]) -> str:
    """`120.00 (95.00 to 150.00)`: a sum with its 95 % interval."""
    return f"{entry['value']:,.2f} ({entry['low']:,.2f} to {entry['high']:,.2f})"


def _saves(saved: Mapping[str, float]) -> str:
    if saved["low"] > 0:
        return f"the model saves {_money(saved)}"
    if saved["high"] < 0:
        turned = {"value": -saved["value"], "low": -saved["high"], "high": -saved["low"]}
        return f"the model costs {_money(turned)} more"
    return f"whether the model saves anything is not shown ({_money(saved)})"


def _finite(threshold: float) -> float | None:
    """None for a threshold beyond all scores: JSON has no infinity."""
    return threshold if np.isfinite(threshold) else None


def item_weights(labels: np.ndarray, false_share: float | None) -> np.ndarray:
    """How much each item (n,) counts, mean 1, so that false sentences make up `false_share` percent."""
    if false_share is None:
        return np.ones(len(labels))
    wanted = false_share / 100
    return np.where(labels, (1 - wanted) / labels.mean(), wanted / (~labels).mean())


def decide(scores: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 to reject (below `low`), 2 to accept (from `high`), 1 to ask a person, for each score (n,)."""
    return np.where(scores >= high, 2, np.where(scores < low, 0, 1))


def item_costs(action: np.ndarray, labels: np.ndarray, costs: Costs) -> np.ndarray:
    """Cost (n,) of each decision, given what is true."""
    rejected, accepted = np.where(labels, costs.false_alarm, 0.0), np.where(labels, 0.0, costs.missed)
    return np.choose(action, [rejected, np.full(len(labels), costs.ask), accepted])


def best_thresholds(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, costs: Costs
) -> tuple[float, float]:
    """(low, high) of least cost: reject below low, accept from high, ask between; low = high asks nobody.

    All pairs of cuts between neighbouring scores are weighed in one pass; of equally cheap ones the first is taken.
    """
    values, number = np.unique(scores, return_inverse=True)

    def below(cost: np.ndarray) -> np.ndarray:
        """Total cost of the items below each of the cuts (0 to all)."""
        return np.concatenate([[0.0], np.cumsum(np.bincount(number, weights=weights * cost))])

    rejected = below(np.where(labels, costs.false_alarm, 0.0))
    asked = below(np.full(len(labels), costs.ask))
    accepted = below(np.where(labels, 0.0, costs.missed))
    # Cost of cuts i <= j: rejected[i] + asked[j] - asked[i] + accepted[-1] - accepted[j].
    from_high = asked - accepted
    suffix = np.minimum.accumulate(from_high[::-1])[::-1]
    lower = int((rejected - asked + suffix).argmin())
    upper = lower + int(from_high[lower:].argmin())
    edges = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    return float(edges[lower]), float(edges[upper])
