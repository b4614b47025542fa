"""Copies of remote shards: whole or not there, bounded, fetched once, asked for again when the storage stumbles."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from lift.data import Dataset, ShardCache
from lift.data import cache as caching
from lift.data.cache import Shard
from lift.errors import LiftError
from lift.place import Place
from shards_by_hand import remote

SIZES = (100, 200, 300)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Three files in object storage; each reading leaves a line in `reads`."""
    place, read = Place(f"memory://{tmp_path.name}/cached"), Place.read
    for size in SIZES:
        place.write(str(size), bytes([size % 256]) * size)

    def counted(self: Place, name: str) -> bytes:
        if self.local is None:
            with (tmp_path / "reads").open("a") as file:
                file.write(f"{name}\n")
        return read(self, name)

    monkeypatch.setattr(Place, "read", counted)
    return place


def shard(size: int) -> Shard:
    return Shard(str(size), size, hashlib.sha256(bytes([size % 256]) * size).hexdigest())


def reads(tmp_path: Path) -> list[str]:
    return (tmp_path / "reads").read_text().split()


def content(cache: ShardCache, place: Place, one: Shard) -> bytes:
    descriptor = cache.open(place, one)
    try:
        return os.pread(descriptor, 1000, 0)
    finally:
        os.close(descriptor)


def sizes(cache: ShardCache) -> list[int]:
    return sorted(path.stat().st_size for path in cache.folder.iterdir() if path.is_file())


def test_the_longest_unused_go_first_and_the_bound_holds(place: Place, tmp_path: Path) -> None:
    cache = ShardCache(tmp_path / "cache", 450e-9)  # bytes
    for size in (100, 200, 100):
        assert content(cache, place, shard(size)) == bytes([size]) * size
        time.sleep(0.02)
    assert reads(tmp_path) == ["100", "200"]
    content(cache, place, shard(300))  # 600 bytes in all: 200 was not used for longest
    assert sizes(cache) == [100, 300]
    content(cache, place, shard(200))
    assert sizes(cache) == [200] or sizes(cache) == [100, 200]
    assert reads(tmp_path) == ["100", "200", "300", "200"]
    with pytest.raises(LiftError, match="does not fit into the cache"):
        ShardCache(tmp_path / "cache", 299e-9).open(place, shard(300))


def test_what_is_half_or_left_over_is_never_used(place: Place, tmp_path: Path) -> None:
    cache = ShardCache(tmp_path / "cache")
    content(cache, place, shard(100))
    copy = cache.folder / shard(100).sha256
    copy.write_bytes(b"half")
    left = cache.folder / f".x.{os.uname().nodename.replace('.', '-')}.999999999.partial"
    left.write_bytes(b"of a killed process")
    assert content(cache, place, shard(100)) == b"d" * 100 and not left.exists()
    assert reads(tmp_path) == ["100", "100"]


def test_processes_share_one_copy(place: Place, tmp_path: Path) -> None:
    cache = ShardCache(tmp_path / "cache")

    def work() -> None:
        for size in SIZES:
            assert len(content(cache, place, shard(size))) == size

    processes = [multiprocessing.get_context("fork").Process(target=work) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(reads(tmp_path)) == ["100", "200", "300"]


def test_a_storage_that_stumbles_is_asked_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    read, answers = Place.read, [ConnectionResetError("reset"), b"half of it", TimeoutError(), None]

    def stumbling(self: Place, name: str) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer or read(self, name)

    monkeypatch.setattr(Place, "read", stumbling)
    waited: list[float] = []
    monkeypatch.setattr(caching.time, "sleep", waited.append)
    assert caching.fetched(place, shard(100)) == b"d" * 100 and waited == [0.5, 2.0, 8.0]
    answers[:] = [PermissionError("denied")] * 5
    with pytest.raises(LiftError, match=r"could not be fetched in 5 attempts \(PermissionError: denied\)"):
        caching.fetched(place, shard(100))
    answers[:] = [b"other"] * 5
    with pytest.raises(LiftError, match="has changed since it was written"):
        caching.fetched(place, shard(100))
    answers[:] = [FileNotFoundError("gone")]
    with pytest.raises(LiftError, match="is missing"):
        caching.fetched(place, shard(100))


def test_a_copy_that_decays_is_fetched_again(tiny_dataset: Path, tmp_path: Path) -> None:
    there = remote(tiny_dataset, f"memory://{tmp_path.name}/photos", tmp_path / "cache")
    expected = Dataset(tiny_dataset).pixels
    assert np.array_equal(there.pixels[3], expected[3])
    [copy] = [path for path in (tmp_path / "cache").iterdir() if path.is_file()]
    copy.write_bytes(bytes(copy.stat().st_size))  # of the right length, and wrong
    again = Dataset(there.address, cache=there.pixels.cache)
    assert np.array_equal(again.pixels[3], expected[3])


def test_prefetched_shards_are_there_when_they_are_read(tiny_dataset: Path, tmp_path: Path) -> None:
    there = remote(tiny_dataset, f"memory://{tmp_path.name}/photos", tmp_path / "cache")
    there.pixels.prefetch([0, 5])
    until = time.monotonic() + 30
    while (
        len([p for p in (tmp_path / "cache").glob("[!.]*") if p.is_file()]) < 2 and time.monotonic() < until
    ):
        time.sleep(0.01)
    names = {path.name for path in (tmp_path / "cache").iterdir() if path.is_file()}
    assert names == {there.pixels.shards[number].sha256 for number in (0, 5)}
