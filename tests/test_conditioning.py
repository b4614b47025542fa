"""Conditioning: centring and whitening worked by hand, the same numbers at fitting and at query time."""

from __future__ import annotations

import numpy as np
import pytest

from lift.conditioning import Conditioning, fit_conditioning
from lift.errors import LiftError


def crowded(count: int = 4000, dim: int = 6, seed: int = 0) -> np.ndarray:
    """Unit rows in a narrow cone, with directions of very different strength."""
    random = np.random.default_rng(seed)
    rows = 3 + random.normal(size=(count, dim)) * np.array([2.0, 1.0, 0.5, 0.25, 0.1, 0.05])[:dim]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_centring_by_hand() -> None:
    rows = np.array([[1, 0], [0, 1]], np.float32)
    fitted = fit_conditioning(rows)
    assert np.allclose(fitted.mean, [0.5, 0.5]) and fitted.description == "centre"
    # (1, 0) - (0.5, 0.5) = (0.5, -0.5), at unit length (0.7071, -0.7071)
    assert np.allclose(fitted.apply(rows), [[0.70710678, -0.70710678], [-0.70710678, 0.70710678]])


def test_whole_whitening_makes_the_spectrum_flat_and_none_leaves_the_angles() -> None:
    rows = crowded()
    fitted = fit_conditioning(rows, whiten=1.0)
    moved = (rows - fitted.mean) @ fitted.projection
    assert np.allclose(np.cov(moved.T, bias=True), np.eye(fitted.dim), atol=2e-3)
    half = fit_conditioning(rows, whiten=0.5)
    spread = np.cov(((rows - half.mean) @ half.projection).T, bias=True)
    strength = np.linalg.eigvalsh(np.cov(rows.astype(np.float64).T, bias=True))[::-1][: half.dim]
    assert np.allclose(np.diag(spread), np.sqrt(strength), rtol=1e-3)
    # A rotation alone (all directions kept, no power) leaves every cosine as centring does.
    kept = fit_conditioning(rows, dim=6)
    centred = fit_conditioning(rows)
    a, b = kept.apply(rows[:50]), centred.apply(rows[:50])
    assert np.allclose(a @ a.T, b @ b.T, atol=1e-5)


def test_the_leading_directions_are_those_of_a_plain_svd() -> None:
    rows = crowded()
    fitted = fit_conditioning(rows, dim=2)
    assert fitted.dim == 2 and fitted.input_dim == 6 and fitted.description == "centre, dim 2"
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    expected = centred @ directions.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    signs = np.sign((expected * fitted.apply(rows)).sum(axis=0))
    assert np.allclose(fitted.apply(rows), expected * signs, atol=1e-4)


def test_without_centring_the_mean_stays() -> None:
    fitted = fit_conditioning(crowded(), centre=False, dim=3)
    assert not fitted.mean.any() and fitted.description == "dim 3"


def test_directions_without_any_spread_are_dropped_when_whitening() -> None:
    rows = crowded()
    rows[:, 5] = 0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert fit_conditioning(rows, whiten=1.0).dim < 6


def test_the_name_holds_the_numbers() -> None:
    fitted = fit_conditioning(crowded(), whiten=0.5)
    again = fit_conditioning(crowded(), whiten=0.5)
    other = fit_conditioning(crowded(seed=1), whiten=0.5)
    assert fitted.name == again.name and fitted.name.startswith("centre, whiten 0.5 ")
    assert fitted.name != other.name


def test_a_part_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_conditioning(crowded(), whiten=1.0, dim=3)
    monkeypatch.setattr("lift.conditioning.CHUNK_ROWS", 7)
    parts = fit_conditioning(crowded(), whiten=1.0, dim=3)
    assert np.allclose(whole.projection, parts.projection, rtol=1e-4)


def test_what_cannot_be_fitted_is_said() -> None:
    rows = crowded(20)
    for options, problem in (
        ({"centre": False}, "change nothing"),
        ({"centre": False, "dim": rows.shape[1]}, "change nothing"),  # a turn of the whole space
        ({"whiten": 1.5}, "--whiten is 1.5"),
        ({"dim": 7}, "--dim is 7"),
    ):
        with pytest.raises(LiftError, match=problem):
            fit_conditioning(rows, **options)  # type: ignore[arg-type]
    with pytest.raises(LiftError, match="only fit noise"):
        fit_conditioning(rows[:4], whiten=1.0)
    with pytest.raises(LiftError, match="too few"):
        fit_conditioning(rows[:1])


def test_a_text_at_the_mean_is_refused() -> None:
    fitted = Conditioning(np.array([1, 0], np.float32), np.eye(2, dtype=np.float32), "centre")
    with pytest.raises(LiftError, match="1 of 2 texts lie at the mean"):
        fitted.apply(np.array([[1, 0], [0, 1]], np.float32))
