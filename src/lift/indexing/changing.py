"""Changes of an INDEX, each one commit: photos put in and taken out, states kept and returned to; tidying up."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import fsync_folder, write_bytes
from lift.errors import LiftError
from lift.indexing import commits
from lift.indexing.commits import DELETED, SEGMENTS, Commit, commit_path, writing
from lift.indexing.fields import join_fields
from lift.indexing.segments import Entry, SegmentWriter
from lift.indexing.view import View, open_view

#: Segments of a like size (a factor of TIER apart) are made one when there are so many of them.
TIER = 16
LARGE = TIER**4
KEPT_COMMITS = 16
GRACE = 600.0
REINDEX = "reindex.json"


@dataclass
class Change:
    """What is to happen in one commit: photos with their vectors, keys that go, fields of the commit that change."""

    entries: list[Entry] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)

    def put(self, entry: Entry, vector: np.ndarray) -> None:
        """Add a photo, or put it in the place of the one with its key."""
        self.entries.append(entry)
        self.vectors.append(vector)


@dataclass(frozen=True)
class Done:
    """What a change came to: the new state, and how many photos were new, updated and deleted."""

    view: View
    added: int
    updated: int
    deleted: int


def place_of(places: list[dict[str, str]], kind: str, folder: str = "") -> int:
    """Number of a place of photos in `places`; appended when it is new."""
    place = {"kind": kind, "folder": folder}
    if place not in places:
        places.append(place)
    return places.index(place)


def apply(folder: Path, before: View, make: Callable[[View], Change], model_id: str | None = None) -> Done:
    """Take the lock, let `make` say what to change in the newest state, and commit it; nothing to do commits nothing.

    model_id: the model that made the vectors; LiftError when another process has switched to another one meanwhile.
    """
    writable(before)
    with writing(folder):
        view = open_view(folder, before)
        made_by = view.commit.content["model"]["id"]
        if model_id not in (None, made_by):
            raise LiftError(
                f"{folder} was switched to the model {made_by} meanwhile",
                f"load that one in place of {model_id}",
            )
        change = make(view)
        return _commit(view, change)


def writable(view: View) -> None:
    """LiftError for an INDEX of format 1, which can only be read."""
    if view.commit.number == 0:
        run, photos = view.commit.content["run"], view.commit.content["source"]["folder"]
        raise LiftError(
            f"{view.folder} is of format 1, which can be searched but not changed",
            f"make it anew: `lift index {run or 'RUN'} {photos} --out {view.folder} --overwrite`",
        )


def _commit(view: View, change: Change) -> Done:
    entries = {entry.key: number for number, entry in enumerate(change.entries)}  # the last of a key counts
    old = {key: row for key in entries if (row := view.find(key)) is not None}
    gone = {row for key in dict.fromkeys(change.gone) if (row := view.find(key)) is not None}
    deleted = len(gone - set(old.values()))
    content = {**view.commit.content, **change.content}
    if not entries and not gone and content == view.commit.content:
        return Done(view, 0, 0, 0)
    number = commits.numbers(view.folder)[-1] + 1
    segments = _without(view, sorted(gone | set(old.values())))
    if entries:
        fields = dict(content["fields"])
        chosen = [change.entries[n] for n in sorted(entries.values())]
        for entry in chosen:
            fields = join_fields(fields, entry.metadata)
        content["fields"] = fields
        with SegmentWriter(view.folder / SEGMENTS, f"{number:08d}a", content["dim"], fields) as writer:
            writer.write(np.stack([change.vectors[n] for n in sorted(entries.values())]), chosen)
            segments.append(writer.close())
    commits.write_commit(view.folder, {**content, "segments": segments})
    made = open_view(view.folder, view)
    while (wanted := crowded(made)) and len(wanted) > 1:
        made = merge(made, wanted)
        sweep(view.folder)
    return Done(made, len(entries) - len(old), len(old), deleted)


def _without(view: View, rows: Sequence[int]) -> list[dict[str, Any]]:
    """The segments as a commit lists them, without these rows; segments with nothing left are not listed."""
    kept = []
    for number, (entry, segment) in enumerate(zip(view.commit.segments, view.segments, strict=True)):
        low, high = view.starts[number], view.starts[number + 1]
        here = [row - low for row in rows if low <= row < high]
        if here:
            deleted = np.union1d(segment.deleted, np.asarray(here, np.int64))
            if len(deleted) == len(segment):
                continue
            entry = {**entry, "deleted": _write_deleted(view.folder, entry["name"], deleted)}
        kept.append(entry)
    return kept


def _write_deleted(folder: Path, segment: str, rows: np.ndarray) -> dict[str, Any]:
    import hashlib

    buffer = io.BytesIO()
    np.save(buffer, rows.astype(np.int64))
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    name = f"{segment}-{sha256[:16]}"
    make_folder(folder / DELETED)
    write_bytes(folder / DELETED / f"{name}.npy", buffer.getvalue())
    return {"name": name, "rows": len(rows), "sha256": sha256}


def make_folder(folder: Path) -> None:
    """Make a folder inside an INDEX, durably."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        fsync_folder(folder.parent)


