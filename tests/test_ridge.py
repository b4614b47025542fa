"""The closed form against scikit-learn's ridge, and the choice of its strength."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from lift.ridge import fit_linear_map


def spaces(count: int = 300, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 6) and unit targets (n, 4) that depend on them linearly, with noise."""
    random = np.random.default_rng(0)
    features = random.normal(size=(count, 6)) * [3, 2, 1, 1, 0.5, 0.1] + 5
    targets = (features - 5) @ random.normal(size=(6, 4)) + 1 + noise * random.normal(size=(count, 4))
    return features.astype(np.float32), targets / np.linalg.norm(targets, axis=1, keepdims=True)


@pytest.mark.parametrize("strength", [1e-3, 1e-1])
def test_weights_are_those_of_a_plain_ridge(strength: float) -> None:
    x, y = spaces(noise=0.3)
    found = fit_linear_map(x[:200], y[:200], x[200:], y[200:], [strength])
    centred = x[:200].astype(np.float64) - x[:200].mean(axis=0, dtype=np.float64)
    plain = Ridge(alpha=strength * (centred**2).sum() / 6).fit(x[:200].astype(np.float64), y[:200])
    assert np.allclose(found.weights, plain.coef_.T, atol=1e-4)
    assert np.allclose(found.bias, plain.intercept_, atol=1e-3)


def test_a_part_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = spaces()
    whole = fit_linear_map(x[:200], y[:200], x[200:], y[200:])
    monkeypatch.setattr("lift.ridge.CHUNK_ROWS", 7)
    parts = fit_linear_map(x[:200], y[:200], x[200:], y[200:])
    assert whole.strength == parts.strength and np.allclose(whole.weights, parts.weights, atol=1e-4)


def test_noise_asks_for_more_strength() -> None:
    x, y = spaces(40)
    noise = np.random.default_rng(1).normal(size=(40, 200)).astype(np.float32)
    clean = fit_linear_map(x[:30], y[:30], x[30:], y[30:])
    wide = np.concatenate([x, noise], axis=1)  # more features than rows: a weak penalty fits the noise
    noisy = fit_linear_map(wide[:30], y[:30], wide[30:], y[30:])
    assert noisy.strength > clean.strength


def test_mapped_vectors_have_unit_length() -> None:
    x, y = spaces()
    mapped = fit_linear_map(x[:200], y[:200], x[200:], y[200:]).apply(x[200:])
    assert np.allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-6)
    assert (mapped * y[200:]).sum(axis=1).mean() > 0.85
