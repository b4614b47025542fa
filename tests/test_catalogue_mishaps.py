"""An INDEX whose folder is replaced, damaged or tidied while it is in use, and values that no field can hold."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from indexes_by_hand import FIELDS, entry_of, unit, write_by_hand
from lift.artefact import write_json
from lift.catalogue import approximate, checking, commits
from lift.catalogue.approximate import Approximate
from lift.catalogue.changing import DAY, REINDEX, Change, apply, restore, sweep, tidy
from lift.catalogue.fields import parse_date, parse_where, stored_value
from lift.catalogue.scanning import best_rows
from lift.catalogue.segments import Entry, Segment, SegmentWriter
from lift.catalogue.view import open_view
from lift.errors import LiftError
from lift.indexing.adding import keep_upload
from lift.predict import exact_scores


def test_an_index_put_in_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    old = write_by_hand(folder, unit(20, 16, 0))
    shutil.rmtree(folder)
    write_by_hand(tmp_path / "other", unit(20, 16, 9)[::-1]).folder.rename(folder)
    new = open_view(folder, old)  # segment and number of the state have the same names as before
    np.testing.assert_allclose(new.vector(3), unit(20, 16, 9)[16], atol=1e-3)
    done = apply(folder, old, lambda _: Change(gone=["p3.jpg"]))
    assert done.view.find("p3.jpg") is None and checking.faults(folder) == ([], 19)
    np.testing.assert_allclose(done.view.vector(4), unit(20, 16, 9)[15], atol=1e-3)


def test_a_snapshot_is_returned_to_though_the_newest_state_is_damaged(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(20, 16, 0))
    commits.keep_snapshot(view.folder, "good", 1)

    def one_more(_: object) -> Change:
        change = Change()
        change.put(entry_of(30), unit(1, 16, 30)[0])
        return change

    apply(view.folder, view, one_more)
    (view.folder / "segments" / "00000002a.vectors.npy").write_bytes(b"damaged")
    with pytest.raises(LiftError, match="damaged"):
        open_view(view.folder)
    assert len(restore(view.folder, None, "good")) == 20 and len(open_view(view.folder)) == 20
    commits.commit_path(view.folder, 3).write_text("{", encoding="utf-8")
    assert restore(view.folder, None, "good").commit.number == 4
    (view.folder / "snapshots" / "good.json").write_text("{", encoding="utf-8")
    with pytest.raises(LiftError, match=r"good\.json is damaged"):
        commits.snapshots(view.folder)


def test_a_segment_of_a_second_line_that_takes_long_to_write_is_left_alone(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(20, 16, 0))
    content = {**view.commit.content, "began": 1, "segments": [], "set_aside": {}}
    write_json(view.folder / REINDEX, content)
    (view.folder / "segments" / "00000009a.keys.npy").write_bytes(b"of a killed writer")
    with SegmentWriter(view.folder / "segments", "00000001r00000", 16, FIELDS) as writer:
        for path in (view.folder / "segments").iterdir():
            os.utime(path, (time.time() - 5000,) * 2)
        assert sweep(view.folder).files == 1
        writer.write(unit(1, 16, 0), [entry_of(0)])
        assert writer.close()["rows"] == 1


@pytest.mark.parametrize("rows", [63, 5000])
def test_winners_that_rough_scores_cannot_tell_apart_are_found(rows: int) -> None:
    for seed in range(
        3
    ):  # all nearly at right angles to the query, whose rounding then decides the rough order
        [query] = unit(1, 16, 10 + seed)
        vectors = unit(rows, 16, 3)
        vectors -= (vectors @ query)[:, None] * query
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
        [(found, _)] = best_rows([(vectors, None)], query[None], 5)
        assert found.tolist() == np.argsort(-exact_scores(vectors, query), kind="stable")[:5].tolist()


def keep_upload_of(folder: Path, content: bytes) -> Entry:
    sha256 = hashlib.sha256(content).hexdigest()
    return Entry(content.decode(), keep_upload(folder, content, sha256), place=1, sign=sha256)


def test_gc_keeps_what_a_snapshot_needs_and_removes_the_rest(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(20, 16, 0))

    def add(content: bytes) -> None:
        places = [*view.commit.places, {"kind": "upload", "folder": ""}]

        def make(_: object) -> Change:
            change = Change(content={"places": places})
            change.put(keep_upload_of(view.folder, content), unit(1, 16, len(content))[0])
            return change

        apply(view.folder, open_view(view.folder), make)

    def uploads() -> set[bytes]:
        return {path.read_bytes() for path in (view.folder / "uploads").glob("*/*")}

    add(b"in a snapshot")
    commits.keep_snapshot(view.folder, "kept", 2)
    add(b"deleted after")
    apply(view.folder, open_view(view.folder), lambda _: Change(gone=["in a snapshot", "deleted after"]))
    keep_upload_of(view.folder, b"never added")
    assert tidy(view.folder, open_view(view.folder)).files == 0  # nothing is a day old
    for path in view.folder.rglob("*"):
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    tidy(view.folder, open_view(view.folder))
    assert uploads() == {b"in a snapshot", b"deleted after"}  # a state that is kept has the second one
    tidy(view.folder, open_view(view.folder), now=True)
    assert uploads() == {b"in a snapshot"} and commits.numbers(view.folder)[0] == 2
    assert checking.faults(view.folder)[0] == [] and len(open_view(view.folder)) == 20
    assert restore(view.folder, None, "kept").find("in a snapshot") == 20
    assert checking.faults(view.folder) == ([], 21)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells files by Linux's /proc")
def test_a_commit_is_written_after_all_that_it_lists_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, flushed, real = write_by_hand(tmp_path / "index", unit(20, 16, 0)), list[str](), os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    def make(_: object) -> Change:
        change = Change(gone=["p1.jpg"])
        change.put(keep_upload_of(view.folder, b"x"), unit(1, 16, 30)[0])
        return change

    monkeypatch.setattr(os, "fsync", fsync)
    made = apply(view.folder, view, make).view
    names = [name.removeprefix(f"{view.folder.resolve()}/") for name in flushed]
    commit = names.index("commits/.00000002.json.partial")
    assert names[commit + 1] == "commits"
    new = [name for name, _ in made.commit.files() if name not in {name for name, _ in view.commit.files()}]
    assert len(new) == 4
    for name in new:
        written = name if name.startswith("segments") else f"deleted/.{Path(name).name}.partial"
        folder = name.split("/")[0]
        assert written in names[:commit] and folder in names[names.index(written) : commit]
    upload = hashlib.sha256(b"x").hexdigest()[:2]
    [partial] = [name for name in names[:commit] if name.startswith("uploads/") and name.endswith(".partial")]
    assert f"uploads/{upload}" in names[names.index(partial) : commit]
    assert {"uploads", str(view.folder.resolve())} <= {*names[:commit]}  # folders that are new, in theirs


def test_values_are_kept_by_their_field_or_refused(tmp_path: Path) -> None:
    folder, fields = tmp_path, {"day": "date", "price": "number", "name": "text"}
    day, entry = dt.date(2026, 1, 31), Entry("a", "a", metadata={"day": dt.date(2026, 1, 31), "price": 3})
    with SegmentWriter(folder / "segments", "1", 4, fields) as writer:
        writer.write(unit(1, 4, 0), [entry])
        writer.close()
    read = Segment.open(folder / "segments", "1").entry(0)
    assert read.metadata == {"day": day, "price": 3}
    with SegmentWriter(folder / "segments", "2", 4, fields) as writer:
        writer.write(unit(1, 4, 0), [read])  # as a re-index writes what it has read
        writer.close()
    with (
        pytest.raises(LiftError, match="holds numbers, not 'cheap'"),
        SegmentWriter(folder / "segments", "3", 4, fields) as writer,
    ):
        writer.write(unit(1, 4, 0), [Entry("a", "a", metadata={"price": "cheap"})])
        writer.close()
    for name, kind, value in (("price", "number", 10**400), ("name", "text", "\ud800")):
        with pytest.raises(LiftError, match="cannot hold"):
            stored_value(name, kind, value)
    with pytest.raises(LiftError, match="no date"):
        parse_date("day", "0001-01-01T00:00+09:00")


def test_conditions_on_one_field_hold_all() -> None:
    fields = {"price": "number", "shop": "text", "day": "date"}
    assert parse_where(["price<10", "price<20", "price>=1", "price>=3"], fields) == {
        "price": {"<": 10.0, ">=": 3.0}
    }
    assert parse_where(["shop=tokyo,osaka", "shop=osaka", "shop!=a", "shop!=b"], fields) == {
        "shop": {"=": ["osaka"], "!=": ["a", "b"]}
    }
    assert parse_where(["shop=tokyo", "shop=osaka"], fields) == {"shop": {"=": []}}


def test_conditions_that_contradict_each_other_find_nothing(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(9, 16, 0))
    for where in (parse_where(["shop=tokyo", "shop=osaka"], FIELDS), {"new": {"<": False}}):
        assert not any(mask.any() for mask in view.allowed(where) if mask is not None)


def test_a_damaged_approximate_index_is_none(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    view = write_by_hand(tmp_path / "index", unit(1000, 16, 0))
    approximate.make(view)
    assert Approximate.open(view) is not None
    (view.folder / "approximate" / "facts.json").write_text("{", encoding="utf-8")
    assert Approximate.open(view) is None
