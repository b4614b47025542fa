"""Copies of remote shards on the local disk: fetched whole, checked, shared by processes, the longest unused go first.

A copy is named by the SHA-256 of its content and gets that name when it is complete, so that a half-fetched or damaged
one is never opened. Removing a copy that another process reads does no harm: its bytes stay while a file is open.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lift.errors import LiftError
from lift.place import Place, cache_folder

WAITS = (0.5, 2.0, 8.0, 30.0)  # seconds before the second, third, … attempt


@dataclass(frozen=True)
class Shard:
    """A file of photos in a Place: name, length, and SHA-256 ("" for a shard that others made, read in place)."""

    name: str
    bytes: int
    sha256: str


class ShardCache:
    """At most `most_bytes` of shards in `folder`; any number of processes may use it at once."""

    def __init__(self, folder: Path | None = None, gigabytes: float = 20.0) -> None:
        """folder: default $LIFT_CACHE/shards or ~/.cache/lift/shards. It may be deleted when nothing runs."""
        self.folder = folder if folder is not None else cache_folder().parent / "shards"
        self.most_bytes = int(gigabytes * 1e9)

    def open(self, place: Place, shard: Shard) -> int:
        """File descriptor of a copy, fetched when it is not there; LiftError when that cannot be done."""
        while True:
            self.fetch(place, shard)
            try:
                return os.open(self._path(shard), os.O_RDONLY)
            except FileNotFoundError:  # another process needed the room in this very moment
                continue

    def fetch(self, place: Place, shard: Shard, wait: bool = True) -> None:
        """Have a copy of the shard; with wait=False pass it over when another process is fetching it."""
        if self._touched(shard):
            return
        if shard.bytes > self.most_bytes:
            raise LiftError(
                f"shard {shard.name} of {shard.bytes / 1e9:.3f} GB does not fit into the cache of "
                f"{self.most_bytes / 1e9:.3f} GB",
                "give a larger --cache-gb",
            )
        locks = self.folder / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(locks / shard.sha256, timeout=-1 if wait else 0):  # a kill lets go
                if not self._touched(shard):
                    content = fetched(place, shard)
                    with FileLock(locks / "room"):
                        self._make_room(len(content))
                        Place(self.folder).write(shard.sha256, content)
        except Timeout:
            return

    def drop(self, shard: Shard) -> None:
        """Remove a copy that turned out to be damaged."""
        self._path(shard).unlink(missing_ok=True)

    def _path(self, shard: Shard) -> Path:
        return self.folder / shard.sha256

    def _touched(self, shard: Shard) -> bool:
        """Is a whole copy there? It counts as used now."""
        path = self._path(shard)
        try:
            if path.stat().st_size != shard.bytes:  # by a disk that was full, say
                path.unlink(missing_ok=True)
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _make_room(self, wanted: int) -> None:
        """Remove what killed processes left, and the longest unused copies until `wanted` bytes fit."""
        for name, alive in Place(self.folder).leftovers(""):
            if not alive:
                (self.folder / name).unlink(missing_ok=True)
        copies = []
        for entry in os.scandir(self.folder):
            if entry.is_file() and not entry.name.startswith("."):
                status = entry.stat()
                copies.append((status.st_mtime_ns, status.st_size, entry.path))
        total = sum(size for _, size, _ in copies)
        for _, size, path in sorted(copies):
            if total + wanted <= self.most_bytes:
                return
            Path(path).unlink(missing_ok=True)
            total -= size


def fetched(place: Place, shard: Shard, waits: Sequence[float] | None = None) -> bytes:
    """The content of a shard, compared with its SHA-256; asked for again after `waits` (default WAITS) seconds.

    LiftError when the shard is missing, when the storage refuses to the last, or when the content stays another.
    """
    pauses: list[float | None] = [*(WAITS if waits is None else waits), None]
    for pause in pauses:
        try:
            content = place.read(shard.name)
        except FileNotFoundError as error:
            raise LiftError(f"shard {place}/{shard.name} is missing", REMEDY) from error
        except Exception as error:  # each storage has exceptions of its own
            if pause is None or isinstance(error, MemoryError):
                raise LiftError(
                    f"{place}/{shard.name} could not be fetched in {len(pauses)} attempts "
                    f"({type(error).__name__}: {error})",
                    "check the network and the credentials, and run the same command again: it goes on",
                ) from error
        else:
            if hashlib.sha256(content).hexdigest() == shard.sha256:
                return content
            if pause is None:
                raise LiftError(f"shard {place}/{shard.name} has changed since it was written", REMEDY)
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


REMEDY = (
    "bring the shard back from a copy, or make the DATASET again; then run the same command again: it goes on"
)
