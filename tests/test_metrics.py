"""Metrics: hand-worked matrices, exact chance for constant features, slow exact twins on many ties."""

import itertools
import time

import numpy as np
import pytest

from lift import metrics

# Cosines of 4 photos (rows) and 8 texts (columns); texts 0 and 1 belong to photo 0, 2 and 3 to photo 1.
SCORES = np.array(
    [
        [0.9, 0.1, 0.8, 0.0, 0.3, 0.2, 0.1, 0.6],
        [0.5, 0.7, 0.6, 0.4, 0.3, 0.1, 0.1, 0.2],
        [0.2, 0.3, 0.1, 0.4, 0.3, 0.9, 0.2, 0.8],
        [0.1, 0.2, 0.7, 0.0, 0.2, 0.4, 0.1, 0.7],
    ]
)
OWN = np.repeat(np.arange(4), 2)


def features_of(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and text features whose dot products are exactly `scores`."""
    return np.eye(len(scores)), np.ascontiguousarray(scores.T)


def tied_features(seed: int, images: int = 9, each: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small whole-number features, in which most scores are tied exactly."""
    generator = np.random.default_rng(seed)
    owners = generator.permutation(np.repeat(np.arange(images), each))
    return (
        generator.integers(-1, 2, (images, 3)).astype(np.float32),
        generator.integers(-1, 2, (images * each, 3)).astype(np.float32),
        owners,
    )


def slow_chance(scores: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Chance in percent of a relevant item in the first k, by counting every choice among the tied ones."""
    best = scores[relevant].max()
    free = k - int((scores > best).sum())
    tied = np.flatnonzero(scores == best)
    if free <= 0:
        return 0.0
    choices = list(itertools.combinations(tied, min(free, len(tied))))
    return 100.0 * sum(bool(relevant[list(choice)].any()) for choice in choices) / len(choices)


def test_recall_by_hand() -> None:
    images, texts = features_of(SCORES)
    found = metrics.recall_at_k(images, texts, OWN, ks=(1, 2, 3))
    # Text by text, the rank of its photo: 1, 4, 3, 1 or 2 (0.4 tied with photo 2), then 1-3 among three tied,
    # 1, 2-4 among three tied (0.2 above), 2.
    assert found["text_to_image/recall@1"] == pytest.approx(100 * (1 + 0 + 0 + 1 / 2 + 1 / 3 + 1 + 0 + 0) / 8)
    assert found["text_to_image/recall@2"] == pytest.approx(100 * (1 + 0 + 0 + 1 + 2 / 3 + 1 + 1 / 3 + 1) / 8)
    assert found["text_to_image/recall@3"] == pytest.approx(100 * (1 + 0 + 1 + 1 + 1 + 1 + 2 / 3 + 1) / 8)
    # Photo by photo, the rank of its best text: 1, 2 (0.6 under 0.7), 1, 1 or 2 (0.7 tied with text 2).
    assert found["image_to_text/recall@1"] == pytest.approx(100 * (1 + 0 + 1 + 1 / 2) / 4)
    assert found["image_to_text/recall@2"] == pytest.approx(100.0)


def test_several_relevant_among_the_tied() -> None:
    # 1 above, 5 tied of which 2 are right: the first 3 take 2 of the 5, missing both with 3/5 * 2/4.
    found = metrics.chance_within(np.array([1]), np.array([5]), np.array([2]), 3)
    assert found[0] == pytest.approx(100 * (1 - 3 / 10))
    assert metrics.chance_within(np.array([3]), np.array([5]), np.array([2]), 3)[0] == 0
    assert metrics.chance_within(np.array([0]), np.array([3]), np.array([1]), 10)[0] == pytest.approx(100)


def test_constant_features_give_exactly_chance() -> None:
    images, texts = np.ones((50, 4), np.float32), np.ones((250, 4), np.float32)
    found = metrics.recall_at_k(images, texts, np.repeat(np.arange(50), 5))
    for k in (1, 5, 10):
        assert found[f"text_to_image/recall@{k}"] == pytest.approx(100 * k / 50, abs=1e-9)
    assert found["image_to_text/recall@1"] == pytest.approx(100 * 5 / 250, abs=1e-9)
    missed = np.prod([(245 - i) / (250 - i) for i in range(10)])
    assert found["image_to_text/recall@10"] == pytest.approx(100 * (1 - missed), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cells", [1, 30, metrics.CELLS])
def test_recall_equals_the_slow_twin(seed: int, cells: int) -> None:
    images, texts, owners = tied_features(seed)
    found = metrics.recall_outcomes(images, texts, owners, ks=(1, 2, 5), cells=cells)
    scores = images @ texts.T
    for k in (1, 2, 5):
        to_image = [slow_chance(scores[:, j], np.arange(9) == owners[j], k) for j in range(18)]
        to_text = [slow_chance(scores[i], owners == i, k) for i in range(9)]
        np.testing.assert_allclose(found[f"text_to_image/recall@{k}"], to_image, atol=1e-9)
        np.testing.assert_allclose(found[f"image_to_text/recall@{k}"], to_text, atol=1e-9)


def test_equal_captions_of_two_photos_are_tied() -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(2, 384)).astype(np.float32)
    same = generator.normal(size=(1, 384)).astype(np.float32)
    found = metrics.recall_at_k(images, np.repeat(same, 2, axis=0), np.array([0, 1]), ks=(1,))
    assert found["image_to_text/recall@1"] == pytest.approx(50)
    assert found["text_to_image/recall@1"] == pytest.approx(50)


def test_full_protocol_takes_about_a_second() -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(1000, 384)).astype(np.float32)
    texts = generator.normal(size=(5000, 384)).astype(np.float32)
    began = time.monotonic()
    metrics.recall_at_k(images, texts, np.repeat(np.arange(1000), 5))
    assert time.monotonic() - began < 5  # 0.2 s on one quiet core


def test_broken_features_are_refused() -> None:
    images, texts = np.ones((2, 2)), np.array([[1.0, np.nan], [1.0, 0.0]])
    with pytest.raises(ValueError, match="finite"):
        metrics.recall_at_k(images, texts, np.array([0, 1]))
    with pytest.raises(ValueError, match="finite"):
        metrics.pair_accuracy(np.array([np.nan]), np.array([0.0]))
    with pytest.raises(ValueError, match="relevant"):
        metrics.recall_at_k(images, np.ones((2, 2)), np.array([0, 0]))


def test_pair_accuracy_counts_a_tie_as_half() -> None:
    assert metrics.pair_accuracy(np.array([3.0, 1.0, 2.0, 5.0]), np.array([1.0, 3.0, 2.0, 5.0])) == 50.0
    assert metrics.pair_accuracy(np.array([3.0, 4.0, 2.0, 5.0]), np.array([1.0, 3.0, 2.0, 6.0])) == 62.5


def test_auroc_by_hand_and_against_all_pairs() -> None:
    scores, labels = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False])
    assert metrics.auroc(scores, labels) == pytest.approx(100 * (1 + 1 + 0.5 + 1) / 4)
    generator = np.random.default_rng(1)
    scores, labels = generator.integers(0, 6, 60).astype(float), generator.random(60) < 0.4
    true, false = scores[labels][:, None], scores[~labels]
    assert metrics.auroc(scores, labels) == pytest.approx(100 * ((true > false) + (true == false) / 2).mean())
    once = np.ones((1, 60), dtype=np.int64)
    assert metrics.weighted_auroc(scores, labels)(once)[0] == pytest.approx(metrics.auroc(scores, labels))
    assert metrics.auroc(np.ones(60), labels) == pytest.approx(50)
    with pytest.raises(ValueError, match="both labels"):
        metrics.auroc(scores, np.ones(60, dtype=bool))


def test_weights_mean_repeats() -> None:
    generator = np.random.default_rng(2)
    scores, labels = generator.integers(0, 6, 40).astype(float), generator.random(40) < 0.5
    weights = generator.integers(0, 4, (3, 40))
    areas = metrics.weighted_auroc(scores, labels)(weights)
    precisions = metrics.weighted_average_precision(scores, labels)(weights)
    for row, area, precision in zip(weights, areas, precisions, strict=True):
        again, truth = np.repeat(scores, row), np.repeat(labels, row)
        assert area == pytest.approx(metrics.auroc(again, truth))
        assert precision == pytest.approx(metrics.average_precision(again, truth))


def test_average_precision_by_hand() -> None:
    labels = np.array([True, False, True, False])
    assert metrics.average_precision(np.array([4.0, 3.0, 2.0, 1.0]), labels) == pytest.approx(
        100 * (1 + 2 / 3) / 2
    )
    assert metrics.average_precision(np.ones(4), labels) == pytest.approx(50)


def test_top_k_of_classes_by_hand() -> None:
    images, classes = features_of(np.array([[0.3, 0.2, 0.1], [0.5, 0.5, 0.1], [0.1, 0.2, 0.3]]))
    found = metrics.hit_chances(images, classes, (np.arange(3), np.array([0, 1, 0])), ks=(1, 2))
    np.testing.assert_allclose(found[1], [100, 50, 0])
    np.testing.assert_allclose(found[2], [100, 100, 0])


def test_mean_per_class() -> None:
    outcomes, labels = np.array([100.0, 100.0, 100.0, 0.0, 0.0, 100.0]), np.array([0, 0, 0, 0, 3, 3])
    values = metrics.mean_per_class(outcomes, labels)
    assert values.mean() == pytest.approx((75 + 50) / 2)
    assert values[0] == pytest.approx(62.5 + 25 * 6 / (2 * 4))


def test_bootstrap_agrees_with_the_textbook_and_repeats() -> None:
    values = np.random.default_rng(3).normal(50, 10, 400)
    low, high = metrics.bootstrap_interval(values, np.arange(400), seed=1)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.15)
    assert high == pytest.approx(values.mean() + half, abs=0.15)
    assert metrics.bootstrap_interval(values, np.arange(400), seed=1) == (low, high)
    assert metrics.bootstrap_interval(values, np.arange(400), seed=2) != (low, high)


def test_bootstrap_keeps_clusters_together() -> None:
    values = np.random.default_rng(4).normal(size=100)
    single = metrics.bootstrap_interval(values, np.arange(100), seed=0)
    five = metrics.bootstrap_interval(np.repeat(values, 5), np.repeat(np.arange(100) * 7, 5), seed=0)
    assert five == pytest.approx(single)  # five copies of a value tell no more than one


def test_bootstrap_covers_the_truth_about_95_times_in_100() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for repeat in range(300):
        values = generator.normal(0, 1, 60)[:, None] + generator.normal(0, 1, (60, 3))
        low, high = metrics.bootstrap_interval(
            values.ravel(), np.repeat(np.arange(60), 3), seed=repeat, samples=400
        )
        covered += low <= 0 <= high
    assert 275 <= covered <= 297


def test_auroc_intervals_of_both_kinds_agree() -> None:
    generator = np.random.default_rng(6)
    labels = generator.random(800) < 0.3
    scores, photos = generator.normal(size=800) + labels, np.repeat(np.arange(400), 2)
    direct = metrics.statistic_interval(metrics.weighted_auroc(scores, labels), photos)
    by_items = metrics.bootstrap_interval(metrics.auroc_placements(scores, labels), photos)
    assert by_items == pytest.approx(direct, abs=0.4)


def test_paired_bootstrap_is_narrower_than_either_run() -> None:
    generator = np.random.default_rng(7)
    hard = generator.normal(50, 20, 300)
    a, b = hard + generator.normal(2, 1, 300), hard
    mean, low, high = metrics.paired_bootstrap(a, b, np.arange(300))
    assert mean == pytest.approx((a - b).mean())
    assert 0.2 < high - low < 0.26  # 2 * 1.96 / sqrt(300) = 0.23, where either run alone has 4.5
    assert low < mean < high
    assert metrics.paired_bootstrap(b, a, np.arange(300))[0] == pytest.approx(-mean)
    with pytest.raises(ValueError, match="one shape"):
        metrics.paired_bootstrap(a, b[:-1], np.arange(300))
