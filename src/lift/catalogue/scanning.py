"""Exact search over segments: the best rows of all those that may be found, equal scores by row number.

A rough product proposes candidates, a margin above its rounding error keeps every possible winner, and candidates are
scored exactly. Rough is half precision read straight from the memory map (200,000 384-d rows in 13 ms on two cores,
where converting them to float32 took 33 to 110), or float32 for many queries at once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import Barrier

import numpy as np
import torch

from lift.predict import exact_scores, float_error

MANY = 8  # queries from which float32 blocks are faster
BLOCK_ROWS, PART_ROWS, AHEAD = 8192, 65_536, 8
FEW = 0.1  # of a segment's rows: up to this share only the allowed ones are read
GROUP = 64
Best = tuple[np.ndarray, np.ndarray]  # rows int64, cosines float64, best first


def best_rows(
    segments: Sequence[tuple[np.ndarray, np.ndarray | None]], queries: np.ndarray, top: int
) -> list[Best]:
    """For each query the rows (int64, over all segments) and cosines (float64) of its `top` best photos.

    segments: float16 unit vectors (N, dim), and which of them may be found, bool (N,) or None for all.
    queries: unit vectors (Q, dim). The answer is that of sorting all exact scores.
    """
    queries = np.ascontiguousarray(queries, np.float32)
    best = [(np.empty(0, np.int64), np.empty(0, np.float64)) for _ in queries]
    first = 0
    for vectors, allowed in segments:
        chosen = None
        if allowed is not None and np.count_nonzero(allowed) <= FEW * len(allowed):
            chosen = np.flatnonzero(allowed)
            rows, part, allowed = chosen + first, vectors[chosen], None
        else:
            rows, part = np.arange(first, first + len(vectors)), vectors
        for start, rough, error in _products(part, queries):
            stop = start + rough.shape[1]
            for number, query in enumerate(queries):
                scores = rough[number]
                if allowed is not None:
                    scores = np.where(allowed[start:stop], scores, -np.inf)
                near = _candidates(scores, best[number][1], top, error)
                best[number] = join(best[number], rows[start:stop][near], part[start:stop][near], query, top)
        first += len(vectors)
    return best


def join(best: Best, rows: np.ndarray, vectors: np.ndarray, query: np.ndarray, top: int) -> Best:
    """Let some rows with their vectors (n, dim) compete with the best so far, by exact scores."""
    if not len(rows):
        return best
    vectors = np.asarray(vectors, np.float32)
    if len(rows) > 16 * top:  # a float32 product leaves few of them
        near = _candidates(vectors @ query, best[1], top, float_error(vectors.shape[1]))
        rows, vectors = rows[near], vectors[near]
    rows = np.concatenate([best[0], rows])
    scores = np.concatenate([best[1], exact_scores(vectors, query)])
    order = np.lexsort((rows, -scores))[:top]
    return rows[order], scores[order]


def _candidates(rough: np.ndarray, found: np.ndarray, top: int, error: float) -> np.ndarray:
    """Which rows can be among the `top` best, given rough scores (n,) that are off by at most `error`."""
    bar = found[-1] - error if len(found) >= top else -np.inf
    groups = len(rough) // GROUP
    if groups >= top:  # the top-th best of the groups' best is not above the top-th best of all
        heads = rough[: groups * GROUP].reshape(groups, GROUP).max(axis=1)
        bar = max(bar, np.partition(heads, groups - top)[groups - top] - 2 * error)
    near = np.flatnonzero(rough >= bar)
    near = near[rough[near] > -np.inf]
    if len(near) > top:
        part = rough[near]
        near = near[part >= np.partition(part, len(part) - top)[len(part) - top] - 2 * error]
    return near


def _products(vectors: np.ndarray, queries: np.ndarray) -> Iterator[tuple[int, np.ndarray, float]]:
    """Rough scores float32 (Q, n) of part after part: its first row, the scores, and how far off they may be."""
    dim = vectors.shape[1]
    half = len(queries) < MANY and _half_is_sound(dim)
    # u = 2^-11 for the rounding of the query, u for that of the result, and float32 sums between.
    error = 2 * 2.0**-11 + float_error(dim) if half else float_error(dim)
    step = min(PART_ROWS, max(BLOCK_ROWS, 2**24 // len(queries)))
    product, workers = _half_product if half else _float_product, _workers()
    waiting: deque[tuple[int, Future[np.ndarray]]] = deque()
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        if len(vectors) <= step:
            yield start, workers.submit(product, part, queries).result(), error
            return
        waiting.append((start, workers.submit(product, part, queries)))
        if len(waiting) > AHEAD:
            first, found = waiting.popleft()
            yield first, found.result(), error
    for first, found in waiting:
        yield first, found.result(), error


def _half_product(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores (Q, n) by half-precision products, summed in float32."""
    block = _tensor(vectors)
    asked = torch.from_numpy(queries).half()
    return np.stack([torch.mv(block, one).numpy() for one in asked]).astype(np.float32)


def _float_product(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores (Q, n) in float32."""
    asked, room = torch.from_numpy(queries), torch.empty((min(len(vectors), BLOCK_ROWS), vectors.shape[1]))
    scores = np.empty((len(queries), len(vectors)), np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        part = _tensor(vectors[start : start + BLOCK_ROWS])
        scores[:, start : start + len(part)] = (asked @ room[: len(part)].copy_(part).T).numpy()
    return scores


@cache
def _workers() -> ThreadPoolExecutor:
    """As many threads as torch would use, each with one of its own: many searches at once share them.

    Left to itself torch starts a team of threads for every searching thread; on two busy cores the team's waiting for
    one another made a search of 10,000 photos take 65 ms in place of 1.6.
    """
    count = torch.get_num_threads()
    started = Barrier(count + 1)

    def begin() -> None:
        torch.set_num_threads(1)  # of this thread
        started.wait()

    pool = ThreadPoolExecutor(count, "lift-search", initializer=begin)
    for _ in range(count):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(count)  # what threads that start later will have
    return pool


os.register_at_fork(after_in_child=_workers.cache_clear)


def _tensor(vectors: np.ndarray) -> torch.Tensor:
    """The same memory as a tensor; torch wants it writeable, though nobody writes."""
    return torch.from_numpy(vectors if vectors.flags.writeable else np.array(vectors))


@cache
def _half_is_sound(dim: int) -> bool:
    """Does this machine sum half-precision products in float32, as the margin supposes? Tried once on 4,096 rows."""
    random = np.random.default_rng(0)
    drawn = random.standard_normal((4097, dim)).astype(np.float32)
    drawn = np.abs(drawn) / np.linalg.norm(drawn, axis=1, keepdims=True)  # sums of one sign, the worst case
    rows, query = drawn[:4096].astype(np.float16), drawn[4096]
    rough = torch.mv(torch.from_numpy(rows), torch.from_numpy(query).half()).float().numpy()
    return bool(np.abs(rough - exact_scores(rows, query)).max() < 2 * 2.0**-11)
