"""Changes of an INDEX, each one commit: photos put in and taken out, states kept and returned to; tidying up."""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import make_folder, write_bytes
from lift.catalogue import commits
from lift.catalogue.commits import DELETED, SEGMENTS, UPLOADS, Commit, commit_path, writing
from lift.catalogue.fields import join_fields
from lift.catalogue.segments import Entry, SegmentWriter
from lift.catalogue.view import View, open_listed, open_view
from lift.errors import LiftError

#: Segments of a like size (a factor of TIER apart) are made one when there are so many of them.
TIER = 16
LARGE = TIER**4
KEPT_COMMITS = 16
GRACE = 600.0
DAY = 86_400.0
REINDEX, REINDEX_LOCK = "reindex.json", ".reindex.lock"


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
            entry = {**entry, "deleted": write_deleted(view.folder, entry["name"], deleted)}
        kept.append(entry)
    return kept


def write_deleted(folder: Path, segment: str, rows: np.ndarray) -> dict[str, Any]:
    """Write which rows of a segment are deleted; what a commit says of it."""
    buffer = io.BytesIO()
    np.save(buffer, rows.astype(np.int64))
    sha256 = hashlib.sha256(buffer.getvalue()).hexdigest()
    name = f"{segment}-{sha256[:16]}"
    make_folder(folder / DELETED)
    write_bytes(folder / DELETED / f"{name}.npy", buffer.getvalue())
    return {"name": name, "rows": len(rows), "sha256": sha256}


def crowded(view: View) -> list[int]:
    """Numbers of the segments that should become one: TIER or more of a like size."""
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


def restore(folder: Path, before: View | None, name: str) -> View:
    """A new commit equal to the one that the snapshot `name` keeps; the newest state may be damaged."""
    known = commits.snapshots(folder)
    if name not in known:
        raise LiftError(
            f"{folder} has no snapshot {name!r}",
            f"known: {', '.join(known)}" if known else "keep one with `lift manage snapshot`",
        )
    with writing(folder):
        old = open_view(folder, before, known[name])  # every file must be there before it is the state again
        try:  # places are only ever appended to, so the newest list serves every commit
            places = commits.read_commit(folder).places
        except LiftError:
            places = old.commit.places
        commits.write_commit(folder, {**old.commit.content, "places": places})
        return open_view(folder, old)


@dataclass(frozen=True)
class Swept:
    """What gc removed."""

    files: int
    bytes_: int


def tidy(folder: Path, before: View, *, now: bool = False) -> Swept:
    """Make one segment of all that have deleted rows or are small, and remove what no state needs.

    now: also what is younger than a day, and unnamed earlier states. Waits for a re-index that is being written.
    """
    writable(before)
    with writing(folder, REINDEX_LOCK), writing(folder):
        view = open_view(folder, before)
        chosen = [n for n, part in enumerate(view.segments) if len(part.deleted) or part.live < LARGE]
        if len(chosen) > 1 or any(len(view.segments[n].deleted) for n in chosen):
            merge(view, chosen)
        swept = sweep(folder, 0.0 if now else DAY)
        return replace(swept, files=swept.files + _sweep_uploads(folder, 0.0 if now else DAY))


def sweep(folder: Path, grace: float = GRACE) -> Swept:
    """Remove commits but the newest and those with a name, and files that no kept commit lists. Only under `writing`.

    Files younger than `grace` seconds stay: a re-index may be about to list them.
    """
    kept = _kept(folder, 1 if grace == 0 else KEPT_COMMITS)
    listed = {name for commit in kept for name, _ in commit.files()}
    numbers = {commit.number for commit in kept}
    for number in commits.numbers(folder):
        if number not in numbers:
            commit_path(folder, number).unlink(missing_ok=True)
    pending = folder / REINDEX
    begun = second_line(json.loads(pending.read_bytes())) if pending.is_file() else "none"
    found = [
        path
        for below in (SEGMENTS, DELETED)
        for path in ((folder / below).iterdir() if (folder / below).is_dir() else ())
        if f"{below}/{path.name}" not in listed and not path.name.startswith(begun)
    ]
    return _remove(found, grace)


def second_line(pending: dict[str, Any]) -> str:
    """What names of the segments of a second line begin with; one is being written for longer than any grace."""
    return f"{pending['began']:08d}r"


def _kept(folder: Path, newest: int) -> list[Commit]:
    """Commits that stay: the newest ones, those with a name, and the second line of a re-index."""
    known = commits.numbers(folder)
    numbers = {*known[-newest:], *commits.snapshots(folder).values()}
    kept = [commits.read_commit(folder, number) for number in known if number in numbers]
    if (folder / REINDEX).is_file():
        kept.append(Commit({"number": 0, **json.loads((folder / REINDEX).read_bytes())}))
    return kept


def _sweep_uploads(folder: Path, grace: float) -> int:
    """Remove bytes of photos that are in no state that is kept."""
    if not (folder / UPLOADS).is_dir():
        return 0
    used: set[str] = set()
    for commit in _kept(folder, 1 if grace == 0 else KEPT_COMMITS):
        for _, entry in open_listed(folder, commit).entries():
            if commit.places[entry.place]["kind"] == "upload":
                used.add(entry.path)
    paths = [
        path for path in (folder / UPLOADS).glob("*/*") if str(path.relative_to(folder / UPLOADS)) not in used
    ]
    return _remove(paths, grace).files


def _remove(paths: Iterable[Path], grace: float) -> Swept:
    """Remove those that are `grace` seconds old."""
    count, size = 0, 0
    for path in paths:
        stat = path.stat()
        if time.time() - stat.st_mtime >= grace:
            count, size = count + 1, size + stat.st_size
            path.unlink()
    return Swept(count, size)
