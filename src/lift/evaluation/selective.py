"""Metrics of selective prediction: what the model gets right when it may leave unsure items to a person."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lift.evaluation.results import Metric
from lift.selection import RISKS, augrc, aurc, coverage_at_risk, risk_coverage_curve

FOLDS = 5
PROTOCOL = (
    "selective/aurc and /augrc: mean risk over coverages, and the generalised form of arXiv 2407.01032, smaller is "
    "better; selective/coverage@risk: items answered at that percentage of wrong answers, the threshold picked on "
    "the same items"
)


class Decisions(NamedTuple):
    """Items decided (n,): how sure, and whether wrongly; their photos as clusters."""

    confidence: np.ndarray
    wrong: np.ndarray
    photos: np.ndarray


def selective_metrics(decisions: Decisions) -> dict[str, Metric]:
    """AURC, AUGRC and coverage at 1, 5 and 10 % risk, in percent, with what a random order of confidence gives."""
    confidence, wrong, photos = decisions
    share = np.where(wrong, 100.0, 0.0)
    found = {
        "selective/aurc": Metric(share, photos, aurc(confidence, wrong), per_item=False),
        "selective/augrc": Metric(share, photos, augrc(confidence, wrong), per_item=False),
        "control/chance/selective/aurc": Metric(share, photos),
        "control/chance/selective/augrc": Metric(share / 2, photos),
    }
    for risk in RISKS:
        statistic = coverage_at_risk(confidence, wrong, risk)
        found[f"selective/coverage@risk{risk:g}"] = Metric(share, photos, statistic, per_item=False)
    return found


def curve_of(decisions: Decisions) -> dict[str, Any]:
    """The risk-coverage curve for the report."""
    return risk_coverage_curve(decisions.confidence, decisions.wrong)


def folds_of(photos: np.ndarray, seed: int, folds: int = FOLDS) -> np.ndarray:
    """A fold (n,) for each item, drawn per photo, so that no photo helps to choose a threshold it is judged by."""
    names, number = np.unique(photos, return_inverse=True)
    drawn = np.random.default_rng((seed, len(names))).permutation(len(names)) % min(folds, len(names))
    return drawn[number]


def threshold_decisions(
    scores: np.ndarray, labels: np.ndarray, photos: np.ndarray, seed: int
) -> Decisions | None:
    """Sentences called true above a threshold, chosen for accuracy on the other folds; sure by distance from it.

    None where a fold lacks true or false sentences to choose by.
    """
    folds = folds_of(photos, seed)
    if folds.max() == 0:
        return None
    margin = np.empty(len(scores))
    for fold in range(folds.max() + 1):
        here = folds == fold
        if len(np.unique(labels[~here])) < 2:
            return None
        margin[here] = scores[here] - best_threshold(scores[~here], labels[~here])
    return Decisions(np.abs(margin), (margin > 0) != labels, photos)


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The cut between neighbouring scores that gets most labels right; of equally good ones the lowest."""
    values, number = np.unique(scores, return_inverse=True)
    true, all_ = np.bincount(number, weights=labels), np.bincount(number)
    false = all_ - true
    # Cut k lies below value k: right are the false ones below it and the true ones from it on.
    right = np.concatenate([[0], np.cumsum(false)]) + true.sum() - np.concatenate([[0], np.cumsum(true)])
    cut = int(right.argmax())
    edges = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    return float(edges[cut])


def class_decisions(
    images: np.ndarray, classes: np.ndarray, labels: np.ndarray, photos: np.ndarray
) -> Decisions:
    """The best class for each photo (n, D) of (c, D); sure by the distance of its score to the second best."""
    scores = np.asarray(images, dtype=np.float32) @ np.asarray(classes, dtype=np.float32).T
    two = -np.partition(-scores, 1, axis=1)[:, :2]
    return Decisions((two[:, 0] - two[:, 1]).astype(np.float64), scores.argmax(axis=1) != labels, photos)
