"""Measures of the exam: by hand on small matrices, against slow exact twins, and against simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lift import metrics
from lift.auditing import measures


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_unit(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, dim)))


def test_related_texts_by_hand() -> None:
    # Item 0 has the texts 0, 1; item 1 the texts 1, 2 and 2 again; item 2 the text 3 alone.
    texts, items = np.array([0, 1, 1, 2, 2, 3]), np.array([0, 0, 1, 1, 1, 2])
    first, second = measures.related(texts, items)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert len(measures.related(np.array([0, 1]), np.array([0, 1]))[0]) == 0


def test_same_item_retrieval_by_hand() -> None:
    # On a circle: texts 0 and 1 belong together and are neighbours; 2 and 3 do, but 4 lies between them.
    angles = np.deg2rad([0, 10, 90, 130, 100])
    features = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    relevant = measures.related(np.arange(5), np.array([0, 0, 1, 1, 2]))
    queries, found, chance = measures.same_item_outcomes(features, relevant, ks=(1, 2))
    assert queries.tolist() == [0, 1, 2, 3]
    assert found[1].tolist() == [100, 100, 0, 0] and found[2].tolist() == [100, 100, 100, 100]
    assert chance[1].tolist() == [25.0] * 4 and chance[2].tolist() == [50.0] * 4


def slow_same_item(features: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """Each text's chance of a companion among the first k of the others, counting every order of the tied ones."""
    scores = features @ features.T
    chances = []
    for query in range(len(features)):
        others = np.array([i for i in range(len(features)) if i != query])
        own = items[others] == items[query]
        if own.any():
            best = scores[query, others[own]].max()
            free = k - int((scores[query, others] > best).sum())
            tied = np.flatnonzero(scores[query, others] == best)
            choices = list(itertools.combinations(tied, max(0, min(free, len(tied)))))
            chances.append(100.0 * np.mean([bool(own[list(choice)].any()) for choice in choices]))
    return np.array(chances)


@pytest.mark.parametrize("seed", range(4))
def test_same_item_retrieval_against_a_slow_twin_with_many_ties(seed: int) -> None:
    random = np.random.default_rng(seed)
    features = random.integers(-1, 2, (11, 2)).astype(np.float32)
    items = random.integers(0, 5, 11)
    relevant = measures.related(np.arange(11), items)
    for k in (1, 3):
        found = measures.same_item_outcomes(features, relevant, ks=(k,))[1][k]
        assert found == pytest.approx(slow_same_item(features, items, k))


def test_constant_vectors_find_what_chance_finds() -> None:
    relevant = measures.related(np.arange(40), np.arange(40) // 4)
    _, found, chance = measures.same_item_outcomes(np.ones((40, 3), np.float32), relevant)
    assert found[10] == pytest.approx(chance[10]) and found[1] == pytest.approx(np.full(40, 100 * 3 / 39))


def test_mean_pair_cosine_against_all_pairs() -> None:
    features = unit(random_unit(30, 5) + 0.5)
    scores = features @ features.T
    pairs = scores[np.triu_indices(30, 1)]
    assert measures.mean_pair_cosine(features) == pytest.approx(pairs.mean(), abs=1e-6)
    weighted = measures.weighted_pair_cosine(features)
    assert weighted(np.ones((1, 30)))[0] == pytest.approx(pairs.mean(), abs=1e-6)
    twice = np.r_[2, 1, np.zeros(28)][None]  # the only pair of different rows is (0, 1), twice
    assert weighted(twice)[0] == pytest.approx(scores[0, 1], abs=1e-6)
    assert abs(measures.mean_pair_cosine(measures.centred(features))) < 0.05 < pairs.mean()


def test_effective_rank_by_hand() -> None:
    axes = np.concatenate([np.eye(4), -np.eye(4)]).astype(np.float32)
    assert measures.effective_rank(measures.variance_shares(axes)) == pytest.approx(4.0)
    line = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], np.float32)
    assert measures.effective_rank(measures.variance_shares(line)) == pytest.approx(1.0)
    uneven = np.array([0.5, 0.25, 0.25])
    assert measures.effective_rank(uneven) == pytest.approx(2**1.5)  # entropy of 1.5 bits
    assert measures.effective_rank(measures.variance_shares(np.ones((5, 3), np.float32))) == 0.0


