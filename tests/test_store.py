"""The store's contract: unit, finite, checksummed, found by text, tied to its encoder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.store import EmbeddingStore, StoreWriter, check_vectors, text_key, text_keys
from lift.store.commits import OF_COMMIT, OF_FACTS
from lift.store.lookup import find_sorted
from lift.store.shards import pack_texts, recall_of_int8, to_dtype, to_unit, unpack_texts
from stores_by_hand import PRINT, make_store, plan, vectors_of, words

ODD = ["写真", "a", "two\nlines", "", '"quoted" \\ and \u2028', "b"]


def test_vectors_come_back_by_text_across_shards(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", ODD, shard_rows=4)
    assert len(store) == 6 and store.dim == 8 and [s["rows"] for s in store.manifest["shards"]] == [4, 2]
    assert store.manifest["seconds"] == 1.0 and store.manifest["tokens"] == 6 and store.manifest["rows"] == 6
    asked = ["写真", "a", "two\nlines", "a"]
    found = store.vectors(asked)
    assert np.abs(found - vectors_of(asked)).max() < 1e-3
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    in_order = list(store.texts())
    assert sorted(in_order) == sorted(ODD) and in_order == sorted(ODD, key=text_key)
    assert np.array_equal(store.matrix(), store.vectors(in_order))
    assert store.rows(in_order).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.array_equal(store.take(np.array([5, 0, 5])), store.matrix()[[5, 0, 5]])
    assert store.contains(["a", "c"]).tolist() == [True, False] and store.missing(["c", "a", "d"]) == [
        "c",
        "d",
    ]
    with pytest.raises(LiftError, match="1 texts have no vector"):
        store.vectors(["a", "c"])
    with pytest.raises(IndexError):
        store.take(np.array([6]))
    assert store.vectors([]).shape == (0, 8)


def test_float32_is_exact(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", words(0, 5), dtype="float32")
    assert np.allclose(store.vectors(words(0, 5)), vectors_of(words(0, 5)), atol=1e-7)


def test_int8_needs_no_scale_and_tells_the_recall_it_costs(tmp_path: Path) -> None:
    vectors = vectors_of(words(0, 200), 64)
    stored = to_dtype(vectors, "int8")
    assert stored.dtype == np.int8 and (np.abs(stored.astype(int)).max(1) == 127).all()
    scales = np.abs(vectors).max(1, keepdims=True) / 127
    scaled = stored * scales
    assert np.allclose(to_unit(stored), scaled / np.linalg.norm(scaled, axis=1, keepdims=True), atol=1e-6)
    assert (to_unit(stored) * vectors).sum(1).min() > 0.999
    # by the slow way: sets of the ten nearest others
    kept = []
    for row in range(30):
        near = [set(np.argsort(-(rows @ vectors[row]))[:11]) - {row} for rows in (vectors, to_unit(stored))]
        kept.append(len(near[0] & near[1]) / 10)
    assert recall_of_int8(vectors, stored, 30) == pytest.approx(np.mean(kept), abs=1e-9)
    store = make_store(tmp_path / "store", words(0, 50), dtype="int8", shard_rows=30)
    judged = store.commits[0].content["int8"]
    assert (judged["queries"], judged["rows"]) == (50, 30) and 0.9 < judged["recall@10"] <= 1
    assert np.allclose(np.linalg.norm(store.matrix(), axis=1), 1, atol=1e-6)
    store.check()


def test_vectors_that_are_not_unit_are_refused(tmp_path: Path) -> None:
    rows = vectors_of(words(0, 4))
    check_vectors(rows.astype(np.float16), "here")
    planned = plan(tmp_path / "store", words(0, 4), dtype="int8")
    for bad in (np.nan, np.inf, 1.1):
        broken = rows.copy()
        broken[2] *= bad
        with pytest.raises(LiftError, match="1 of 4 vectors in here"):
            check_vectors(broken, "here")
        with pytest.raises(LiftError, match="1 of 4 vectors in shard 0"):
            StoreWriter(tmp_path / "store", planned).write(0, planned.texts, broken)
    with pytest.raises(ValueError, match="not the texts of shard 0"):
        StoreWriter(tmp_path / "store", planned).write(0, words(0, 4)[:3], rows[:3])


@pytest.mark.parametrize("kind", ["vectors.npy", "keys.npy", "texts.jsonl.zst"])
def test_check_finds_one_flipped_bit(tmp_path: Path, kind: str) -> None:
    store = make_store(tmp_path / "store", words(0, 25))
    store.check()
    file = sorted((tmp_path / "store" / "shards").glob(f"*.{kind}"))[1]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(LiftError, match=rf"{kind} has changed"):
        EmbeddingStore(tmp_path / "store").check()
    file.unlink()
    with pytest.raises(LiftError, match="missing"):
        EmbeddingStore(tmp_path / "store").check()


def test_damage_is_told_and_not_a_trace(tmp_path: Path) -> None:
    make_store(tmp_path / "store", words(0, 5))
    [vectors] = (tmp_path / "store" / "shards").glob("*.vectors.npy")
    for content in (b"", b"cut", vectors.read_bytes()[:-4]):
        vectors.write_bytes(content)
        with pytest.raises(LiftError, match="is damaged"):
            EmbeddingStore(tmp_path / "store").matrix()
    [texts] = (tmp_path / "store" / "shards").glob("*.texts.jsonl.zst")
    texts.write_bytes(texts.read_bytes()[:-9])
    with pytest.raises(LiftError, match="is damaged"):
        list(EmbeddingStore(tmp_path / "store").texts())
    [commit] = (tmp_path / "store" / "commits").iterdir()
    commit.write_text("{cut")
    with pytest.raises(LiftError, match="is damaged"):
        EmbeddingStore(tmp_path / "store")


def test_opening_reads_neither_vectors_nor_texts(tmp_path: Path) -> None:
    make_store(tmp_path / "store", words(0, 25))
    for file in (tmp_path / "store" / "shards").iterdir():
        file.unlink()
    assert len(EmbeddingStore(tmp_path / "store")) == 25


def test_a_finished_shard_is_known_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    place = tmp_path / "store"
    planned = plan(place, words(0, 15))
    StoreWriter(place, planned).write(0, planned.shard(0), vectors_of(planned.shard(0)))
    again = plan(place, words(0, 15))
    assert again == planned
    writer = StoreWriter(place, again.bare())
    assert writer.has(0) and not writer.has(1)
    with pytest.raises(LiftError, match="1 of 2 shards"):
        writer.commit()
    with pytest.raises(LiftError, match=r"not a STORE: it holds an unfinished run"):
        EmbeddingStore(place)
    [vectors] = (place / "shards").glob("*.vectors.npy")
    vectors.write_bytes(b"cut")
    assert not writer.has(0)


def test_places_that_are_no_store(tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="not a STORE: there is nothing there"):
        EmbeddingStore(tmp_path / "none")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    for overwrite in (False, True):
        with pytest.raises(LiftError, match="exists and is not a STORE"):
            plan(tmp_path / "photos", ["a"], overwrite=overwrite)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]
    (tmp_path / "photos" / "dataset.json").write_text('{"format": 1}')
    with pytest.raises(LiftError, match="it is a DATASET"):
        EmbeddingStore(tmp_path / "photos")


def test_the_first_layout_asks_to_be_made_again(tmp_path: Path) -> None:
    old = tmp_path / "store"
    old.mkdir()
    (old / "store.json").write_text(
        '{"format": 1, "shards": [{"vectors": "vectors-00000.npy", "texts": "texts-00000.jsonl"}]}'
    )
    (old / "vectors-00000.npy").write_bytes(b"x")
    (old / "mine.txt").write_text("kept")
    for act in (lambda: EmbeddingStore(old), lambda: plan(old, ["a"])):
        with pytest.raises(LiftError, match="embed again with --overwrite"):
            act()
    (old / "mine.txt").unlink()
    make_store(old, ["a"], overwrite=True).check()
    assert not (old / "vectors-00000.npy").exists()


def test_fingerprint_ignores_the_place_but_nothing_else() -> None:
    moved = dataclasses.replace(PRINT, name="x", source="/elsewhere")
    assert moved.digest == PRINT.digest
    for field in ("weights", "tokenizer", "prompt", "pooling", "dtype", "post_processing"):
        assert dataclasses.replace(PRINT, **{field: "other"}).digest != PRINT.digest
    assert dataclasses.replace(PRINT, max_tokens=9).digest != PRINT.digest
    assert Fingerprint.from_dict(PRINT.asdict()) == PRINT


def test_keys_tell_texts_apart_and_sort_as_bytes_do() -> None:
    assert len({text_key(t) for t in (*ODD, "a ")}) == 7 and len(text_key("a")) == 16
    keys = text_keys(ODD)
    assert [f"{high:016x}{low:016x}" for high, low in keys.T.tolist()] == [text_key(t).hex() for t in ODD]
    assert text_keys([]).shape == (2, 0)


def test_keys_of_equal_leading_half_are_told_apart() -> None:
    keys = np.array([[1, 5, 5, 5, 9], [0, 2, 4, 6, 0]], np.uint64)
    high = np.array([5, 5, 5, 5, 9, 10, 0], np.uint64)
    low = np.array([6, 2, 4, 3, 0, 0, 0], np.uint64)
    assert find_sorted(keys, high, low).tolist() == [3, 1, 2, -1, 4, -1, -1]


def test_texts_are_packed_without_loss() -> None:
    assert unpack_texts(pack_texts(ODD)) == ODD and unpack_texts(pack_texts([])) == []
    with pytest.raises(ValueError, match="decompressed"):
        unpack_texts(b"no zstd")


def test_keys_of_equal_leading_half_are_found_in_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real keys of this kind take a billion texts, so the leading halves are made equal here."""
    from lift.store import planning, reading, writing

    def narrow(texts: list[str]) -> np.ndarray:
        keys = text_keys(texts)
        keys[0] &= np.uint64(3)
        return keys

    for module in (planning, reading, writing):
        monkeypatch.setattr(module, "text_keys", narrow)
    store = make_store(tmp_path / "store", words(0, 40), shard_rows=40)
    assert np.abs(store.vectors(words(0, 40)) - vectors_of(words(0, 40))).max() < 1e-3
    assert not store.contains(words(40, 80)).any()


def test_files_that_lost_a_field_are_damaged(tmp_path: Path) -> None:
    make_store(tmp_path / "store", ODD, shard_rows=4)
    commit = next((tmp_path / "store" / "commits").iterdir())
    for file, fields in ((tmp_path / "store" / "store.json", OF_FACTS), (commit, OF_COMMIT)):
        whole = json.loads(file.read_text("utf-8"))
        for field in fields:
            file.write_text(json.dumps({k: v for k, v in whole.items() if k != field}), "utf-8")
            with pytest.raises(LiftError, match=f"damaged: .* lacks {field}"):
                EmbeddingStore(tmp_path / "store").check()
        file.write_text(json.dumps(whole), "utf-8")
    EmbeddingStore(tmp_path / "store").check()
