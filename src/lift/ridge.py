"""A linear map between two feature spaces in closed form: ridge regression, its strength chosen on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

CHUNK_ROWS = 16_384
#: Tried penalties, as shares of the mean variance of a feature.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True)
class LinearMap:
    """The map x -> unit length of x @ weights + bias; `strength` is the penalty that was chosen."""

    weights: Float[np.ndarray, "D E"]
    bias: Float[np.ndarray, " E"]
    strength: float

    def apply(self, features: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N E"]:
        """Unit vectors float32 (N, E) of features (N, D)."""
        moved = features.astype(np.float32) @ self.weights + self.bias
        return moved / np.linalg.norm(moved, axis=-1, keepdims=True).clip(min=1e-12)


def fit_linear_map(
    features: Float[np.ndarray, "N D"],
    targets: Float[np.ndarray, "N E"],
    held_features: Float[np.ndarray, "M D"],
    held_targets: Float[np.ndarray, "M E"],
    strengths: Sequence[float] = STRENGTHS,
) -> LinearMap:
    """The ridge regression from features (N, D) to unit targets (N, E) with the best mean cosine on held-out rows.

    One eigendecomposition of the features' covariance (D, D) serves all strengths; rows are read in parts, so
    that memory-mapped arrays stay on disk. The bias is not penalised.
    """
    centre, goal = features.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    gram = np.zeros((features.shape[1],) * 2)
    cross = np.zeros((features.shape[1], targets.shape[1]))
    for start in range(0, len(features), CHUNK_ROWS):
        x = features[start : start + CHUNK_ROWS] - centre
        gram += x.T @ x
        cross += x.T @ (targets[start : start + CHUNK_ROWS] - goal)
    values, directions = np.linalg.eigh(gram)
    turned, unit = directions.T @ cross, values.mean()
    best: tuple[float, LinearMap] | None = None
    for strength in strengths:
        weights = directions @ (turned / (values.clip(min=0) + strength * unit)[:, None])
        bias = goal - centre @ weights
        found = LinearMap(weights.astype(np.float32), bias.astype(np.float32), strength)
        cosine = float((found.apply(held_features) * held_targets).sum(axis=1).mean())
        if best is None or cosine > best[0]:
            best = cosine, found
    assert best is not None
    return best[1]
