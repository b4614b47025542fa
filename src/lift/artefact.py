"""Artefacts on disk: written whole or not at all, named by the hash of what they hold.

Overwriting files in place leaves unloadable artefacts when a process is killed; a temporary name, fsync and
rename does not. A flipped bit in npy or safetensors loads silently, so manifests carry SHA-256 sums.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lift.errors import LiftError

VERB_OF = {
    "dataset": "ingest",
    "store": "embed",
    "run": "train",
    "index": "index",
    "comparison": "compare",
    "query": "distill-query",
    "exam": "exam",
    "export": "export",
    "cost": "cost",
    "rival": "evaluate",
    "calibration": "calibrate",
}

#: What the readers of a manifest rely on; a dot goes one level down.
REQUIRED = {
    "dataset": ("id", "name", "image_size", "resize_mode", "images", "splits", "source", "sha256"),
    "run": (
        "name", "method", "fingerprint.digest", "checkpoint.id", "checkpoint.sha256", "config", "dataset.id",
    ),
    "rival": ("name", "method", "source", "checkpoint.id", "fingerprint.digest"),
    "query": ("serves", "student", "strength", "sha256"),
    "index": (
        "model.id", "fingerprint.name", "fingerprint.digest", "run", "rows", "sha256", "source.kind",
        "source.folder",
    ),
    "calibration": ("model.id", "fingerprint.name", "fingerprint.digest", "promise", "groups", "sha256"),
}  # fmt: skip
#: Formats that this version reads; 1 for kinds that are not named. An INDEX of format 2 keeps its facts in commits/.
FORMATS = {"index": (1, 2)}


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that `path` holds either the old bytes or all the new ones, even after a kill."""
    temporary = path.with_name(f".{path.name}.partial")  # a fixed name: the rerun after a kill takes it over
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:  # a full disk, say: leave nothing behind
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically; equal values give equal bytes."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` inside one that is there, durably, unless it exists."""
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that becomes `out` when the block ends well, and vanishes when it fails.

    Leftovers of killed runs are taken away or put back first. An existing `out` is replaced at the end. LiftError when
    another process is making the same folder.
    """
    settle(out)
    partial = out.with_name(f".{out.name}.partial")
    if partial.exists():
        with _held(partial):  # else it is no leftover
            shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    with _held(partial), _filled(partial, out):
        yield partial


@contextmanager
def _held(partial: Path) -> Iterator[None]:
    """Hold the lock on a folder that is being made, which ends with its process; LiftError when another one does."""
    descriptor = None
    try:
        try:
            descriptor = os.open(partial, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = os.fstat(descriptor).st_ino == partial.stat().st_ino  # it may have been replaced meanwhile
        except (BlockingIOError, FileNotFoundError):
            held = False
        except OSError:
            if descriptor is None:
                raise
            held = True  # a file system without locks
        if not held:
            name = partial.name.removeprefix(".").removesuffix(".partial")
            raise LiftError(f"another process is making {name}", "wait for it to end, then try again")
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def _filled(partial: Path, out: Path) -> Iterator[None]:
    """Put `partial` in the place of `out` when the block ends well, and remove it when it fails."""
    try:
        yield
        for file in partial.rglob("*"):
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
        fsync_folder(partial)
        swap(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def settle(out: Path) -> None:
    """Finish what a kill interrupted in `swap`: put the old folder back, or remove it when the new one is there.

    Raises LiftError for a path without a name of its own, such as "." or "..": a folder takes its name last.
    """
    if out.name in ("", ".."):
        raise LiftError(f"{out} is no name for a new folder", "give a name of its own, such as --out made")
    gone = out.with_name(f".{out.name}.gone")
    if gone.exists():
        shutil.rmtree(gone)
    old = out.with_name(f".{out.name}.old")
    if old.exists() and out.exists():
        discard(old)
    elif old.exists():
        old.rename(out)


def swap(new: Path, out: Path) -> None:
    """Give the folder `new` the name `out`; what had the name goes only after that."""
    old = out.with_name(f".{out.name}.old")
    if out.exists():
        out.rename(old)
    new.rename(out)
    fsync_folder(out.parent)
    if old.exists():
        discard(old)


def discard(old: Path) -> None:
    """Remove a folder, without ever leaving half of it under a name that `settle` would put back."""
    gone = old.with_suffix(".gone")
    old.rename(gone)
    shutil.rmtree(gone)


def read_manifest(folder: Path | str, kind: str) -> dict[str, Any]:
    """Read `<kind>.json` of an artefact folder; kind is one of dataset, store, run, index.

    Raises LiftError when the folder is no such artefact, naming what it is instead where that is known.
    """
    folder = Path(folder)
    path = folder / f"{kind}.json"
    if not path.is_file():
        others = [other for other in VERB_OF if (folder / f"{other}.json").is_file()]
        found = (
            f"it is {_article(others[0])} {others[0].upper()}"
            if others
            else "it holds no finished artefact of lift"
        )
        if not folder.exists():
            found = "there is no such folder"
        raise LiftError(
            f"{folder} is not {_article(kind)} {kind.upper()}: {found}",
            f"make one with `lift {VERB_OF[kind]} … --out {folder}`, or give the folder of one",
        )
    return parse_manifest(path.read_bytes(), kind, folder)


def parse_manifest(content: bytes, kind: str, folder: Path | str) -> dict[str, Any]:
    """The manifest in the bytes of `<kind>.json` of `folder`; LiftError when it is damaged or of another version."""
    path = f"{folder}/{kind}.json"
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise LiftError(
            f"{path} is damaged ({error})", f"delete {folder} and run `lift {VERB_OF[kind]}` again"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") not in FORMATS.get(kind, (1,)):
        raise LiftError(
            f"{path} is of a format this version does not know",
            "update lift, or make the artefact again with this version",
        )
    required = REQUIRED.get(kind, ()) if manifest["format"] == 1 else ()
    if missing := [key for key in required if not _holds(manifest, key)]:
        raise LiftError(
            f"{path} is damaged: {', '.join(missing)} is missing",
            f"restore it from a copy, or delete {folder} and run `lift {VERB_OF[kind]}` again",
        )
    return manifest


def _article(kind: str) -> str:
    return "an" if kind[0] in "aei" else "a"


def _holds(value: Any, key: str) -> bool:
    """Whether nested dicts hold `key`, written a.b."""
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def already_done(out: Path, kind: str, request: dict[str, Any], overwrite: bool) -> bool:
    """True when `out` holds a finished artefact made by the same `request`, so that the stage can be skipped.

    Raises LiftError when `out` holds something else and `overwrite` is off. With `overwrite` only an artefact of
    the same kind may be replaced, never a folder of the user's.
    """
    settle(out)
    if not out.exists():
        return False
    if not out.is_dir():
        raise LiftError(f"{out} is a file", "give a folder as --out")
    if overwrite:
        refuse_foreign(out, f"{kind}.json")
        return False
    if (out / f"{kind}.json").is_file():
        made_by = read_manifest(out, kind).get("request")
        if made_by == request:
            return True
        changed = sorted(k for k in {*request, *(made_by or {})} if (made_by or {}).get(k) != request.get(k))
        problem = f"{out} was made with other settings ({', '.join(changed) or 'unknown'})"
    elif any(out.iterdir()):
        raise LiftError(f"{out} exists and is not {_article(kind)} {kind.upper()}", "give another --out")
    else:
        return False
    raise LiftError(problem, "give another --out, or add --overwrite to replace it")


def refuse_foreign(out: Path, marker: str) -> None:
    """Raise LiftError when `out` holds files but not `marker`: it is not lift's to delete."""
    if out.is_dir() and ((out / marker).is_file() or not any(out.iterdir())):
        return
    raise LiftError(
        f"{out} was not made by this verb, so --overwrite will not delete it",
        "give another --out, or remove the folder yourself",
    )


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a JSON-able value (keys sorted)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
