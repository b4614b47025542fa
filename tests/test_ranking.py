"""Ranking: counts equal to sorting all exact scores, ties and copies included, whatever the tiles."""

import numpy as np
import pytest

from lift import metrics, ranking


def copied_features(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """1,000 photos with five texts each at random, 40 photos and 300 texts being copies of others."""
    drawn = np.random.default_rng(seed)
    images = drawn.normal(size=(1000, 24)).astype(np.float32)
    images[drawn.choice(1000, 40, replace=False)] = images[drawn.choice(1000, 40)]
    owner = np.repeat(np.arange(1000), 5)
    texts = (images[owner] + 3 * drawn.normal(size=(5000, 24))).astype(np.float32)
    texts[drawn.choice(5000, 300, replace=False)] = texts[drawn.choice(5000, 300)]
    return images, texts, owner


def straightforward(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """(3, q) from all scores (q, c) and which candidates are right (q, c)."""
    best = np.where(relevant, scores, -np.inf).max(axis=1, keepdims=True)
    tied = scores == best
    return np.stack([(scores > best).sum(axis=1), tied.sum(axis=1), (tied & relevant).sum(axis=1)])


@pytest.fixture(scope="module")
def worked() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    images, texts, owner = copied_features()
    scores = np.einsum("md,nd->mn", texts.astype(np.float64), images.astype(np.float64))
    relevant = owner[:, None] == np.arange(1000)
    return images, texts, owner, straightforward(scores, relevant), straightforward(scores.T, relevant.T)


@pytest.mark.parametrize("cells", [ranking.CELLS, 40_000])
def test_1000_by_5000_to_the_last_digit(worked: tuple[np.ndarray, ...], cells: int) -> None:
    images, texts, owner, to_image, to_text = worked
    assert (to_image[1] > 1).sum() > 300 and (to_text[1] > 1).sum() > 5, "the copies make no ties"
    both = ranking.rank_counts_both_ways(images, texts, owner, cells)
    np.testing.assert_array_equal(both[0], to_image)
    np.testing.assert_array_equal(both[1], to_text)
    numbers = np.arange(5000)
    np.testing.assert_array_equal(ranking.rank_counts(texts, images, (numbers, owner), cells), to_image)
    np.testing.assert_array_equal(ranking.rank_counts(images, texts, (owner, numbers), cells), to_text)
    found = metrics.recall_outcomes(images, texts, owner)
    for k in (1, 5, 10):
        expected = metrics.chance_within(*to_image, k)
        np.testing.assert_array_equal(found[f"text_to_image/recall@{k}"], expected)


def test_crowded_scores_are_told_apart() -> None:
    drawn = np.random.default_rng(1)
    middle = drawn.normal(size=32)  # cosines of 1 within 1e-6: a float32 product cannot order them
    images = (middle + 1e-4 * drawn.normal(size=(80, 32))).astype(np.float32)
    texts = (middle + 1e-4 * drawn.normal(size=(200, 32))).astype(np.float32)
    owner = np.r_[np.arange(80), drawn.integers(0, 80, 120)]
    scores = np.einsum("md,nd->mn", texts.astype(np.float64), images.astype(np.float64))
    relevant = owner[:, None] == np.arange(80)
    both = ranking.rank_counts_both_ways(images, texts, owner)
    np.testing.assert_array_equal(both[0], straightforward(scores, relevant))
    np.testing.assert_array_equal(both[1], straightforward(scores.T, relevant.T))


def test_mostly_copies_take_the_way_that_counts_them() -> None:
    images, texts = np.ones((30, 4), np.float32), np.ones((90, 4), np.float32)
    to_image, to_text = ranking.rank_counts_both_ways(images, texts, np.repeat(np.arange(30), 3))
    assert set(map(tuple, to_image.T)) == {(0, 30, 1)} and set(map(tuple, to_text.T)) == {(0, 90, 3)}


def test_a_query_among_the_candidates_is_not_found() -> None:
    vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    pairs = (np.arange(3), np.array([2, 0, 0]))
    counts = ranking.rank_counts(vectors, vectors, pairs, itself=np.arange(3))
    assert counts.tolist() == [[1, 1, 1], [1, 1, 1], [1, 1, 1]]


def test_expected_ranks_by_hand() -> None:
    # Alone in place 3; two tied for places 1 and 2; of four tied two are right: 1 with 1/2, 2 with 1/3, 3 with 1/6.
    counts = np.array([[2, 0, 0], [1, 2, 4], [1, 1, 2]])
    np.testing.assert_allclose(ranking.expected_ranks(counts), [3, 1.5, 1 / 2 + 2 / 3 + 3 / 6])


def test_broken_features_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        ranking.rank_counts_both_ways(np.array([[np.inf, 1.0]]), np.ones((1, 2)), np.array([0]))
    with pytest.raises(ValueError, match="relevant"):
        ranking.rank_counts_both_ways(np.eye(2), np.eye(2), np.array([0, 0]))
