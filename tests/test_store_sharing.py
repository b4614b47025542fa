"""Several writers and readers of one STORE: appends, duplicates, replacement, merging, compaction."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lift.errors import LiftError
from lift.fingerprint import PROBES, Fingerprint, pack_probes
from lift.place import Place
from lift.store import EmbeddingStore, StoreWriter, compact, merge, sweep
from stores_by_hand import PRINT, listing, make_store, plan, vectors_of, words, write_planned


def same_vectors(store: EmbeddingStore, texts: list[str]) -> bool:
    return bool(np.abs(store.vectors(texts) - vectors_of(texts)).max() < 1e-3)


def test_appending_writes_only_what_is_missing(tmp_path: Path) -> None:
    place = tmp_path / "store"
    first = make_store(place, words(0, 25))
    before = listing(place)
    both = make_store(place, words(20, 40))
    assert [commit.content["rows"] for commit in both.commits if commit.content["against"]] == [15]
    assert len(first) == 25 and len(both) == 40 and len(EmbeddingStore(place)) == 40
    assert before.items() <= listing(place).items()
    assert same_vectors(both, words(0, 40)) and both.rows(list(both.texts())).tolist() == list(range(40))
    after = listing(place)
    make_store(place, words(10, 30))  # all there
    assert listing(place) == after


def test_what_two_writers_embed_at_once_is_counted_once(tmp_path: Path) -> None:
    place = tmp_path / "store"
    plans = [plan(place, words(0, 30)), plan(place, words(20, 50)), plan(place, words(25, 35))]
    for planned in plans:
        write_planned(place, planned)
    store = EmbeddingStore(place)
    assert len(store.duplicates) == 20 and len(store) == 50 == store.manifest["rows"]
    texts = list(store.texts())
    assert sorted(texts) == sorted(words(0, 50)) and len(store.matrix()) == 50
    assert store.rows(texts).tolist() == list(range(50))
    assert np.array_equal(store.take(np.arange(50)), store.matrix()) and same_vectors(store, words(0, 50))
    assert np.array_equal(store.matrix(), store.vectors(texts))


def test_another_encoder_or_dtype_is_refused_with_both_named(tmp_path: Path) -> None:
    make_store(tmp_path / "store", words(0, 5))
    other = dataclasses.replace(PRINT, name="other", weights="x")
    with pytest.raises(LiftError, match=r"holds vectors of toy .*not of other .*\(other encoder\)"):
        plan(tmp_path / "store", words(0, 9), fingerprint=other)
    with pytest.raises(LiftError, match=r"float16, not of toy .*int8 \(other dtype\)"):
        plan(tmp_path / "store", words(0, 9), dtype="int8")
    assert len(make_store(tmp_path / "store", words(0, 9), dtype="int8", overwrite=True)) == 9


def probed(seed: int, noise: float = 0.0) -> Fingerprint:
    """A server's model: its weights are known by the vectors of two sentences, which it gives a little differently."""
    vectors = np.random.default_rng(seed).normal(size=(2, 64))
    vectors += noise * np.random.default_rng(seed + 1).normal(size=(2, 64))
    return dataclasses.replace(PRINT, name="server", options={PROBES: pack_probes(vectors)})


def test_another_model_behind_the_name_of_a_server_is_refused(tmp_path: Path) -> None:
    make_store(tmp_path / "a", words(0, 5), fingerprint=probed(0))
    assert len(make_store(tmp_path / "a", words(0, 9), fingerprint=probed(0, 0.01))) == 9
    with pytest.raises(LiftError, match=r"holds vectors of server .*\(other encoder\)"):
        plan(tmp_path / "a", words(9, 12), fingerprint=probed(7))
    make_store(tmp_path / "b", words(3, 8), fingerprint=probed(7))
    with pytest.raises(LiftError, match="must not be mixed"):
        merge([Place(tmp_path / "a"), Place(tmp_path / "b")], Place(tmp_path / "c"))