def crowded(view: View) -> list[int]:
    """Numbers of the segments that should become one: TIER or more of a like size, or half of one deleted."""
    tiers: dict[int, list[int]] = {}
    for number, segment in enumerate(view.segments):
        if segment.live < LARGE:
            tiers.setdefault(int(math.log(max(segment.live, 1), TIER)), []).append(number)
    return next((tiers[tier] for tier in sorted(tiers) if len(tiers[tier]) >= TIER), [])


def merge(view: View, chosen: Iterable[int]) -> View:
    """Write some segments as one, at the end, without their deleted rows, and commit it. Only under `writing`."""
    number, numbers = commits.numbers(view.folder)[-1] + 1, set(chosen)
    rest = [entry for n, entry in enumerate(view.commit.segments) if n not in numbers]
    content = view.commit.content
    with SegmentWriter(view.folder / SEGMENTS, f"{number:08d}m", content["dim"], content["fields"]) as writer:
        for n in sorted(numbers):
            writer.copy(view.segments[n])
        merged = writer.close()
    commits.write_commit(view.folder, {**content, "segments": [*rest, merged] if merged["rows"] else rest})
    return open_view(view.folder, view)


def restore(folder: Path, before: View, name: str) -> View:
    """A new commit equal to the one that the snapshot `name` keeps."""
    known = commits.snapshots(folder)
    if name not in known:
        raise LiftError(
            f"{folder} has no snapshot {name!r}",
            f"known: {', '.join(known)}" if known else "keep one with `lift manage snapshot`",
        )

    def back(view: View) -> Change:
        old = commits.read_commit(folder, known[name])
        places = view.commit.places  # only ever appended to, so the newest list serves every commit
        fields = {**old.fields}
        return Change(content={**old.content, "places": places, "fields": fields})

    with writing(folder):
        view = open_view(folder, before)
        content = back(view).content
        open_view(folder, view, known[name])  # every file must be there before it is the state again
        commits.write_commit(folder, content)
        return open_view(folder, view)


@dataclass(frozen=True)
class Swept:
    """What gc removed."""

    files: int
    bytes_: int


def sweep(folder: Path, grace: float = GRACE) -> Swept:
    """Remove commits but the newest and those with a name, and files that no kept commit lists. Only under `writing`.

    Files younger than `grace` seconds stay: a writer of a re-index may be about to list them.
    """
    numbers, named = commits.numbers(folder), set(commits.snapshots(folder).values())
    kept = {*numbers[-KEPT_COMMITS:], *named} if grace else {*numbers[-1:], *named}
    listed = set()
    pending = folder / REINDEX
    for number in numbers:
        if number not in kept:
            continue
        commit = commits.read_commit(folder, number)
        listed |= {name for name, _ in commit.files()}
    if pending.is_file():
        import json

        content = json.loads(pending.read_bytes())
        listed |= {name for name, _ in Commit(content).files()}
    count, size = 0, 0
    for number in numbers:
        if number not in kept:
            commit_path(folder, number).unlink(missing_ok=True)
    for below in (SEGMENTS, DELETED):
        for path in (folder / below).iterdir() if (folder / below).is_dir() else ():
            if f"{below}/{path.name}" not in listed and time.time() - path.stat().st_mtime >= grace:
                count, size = count + 1, size + path.stat().st_size
                path.unlink()
    return Swept(count, size)
