"""The store's contract: unit, finite, checksummed, tied to its encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.store import EmbeddingStore, StoreWriter, check_vectors, text_key

PRINT = Fingerprint("toy", "toy", "w", "t", "", "mean", 8, True, 4, "float32")


def unit_rows(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_store(out: Path, dtype: str = "float16") -> np.ndarray:
    vectors = unit_rows(5)
    writer = StoreWriter(out, {"which": "toy"})
    writer.write(0, ["a", "b", "two\nlines"], vectors[:3], dtype, 1.5)
    writer.write(1, ["写真", ""], vectors[3:], dtype, 0.5)
    again = StoreWriter(out, {"which": "toy"})  # as after a kill: nothing is known but what lies on disk
    again.close(PRINT, dtype, {"cut_texts": 0})
    return vectors


def test_vectors_come_back_by_text_across_shards(tmp_path: Path) -> None:
    vectors = make_store(tmp_path / "store")
    store = EmbeddingStore(tmp_path / "store")
    assert len(store) == 5 and store.dim == 4 and store.manifest["seconds"] == 2.0
    found = store.vectors(["写真", "a", "two\nlines", "a"])
    assert np.abs(found - vectors[[3, 0, 2, 0]]).max() < 1e-3
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.allclose(store.matrix(), store.vectors(store.texts()))
    assert store.contains(["a", "c"]).tolist() == [True, False]
    with pytest.raises(LiftError, match="1 texts have no vector"):
        store.vectors(["a", "c"])


def test_float32_is_exact(tmp_path: Path) -> None:
    vectors = make_store(tmp_path / "store", "float32")
    assert np.allclose(EmbeddingStore(tmp_path / "store").matrix(), vectors, atol=1e-7)


def test_vectors_that_are_not_unit_are_refused() -> None:
    rows = unit_rows(4)
    check_vectors(rows.astype(np.float16), "here")
    for bad in (np.nan, np.inf, 1.1):
        broken = rows.copy()
        broken[2] *= bad
        with pytest.raises(LiftError, match="1 of 4 vectors in here"):
            check_vectors(broken, "here")


def test_check_finds_one_flipped_bit(tmp_path: Path) -> None:
    make_store(tmp_path / "store")
    EmbeddingStore(tmp_path / "store").check()
    file = tmp_path / "store" / "vectors-00001.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(LiftError, match=r"vectors-00001\.npy has changed"):
        EmbeddingStore(tmp_path / "store").check()


def test_a_finished_shard_is_known_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "store", {"which": "toy"})
    writer.write(0, ["a", "b"], unit_rows(2), "float16")
    again = StoreWriter(tmp_path / "store", {"which": "toy"})
    assert again.has(0, ["a", "b"])
    assert not again.has(0, ["a", "c"]) and not again.has(1, ["a", "b"])
    (again.partial / "vectors-00000.npy").write_bytes(b"cut")
    assert not again.has(0, ["a", "b"])
    other = StoreWriter(tmp_path / "store", {"which": "other"})
    assert not other.has(0, ["a", "b"]) and not (other.partial / "vectors-00000.npy").exists()


def test_fingerprint_ignores_the_place_but_nothing_else() -> None:
    import dataclasses

    moved = dataclasses.replace(PRINT, name="x", source="/elsewhere")
    assert moved.digest == PRINT.digest
    for field in ("weights", "tokenizer", "prompt", "pooling", "dtype", "post_processing"):
        assert dataclasses.replace(PRINT, **{field: "other"}).digest != PRINT.digest
    assert dataclasses.replace(PRINT, max_tokens=9).digest != PRINT.digest
    assert Fingerprint.from_dict(PRINT.asdict()) == PRINT


def test_keys_tell_texts_apart() -> None:
    assert len({text_key(t) for t in ("a", "b", "a ", "写真", "")}) == 5
    assert len(text_key("a")) == 16
