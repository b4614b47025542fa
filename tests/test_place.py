"""Places: local folders and object storage behave alike."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from lift.errors import LiftError
from lift.place import Place, map_array, npy_parts
from lift.store import EmbeddingStore, compact, merge, sweep
from stores_by_hand import make_store, vectors_of, words


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of remote files go here."""
    monkeypatch.setenv("LIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "objects"


@pytest.fixture(params=["path", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """The same folder by each kind of name."""
    urls = {
        "path": str(tmp_path / "a b"),
        "file": (tmp_path / "a b").as_uri(),
        "memory": f"memory://{tmp_path.name}/place",
    }
    return Place(urls[request.param])


def test_files_are_written_read_listed_and_removed(place: Place) -> None:
    assert place.is_empty() and place.names("x") == [] and not place.exists("x/1")
    place.write("x/2", b"ab", memoryview(b"cd"))
    place.write("x/1", b"")
    place.write("x/2", b"new", b"er")
    assert place.read("x/2") == b"newer" and place.names("x") == ["1", "2"] and place.names() == []
    assert (
        place.exists("x/1")
        and not place.exists("x")
        and place.size("x/2") == 5
        and 0 <= place.age("x/2") < 60
    )
    place.remove("x/1")
    place.remove("x/1")
    assert place.names("x") == ["2"] and not place.is_empty()
    with pytest.raises(FileNotFoundError):
        place.read("x/1")
    assert pickle.loads(pickle.dumps(place)).read("x/2") == b"newer" and Place(place).url == place.url


def test_arrays_are_those_of_numpy(tmp_path: Path) -> None:
    for array in (
        np.arange(12, dtype=np.float16).reshape(3, 4),
        np.zeros((0, 4), np.int8),
        np.ones((2, 5), np.uint64),
    ):
        path = tmp_path / "x.npy"
        path.write_bytes(b"".join(npy_parts(array)))
        assert np.array_equal(np.load(path), array)
        mapped = map_array(path)
        assert np.array_equal(mapped, array) and mapped.dtype == array.dtype
        if array.size:
            with pytest.raises(ValueError, match="read-only"):
                mapped[0, 0] = 1


def test_a_store_on_object_storage_is_one_on_disk(tmp_path: Path, cache: Path) -> None:
    url = f"memory://{tmp_path.name}/store"
    local = make_store(tmp_path / "store", words(0, 30))
    remote = make_store(url, words(0, 30))
    assert [s["sha256"] for s in remote.manifest["shards"]] == [s["sha256"] for s in local.manifest["shards"]]
    assert np.array_equal(remote.matrix(), local.matrix()) and remote.missing(["text 3", "x"]) == ["x"]
    fetched = len(list(cache.iterdir()))
    again = make_store(url, words(20, 40))
    again.check()
    assert len(again) == 40 and list(remote.texts()) == list(local.texts())
    make_store(f"{url}-2", words(35, 60))
    merge([Place(url), Place(f"{url}-2")], Place(f"{url}-3"))
    merged = EmbeddingStore(f"{url}-3")
    assert np.abs(merged.vectors(words(0, 60)) - vectors_of(words(0, 60))).max() < 1e-3
    assert compact(Place(url), shard_rows=100) is not None and sweep(Place(url), least_age=0) is not None
    assert len(EmbeddingStore(url)) == 40 and len(EmbeddingStore(url).commits) == 1
    assert len(Place(url).names("shards")) == 3 and fetched > 0


def test_a_changed_object_is_refused(tmp_path: Path, cache: Path) -> None:
    url = f"memory://{tmp_path.name}/store"
    cached = make_store(url, words(0, 5))
    cached.matrix()
    place = Place(url)
    [name] = [name for name in place.names("shards") if name.endswith("vectors.npy")]
    content = bytearray(place.read(f"shards/{name}"))
    content[-1] ^= 1
    place.write(f"shards/{name}", bytes(content))
    with pytest.raises(LiftError, match="has changed since it was written"):
        EmbeddingStore(url).check()  # though an intact copy is in the cache
    for copy in cache.iterdir():
        copy.unlink()
    with pytest.raises(LiftError, match="has changed since it was written"):
        EmbeddingStore(url).matrix()


def test_two_processes_may_fetch_an_object_at_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = Place(f"memory://{tmp_path.name}/store"), Place.write
    place.write("x", b"content")
    name = hashlib.sha256(b"content").hexdigest()
    others = [lambda: place.file("x", name)]

    def written(self: Place, file: str, *parts: bytes, **how: bool) -> None:
        write(self, file, *parts, **how)
        if others:
            others.pop()()  # another process does the same, from beginning to end

    monkeypatch.setattr(Place, "write", written)
    assert place.file("x", name).read_bytes() == b"content"
    assert [copy.name for copy in cache.iterdir()] == [name]


def test_urls_that_cannot_be_opened_say_what_to_do() -> None:
    with pytest.raises(LiftError, match="cannot be opened"):
        Place("nonsense://bucket/x")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(LiftError, match="pip install s3fs"):
            Place("s3://bucket/x")


def test_unfinished_files_are_seen_by_nobody_else(tmp_path: Path) -> None:
    place = Place(tmp_path)
    mine = f".a.json.{os.uname().nodename.replace('.', '-')}"
    (tmp_path / f"{mine}.999999999.partial").write_bytes(b"x")
    (tmp_path / ".b.json.elsewhere.5.partial").write_bytes(b"x")
    assert place.names() == []
    assert place.leftovers("") == [
        (f"{mine}.999999999.partial", False),
        (".b.json.elsewhere.5.partial", True),
    ]