def test_a_killed_run_goes_on_though_the_server_never_repeats_itself(tmp_path: Path) -> None:
    first = plan(tmp_path / "store", words(0, 30), fingerprint=probed(0))
    writer = StoreWriter(tmp_path / "store", first)
    writer.write(0, first.shard(0), vectors_of(first.shard(0)))
    again = plan(tmp_path / "store", words(0, 30), fingerprint=probed(0, 0.01))
    assert again.record() == first.record() and StoreWriter(tmp_path / "store", again).has(0)


def test_an_overwrite_killed_before_its_last_file_lets_nothing_be_mixed(tmp_path: Path) -> None:
    place, other = tmp_path / "store", dataclasses.replace(PRINT, name="other", weights="x")
    make_store(place, words(0, 5))
    facts = (place / "store.json").read_bytes()
    make_store(place, words(0, 5), fingerprint=other, overwrite=True)
    (place / "store.json").write_bytes(facts)  # killed behind the commit
    with pytest.raises(LiftError, match=r"holds vectors of other .*not of toy"):
        plan(place, words(5, 9))
    assert len(make_store(place, words(5, 9), fingerprint=other)) == 9


def test_the_old_store_is_read_until_the_new_one_is_there(tmp_path: Path) -> None:
    place = tmp_path / "store"
    make_store(place, words(0, 5))
    make_store(place, words(5, 9))
    planned = plan(place, words(3, 20), dtype="float32", overwrite=True)
    assert len(EmbeddingStore(place)) == 9
    write_planned(place, planned)
    store = EmbeddingStore(place)
    assert store.facts.dtype == "float32" and sorted(store.texts()) == sorted(words(3, 20))
    assert len(list((place / "shards").iterdir())) == 3 * 2
    # a run whose commit was replaced may come back: it is later than what replaced it
    assert len(make_store(place, words(0, 5), dtype="float32")) == 20
    again = make_store(place, words(3, 20), dtype="float32", overwrite=True)
    assert sorted(again.texts()) == sorted(words(3, 20)) and len(again.commits) == 1


def test_a_commit_of_a_replaced_name_is_not_lost(tmp_path: Path) -> None:
    place = tmp_path / "store"
    make_store(place, words(0, 5))
    for texts in (words(5, 9), words(0, 5), words(5, 9), words(0, 5)):
        assert sorted(make_store(place, texts, overwrite=True).texts()) == sorted(texts)


WRITER = """
import os, sys, time
from pathlib import Path
from stores_by_hand import plan, words, write_planned
place, first, last, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
time.sleep(max(0, start - time.time()))
for low in range(first, last, 40):
    planned = plan(place, words(low, low + 60), shard_rows=16)
    if len(planned):
        write_planned(place, planned)
"""


def test_processes_write_at_once_and_readers_see_whole_commits(tmp_path: Path) -> None:
    place = tmp_path / "store"
    make_store(place, words(0, 10))
    start = str(time.time() + 1.5)
    run = [sys.executable, "-c", WRITER, str(place)]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
    writers = [
        subprocess.Popen([*run, str(low), str(high), start], stderr=subprocess.PIPE, env=environment)
        for low, high in ((0, 200), (100, 300), (0, 200))  # two of them do the very same
    ]
    seen = [10]
    while any(process.poll() is None for process in writers):
        store = EmbeddingStore(place)
        texts = list(store.texts())
        assert len(texts) == len(store) >= seen[-1] and same_vectors(store, texts)
        seen.append(len(store))
    for process in writers:
        assert process.wait() == 0, process.communicate()[1].decode()
    store = EmbeddingStore(place)
    store.check()
    assert sorted(store.texts()) == sorted(words(0, 320)) and len(set(seen)) > 2
    assert not list((place / "plans").iterdir()) and not list((place / "shards").glob("*.json"))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_merging_keeps_bytes_and_takes_the_first(tmp_path: Path, dtype: str) -> None:
    stores = [
        make_store(tmp_path / name, texts, dtype=dtype)
        for name, texts in (("a", words(0, 30)), ("b", words(20, 60)))
    ]
    places = [Place(tmp_path / "a"), Place(tmp_path / "b")]
    merge(places, Place(tmp_path / "c"), shard_rows=16)
    merged = EmbeddingStore(tmp_path / "c")
    merged.check()
    assert sorted(merged.texts()) == sorted(words(0, 60)) and len(merged.commits) == 1
    assert np.array_equal(merged.vectors(words(0, 30)), stores[0].vectors(words(0, 30)))
    assert np.array_equal(merged.vectors(words(30, 60)), stores[1].vectors(words(30, 60)))
    assert merged.manifest["seconds"] == stores[0].manifest["seconds"] + stores[1].manifest["seconds"]
    before = listing(tmp_path / "c")
    merge(places, Place(tmp_path / "c"), shard_rows=16)
    assert listing(tmp_path / "c") == before
    with pytest.raises(LiftError, match="is a STORE already"):
        merge(places[:1] * 2, Place(tmp_path / "c"))
    make_store(tmp_path / "d", words(0, 3), dtype="float32" if dtype != "float32" else "int8")
    with pytest.raises(LiftError, match="must not be mixed"):
        merge([places[0], Place(tmp_path / "d")], Place(tmp_path / "e"))


