"""Finding and gathering rows in the shards of some commits: vectorised, over memory-mapped files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from lift.place import Place
from lift.store.commits import Commit, damaged
from lift.store.shards import FOLDER, KEYS, TEXTS, VECTORS, file_names, to_unit, unpack_texts, widen


class Shard:
    """One shard, its files mapped when first needed."""

    def __init__(self, place: Place, entry: dict[str, Any], start: int) -> None:
        self.place, self.entry, self.start = place, entry, start
        self.rows: int = entry["rows"]

    def _array(self, file: str, position: int, shape: tuple[int, ...]) -> np.ndarray:
        name = f"{FOLDER}/{self.entry['name']}.{file}"
        try:
            array = self.place.array(name, self.entry["sha256"][position])
        except FileNotFoundError as error:
            raise damaged(
                self.place, f"{name} is missing (or the STORE was replaced since it was opened)"
            ) from error
        except (SyntaxError, ValueError) as error:
            raise damaged(self.place, f"{name} cannot be read ({error})") from error
        if array.shape[: len(shape)] != shape:
            raise damaged(self.place, f"{name} has the shape {array.shape}")
        return array

    @cached_property
    def vectors(self) -> np.ndarray:
        """As stored: (n, D)."""
        return self._array(VECTORS, 0, (self.rows,))

    @cached_property
    def keys(self) -> np.ndarray:
        """Ascending: uint64 (2, n)."""
        return self._array(KEYS, 1, (2, self.rows))

    def verify(self) -> None:
        """LiftError unless every file has its SHA-256."""
        for name, expected in zip(file_names(self.entry), self.entry["sha256"], strict=True):
            try:
                found = self.place.sha256(name)
            except FileNotFoundError:
                raise damaged(self.place, f"{name} is missing") from None
            if found != expected:
                raise damaged(self.place, f"{name} has changed since it was written")

    def texts(self) -> list[str]:
        """Read anew at every call."""
        name = f"{FOLDER}/{self.entry['name']}.{TEXTS}"
        try:
            texts = unpack_texts(self.place.read(name))
        except (FileNotFoundError, ValueError) as error:
            raise damaged(self.place, f"{name} cannot be read ({error})") from error
        if len(texts) != self.rows:
            raise damaged(self.place, f"{name} holds {len(texts)} texts for {self.rows} rows")
        return texts


def find_sorted(keys: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Positions of the wanted (high, low) halves in ascending keys (2, n), -1 where absent: int64 (m,)."""
    last = keys.shape[1] - 1
    at = np.minimum(np.searchsorted(keys[0], high), last)
    same = keys[0][at] == high
    hit = same & (keys[1][at] == low)
    while (
        unsure := same & ~hit & (at < last)
    ).any():  # several keys of equal leading half: one in 10^9 texts
        at = np.where(unsure, at + 1, at)
        same = unsure & (keys[0][at] == high)
        hit |= same & (keys[1][at] == low)
    return np.where(hit, at, -1)


class Lookup:
    """All rows of some commits, numbered through in the order of the commits and their shards."""

    def __init__(self, place: Place, commits: Sequence[Commit]) -> None:
        self.place, self.commits = place, list(commits)
        self.shards: list[Shard] = []
        self._parts: list[
            tuple[int, np.ndarray]
        ] = []  # of each commit: its first shard, first keys of its shards
        start = 0
        for commit in self.commits:
            first = [int(entry["first"][:16], 16) for entry in commit.shards]
            self._parts.append((len(self.shards), np.array(first, np.uint64)))
            for entry in commit.shards:
                self.shards.append(Shard(place, entry, start))
                start += entry["rows"]
        self.ends = np.array([shard.start + shard.rows for shard in self.shards], np.int64)
        self.rows = start

    def find(self, keys: np.ndarray, among: Sequence[int] | None = None) -> np.ndarray:
        """Rows of keys (2, n), -1 where absent: int64 (n,). `among` names the commits to look in by position.

        Where several commits hold a text the first one counts.
        """
        rows = np.full(keys.shape[1], -1, np.int64)
        order = np.argsort(keys[0], kind="stable")
        for position in range(len(self._parts)) if among is None else among:
            offset, first = self._parts[position]
            wanted = order[rows[order] < 0] if rows.max(initial=-1) >= 0 else order
            high, low = keys[0][wanted], keys[1][wanted]
            cuts = np.append(np.searchsorted(high, first), len(high))
            at, beside, below = np.zeros(len(high), np.int64), np.zeros_like(high), np.zeros_like(low)
            touched = np.flatnonzero(np.diff(cuts))
            for number in touched:  # as little as possible for each shard: there are many
                part, shard = slice(cuts[number], cuts[number + 1]), self.shards[offset + number]
                near = shard.keys[0].searchsorted(high[part])
                np.minimum(near, shard.rows - 1, out=near)
                at[part] = near + shard.start
                beside[part], below[part] = shard.keys[0][near], shard.keys[1][near]
            same = beside == high
            same[: cuts[0]] = False
            hit = same & (below == low)
            rows[wanted[hit]] = at[hit]
            for query in np.flatnonzero(same & ~hit):  # equal leading halves: one in a billion texts
                shard = self.shards[offset + np.searchsorted(cuts, query, side="right") - 1]
                place = find_sorted(shard.keys, high[query : query + 1], low[query : query + 1])[0]
                if place >= 0:
                    rows[wanted[query]] = place + shard.start
        return rows

    def gather(self, rows: np.ndarray, dim: int) -> np.ndarray:
        """Unit vectors of the given rows: float32 (n, D)."""
        out = np.empty((len(rows), dim), np.float32)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        cuts = np.concatenate([[0], np.searchsorted(ordered, self.ends)])
        for number in np.flatnonzero(np.diff(cuts)):
            part = slice(cuts[number], cuts[number + 1])
            shard = self.shards[number]
            out[order[part]] = widen(shard.vectors[ordered[part] - shard.start])
        out /= np.sqrt(np.einsum("ij,ij->i", out, out))[:, None]
        return out

    @cached_property
    def duplicates(self) -> np.ndarray:
        """Rows whose text an earlier commit holds as well, ascending: int64 (n,).

        Only commits of runs that were under way at the same time can share texts, so this costs nothing otherwise.
        """
        found = []
        for position, commit in enumerate(self.commits):
            others = [
                n
                for n, other in enumerate(self.commits[:position])
                if not commit.excludes(other) and not other.excludes(commit)
            ]
            if others:
                offset = self._parts[position][0]
                for shard in self.shards[offset : offset + len(commit.shards)]:
                    twice = self.find(np.asarray(shard.keys), among=others) >= 0
                    found.append(np.flatnonzero(twice) + shard.start)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def parts(self) -> Iterator[tuple[Shard, np.ndarray]]:
        """Every shard with a mask (n,) of the rows that are no duplicates."""
        for shard in self.shards:
            keep = np.ones(shard.rows, bool)
            low, high = np.searchsorted(self.duplicates, [shard.start, shard.start + shard.rows])
            keep[self.duplicates[low:high] - shard.start] = False
            yield shard, keep

    def matrix(self, dim: int) -> np.ndarray:
        """Unit vectors of all rows but duplicates: float32 (n, D)."""
        parts = [to_unit(shard.vectors[keep]) for shard, keep in self.parts()]
        return np.concatenate(parts) if parts else np.zeros((0, dim), np.float32)
