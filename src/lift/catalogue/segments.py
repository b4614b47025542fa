"""Segments of an INDEX: photos that were written together, never changed after; what is deleted is noted beside.

NAME.vectors.npy   float16 (N, dim) unit rows, memory-mapped
NAME.rows.arrow    Arrow file: key, place, path, captions, sign, and one typed column `field:NAME` per field
NAME.keys.npy      uint64 (N, 2): hash of a key and its row, by ascending hash, to find a photo by its key
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from lift.artefact import fsync_folder, make_folder, sha256_file
from lift.catalogue.fields import ARROW, plain_value, stored_value

PARTS = {"vectors": "vectors.npy", "rows": "rows.arrow", "keys": "keys.npy"}
BATCH_ROWS = 16_384
FIELD = "field:"


@dataclass(frozen=True)
class Entry:
    """One photo of an INDEX: a unique `key`, and `path` as its place reads it (a folder's: relative to it).

    place: number in the INDEX's list of places. sign: changes when the photo does (size and time of a file, a hash).
    """

    key: str
    path: str
    captions: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0
    sign: str = ""


def key_hashes(keys: Sequence[str]) -> np.ndarray:
    """64 bits of BLAKE2b of each key, uint64 (N,); for any string, though no stored key holds lone surrogates."""
    coded = (key.encode(errors="surrogatepass") for key in keys)
    hashed = b"".join(hashlib.blake2b(key, digest_size=8).digest() for key in coded)
    return np.frombuffer(hashed, "<u8")


def schema_of(fields: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of rows with these metadata fields (name: text, number, date or bool)."""
    base = [
        ("key", pa.string()),
        ("place", pa.int16()),
        ("path", pa.string()),
        ("captions", pa.list_(pa.string())),
        ("sign", pa.string()),
    ]
    return pa.schema([*base, *((FIELD + name, ARROW[kind]) for name, kind in sorted(fields.items()))])


class SegmentWriter:
    """Streams one segment into `folder`; `close` makes it durable and returns what a commit keeps of it."""

    def __init__(self, folder: Path, name: str, dim: int, fields: Mapping[str, str]) -> None:
        make_folder(folder)
        self.folder, self.name, self.dim, self.fields = folder, name, dim, dict(fields)
        self.rows = 0
        self._hashes: list[np.ndarray] = []
        self._waiting: list[Entry] = []
        self._schema = schema_of(fields)
        self._vectors = self._path("vectors").open("wb")
        _write_header(self._vectors, 0, dim)
        self._sink = pa.OSFile(str(self._path("rows")), "wb")
        self._lines = pa.ipc.new_file(self._sink, self._schema)

    def _path(self, part: str) -> Path:
        return self.folder / f"{self.name}.{PARTS[part]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._vectors.close()
        if not self._sink.closed:
            self._lines.close()
            self._sink.close()

    def write(self, vectors: np.ndarray, entries: Sequence[Entry]) -> None:
        """Append unit vectors (n, dim) of any float type and their entries."""
        self._vectors.write(np.ascontiguousarray(vectors, dtype=np.float16).tobytes())
        self._hashes.append(key_hashes([entry.key for entry in entries]))
        self._waiting += entries
        self.rows += len(entries)
        if len(self._waiting) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        part, self._waiting = self._waiting, []
        columns: dict[str, list[Any]] = {
            "key": [entry.key for entry in part],
            "place": [entry.place for entry in part],
            "path": [entry.path for entry in part],
            "captions": [list(entry.captions) for entry in part],
            "sign": [entry.sign for entry in part],
        }
        for name, kind in self.fields.items():
            columns[FIELD + name] = [stored_value(name, kind, entry.metadata.get(name)) for entry in part]
        arrays = [pa.array(columns[f.name], f.type) for f in self._schema]
        self._lines.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def copy(self, segment: Segment) -> None:
        """Append all live rows of another segment; fields that it lacks stay empty."""
        self._flush()
        for rows, table in segment.live_parts():
            self._vectors.write(np.ascontiguousarray(segment.vectors[rows]).tobytes())
            self._hashes.append(key_hashes(table["key"].to_pylist()))
            columns = [
                table[f.name] if f.name in table.column_names else pa.nulls(len(rows), f.type)
                for f in self._schema
            ]
            self._lines.write_table(pa.table(columns, schema=self._schema))
            self.rows += len(rows)

    def close(self) -> dict[str, Any]:
        """Finish the files, flush them to the disk; {name, rows, bytes, sha256}."""
        self._flush()
        self._lines.close()
        self._sink.close()
        self._vectors.seek(0)
        _write_header(self._vectors, self.rows, self.dim)
        self._vectors.close()
        hashes = np.concatenate(self._hashes) if self._hashes else np.empty(0, np.uint64)
        order = np.argsort(hashes, kind="stable")
        np.save(self._path("keys"), np.stack([hashes[order], order.astype(np.uint64)], axis=1))
        sums = {}
        for part in PARTS:
            with self._path(part).open("rb") as file:
                os.fsync(file.fileno())
            sums[part] = sha256_file(self._path(part))
        fsync_folder(self.folder)
        size = sum(self._path(part).stat().st_size for part in PARTS)
        return {"name": self.name, "rows": self.rows, "bytes": size, "sha256": sums}


def _write_header(file: Any, rows: int, dim: int) -> None:
    """The npy header for (rows, dim) float16; numpy pads it so that its length is the same for any `rows`."""
    np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": (rows, dim)})


class Segment:
    """One segment opened: `vectors` float16 (N, dim), `table` of its rows, `alive` (N,) bool or None for all."""

    def __init__(
        self,
        name: str,
        vectors: np.ndarray,
        table: pa.Table,
        keys: np.ndarray,
        deleted: np.ndarray | None = None,
    ) -> None:
        self.name, self.vectors, self.table, self.keys = name, vectors, table, keys
        self.deleted = np.empty(0, np.int64) if deleted is None else deleted
        self.alive: np.ndarray | None = None
        if len(self.deleted):
            self.alive = np.ones(len(vectors), bool)
            self.alive[self.deleted] = False

    @classmethod
    def open(cls, folder: Path, name: str, deleted: np.ndarray | None = None) -> Segment:
        """Map the files of the segment `name`; ValueError when they do not fit together."""
        vectors: np.ndarray = np.load(folder / f"{name}.{PARTS['vectors']}", mmap_mode="c")  # for torch
        keys: np.ndarray = np.load(folder / f"{name}.{PARTS['keys']}", mmap_mode="r")
        with pa.memory_map(str(folder / f"{name}.{PARTS['rows']}")) as source:
            table = pa.ipc.open_file(source).read_all()
        if not len(vectors) == len(keys) == table.num_rows:
            raise ValueError(f"{table.num_rows} rows for {len(vectors)} vectors and {len(keys)} keys")
        return cls(name, vectors, table, keys, deleted)

    def without(self, deleted: np.ndarray) -> Segment:
        """The same segment with other rows deleted."""
        return Segment(self.name, self.vectors, self.table, self.keys, deleted)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def live(self) -> int:
        """Rows that are not deleted."""
        return len(self.vectors) - len(self.deleted)

    @cached_property
    def live_rows(self) -> np.ndarray:
        """Numbers of the rows that are not deleted, ascending."""
        return np.arange(len(self)) if self.alive is None else np.flatnonzero(self.alive)

    def entry(self, row: int) -> Entry:
        """The photo of one row."""
        return _entry(self.table.slice(row, 1).to_pylist()[0])

    def all_entries(self) -> Iterator[tuple[int, Entry]]:
        """Every live row with its photo."""
        for rows, table in self.live_parts():
            yield from zip(rows.tolist(), map(_entry, table.to_pylist()), strict=True)

    def live_parts(self) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """Live rows in parts, by number and as a table; slices, since taking rows would copy whole columns."""
        for start in range(0, len(self), BATCH_ROWS):
            table = self.table.slice(start, BATCH_ROWS)
            if self.alive is None:
                yield np.arange(start, start + table.num_rows), table
                continue
            alive = self.alive[start : start + BATCH_ROWS]
            if alive.any():
                yield start + np.flatnonzero(alive), table.filter(pa.array(alive))

    def find(self, key: str, hashed: int | None = None) -> int | None:
        """The live row of `key`."""
        wanted = np.uint64(key_hashes([key])[0] if hashed is None else hashed)
        at = int(np.searchsorted(self.keys[:, 0], wanted))
        while at < len(self.keys) and self.keys[at, 0] == wanted:
            row = int(self.keys[at, 1])
            if (self.alive is None or self.alive[row]) and self.table["key"][row].as_py() == key:
                return row
            at += 1
        return None


def _entry(line: dict[str, Any]) -> Entry:
    """A photo from its row of a table."""
    metadata = {
        name.removeprefix(FIELD): plain_value(value)
        for name, value in line.items()
        if name.startswith(FIELD) and value is not None
    }
    return Entry(line["key"], line["path"], tuple(line["captions"]), metadata, line["place"], line["sign"])
