"""What goes wrong in a search: queries whose photo comes late, and photos that answer too many queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lift.ranking import CELLS

DEPTH = 10  # the k of k-occurrence
SHOWN = 20


def occurrences(images: np.ndarray, texts: np.ndarray, depth: int = DEPTH) -> np.ndarray:
    """How many of the texts (m, D) have each photo (n, D) among their first `depth`: int64 (n,).

    By float32 scores: where photos tie within its rounding at the last place, any of them is counted.
    """
    depth, counts = min(depth, len(images)), np.zeros(len(images), dtype=np.int64)
    step = max(1, CELLS // len(images))
    for start in range(0, len(texts), step):
        scores = texts[start : start + step] @ images.T
        best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        counts += np.bincount(best.ravel(), minlength=len(images))
    return counts


def skewness(counts: np.ndarray) -> float:
    """Third standardised moment; 0 where all counts are equal. Above 1 counts as strong hubness (Radovanović 2010)."""
    deviation = counts - counts.mean()
    spread = np.sqrt((deviation**2).mean())
    return float((deviation**3).mean() / spread**3) if spread > 0 else 0.0


def hub_facts(images: np.ndarray, texts: np.ndarray, keys: Sequence[str]) -> dict[str, Any]:
    """Skewness of the 10-occurrence, photos never found, and the photos that answer the most texts."""
    counts = occurrences(images, texts)
    most = np.argsort(-counts, kind="stable")[:SHOWN]
    depth = min(DEPTH, len(images))
    return {
        "depth": depth,
        "expected": round(depth * len(texts) / len(images), 2),
        "skewness": round(skewness(counts), 3),
        "never_found": int((counts == 0).sum()),
        "photos": [{"key": keys[number], "answers": int(counts[number])} for number in most],
    }


def worst_queries(ranks: np.ndarray, queries: Sequence[str], truth: Sequence[str]) -> list[dict[str, Any]]:
    """The queries whose own photo comes last, worst first: text, key of the photo, its rank (1 is first)."""
    worst = np.argsort(-ranks, kind="stable")[:SHOWN]
    return [
        {"query": queries[n], "truth": truth[n], "rank": round(float(ranks[n]), 1)}
        for n in worst.tolist()
        if ranks[n] > 1
    ]
