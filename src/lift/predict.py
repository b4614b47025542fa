"""Predictions from unit vectors: class scores, pair scores and exact top-k search (numpy only)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

#: Sentences a class name is put into, in place of `{}`. The mean over several is steadier than any one.
DEFAULT_TEMPLATES = (
    "{}",
    "a picture showing {}",
    "there is {} in this picture",
    "a close view of {}",
    "{} seen from some distance",
    "an everyday photograph with {} in it",
)
CHUNK_ROWS = 16_384


def spoken(name: str) -> str:
    """A class name as a person would write it: sour_cherry -> sour cherry; T-Shirt stays."""
    return " ".join(name.replace("_", " ").split())


def class_features(
    encode_text: Callable[[list[str]], np.ndarray],
    classes: Sequence[str],
    templates: Sequence[str] = DEFAULT_TEMPLATES,
) -> Float[np.ndarray, "C D"]:
    """One unit vector per class, float32 (C, D): the mean over templates of the sentences' unit vectors."""
    if not classes or not templates:
        raise ValueError("at least one class and one template are needed")
    for template in templates:
        if "{}" not in template:
            raise ValueError(f"template {template!r} has no {{}} for the class name")
    sentences = [template.replace("{}", name) for name in classes for template in templates]
    vectors = np.asarray(encode_text(sentences), dtype=np.float32)
    means = vectors.reshape(len(classes), len(templates), -1).mean(axis=1)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    if not np.all(lengths > 0):
        raise ValueError("the sentences of a class cancel each other out")
    return means / lengths


def class_scores(
    image_features: Float[np.ndarray, "B D"], features_of_classes: Float[np.ndarray, "C D"]
) -> Float[np.ndarray, "B C"]:
    """Cosine of every photo with every class, float32 (B, C), for unit rows (B, D) and (C, D)."""
    return image_features.astype(np.float32) @ features_of_classes.astype(np.float32).T


def pair_scores(
    image_features: Float[np.ndarray, "B D"], text_features: Float[np.ndarray, "B D"]
) -> Float[np.ndarray, " B"]:
    """Cosine of photo i with text i, float32 (B,), for unit rows (B, D) and (B, D)."""
    if image_features.shape != text_features.shape:
        raise ValueError(f"shapes differ: {image_features.shape} and {text_features.shape}")
    return exact_scores(image_features, text_features).astype(np.float32)


def count_beaten(score: float, background: Float[np.ndarray, " N"]) -> int:
    """How many of the `background` scores (N,) lie strictly below `score`."""
    return int(np.count_nonzero(np.asarray(background) < score))


def exact_scores(rows: Float[np.ndarray, "N D"], query: Float[np.ndarray, " ..."]) -> Float[np.ndarray, " N"]:
    """Dot product of each row (N, D) with `query` (D,) or (N, D), float64 (N,).

    Products of two float32 numbers are exact in float64, and each row is summed in the same order whatever N
    is, so that equal rows get equal scores. A matrix product does not promise that.
    """
    return (rows.astype(np.float64, order="C") * query.astype(np.float64)).sum(axis=1)


def float_error(dim: int) -> float:
    """Twice the worst rounding error of a float32 dot product of unit vectors (dim,)."""
    return dim * 2.0**-23


def top_k(
    vectors: Float[np.ndarray, "N D"],
    queries: Float[np.ndarray, "Q D"],
    k: int,
    chunk_rows: int = CHUNK_ROWS,
) -> tuple[Int[np.ndarray, "Q k"], Float[np.ndarray, "Q k"]]:
    """The k best rows of `vectors` for each query: row numbers int64 (Q, k) and cosines float32 (Q, k).

    `vectors` (N, D) are float16 or float32 unit rows, memory-mapped or not; `queries` (Q, D) unit rows; k is
    cut to N. Equal scores are ordered by row number. The answer is that of sorting all exact scores, whatever
    `chunk_rows` is: a float32 matrix product proposes candidates, a margin above its rounding error keeps
    every possible winner, and only candidates are scored exactly.
    """
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    if queries.ndim != 2 or vectors.ndim != 2 or queries.shape[1] != vectors.shape[1]:
        raise ValueError(f"vectors {vectors.shape} and queries {queries.shape} do not fit together")
    if k < 1 or chunk_rows < 1:
        raise ValueError(f"k and chunk_rows must be at least 1, got {k} and {chunk_rows}")
    if not np.allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-2):
        raise ValueError("queries must be finite and of unit length")
    k = min(k, len(vectors))
    margin = float_error(vectors.shape[1])
    best = [(np.empty(0, np.int64), np.empty(0, np.float64)) for _ in queries]
    for start in range(0, len(vectors), chunk_rows):
        chunk = np.asarray(vectors[start : start + chunk_rows], dtype=np.float32)
        rough = queries @ chunk.T
        for number, query in enumerate(queries):
            rows, scores = best[number]
            bar = _candidate_bar(rough[number], scores, k, margin)
            near = np.flatnonzero(rough[number] >= bar)
            rows = np.concatenate([rows, near + start])
            scores = np.concatenate([scores, exact_scores(chunk[near], query)])
            order = np.lexsort((rows, -scores))[:k]
            best[number] = rows[order], scores[order]
    return np.stack([rows for rows, _ in best]), np.stack([scores for _, scores in best]).astype(np.float32)


def _candidate_bar(rough: np.ndarray, found: np.ndarray, k: int, margin: float) -> float:
    """The rough score below which no row of a chunk can enter the best k."""
    bar = -np.inf
    if len(rough) >= k:
        bar = np.partition(rough, len(rough) - k)[len(rough) - k] - 2 * margin
    if len(found) >= k:
        bar = max(bar, found[-1] - margin)
    return float(bar)
