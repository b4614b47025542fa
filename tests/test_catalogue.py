"""Segments, commits, filters and search of an INDEX, against slow exact twins."""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from indexes_by_hand import FIELDS, SHOPS, entry_of, unit, write_by_hand
from lift.catalogue import approximate, changing, checking, commits
from lift.catalogue.approximate import Approximate
from lift.catalogue.changing import TIER, Change, apply, restore, tidy
from lift.catalogue.duplicates import groups_of
from lift.catalogue.fields import join_fields, parse_where, plain_value, stored_value
from lift.catalogue.scanning import _half_is_sound, best_rows
from lift.catalogue.searching import Finder
from lift.catalogue.view import View, open_view
from lift.errors import LiftError
from lift.predict import exact_scores, top_k


def slow(vectors: np.ndarray, query: np.ndarray, top: int, allowed: np.ndarray) -> list[int]:
    """Row numbers of the best allowed rows by a full sort of exact scores."""
    scores = np.where(allowed, exact_scores(vectors, query), -np.inf)
    return np.argsort(-scores, kind="stable")[: min(top, int(allowed.sum()))].tolist()


@pytest.mark.parametrize("queries", [1, 3, 20])
@pytest.mark.parametrize("share", [None, 0.5, 0.02])
def test_search_over_segments_is_a_full_sort_also_with_ties_and_filters(
    queries: int, share: float | None
) -> None:
    vectors = unit(3000, 48, 0).astype(np.float16)
    vectors[1000:1200] = vectors[7]  # equal scores: the lower row comes first
    vectors[2990] = vectors[7]
    asked = np.concatenate([vectors[7:8].astype(np.float32), unit(queries - 1, 48, 1)])
    random = np.random.default_rng(2)
    allowed = np.ones(3000, bool) if share is None else random.random(3000) < share
    parts = [
        (vectors[a:b], None if share is None else allowed[a:b])
        for a, b in ((0, 900), (900, 905), (905, 3000))
    ]
    for (rows, scores), query in zip(best_rows(parts, asked, 12), asked, strict=True):
        assert rows.tolist() == slow(vectors, query, 12, allowed)
        np.testing.assert_array_equal(scores, exact_scores(vectors[rows], query))
    if share is None:
        rows, _ = top_k(vectors, asked, 12)
        assert [found.tolist() for found, _ in best_rows(parts, asked, 12)] == rows.tolist()


def test_the_margin_of_half_precision_holds_on_this_machine_for_vectors_of_one_sign() -> None:
    assert _half_is_sound(384) and _half_is_sound(4096)
    close = np.abs(unit(5000, 384, 3)) * 0.01 + 1  # thousands of scores within the margin of one another
    close /= np.linalg.norm(close, axis=1, keepdims=True)
    vectors, query = close.astype(np.float16), unit(1, 384, 4)[0]
    [(rows, _)] = best_rows([(vectors, None)], query[None], 10)
    assert rows.tolist() == slow(vectors, query, 10, np.ones(5000, bool))


def put(view: View, numbers: list[int], sign: str = "") -> changing.Done:
    def make(_: View) -> Change:
        change = Change()
        for number in numbers:
            change.put(entry_of(number), unit(1, 16, number)[0])
        return change

    return apply(view.folder, view, make)


def test_photos_are_added_updated_and_deleted_and_states_are_returned_to(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(50, 16, 0), segments=2)
    assert len(view) == 50 and view.find("p7.jpg") == 7 and view.find("p99.jpg") is None
    commits.keep_snapshot(view.folder, "start", 1)
    done = put(view, [7, 60, 60])
    assert (done.added, done.updated, len(done.view)) == (1, 1, 51)
    row = done.view.find("p7.jpg")
    assert row is not None and row >= 50
    np.testing.assert_allclose(done.view.vector(row), unit(1, 16, 7)[0], atol=1e-3)
    assert [e.key for _, e in done.view.entries()].count("p7.jpg") == 1
    gone = apply(view.folder, done.view, lambda _: Change(gone=["p0.jpg", "p7.jpg", "none"]))
    assert gone.deleted == 2 and len(gone.view) == 49 and gone.view.find("p7.jpg") is None
    found = Finder().find(gone.view, unit(1, 16, 7), 60, None, None)[0][0]
    assert len(found) == 49 and len({gone.view.entry(row).key for row in found}) == 49
    assert len(view) == 50 and view.find("p0.jpg") == 0  # who has the old state open still sees it
    back = restore(view.folder, gone.view, "start")
    assert len(back) == 50 and back.find("p7.jpg") == 7 and back.commit.number == 4
    assert checking.faults(view.folder) == ([], 50)
    with pytest.raises(LiftError, match="no snapshot 'other'"):
        restore(view.folder, back, "other")


