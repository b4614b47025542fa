"""Splits by stable hash, near-duplicates on one side, leakage counted."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ingest_cases import leaky, photos, picture, reasons, report, run
from lift.ingest.duplicates import candidate_pairs, near_duplicate_groups
from lift.ingest.splits import choose_splits, made_split, position, straddling


def test_stable_hash_never_moves_old_photos() -> None:
    assert position("abc") == 0xBA7816BF8F01CFEA / 2**64  # SHA-256 of "abc", as FIPS 180 prints it
    keys = [f"{number}.jpg" for number in range(4000)]
    old = [made_split(key, 0.1, 0.05) for key in keys]
    assert abs(old.count("val") - 400) < 60 and abs(old.count("test") - 200) < 45  # 3 standard deviations
    more, how = choose_splits(
        ["new.jpg", *keys], [None] * 4001, np.arange(4001), val_fraction=0.1, test_fraction=0.05
    )
    assert more[1:] == old and how == "made"


def test_groups_follow_their_first_photo_and_given_splits_stay() -> None:
    keys = [f"{number}" for number in range(60)]
    groups = np.arange(60) // 3 * 3
    chosen, _ = choose_splits(keys, [None] * 60, groups, val_fraction=0.5, test_fraction=0.0)
    assert all(len(set(chosen[row : row + 3])) == 1 for row in range(0, 60, 3))
    assert chosen[0::3] == [made_split(key, 0.5, 0.0) for key in keys[0::3]]
    given = ["train", "val", None, "test"]
    chosen, how = choose_splits(keys[:4], given, np.array([0, 1, 1, 0]), val_fraction=0.5, test_fraction=0.0)
    assert (chosen, how) == (["train", "val", "val", "test"], "given")
    assert straddling(chosen, np.array([0, 1, 1, 0])) == [(0, 3)]


def test_val_is_made_from_train_when_only_train_and_test_are_given() -> None:
    keys = [f"{number}" for number in range(100)]
    given = ["train"] * 80 + ["test"] * 20
    chosen, how = choose_splits(keys, given, np.arange(100), val_fraction=0.2, test_fraction=0.5)
    assert how == "given, val made" and chosen[80:] == ["test"] * 20
    assert chosen[:80] == [made_split(key, 0.2, 0.0) for key in keys[:80]] and "val" in chosen


def test_leakage_is_counted_and_dropped_on_request(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leaky(source)
    dataset = run(source)
    leakage = report(dataset)["leakage"]
    assert leakage["near_duplicates_across_splits"] == 1 and leakage["near_duplicate_groups"] == 1
    assert leakage["examples"] == [{"photo": "0.png", "split": "train", "like": "1.png", "like_split": "val"}]
    assert leakage["shared_texts"] == {"texts": 1, "of_held_out_texts": 3, "examples": ["the same"]}
    assert len(dataset) == 6
    dropped = run(source, tmp_path / "dropped", drop_leakage=True)
    assert [row.key for row in dropped.rows] == ["1.png", "2.png", "3.png", "4.png", "5.png"]
    assert reasons(dropped) == {"0.png": "near-duplicate of held-out photo: 1.png (val)"}
    np.testing.assert_array_equal(dropped.pixels[0], dataset.pixels[1])


def test_output_inside_the_source_is_no_part_of_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    leaky(source)
    first = run(source, source / "lift" / "out")
    assert run(source, source / "lift" / "out").id == first.id  # already done: the signature has not changed
    assert len(run(source, tmp_path / "other")) == len(first) == 6


def test_near_duplicates_land_on_one_side_of_made_splits(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(12):
        photos(source, [])
        source.mkdir(exist_ok=True)
        picture(number).save(source / f"{number}.png")
        picture(number, 40).save(source / f"{number}-again.jpg", quality=85)
        (source / f"{number}.txt").write_text(f"text {number}")
        (source / f"{number}-again.txt").write_text(f"again {number}")
    dataset = run(source, val_fraction=0.5)
    side = {row.key: row.split for row in dataset.rows}
    assert len(side) == 24 and set(side.values()) == {"train", "val"}
    assert all(side[f"{number}.png"] == side[f"{number}-again.jpg"] for number in range(12))
    assert report(dataset)["leakage"]["near_duplicate_photos"] == 24
    assert report(dataset)["leakage"]["near_duplicates_across_splits"] == 0


def test_candidate_pairs_equal_the_slow_search() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**64, 150, dtype=np.uint64)
    flips = np.array(
        [[1 << int(bit) for bit in rng.choice(64, 7, replace=False)] for _ in base], dtype=np.uint64
    )
    near = base ^ np.bitwise_or.reduce(np.where(rng.random((150, 7)) < 0.8, flips, np.uint64(0)), axis=1)
    hashes = np.concatenate([base, near, base[:10]])
    found = {(min(a, b), max(a, b)) for i, j in candidate_pairs(hashes, 6) for a, b in zip(i, j, strict=True)}
    slow = {
        (a, b) for a in range(310) for b in range(a + 1, 310)
        if bin(int(hashes[a]) ^ int(hashes[b])).count("1") <= 6
    }  # fmt: skip
    assert found == slow and 100 < len(slow) < 200


def test_seven_thousand_hashes_take_under_three_seconds() -> None:
    rng = np.random.default_rng(0)
    dhash, phash = rng.integers(0, 2**64, (2, 7000), dtype=np.uint64)
    thumbs = rng.integers(0, 256, (7000, 16, 16, 3), dtype=np.uint8)
    start = time.perf_counter()
    groups = near_duplicate_groups(dhash, phash, thumbs)
    assert time.perf_counter() - start < 3
    assert len(np.unique(groups)) == 7000
