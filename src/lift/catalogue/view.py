"""One state of an INDEX, opened: its segments, and the photos in them by row and by key. Never changes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import sha256_file
from lift.catalogue.commits import DELETED, SEGMENTS, UPLOADS, Commit, damaged, numbers, read_commit
from lift.catalogue.fields import Where, mask_of
from lift.catalogue.segments import FIELD, PARTS, Entry, Segment, key_hashes


@dataclass(frozen=True)
class View:
    """A commit with its segments mapped. Photos have row numbers over all segments, deleted ones as well."""

    folder: Path
    commit: Commit
    segments: tuple[Segment, ...]
    born: tuple[int, int] = (0, 0)  # see `birth`

    def __len__(self) -> int:
        return sum(segment.live for segment in self.segments)

    @cached_property
    def starts(self) -> np.ndarray:
        """Row number of each segment's first row, and the number of all rows."""
        return np.cumsum([0, *map(len, self.segments)])

    def at(self, row: int) -> tuple[Segment, int]:
        """The segment of a row and its number there."""
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.segments[number], int(row - self.starts[number])

    def entry(self, row: int) -> Entry:
        """The photo of a row."""
        segment, place = self.at(row)
        return segment.entry(place)

    def vector(self, row: int) -> np.ndarray:
        """The unit vector of a row, float32 (dim,)."""
        segment, place = self.at(row)
        return np.asarray(segment.vectors[place], np.float32)

    def find(self, key: str) -> int | None:
        """The row of the photo `key`."""
        hashed = int(key_hashes([key])[0])
        for start, segment in zip(self.starts.tolist(), self.segments, strict=False):
            row = segment.find(key, hashed)
            if row is not None:
                return int(start) + row
        return None

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Every photo with its row number, in the order of rows."""
        for start, segment in zip(self.starts.tolist(), self.segments, strict=False):
            for row, entry in segment.all_entries():
                yield int(start) + row, entry

    def allowed(self, where: Where | None) -> list[np.ndarray | None]:
        """For every segment which rows may be found, bool (N,), or None for all; LiftError for an unknown field."""
        if not where:
            return [segment.alive for segment in self.segments]
        masks: list[np.ndarray | None] = []
        for segment in self.segments:
            mask = mask_of(segment.table, where, self.commit.fields, FIELD)
            masks.append(mask if segment.alive is None else mask & segment.alive)
        return masks

    def path_of(self, entry: Entry) -> Path:
        """Where the photo lies."""
        place = self.commit.places[entry.place]
        if place["kind"] == "upload":
            return self.folder / UPLOADS / entry.path
        return Path(place["folder"]) / entry.path if place["kind"] == "folder" else Path(entry.path)


def birth(folder: Path) -> tuple[int, int]:
    """What tells an INDEX from one that was put in its place, whose numbers of states begin anew."""
    stat = (folder / "index.json").stat()
    return stat.st_ino, stat.st_mtime_ns


def open_view(folder: Path, before: View | None = None, number: int | None = None) -> View:
    """The newest state (or commit `number`), every file checked against its SHA-256 unless `before` has it open.

    LiftError when it is damaged. A commit that gc takes away meanwhile is tried again with the newest.
    """
    for _ in range(20):
        commit = read_commit(folder, number)
        try:
            if before is not None and before.commit == commit and before.born == birth(folder):
                return before
            return open_listed(folder, commit, before)
        except FileNotFoundError as error:
            if number is not None or numbers(folder)[-1:] == [commit.number]:
                raise damaged(folder, f"{error.filename} is missing") from error
        except (ValueError, OSError) as error:
            raise damaged(folder, str(error)) from error
    raise damaged(folder, "its files vanish while they are read")


def open_listed(folder: Path, commit: Commit, before: View | None = None) -> View:
    """The segments that a commit lists; FileNotFoundError or ValueError when a file is not as it says."""
    listed = zip(before.commit.segments, before.segments, strict=False) if before else ()
    # By content: an INDEX made in the place of another has segments of the same names.
    known = {_identity(entry): segment for entry, segment in listed}
    return View(
        folder, commit, tuple(_open(folder, entry, known) for entry in commit.segments), birth(folder)
    )


def _identity(entry: dict[str, Any]) -> tuple[str, ...]:
    return (entry["name"], *(entry["sha256"][part] for part in PARTS))


def _open(folder: Path, entry: dict[str, Any], known: dict[tuple[str, ...], Segment]) -> Segment:
    """A segment as a commit lists it, with its deleted rows."""
    name, gone = entry["name"], np.empty(0, np.int64)
    if "deleted" in entry:
        content = (folder / DELETED / f"{entry['deleted']['name']}.npy").read_bytes()
        gone = np.load(io.BytesIO(content))
    if open_already := known.get(_identity(entry)):
        same = np.array_equal(open_already.deleted, gone)
        return open_already if same else open_already.without(gone)
    for part, file in PARTS.items():
        _check(folder / SEGMENTS / f"{name}.{file}", entry["sha256"][part])
    if "deleted" in entry:
        _check(folder / DELETED / f"{entry['deleted']['name']}.npy", entry["deleted"]["sha256"])
    segment = Segment.open(folder / SEGMENTS, name, gone)
    if len(segment) != entry["rows"]:
        raise ValueError(f"the segment {name} holds {len(segment)} rows, not {entry['rows']}")
    return segment


def _check(path: Path, expected: str) -> None:
    if sha256_file(path) != expected:
        raise ValueError(f"{path.name} has changed since it was written")


def open_first_format(folder: Path, manifest: dict[str, Any]) -> View:
    """An INDEX of format 1 (vectors.npy, rows.jsonl) as a state of one segment, for reading only."""
    import pyarrow as pa

    from lift.catalogue.segments import schema_of

    for name, expected in manifest["sha256"].items():
        path = folder / name
        if not path.is_file():
            raise damaged(folder, f"{name} is missing")
        if sha256_file(path) != expected:
            raise damaged(folder, f"{name} has changed since it was written")
    vectors: np.ndarray = np.load(folder / "vectors.npy", mmap_mode="c", allow_pickle=False)
    lines = [json.loads(line) for line in (folder / "rows.jsonl").open(encoding="utf-8")]
    if not len(vectors) == len(lines) == manifest["rows"]:
        raise damaged(folder, f"{len(lines)} rows for {len(vectors)} vectors")
    schema = schema_of({})
    columns: dict[str, Sequence[Any]] = {name: [line.get(name) for line in lines] for name in schema.names}
    columns["place"], columns["sign"] = [0] * len(lines), [""] * len(lines)
    hashes = key_hashes([line["key"] for line in lines])
    order = np.argsort(hashes, kind="stable")
    keys = np.stack([hashes[order], order.astype(np.uint64)], axis=1)
    source = manifest["source"]
    content = {**manifest, "number": 0, "fields": {}, "places": [source], "segments": []}
    segment = Segment("1", vectors, pa.table(columns, schema=schema), keys)
    return View(folder, Commit(content), (segment,), birth(folder))