def test_variance_shares_are_the_same_by_rows_and_by_columns() -> None:
    wide = random_unit(6, 9)
    by_svd = np.linalg.svd(wide - wide.mean(0), compute_uv=False) ** 2
    assert measures.variance_shares(wide)[:6] == pytest.approx(by_svd / by_svd.sum(), abs=1e-6)
    tall = random_unit(30, 4)
    by_svd = np.linalg.svd(tall - tall.mean(0), compute_uv=False) ** 2
    assert measures.variance_shares(tall) == pytest.approx(by_svd / by_svd.sum(), abs=1e-6)


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(0).standard_normal((2000, 1))
    value, low, high = measures.jackknife(lambda rows: float(rows.mean()), values, seed=0, groups=200)
    assert value == pytest.approx(values.mean())
    assert (high - low) / (2 * 1.96) == pytest.approx(values.std() / 2000**0.5, rel=0.15)


def test_k_occurrence_against_sorting_and_shares_ties() -> None:
    features = random_unit(60, 4)
    scores = features @ features.T
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argsort(-scores, axis=1)[:, :5]
    assert measures.k_occurrence(features, 5) == pytest.approx(np.bincount(nearest.ravel(), minlength=60))
    assert measures.k_occurrence(np.ones((20, 3), np.float32), 5) == pytest.approx(np.full(20, 5.0))


def test_skewness_and_the_floor_of_hubness() -> None:
    assert measures.skewness(np.array([0.0, 0, 0, 1])) == pytest.approx(2 / 3**0.5)
    assert measures.skewness(np.full(5, 3.0)) == 0.0
    # No point of a sphere is in its middle: in many dimensions the counts are nearly Poisson, skewness 10^-1/2.
    assert measures.hubness_floor(500, 200, 10, seed=0, draws=6).mean() == pytest.approx(10**-0.5, abs=0.15)


def test_a_vector_in_the_middle_is_a_hub() -> None:
    features = random_unit(200, 50)
    features[:, 0] += 0.1
    features[0] = np.eye(50)[0]  # nearly at right angles to the others, but less so than they to one another
    occurrence = measures.k_occurrence(unit(features), 10)
    assert occurrence.argmax() == 0 and occurrence[0] > 30 and measures.skewness(occurrence) > 0.6


def test_near_pairs_by_hand() -> None:
    angles = np.deg2rad([0, 1, 90, 91, 92, 180])
    features = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    close = np.cos(np.deg2rad(1.5))
    assert measures.near_pairs(features, float(close)).tolist() == [[0, 1], [2, 3], [3, 4]]
    # 0 and 1 have one neighbour, 3 has two, of five others; a batch of two shows one other.
    neighbours = np.array([1, 1, 1, 2, 1, 0])
    assert measures.near_meeting_share(neighbours, 2) == pytest.approx(100 * (6 / 5) / 6)


def test_false_negatives_of_two_thousand_captions() -> None:
    # The measured pitfall: 2,000 distinct captions, batch 1,024: 40 % of rows; 4,096: 87 %.
    texts = np.tile(np.arange(2000), 400)
    items = np.arange(len(texts))
    assert measures.false_negative_share(texts, items, 1024) == pytest.approx(40, abs=0.5)
    assert measures.false_negative_share(texts, items, 4096) == pytest.approx(87, abs=0.5)


def test_false_negatives_by_hand() -> None:
    # Texts a, a, b, c; batches of 2: a row with a meets the other a with chance 1/3; half of the rows hold a.
    assert measures.false_negative_share(np.array([0, 0, 1, 2]), np.arange(4), 2) == pytest.approx(100 / 6)
    assert measures.false_negative_share(np.array([0, 0, 1, 2]), np.arange(4), 99) == pytest.approx(50)
    assert measures.false_negative_share(np.arange(4), np.arange(4), 4) == 0.0


def test_false_negatives_against_simulation_with_several_captions() -> None:
    random = np.random.default_rng(1)
    captions = [random.choice(12, random.integers(1, 4), replace=False) for _ in range(30)]
    texts = np.concatenate(captions)
    items = np.repeat(np.arange(30), [len(c) for c in captions])
    rows = []
    for _ in range(8000):
        batch = random.permutation(30)[:8]
        shown = np.array([random.choice(captions[i]) for i in batch])
        rows.append(np.mean(np.bincount(shown, minlength=12)[shown] > 1))
    error = 100 * np.std(rows) / len(rows) ** 0.5
    assert measures.false_negative_share(texts, items, 8) == pytest.approx(100 * np.mean(rows), abs=4 * error)


def test_hit_chances_never_find_the_query_itself() -> None:
    features = random_unit(12, 3)
    items = np.arange(12) // 2
    relevant = measures.related(np.arange(12), items)
    plain = metrics.hit_chances(features, features, relevant, ks=(1,))[1]
    without = metrics.hit_chances(features, features, relevant, ks=(1,), itself=np.arange(12))[1]
    assert plain.max() == 0.0 and without.mean() > 0  # each text is its own nearest
