"""Is an INDEX what was written: its newest state, its snapshots, and the bytes of photos that it keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lift.artefact import read_manifest, sha256_file
from lift.catalogue.commits import UPLOADS, numbers, read_commit, snapshots
from lift.catalogue.segments import key_hashes
from lift.catalogue.view import View, open_listed
from lift.errors import LiftError

REMEDY = "bring back a copy, go back to a snapshot, or make it again with `lift index --overwrite`"


def is_of_commits(folder: Path) -> bool:
    """Is it of format 2 (this one), not of format 1?"""
    return bool(read_manifest(folder, "index")["format"] == 2)


def faults(folder: Path) -> tuple[list[LiftError], int]:
    """Everything that is wrong, and the number of photos."""
    known, found, photos = numbers(folder), list[LiftError](), 0
    wanted = dict.fromkeys([*snapshots(folder).values(), *known[-1:]])
    if not known:
        return [LiftError(f"{folder} has no state", REMEDY)], 0
    for number in wanted:
        try:
            commit = read_commit(folder, number)
            broken = [
                LiftError(
                    f"{folder / name} {'has changed' if (folder / name).is_file() else 'is missing'}", REMEDY
                )
                for name, expected in commit.files()
                if not (folder / name).is_file() or sha256_file(folder / name) != expected
            ]
            found += broken
            if not broken:
                view = open_listed(folder, commit)
                found += of_view(view)
                photos = len(view)
        except LiftError as error:
            found.append(error)
        except (OSError, ValueError) as error:
            found.append(LiftError(f"{folder}: {error}", REMEDY))
    return found, photos


def of_view(view: View) -> Iterator[LiftError]:
    """Faults in what the files of a state hold, though they are as written."""
    seen: set[str] = set()
    if len(view) != view.commit.content["rows"]:
        yield LiftError(f"{view.folder} holds {len(view)} photos, not {view.commit.content['rows']}", REMEDY)
    for segment in view.segments:
        for start in range(0, len(segment), 65_536):
            lengths = np.linalg.norm(np.asarray(segment.vectors[start : start + 65_536], np.float32), axis=1)
            if not np.all(np.abs(lengths - 1) < 1e-2):
                yield LiftError(f"{segment.name} holds vectors that are not of unit length", REMEDY)
        hashes = key_hashes(segment.table["key"].to_pylist())
        order = segment.keys[:, 1].astype(np.int64)
        if not np.array_equal(hashes[order], segment.keys[:, 0]):
            yield LiftError(f"{segment.name}: keys do not belong to their rows", REMEDY)
    for _, entry in view.entries():
        if entry.key in seen:
            yield LiftError(f"{view.folder} holds {entry.key!r} twice", REMEDY)
        seen.add(entry.key)
        if view.commit.places[entry.place]["kind"] == "upload":
            path = view.folder / UPLOADS / entry.path
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                yield LiftError(f"{path}, the photo {entry.key!r}, is missing or has changed", REMEDY)
