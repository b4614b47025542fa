"""An INDEX whose folder is replaced, damaged or tidied while it is in use, and values that no field can hold."""

from __future__ import annotations

import datetime as dt
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
from lift.catalogue.changing import REINDEX, Change, apply, restore, sweep
from lift.catalogue.fields import parse_date, parse_where, stored_value
from lift.catalogue.segments import Entry, Segment, SegmentWriter
from lift.catalogue.view import open_view
from lift.errors import LiftError


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
