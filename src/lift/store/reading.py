"""EmbeddingStore: a STORE opened for reading; vectors by text or by row, over memory-mapped files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lift.conditioning import Conditioning
from lift.errors import LiftError
from lift.place import Place
from lift.store.commits import COMMITS, FACTS, SUMS, StoreFacts, read_facts, standing_commits, total
from lift.store.conditions import read_conditioning
from lift.store.lookup import Lookup, Shard
from lift.store.shards import check_vectors, key_order, text_keys

DIGESTED_ROWS = 16_384  # read together


class EmbeddingStore:
    """A STORE as it was when it was opened; what is appended later is seen by opening it again.

    Opening reads the commits only. Rows are numbered through all commits by name, then by ascending key of the text;
    a text that two commits hold has one row, of the first of them.
    """

    def __init__(self, place: Path | str | Place) -> None:
        """Open `place`, a folder or an fsspec URL; raises LiftError when no run was ever committed there."""
        self.place = Place(place)
        self.folder = str(self.place)
        self.commits = standing_commits(self.place)
        self.facts: StoreFacts = self.commits[0].facts
        self.fingerprint = self.facts.fingerprint
        self.dim: int = self.facts.dim
        self._lookup = Lookup(self.place, self.commits)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The commits as one: facts, rows, shards, and the sums of what their runs have spent."""
        contents = [commit.content for commit in self.commits]
        datasets = [made for one in contents for made in one.get("datasets", [])]
        return {
            **self.facts.asdict(),
            "rows": len(self),
            "shards": [entry for commit in self.commits for entry in commit.shards],
            **{name: total(contents, name) for name in SUMS},
            "max_tokens": self.fingerprint.max_tokens,
            "dataset": datasets[0] if datasets else None,
            "datasets": datasets,
            "request": contents[0]["request"] if len(contents) == 1 else [one["request"] for one in contents],
            "commits": [commit.name for commit in self.commits],
        }

    @cached_property
    def conditioning(self) -> Conditioning | None:
        """What was done to the encoder's vectors before they were stored; None for nothing."""
        return read_conditioning(self.place, self.fingerprint)

    def __len__(self) -> int:
        return self._lookup.rows - len(self.duplicates)

    def __repr__(self) -> str:
        return f"EmbeddingStore({self.folder}, {self._lookup.rows:,} rows by {self.facts})"

    @property
    def duplicates(self) -> np.ndarray:
        """Stored rows that are not counted, because an earlier commit holds their text: int64 (d,)."""
        return self._lookup.duplicates

    def texts(self) -> Iterator[str]:
        """All texts, in row order."""
        for shard, keep in self._lookup.parts():
            for text, wanted in zip(shard.texts(), keep, strict=True):
                if wanted:
                    yield text

    def contains(self, texts: Sequence[str]) -> np.ndarray:
        """Which of `texts` have a vector: bool (n,)."""
        return self._lookup.find(text_keys(texts)) >= 0

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of `texts` that have no vector, in their order."""
        return [text for text, known in zip(texts, self.contains(texts), strict=True) if not known]

    def _found(self, texts: Sequence[str]) -> np.ndarray:
        found = self._lookup.find(text_keys(texts))
        if (found < 0).any():
            missing = [text for text, row in zip(texts, found, strict=True) if row < 0]
            raise LiftError(
                f"{len(missing)} texts have no vector in {self.folder}, the first: {missing[0][:80]!r}",
                f"run `lift embed DATASET --out {self.folder}` to append them, or give the STORE that holds them",
            )
        return found

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Row number of each text, from 0 to len - 1: int64 (n,); LiftError names a text that is not there."""
        found = self._found(texts)
        return found - np.searchsorted(self.duplicates, found)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Unit vectors of the given rows: float32 (n, D). IndexError for a row that does not exist."""
        rows = np.asarray(rows, np.int64)
        if rows.size and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows go from 0 to {len(self) - 1}")
        if len(self.duplicates):
            before = self.duplicates - np.arange(len(self.duplicates))  # counted rows before each duplicate
            rows = rows + np.searchsorted(before, rows, side="right")
        return self._lookup.gather(rows, self.dim)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of `texts`: float32 (n, D); LiftError names a text that is not there."""
        return self._lookup.gather(self._found(texts), self.dim)

    def digest(self, texts: Sequence[str]) -> str:
        """16 hexadecimal digits over the distinct `texts` and their stored vectors, whatever shards they lie in."""
        distinct = list(dict.fromkeys(texts))
        keys = text_keys(distinct)
        order = key_order(keys)
        total = hashlib.sha256(np.ascontiguousarray(keys[:, order]).tobytes())
        rows = self._found(distinct)[order]
        for start in range(0, len(rows), DIGESTED_ROWS):
            total.update(self._lookup.gather(rows[start : start + DIGESTED_ROWS], self.dim).tobytes())
        return total.hexdigest()[:16]

    def matrix(self) -> np.ndarray:
        """All vectors in row order, brought back to unit length: float32 (rows, D)."""
        return self._lookup.matrix(self.dim)

    def faults(self) -> Iterator[LiftError]:
        """Everything that is wrong: checksums, order of the keys, unit length, texts that do not fit their keys."""
        facts = read_facts(self.place)
        for commit in self.commits:
            if facts is not None and not commit.facts.fits(facts):
                yield LiftError(
                    f"{self.place}/{COMMITS}/{commit.name}.json is of {commit.facts}, {FACTS} of {facts}",
                    "run the `lift embed --overwrite` that was interrupted again",
                )
        try:
            read_conditioning(self.place, self.fingerprint)
        except LiftError as fault:
            yield fault
        for shard in self._lookup.shards:
            try:
                shard.verify()
                _check_rows(shard)
            except LiftError as fault:
                yield fault

    def check(self) -> None:
        """Raise the first of `faults` as a LiftError."""
        for fault in self.faults():
            raise fault


def _check_rows(shard: Shard) -> None:
    """LiftError unless vectors, keys and texts of the shard are sound and belong together."""
    where = f"{shard.place}/shards/{shard.entry['name']}"
    check_vectors(shard.vectors, where)
    high, low = shard.keys
    ascending = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))
    if not ascending.all() or not np.array_equal(text_keys(shard.texts()), shard.keys):
        raise LiftError(
            f"the texts of {where} do not belong to its vectors", "make the STORE again with `--overwrite`"
        )
