"""Exact search over segments: the best rows of all those that may be found, equal scores by row number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift.predict import exact_scores

BLOCK_ROWS = 16_384
FEW = 0.1  # of a block's rows: under this share only the allowed ones are read


def best_rows(
    segments: Sequence[tuple[np.ndarray, np.ndarray | None]], queries: np.ndarray, top: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each query the rows (int64, over all segments) and cosines (float64) of its `top` best photos.

    segments: float16 unit vectors (N, dim), and which of them may be found, bool (N,) or None for all.
    queries: unit vectors (Q, dim). The answer is that of sorting all exact scores: a float32 product proposes
    candidates, a margin above its rounding error keeps every possible winner, candidates are scored exactly.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    best = [(np.empty(0, np.int64), np.empty(0, np.float64)) for _ in queries]
    first = 0
    for vectors, allowed in segments:
        for start in range(0, len(vectors), BLOCK_ROWS):
            block = vectors[start : start + BLOCK_ROWS]
            rows = np.arange(first + start, first + start + len(block))
            if allowed is not None:
                chosen = np.flatnonzero(allowed[start : start + BLOCK_ROWS])
                block, rows = block[chosen], rows[chosen]
            if len(block):
                _join(best, np.asarray(block, np.float32), rows, queries, top)
        first += len(vectors)
    return best


def _join(
    best: list[tuple[np.ndarray, np.ndarray]],
    block: np.ndarray,
    rows: np.ndarray,
    queries: np.ndarray,
    top: int,
) -> None:
    """Let the rows of one block compete with the best so far."""
    margin = block.shape[1] * 2.0**-23  # twice the worst rounding error of a float32 dot product
    rough = queries @ block.T
    for number, query in enumerate(queries):
        found, scores = best[number]
        bar = scores[-1] - margin if len(scores) >= top else -np.inf
        near = np.flatnonzero(rough[number] >= bar)
        if len(near) > 4 * top:
            part = rough[number][near]
            bar = np.partition(part, len(part) - top)[len(part) - top] - 2 * margin
            near = near[part >= bar]
        if not len(near):
            continue
        found = np.concatenate([found, rows[near]])
        scores = np.concatenate([scores, exact_scores(block[near], query)])
        order = np.lexsort((found, -scores))[:top]
        best[number] = found[order], scores[order]
