"""The states of an INDEX: small commit files, numbered; the newest is what readers see.

    index.json              format 2; says that the folder is an INDEX
    commits/NUMBER.json     model, fingerprint, places of photos, fields, and the segments with their deleted rows
    snapshots/NAME.json     the number of a commit that is kept
    segments/, deleted/     what commits list; written and flushed before the commit that lists them
    uploads/                photos given as bytes, by their SHA-256

A commit is one file, written last and by rename, so that a killed writer leaves the state before it. Writers take a
lock; readers do not: they open the newest commit, and what it lists is never changed, only removed by gc much later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lift.artefact import make_folder, write_json
from lift.catalogue.segments import PARTS
from lift.errors import LiftError

FORMAT = 2
COMMITS, SNAPSHOTS, SEGMENTS, DELETED, UPLOADS = "commits", "snapshots", "segments", "deleted", "uploads"
LOCK, WAIT = ".lock", 120.0
REQUIRED = ("number", "model", "run", "fingerprint", "dim", "rows", "places", "fields", "source", "segments")
_NAME = re.compile(r"[\w][\w.@+-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class Commit:
    """One state of an INDEX, as its file has it."""

    content: dict[str, Any]

    @property
    def number(self) -> int:
        """Counts up from 1."""
        number: int = self.content["number"]
        return number

    @property
    def segments(self) -> list[dict[str, Any]]:
        """Entries {name, rows, bytes, sha256}, and deleted {name, rows, sha256} where some rows are."""
        segments: list[dict[str, Any]] = self.content["segments"]
        return segments

    @property
    def fields(self) -> dict[str, str]:
        """Metadata fields with their types."""
        fields: dict[str, str] = self.content["fields"]
        return fields

    @property
    def places(self) -> list[dict[str, str]]:
        """Where photos lie: {kind: folder, dataset, file or upload, folder}; only ever appended to."""
        places: list[dict[str, str]] = self.content["places"]
        return places

    def files(self) -> Iterator[tuple[str, str]]:
        """Every file that it lists, relative to the INDEX, with its SHA-256."""
        for entry in self.segments:
            for part, file in PARTS.items():
                yield f"{SEGMENTS}/{entry['name']}.{file}", entry["sha256"][part]
            if gone := entry.get("deleted"):
                yield f"{DELETED}/{gone['name']}.npy", gone["sha256"]


def commit_path(folder: Path, number: int) -> Path:
    """Where a commit lies."""
    return folder / COMMITS / f"{number:08d}.json"


def numbers(folder: Path) -> list[int]:
    """Numbers of the commits there are, ascending."""
    found = (folder / COMMITS).glob("*.json") if (folder / COMMITS).is_dir() else ()
    return sorted(int(path.stem) for path in found if path.stem.isdigit())


def read_commit(folder: Path, number: int | None = None) -> Commit:
    """One commit, by default the newest; LiftError when there is none or it is damaged."""
    for _ in range(100):
        known = numbers(folder)
        if not known or (number is not None and number not in known):
            raise damaged(folder, f"the commit {number or ''} is missing")
        path = commit_path(folder, number or known[-1])
        try:
            content = json.loads(path.read_bytes())
            break
        except FileNotFoundError:  # a newer one came, and gc took this one away
            continue
        except ValueError as error:
            raise damaged(folder, f"{COMMITS}/{path.name} cannot be read ({error})") from error
    else:
        raise damaged(folder, "its commits vanish while they are read")
    missing = [name for name in REQUIRED if name not in content] if isinstance(content, dict) else REQUIRED
    if missing:
        raise damaged(folder, f"{COMMITS}/{path.name} lacks {', '.join(missing)}")
    return Commit(content)


def write_commit(folder: Path, content: Mapping[str, Any]) -> Commit:
    """Make `content` the newest state; its files must be on the disk. Only under `writing`, or in a new folder."""
    make_folder(folder / COMMITS)
    known = numbers(folder)
    number = known[-1] + 1 if known else 1
    rows = sum(s["rows"] - s.get("deleted", {}).get("rows", 0) for s in content["segments"])
    commit = Commit({**content, "number": number, "rows": rows})
    write_json(commit_path(folder, number), commit.content)
    return commit


@contextmanager
def writing(folder: Path, name: str = LOCK, wait: float = WAIT) -> Iterator[None]:
    """Hold the lock of the writers; LiftError when another one keeps it for more than `wait` seconds."""
    lock = FileLock(folder / name, is_singleton=False)
    try:
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise LiftError(
            f"another process has been writing to {folder} for {wait:.0f} s",
            "wait for it to end, then try again",
        ) from error
    except OSError as error:
        raise LiftError(
            f"{folder} may not be written ({error.strerror})", "check the rights of the folder and its disk"
        ) from error
    try:
        yield
    finally:
        lock.release()


def snapshots(folder: Path) -> dict[str, int]:
    """Names of the snapshots and the commits that they keep, by name."""
    found = {}
    for path in sorted((folder / SNAPSHOTS).glob("*.json")) if (folder / SNAPSHOTS).is_dir() else ():
        try:
            found[path.stem] = int(json.loads(path.read_bytes())["commit"])
        except (ValueError, KeyError, TypeError) as error:
            raise LiftError(
                f"{path} is damaged ({error})",
                f"bring back a copy, or remove this file: the snapshot {path.stem} is then forgotten",
            ) from error
    return found


def keep_snapshot(folder: Path, name: str, number: int) -> None:
    """Keep the commit under a name; LiftError when the name is taken or none. Only under `writing`."""
    if not _NAME.fullmatch(name):
        raise LiftError(f"{name!r} is no name for a snapshot", "use letters, digits and . _ - @ +")
    if name in snapshots(folder):
        raise LiftError(
            f"there is a snapshot {name!r} already", "choose another name, or drop that one first"
        )
    make_folder(folder / SNAPSHOTS)
    write_json(folder / SNAPSHOTS / f"{name}.json", {"commit": number})


def drop_snapshot(folder: Path, name: str) -> None:
    """Forget a snapshot; LiftError when there is none of this name. Only under `writing`."""
    known = snapshots(folder)
    if name not in known:
        raise LiftError(f"{folder} has no snapshot {name!r}", f"known: {', '.join(known) or 'none'}")
    (folder / SNAPSHOTS / f"{name}.json").unlink()


def damaged(folder: Path, what: str) -> LiftError:
    """The error for an INDEX whose files are not what they were."""
    return LiftError(
        f"the INDEX {folder} is damaged: {what}",
        "run `lift check` for every fault; bring back a copy, go back to a snapshot (`lift manage rollback`), or make "
        "it again with `lift index --overwrite`",
    )
