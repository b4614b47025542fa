"""A place for an artefact: a local folder, or a folder of object storage by its fsspec URL.

Nothing is ever renamed as a folder, appended to or locked, since object storage can do none of it: files are written
whole, once, and a file that is there is complete. Locally that is done by a temporary name, fsync and rename; object
stores show an upload only when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import re
import resource
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from lift.artefact import fsync_folder, sha256_file
from lift.errors import LiftError

_OWNER = re.compile(r"^\.(?P<name>.+)\.(?P<host>[^.]+)\.(?P<process>\d+)\.partial$")
Buffer = bytes | memoryview
PACKAGE_OF = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


class Place:
    """A folder by local path, `file://…`, or another fsspec URL such as `s3://bucket/folder`; it need not exist."""

    def __init__(self, where: Path | str | Place) -> None:
        """Raises LiftError when the URL's protocol is unknown, its package missing, or the storage refuses."""
        text = str(where)
        scheme, found, _ = text.partition("://")
        self.local: Path | None = None
        if isinstance(where, Path) or not found:
            self.local, self.url = Path(text), str(Path(text).absolute())
        elif scheme == "file":
            self.local = Path(unquote(urlsplit(text).path))
            self.url = str(self.local)
        else:
            self.url = text.rstrip("/")
            self._system, self._root = _open_url(self.url, scheme)
        self.name = str(self.local) if self.local else self.url

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[type[Place], tuple[str]]:
        return (Place, (self.url,))

    def _remote(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def read(self, name: str) -> bytes:
        """The bytes of a file; FileNotFoundError when there is none."""
        if self.local is not None:
            return (self.local / name).read_bytes()
        content: bytes = self._system.cat_file(self._remote(name))
        return content

    def write(self, name: str, *parts: Buffer, sync_folder: bool = True) -> None:
        """Write the file whole; several processes may write the same name, and the last one's bytes stay.

        sync_folder: False leaves it to the next write into the same folder to make the name durable.
        """
        if self.local is None:
            self._system.makedirs(self._remote(name).rpartition("/")[0], exist_ok=True)
            self._system.pipe_file(self._remote(name), b"".join(bytes(part) for part in parts))
            return
        path = self.local / name
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{_host()}.{os.getpid()}.partial")
        try:
            with temporary.open("wb", buffering=0) as file:
                for part in parts:
                    _write_all(file, part)
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:  # a full disk, say: leave nothing behind
            temporary.unlink(missing_ok=True)
            raise
        if sync_folder:
            fsync_folder(path.parent)

    def names(self, folder: str = "") -> list[str]:
        """Names of the files directly inside `folder`, sorted, without unfinished ones; empty when it is not there."""
        if self.local is not None:
            path = self.local / folder
            if not path.is_dir():
                return []
            return sorted(
                entry.name for entry in os.scandir(path) if entry.is_file() and not _OWNER.match(entry.name)
            )
        self._system.invalidate_cache()
        try:
            found = self._system.ls(self._remote(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(item["name"].rpartition("/")[2] for item in found if item["type"] == "file")

    def is_empty(self) -> bool:
        """True when there is nothing at all, or no such folder."""
        if self.local is not None:
            return not self.local.exists() or not any(self.local.iterdir())
        return not self._system.exists(self._root) or not self._system.ls(self._root)

    def exists(self, name: str) -> bool:
        """Is there such a file?"""
        if self.local is not None:
            return (self.local / name).is_file()
        self._system.invalidate_cache()
        return bool(self._system.isfile(self._remote(name)))

    def remove(self, name: str) -> None:
        """Remove a file; it may be gone already."""
        try:
            if self.local is not None:
                (self.local / name).unlink()
            else:
                self._system.rm_file(self._remote(name))
        except FileNotFoundError:
            pass

    def age(self, name: str) -> float:
        """Seconds since the file was written; 0 where the storage does not say or the file is gone."""
        try:
            if self.local is not None:
                return max(0.0, time.time() - (self.local / name).stat().st_mtime)
            return max(0.0, time.time() - self._system.modified(self._remote(name)).timestamp())
        except (FileNotFoundError, NotImplementedError):
            return 0.0

    def size(self, name: str) -> int:
        """Bytes of a file; 0 when it is gone."""
        try:
            if self.local is not None:
                return (self.local / name).stat().st_size
            return int(self._system.size(self._remote(name)) or 0)
        except FileNotFoundError:
            return 0

    def leftovers(self, folder: str) -> list[tuple[str, bool]]:
        """Unfinished files of killed writers in a local `folder`: name, and whether its writer may still live."""
        if self.local is None or not (self.local / folder).is_dir():
            return []
        found = [(entry.name, _OWNER.match(entry.name)) for entry in os.scandir(self.local / folder)]
        return sorted((name, _may_live(owner)) for name, owner in found if owner)

    def file(self, name: str, sha256: str) -> Path:
        """A local path of the file: its own, or that of a copy fetched once and kept under its SHA-256."""
        if self.local is not None:
            return self.local / name
        copy = cache_folder() / sha256
        if not copy.is_file():
            content = self.read(name)
            if hashlib.sha256(content).hexdigest() != sha256:
                raise LiftError(
                    f"{self.url}/{name} has changed since it was written", "see `lift check` for what to do"
                )
            Place(cache_folder()).write(sha256, content)  # several processes may fetch it at once
        return copy

    def sha256(self, name: str) -> str:
        """SHA-256 of what lies there now, whatever copy the cache may hold; FileNotFoundError when there is nothing."""
        if self.local is not None:
            return sha256_file(self.local / name)
        return hashlib.sha256(self.read(name)).hexdigest()

    def array(self, name: str, sha256: str) -> np.ndarray:
        """An npy file, memory-mapped and read-only; ValueError when it is damaged."""
        return map_array(self.file(name, sha256))


def map_array(path: Path) -> np.ndarray:
    """The array of an npy file, mapped read-only; ValueError when it is damaged."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if fortran or dtype.hasobject:
            raise ValueError(f"{path.name} is no plain array")
        if 0 in shape:
            return np.zeros(shape, dtype)
        _allow_open_files()
        kept = {"trackfd": False} if sys.version_info >= (3, 13) else {}
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ, **kept)
        try:
            return np.ndarray(shape, dtype, buffer=content, offset=file.tell())
        except TypeError as error:
            raise ValueError(f"{path.name} is cut off ({error})") from None


def npy_parts(array: np.ndarray) -> tuple[bytes, memoryview]:
    """Header and content of `array` as an npy file, without a copy of the content."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return header.getvalue(), array.data.cast("B") if array.size else memoryview(b"")


def cache_folder() -> Path:
    """Where copies of remote files are kept: $LIFT_CACHE, else ~/.cache/lift. May be deleted at any time."""
    base = os.environ.get("LIFT_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "lift")
    return Path(base).expanduser() / "objects"


def _open_url(url: str, scheme: str) -> tuple[Any, str]:
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
        system.exists(root)
    except ImportError as error:
        package = PACKAGE_OF.get(scheme, "the package named above")
        raise LiftError(
            f"{scheme}:// needs a package that is not here ({error})", f"pip install {package}"
        ) from error
    except ValueError as error:
        raise LiftError(
            f"{url} cannot be opened ({error})", "give a folder, or a URL such as s3://bucket/folder"
        ) from error
    except Exception as error:  # credentials, host and region: each storage has exceptions of its own
        raise LiftError(
            f"{url} cannot be reached ({type(error).__name__}: {error})",
            f"check its spelling, the network, and the credentials that {PACKAGE_OF.get(scheme, scheme)} reads",
        ) from error
    return system, root.rstrip("/")


def _write_all(file: Any, part: Buffer) -> None:
    view = memoryview(part).cast("B")
    while len(view):  # the system takes at most 2 GiB at once
        view = view[file.write(view) :]


def _host() -> str:
    return re.sub(r"[^\w-]", "-", socket.gethostname()) or "host"


def _may_live(owner: re.Match[str]) -> bool:
    """Could the writer of a temporary file still be at work? Of another machine's we cannot know."""
    if owner["host"] != _host():
        return True
    try:
        os.kill(int(owner["process"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return int(owner["process"]) != os.getpid()


def _allow_open_files() -> None:
    """Python below 3.13 keeps a file open as long as it is mapped; a STORE of many shards needs many."""
    global _allowed
    if not _allowed:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        _allowed = True


_allowed = sys.version_info >= (3, 13)
