"""Near-duplicates in an INDEX: groups of photos whose vectors have a cosine of at least a threshold, exactly."""

from __future__ import annotations

import numpy as np
import torch

from lift.console import progress_bar
from lift.predict import exact_scores, float_error

TILE = 4096


def groups_of(vectors: np.ndarray, threshold: float) -> list[list[int]]:
    """Groups of row numbers, ascending, of unit vectors (N, dim): photos that a chain of near ones joins.

    All pairs are compared, in tiles, so that time grows with N squared. A float32 product proposes pairs, and those
    at the threshold are decided exactly.
    """
    parent = np.arange(len(vectors))
    margin = float_error(vectors.shape[1])
    tiles = range(0, len(vectors), TILE)
    with progress_bar("comparing photos", len(tiles)) as bar:
        for top in tiles:
            rows = torch.from_numpy(np.asarray(vectors[top : top + TILE], np.float32))
            for left in range(top, len(vectors), TILE):
                columns = torch.from_numpy(np.asarray(vectors[left : left + TILE], np.float32))
                first, second = np.nonzero((rows @ columns.T).numpy() >= threshold - margin)
                first, second = first + top, second + left
                ahead = first < second
                _unite(parent, vectors, first[ahead], second[ahead], threshold)
            bar.advance()
    roots = np.array([_root(parent, row) for row in range(len(vectors))], dtype=np.int64)
    order = np.argsort(roots, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(roots[order])) + 1) if len(order) else []
    return [part.tolist() for part in parts if len(part) > 1]


def _unite(
    parent: np.ndarray, vectors: np.ndarray, first: np.ndarray, second: np.ndarray, threshold: float
) -> None:
    for start in range(0, len(first), 65_536):
        one, other = first[start : start + 65_536], second[start : start + 65_536]
        exact = exact_scores(vectors[one], np.asarray(vectors[other], np.float32)) >= threshold
        for a, b in zip(one[exact].tolist(), other[exact].tolist(), strict=True):
            low, high = sorted((_root(parent, a), _root(parent, b)))
            parent[high] = low


def _root(parent: np.ndarray, row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row