def test_compaction_drops_duplicates_while_readers_go_on(tmp_path: Path) -> None:
    where, place = tmp_path / "store", Place(tmp_path / "store")
    plans = [plan(where, words(0, 30)), plan(where, words(20, 50))]
    for planned in plans:
        write_planned(where, planned)
    late = plan(where, words(45, 55))  # planned before the compaction, committed after it
    reader = EmbeddingStore(where)
    assert compact(place, shard_rows=64) is not None
    write_planned(where, late)
    store = EmbeddingStore(where)
    assert len(store) == 55 and not len(store.duplicates) and len(store.commits) == 2
    assert sweep(place).files == 0 and same_vectors(reader, words(0, 50))  # old files stay for a day
    assert sweep(place, least_age=0).files == 0  # went with the commits that listed them
    assert len(list((where / "shards").iterdir())) == 3 * 2 and len(list((where / "commits").iterdir())) == 2
    assert same_vectors(EmbeddingStore(where), words(0, 55))
    EmbeddingStore(where).check()
    assert compact(place, shard_rows=64) is None
    with pytest.raises(LiftError, match="replaced since it was opened"):
        reader._lookup.shards.clear()
        EmbeddingStore.matrix(_stale(where, reader))


def _stale(where: Path, reader: EmbeddingStore) -> EmbeddingStore:
    """The reader as if it had touched no shard before the compaction."""
    from lift.store.lookup import Lookup

    reader._lookup = Lookup(reader.place, reader.commits)
    return reader


def test_leftovers_go_when_nobody_owns_them(tmp_path: Path) -> None:
    where, place = tmp_path / "store", Place(tmp_path / "store")
    make_store(where, words(0, 5))
    clean = listing(where)
    unfinished = plan(where, words(0, 40))
    from lift.store import StoreWriter

    StoreWriter(where, unfinished).write(0, unfinished.shard(0), vectors_of(unfinished.shard(0)))
    dead = where / "shards" / f".x.vectors.npy.{os.uname().nodename}.999999999.partial"
    other = where / "shards" / ".x.vectors.npy.elsewhere.1.partial"
    dead.write_bytes(b"half")
    other.write_bytes(b"half")
    assert sweep(place).files == 1 and not dead.exists() and other.exists()
    assert StoreWriter(where, unfinished).has(0)
    old = time.time() - 2 * 24 * 3600
    for file in where.rglob("*"):
        if file.is_file() and file.name != f"{unfinished.run}.json":
            os.utime(file, (old, old))
    sweep(place)
    assert StoreWriter(where, unfinished).has(0) and not other.exists()  # the run's plan is young
    sweep(place, least_age=0)
    assert listing(where) == clean


def test_a_flipped_bit_gets_no_fresh_checksum(tmp_path: Path) -> None:
    make_store(tmp_path / "store", words(0, 50), shard_rows=5)
    file = next((tmp_path / "store" / "shards").glob("*.vectors.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(LiftError, match="has changed since it was written"):
        compact(Place(tmp_path / "store"))
