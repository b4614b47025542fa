"""Train, val and test: made by a stable hash or taken as given, and what leaks from one into another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from lift.data import Row

EXAMPLES = 10
_HELD_OUT = {"train": 0, "val": 1, "test": 2}


def position(key: str) -> float:
    """A number in [0, 1) that depends on the key alone, so that adding photos never moves old ones."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def made_split(key: str, val_fraction: float, test_fraction: float) -> str:
    """The split that the stable hash gives to a photo, or to the group of near-duplicates it leads."""
    place = position(key)
    if place < val_fraction:
        return "val"
    return "test" if place < val_fraction + test_fraction else "train"


def choose_splits(
    keys: Sequence[str],
    given: Sequence[str | None],
    groups: np.ndarray,
    *,
    val_fraction: float,
    test_fraction: float,
) -> tuple[list[str], str]:
    """Split of every photo, and how it came about: "given", "made", or "given, val made".

    Photos without a given split follow the first photo of their group. When splits are given without val, val
    is made out of train, since training needs one.
    """
    has = {split for split in given if split}
    carve = bool(has) and "val" not in has and val_fraction > 0
    is_open = [split is None or (carve and split == "train") for split in given]
    leader: dict[int, int] = {}  # group -> its first photo without a settled split
    settled: dict[int, str] = {}  # group -> the first settled split in it
    for row, split in enumerate(given):
        if is_open[row]:
            leader.setdefault(int(groups[row]), row)
        elif split:
            settled.setdefault(int(groups[row]), split)
    chosen: list[str] = []
    for row, split in enumerate(given):
        group = int(groups[row])
        if split and not is_open[row]:
            chosen.append(split)
        elif split is None and group in settled:
            chosen.append(settled[group])
        else:
            chosen.append(made_split(keys[leader[group]], val_fraction, 0.0 if has else test_fraction))
    how = "made" if not has else "given, val made" if carve else "given"
    return chosen, how


def straddling(splits: Sequence[str], groups: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, held-out row): photos with a near-duplicate in a split that is held out further."""
    strictest: dict[int, int] = {}
    for row, split in enumerate(splits):
        group = int(groups[row])
        if group not in strictest or _HELD_OUT[split] > _HELD_OUT[splits[strictest[group]]]:
            strictest[group] = row
    pairs = [(row, strictest[int(groups[row])]) for row in range(len(splits))]
    return [(row, held) for row, held in pairs if splits[row] != splits[held]]


def shared_texts(rows: Sequence[Row], made: set[str]) -> dict[str, Any]:
    """Texts of val and test photos that train photos have word for word; not the `made` ones."""
    train = {text for row in rows if row.split == "train" for text in row.texts} - made
    held = {text for row in rows if row.split != "train" for text in row.texts} - made
    shared = sorted(train & held)
    return {"texts": len(shared), "of_held_out_texts": len(held), "examples": shared[:EXAMPLES]}
