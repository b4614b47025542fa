"""Vectors to search in: drawn in clusters, as photos of a shop or a family album are, or real ones of a STORE."""

from __future__ import annotations

from pathlib import Path

import numpy as np

BLOCK = 50_000


def clustered(path: Path, rows: int, dim: int, queries: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors float16 (rows, dim), kept in an npy file, and unit queries float32 (queries, dim).

    One cluster for every 100 rows, of very different sizes (Zipf); a cluster spreads in 32 directions of its own super
    cluster and a little in all. Queries are drawn alike, further from their cluster, and are not among the rows.
    """
    random = np.random.default_rng(seed)
    count = max(rows // 100, 10)
    parents = random.standard_normal((64, dim)).astype(np.float32)
    spread = random.standard_normal((64, 32, dim)).astype(np.float32) / np.sqrt(32)
    of = random.integers(0, 64, count)
    centres = parents[of] + 0.8 * random.standard_normal((count, dim)).astype(np.float32)
    weights = 1 / np.arange(1, count + 1) ** 0.5
    weights /= weights.sum()

    def draw(number: int, wide: float) -> np.ndarray:
        chosen = random.choice(count, number, p=weights)
        drawn = centres[chosen] + wide * 0.2 * random.standard_normal((number, dim)).astype(np.float32)
        away = wide * random.standard_normal((number, 32)).astype(np.float32)
        for parent in range(64):
            here = np.flatnonzero(of[chosen] == parent)
            drawn[here] += away[here] @ spread[parent]
        return unit(drawn)

    vectors = np.lib.format.open_memmap(path, "w+", np.float16, (rows, dim))
    for start in range(0, rows, BLOCK):
        vectors[start : start + BLOCK] = draw(min(BLOCK, rows - start), 0.6)
    vectors.flush()
    return vectors, draw(queries, 0.8)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def truth(vectors: np.ndarray, queries: np.ndarray, top: int) -> np.ndarray:
    """Row numbers of the `top` nearest, int64 (Q, top), by a float32 product over all rows."""
    best, rows = np.full((len(queries), 0), 0, np.float32), np.empty((len(queries), 0), np.int64)
    for start in range(0, len(vectors), BLOCK):
        scores = queries @ np.asarray(vectors[start : start + BLOCK], np.float32).T
        best = np.concatenate([best, scores], axis=1)
        here = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
        rows = np.concatenate([rows, here], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :top]
        best, rows = np.take_along_axis(best, order, 1), np.take_along_axis(rows, order, 1)
    return rows


def recall(found: np.ndarray, right: np.ndarray) -> float:
    """Share of the `right` rows (Q, k) that are among those found (Q, k)."""
    return float(
        np.mean([len({*a} & {*b}) / len(b) for a, b in zip(found.tolist(), right.tolist(), strict=True)])
    )
