"""How many candidates outscore the right one: exact counts, without ever holding all scores.

A score is the dot product of two float32 (or float64) vectors in float64, each summed in the same order whatever is
computed beside it, so that equal vectors tie exactly. A matrix product does not promise that: here it only tells what
is clearly above or below, and what lies within its rounding error is computed one by one. So the counts are those of
comparing all exact scores, for any tile size and number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

CELLS = 2**22  # scores held at once: 16 MB of float32, whatever the number of queries and candidates
CROWDED = (
    0.01  # share of a float32 tile within rounding error, above which float64 is quicker than one by one
)
UNLIKE = 0.9  # share of distinct vectors, below which copies are scored once and counted


class Side(NamedTuple):
    """Per query (n,): the score of its best relevant candidate, and how many relevant ones have that score."""

    best: np.ndarray
    relevant: np.ndarray


def rank_counts(
    queries: Float[np.ndarray, "q d"],
    candidates: Float[np.ndarray, "c d"],
    relevant: tuple[np.ndarray, np.ndarray],
    cells: int = CELLS,
    itself: Int[np.ndarray, " q"] | None = None,
) -> Int[np.ndarray, "3 q"]:
    """For each query (3, q): candidates above its best relevant one, at the same score, and relevant at that score.

    `relevant` lists (query numbers, candidate numbers) that belong together; each query needs at least one.
    Where the queries are candidates too, `itself` gives the candidate that each query is: it is never found.
    Never more than `cells` scores are in memory.
    """
    refuse_broken(queries, candidates)
    distinct, place, copies = distinct_rows(candidates)
    side = _side(queries, distinct, np.asarray(relevant[0]), place[np.asarray(relevant[1])])
    better, tied = _count(queries, distinct, side.best, None, copies, cells)[0]
    if itself is not None:
        same = dots(queries, np.arange(len(queries)), distinct, place[itself])
        better, tied = better - (same > side.best), tied - (same == side.best)
    return np.stack([better, tied, side.relevant])


def rank_counts_both_ways(
    images: Float[np.ndarray, "n d"],
    texts: Float[np.ndarray, "m d"],
    image_of_text: Int[np.ndarray, " m"],
    cells: int = CELLS,
) -> tuple[Int[np.ndarray, "3 m"], Int[np.ndarray, "3 n"]]:
    """rank_counts of the texts among the images (3, m), and of the images among the texts (3, n).

    One matrix product serves both ways, unless many vectors are copies of one another: those are scored once.
    """
    numbers = np.arange(len(texts))
    if min(len(distinct_rows(side)[0]) / len(side) for side in (images, texts)) < UNLIKE:
        to_image = rank_counts(texts, images, (numbers, image_of_text), cells)
        return to_image, rank_counts(images, texts, (image_of_text, numbers), cells)
    refuse_broken(images, texts)
    of_images, of_texts = (
        _side(images, texts, image_of_text, numbers),
        _side(texts, images, numbers, image_of_text),
    )
    by_image, by_text = _count(images, texts, of_images.best, of_texts.best, np.ones(len(texts)), cells)
    return np.stack([*by_text, of_texts.relevant]), np.stack([*by_image, of_images.relevant])


def expected_ranks(counts: Int[np.ndarray, "3 q"]) -> Float[np.ndarray, " q"]:
    """Rank (q,) of the best relevant candidate, 1 for the first: the mean over random orders of those that tie."""
    better, tied, relevant = counts
    return better + (tied + 1) / (relevant + 1)


def dots(a: np.ndarray, rows: np.ndarray, b: np.ndarray, columns: np.ndarray) -> Float[np.ndarray, " n"]:
    """Scores (n,) of a[rows] with b[columns]: dot products in float64, each summed in the same order."""
    found = np.empty(len(rows))
    step = max(1, CELLS // (4 * a.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        found[part] = (a[rows[part]].astype(np.float64) * b[columns[part]].astype(np.float64)).sum(axis=1)
    return found


def distinct_rows(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct rows (u, d), the distinct row of each row (n,), and how many copies each has (u,)."""
    features = np.ascontiguousarray(features)
    as_bytes = features.view(np.dtype((np.void, features.itemsize * features.shape[1]))).ravel()
    _, first, place, copies = np.unique(as_bytes, return_index=True, return_inverse=True, return_counts=True)
    return features[first], place.ravel(), copies.astype(np.float64)