def test_small_segments_become_one_and_files_without_a_state_go(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(40, 16, 0))
    for number in range(100, 100 + 2 * TIER):
        view = put(view, [number]).view
    assert len(view) == 40 + 2 * TIER and len(view.segments) <= TIER
    keys = [entry.key for _, entry in view.entries()]
    assert keys == [f"p{n}.jpg" for n in [*range(40), *range(100, 100 + 2 * TIER)]]
    assert view.entry(view.find("p101.jpg") or 0) == entry_of(101)
    assert len(commits.numbers(view.folder)) < 2 * TIER + 5
    view = apply(view.folder, view, lambda _: Change(gone=["p101.jpg"])).view
    swept = tidy(view.folder, view, now=True)
    assert swept.files > 3 * TIER / 2
    fresh = open_view(view.folder)
    assert len(fresh.segments) == 1 and len(fresh.segments[0].deleted) == 0 and len(fresh) == 71
    assert len(list((view.folder / "segments").iterdir())) == 3
    assert len(view) == 71 and view.entry(view.find("p102.jpg") or 0).key == "p102.jpg"  # still mapped


def test_threads_add_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(5, 16, 0))
    threads = [threading.Thread(target=put, args=(view, [100 + n, 200 + n])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(open_view(view.folder)) == 5 + 16 and checking.faults(view.folder)[0] == []


WHERE = [
    ({"shop": "tokyo"}, lambda n: n % 3 == 0),
    ({"shop": ["tokyo", "京都"], "new": True}, lambda n: n % 3 != 1 and n % 2 == 0),
    ({"price": {">=": 5, "<": 21}}, lambda n: 5 <= n < 21 and n % 10),
    ({"shop": {"!=": "osaka"}, "price": 8}, lambda n: n == 8),
    ({"price": {"!=": [1, 2]}}, lambda n: n not in (1, 2) and n % 10),
]


@pytest.mark.parametrize(("where", "right"), WHERE)
def test_filters(tmp_path: Path, where: dict, right: object) -> None:
    view = write_by_hand(tmp_path / "index", unit(60, 16, 0), segments=3)
    view = apply(view.folder, view, lambda _: Change(gone=["p6.jpg"])).view
    expected = [n for n in range(60) if right(n) and n != 6]  # type: ignore[operator]
    rows = np.concatenate(
        [start + np.flatnonzero(m) for start, m in zip(view.starts, view.allowed(where), strict=False)]
    )
    assert rows.tolist() == expected
    found = Finder().find(view, unit(1, 16, 9), 5, where, None)[0][0]
    vectors = np.concatenate([s.vectors for s in view.segments])
    assert found.tolist() == slow(vectors, unit(1, 16, 9)[0], 5, np.isin(np.arange(60), expected))


def test_conditions_of_the_command_line_and_what_is_refused(tmp_path: Path) -> None:
    fields = {**FIELDS, "day": "date"}
    asked = ["price>=5", "price < 20", "shop=tokyo,京都", "new=yes", "day>2026-01-31"]
    assert parse_where(asked, fields) == {
        "price": {">=": 5.0, "<": 20.0},
        "shop": {"=": ["tokyo", "京都"]},
        "new": {"=": [True]},
        "day": {">": dt.datetime(2026, 1, 31)},
    }
    assert parse_where([], fields) is None
    wrongs = {
        "prize<2": "known: day, new",
        "price<x": "numbers",
        "price": "no condition",
        "day=soon": "no date",
    }
    for wrong, word in wrongs.items():
        with pytest.raises(LiftError, match=word):
            parse_where([wrong], fields)
    view = write_by_hand(tmp_path / "index", unit(5, 16, 0))
    for where in ({"prize": 3}, {"price": "3"}, {"price": {"~": 3}}, {"shop": 3}, {"price": {"<": [1, 2]}}):
        with pytest.raises(LiftError):
            view.allowed(where)
    with pytest.raises(LiftError, match="holds numbers"):
        stored_value("price", "number", "cheap")
    with pytest.raises(LiftError, match="no name"):
        join_fields({}, {"a<b": 1})
    assert [plain_value(v) for v in (3.0, 3.5, dt.datetime(2026, 1, 2))] == [3, 3.5, dt.date(2026, 1, 2)]


def test_near_duplicates_are_those_of_all_pairs() -> None:
    vectors = unit(300, 32, 0)
    vectors[200] = vectors[3] + 0.02 * unit(1, 32, 1)[0]
    vectors[250] = vectors[200] + 0.02 * unit(1, 32, 2)[0]
    vectors[10] = vectors[299]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    assert groups_of(vectors, 0.99) == [[3, 200, 250], [10, 299]]
    assert groups_of(vectors[:2], 0.99) == [] and groups_of(vectors[:0], 0.99) == []


def test_approximate_search_with_filters_deletions_and_new_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(approximate, "FEW_ROWS", 100)
    vectors = unit(4000, 24, 0)
    view = write_by_hand(tmp_path / "index", vectors, segments=2)
    facts = approximate.make(view)
    assert facts["recall@10"] >= 0.99 and facts["rows"] == [2000, 2000]
    finder = Finder()

    def share(where: dict | None) -> float:
        asked = unit(30, 24, 5)
        near = finder.find(view, asked, 10, where, False)
        right = finder.find(view, asked, 10, where, True)
        assert finder._near is not None and finder._near.view is view
        return float(np.mean([np.isin(a, b).mean() for (a, _), (b, _) in zip(right, near, strict=True)]))

    assert share(None) >= 0.98 and share({"shop": SHOPS[0]}) >= 0.98
    assert share({"price": {"<": 90}}) == 1  # few: searched exactly
    view = apply(view.folder, view, lambda _: Change(gone=[f"p{n}.jpg" for n in range(0, 4000, 4)])).view
    view = put_like(view, unit(30, 24, 5)[:1])
    assert share(None) >= 0.98
    best = finder.find(view, unit(30, 24, 5)[:1], 1, None, False)[0][0]
    assert (
        view.entry(int(best[0])).key == "p9000.jpg"
    )  # in a segment that the approximate index does not know
    for rows, _ in finder.find(view, unit(30, 24, 6), 10, None, False):
        assert all(int(view.entry(int(row)).key[1:-4]) % 4 for row in rows if row < 4000)
    (view.folder / "approximate" / facts["file"]).write_bytes(b"damaged")
    assert Approximate.open(view) is None  # a damaged cache is none
    assert finder.find(view, unit(1, 24, 5), 10, None, None)[0][0].shape == (10,)


def put_like(view: View, vector: np.ndarray) -> View:
    def make(_: View) -> Change:
        change = Change()
        change.put(entry_of(9000), vector[0])
        return change

    return apply(view.folder, view, make).view


def test_check_finds_a_flipped_bit_a_lost_upload_and_a_lost_state(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(20, 16, 0), segments=2)
    view = apply(view.folder, view, lambda _: Change(gone=["p1.jpg"])).view
    assert checking.faults(view.folder) == ([], 19)
    for name in [name for name, _ in view.commit.files()]:
        path = view.folder / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        [fault] = checking.faults(view.folder)[0]
        assert path.name in str(fault) and "has changed" in str(fault)
        with pytest.raises(LiftError, match="damaged"):
            open_view(view.folder)
        path.unlink()
        assert "is missing" in str(checking.faults(view.folder)[0][0])
        path.write_bytes(content)
    for path in (view.folder / "commits").iterdir():
        path.unlink()
    assert checking.faults(view.folder)[0]
    with pytest.raises(LiftError, match="commit"):
        open_view(view.folder)


def test_a_writer_waits_for_another_and_says_so(tmp_path: Path) -> None:
    view = write_by_hand(tmp_path / "index", unit(5, 16, 0))
    began = time.monotonic()
    with (
        commits.writing(view.folder),
        pytest.raises(LiftError, match="another process"),
        commits.writing(view.folder, wait=0.1),
    ):
        pytest.fail("two writers at once")
    assert time.monotonic() - began >= 0.1
