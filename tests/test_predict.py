"""Predictions: worked by hand on small matrices, and search against a slow exact twin."""

from __future__ import annotations

import numpy as np
import pytest

from lift import predict


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to unit length, float32."""
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slow_top_k(vectors: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The slow twin: every row scored in float64, one stable sort of all of them."""
    rows, scores = [], []
    for query in queries:
        all_scores = np.array([(row.astype(np.float64) * query.astype(np.float64)).sum() for row in vectors])
        order = np.argsort(-all_scores, kind="stable")[:k]
        rows.append(order)
        scores.append(all_scores[order].astype(np.float32))
    return np.stack(rows), np.stack(scores)


@pytest.mark.parametrize("chunk_rows", [1, 7, 64, 1000, 5000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_top_k_is_that_of_a_full_exact_sort(chunk_rows: int, dtype: type) -> None:
    random = np.random.default_rng(0)
    vectors = unit(random.standard_normal((1000, 48))).astype(dtype)
    queries = unit(random.standard_normal((3, 48)))
    rows, scores = predict.top_k(vectors, queries, 10, chunk_rows)
    expected_rows, expected_scores = slow_top_k(vectors, queries, 10)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)
    assert rows.dtype == np.int64 and scores.dtype == np.float32


@pytest.mark.parametrize("chunk_rows", [1, 5, 33, 200, 999])
def test_equal_scores_are_ordered_by_row(chunk_rows: int) -> None:
    random = np.random.default_rng(1)
    few = unit(random.standard_normal((6, 31)))
    vectors = few[random.integers(0, 6, 600)].astype(np.float16)  # each of six vectors about a hundred times
    queries = few[:2]
    rows, scores = predict.top_k(vectors, queries, 150, chunk_rows)
    expected_rows, expected_scores = slow_top_k(vectors, queries, 150)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)
    ties = scores[0] == scores[0][0]
    assert ties.sum() > 50 and np.all(np.diff(rows[0][ties]) > 0)


def test_near_ties_below_float32_rounding_are_ordered_exactly() -> None:
    random = np.random.default_rng(2)
    query = unit(random.standard_normal((1, 384)))
    vectors = np.repeat(query, 300, axis=0)
    vectors += (
        random.standard_normal(vectors.shape).astype(np.float32) * 1e-7
    )  # scores differ in the eighth digit
    rows, _ = predict.top_k(vectors, query, 20, 64)
    np.testing.assert_array_equal(rows, slow_top_k(vectors, query, 20)[0])


def test_top_k_by_hand() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    rows, scores = predict.top_k(vectors, np.array([[1, 0], [0, 1]], dtype=np.float32), 3, chunk_rows=2)
    np.testing.assert_array_equal(rows, [[0, 3, 2], [1, 2, 3]])
    np.testing.assert_allclose(scores, [[1, 0.8, 0.6], [1, 0.8, 0.6]], rtol=1e-6)


def test_top_k_is_cut_to_the_number_of_rows() -> None:
    rows, scores = predict.top_k(np.eye(3, dtype=np.float16), np.eye(3, dtype=np.float32)[:1], 10)
    np.testing.assert_array_equal(rows, [[0, 1, 2]])
    np.testing.assert_array_equal(scores, [[1, 0, 0]])


def test_a_memory_mapped_file_gives_the_same_answer(tmp_path) -> None:
    vectors = unit(np.random.default_rng(3).standard_normal((300, 16))).astype(np.float16)
    np.save(tmp_path / "v.npy", vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    for one, other in zip(
        predict.top_k(mapped, unit(vectors[:2]), 5, 100),
        predict.top_k(vectors, unit(vectors[:2]), 5),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "queries",
    [np.ones((1, 3), np.float32), np.full((1, 2), np.nan, np.float32), np.array([[3, 4]], np.float32)],
    ids=["other width", "not finite", "not unit"],
)
def test_top_k_refuses_unfit_queries(queries: np.ndarray) -> None:
    with pytest.raises((ValueError, TypeError)):  # TypeError: shapes are checked at the call under pytest
        predict.top_k(np.eye(2, dtype=np.float32), queries, 1)


def test_class_features_are_the_normalised_mean_over_templates() -> None:
    table = {
        "a cat": [1, 0, 0],
        "cat here": [0, 1, 0],
        "a dog": [0, 0, 1],
        "dog here": [0, 0, 1],
    }
    asked: list[list[str]] = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.append(texts)
        return np.array([table[text] for text in texts], dtype=np.float32)

    features = predict.class_features(encode, ["cat", "dog"], ["a {}", "{} here"])
    np.testing.assert_allclose(features, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]], rtol=1e-6)
    assert asked == [["a cat", "cat here", "a dog", "dog here"]]


def test_class_names_may_hold_braces() -> None:
    seen: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return np.ones((len(texts), 1), dtype=np.float32)

    predict.class_features(encode, ["{0}"], ["a {}"])
    assert seen == ["a {0}"]


def test_class_features_refuse_a_template_without_a_place() -> None:
    with pytest.raises(ValueError, match=r"no \{\}"):
        predict.class_features(lambda texts: np.eye(len(texts)), ["cat"], ["a photo"])


def test_default_templates_all_take_a_name() -> None:
    assert len(predict.DEFAULT_TEMPLATES) == len(set(predict.DEFAULT_TEMPLATES)) >= 3
    assert all(template.count("{}") == 1 for template in predict.DEFAULT_TEMPLATES)


def test_class_and_pair_scores_by_hand() -> None:
    images = np.array([[1, 0], [0.6, 0.8]], dtype=np.float16)
    texts = np.array([[0, 1], [1, 0]], dtype=np.float32)
    np.testing.assert_allclose(predict.class_scores(images, texts), [[0, 1], [0.8, 0.6]], atol=1e-3)
    np.testing.assert_allclose(predict.pair_scores(images, texts), [0, 0.6], atol=1e-3)
    with pytest.raises((ValueError, TypeError)):
        predict.pair_scores(images, texts[:1])


def test_count_beaten_counts_only_strictly_lower_scores() -> None:
    background = np.array([0.1, 0.2, 0.3, 0.3, 0.9])
    assert predict.count_beaten(0.3, background) == 2
    assert predict.count_beaten(1.0, background) == 5
    assert predict.count_beaten(0.0, background) == 0