def refuse_broken(*arrays: np.ndarray) -> None:
    """Raise ValueError on nan or infinity: every comparison with nan is false, which looks like a rank."""
    for array in arrays:
        if not np.isfinite(array).all():
            raise ValueError("scores and features must be finite")


def _side(queries: np.ndarray, candidates: np.ndarray, query: np.ndarray, candidate: np.ndarray) -> Side:
    if not np.array_equal(np.unique(query), np.arange(len(queries))):
        raise ValueError("every query needs at least one relevant candidate")
    own = dots(queries, query, candidates, candidate)
    best = np.full(len(queries), -np.inf)
    np.maximum.at(best, query, own)
    return Side(best, np.bincount(query, weights=own == best[query], minlength=len(queries)).astype(np.int64))


def _count(
    a: np.ndarray,
    b: np.ndarray,
    best_a: np.ndarray,
    best_b: np.ndarray | None,
    copies: np.ndarray,
    cells: int,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(better, tied) of each row of `a` among `b`, counted `copies` times, and of each row of `b` among `a`."""
    high = max(1, min(len(a), int(cells**0.5)))
    wide = max(1, cells // high)
    of_a, of_b = np.zeros((2, len(a)), np.int64), np.zeros((2, len(b)), np.int64)
    for top in range(0, len(a), high):
        rows = slice(top, min(top + high, len(a)))
        for left in range(0, len(b), wide):
            columns = slice(left, min(left + wide, len(b)))
            tile = _Tile(a[rows], b[columns])
            of_a[:, rows] += tile.counts(best_a[rows], copies[columns], axis=1)
            if best_b is not None:
                of_b[:, columns] += tile.counts(best_b[columns], np.ones(rows.stop - top), axis=0)
    return (of_a[0], of_a[1]), (of_b[0], of_b[1])


class _Tile:
    """The scores of some rows with some others, rough, and exact where that decides."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        self.a, self.b = a, b
        self._multiply(np.float64 if a.dtype == np.float64 else np.float32)

    def _multiply(self, dtype: type) -> None:
        a: np.ndarray = self.a.astype(dtype, copy=False)
        b: np.ndarray = self.b.astype(dtype, copy=False)
        self.rough = a @ b.T
        longest = np.linalg.norm(a.astype(np.float64), axis=1).max()
        longest *= np.linalg.norm(b.astype(np.float64), axis=1).max()
        # Twice the worst rounding error of a dot product: room for rounding the bound as well.
        self.margin = (a.shape[1] + 2) * float(np.finfo(dtype).eps) * longest

    def counts(self, best: np.ndarray, copies: np.ndarray, axis: int) -> np.ndarray:
        """Candidates along `axis`, each so many `copies`, (2, queries): above `best`, and exactly at it."""
        near = self._near(best, axis)
        if len(near) > CROWDED * self.rough.size and self.rough.dtype == np.float32:
            self._multiply(np.float64)
            near = self._near(best, axis)
        row, column = np.divmod(near, self.rough.shape[1])
        query, candidate = (row, column) if axis == 1 else (column, row)
        exact = dots(self.a, row, self.b, column)
        weights, n = copies[candidate], len(best)
        above = np.count_nonzero(self._above, axis=axis).astype(np.float64)
        repeated = np.flatnonzero(copies > 1)
        if len(repeated):
            above += np.take(self._above, repeated, axis=axis) @ (copies[repeated] - 1)
        above += np.bincount(query, weights * (exact > best[query]), minlength=n)
        tied = np.bincount(query, weights * (exact == best[query]), minlength=n)
        return np.stack([above, tied]).astype(np.int64)

    def _near(self, best: np.ndarray, axis: int) -> np.ndarray:
        """Flat numbers of the scores too near to `best` to be told apart; sets what is clearly above."""
        rough, dtype = self.rough, self.rough.dtype
        low, high = ((best + side * self.margin).astype(dtype) for side in (-1, 1))
        if axis == 1:
            low, high = low[:, None], high[:, None]
        self._above = rough > high
        return np.flatnonzero((rough >= low) & ~self._above)
