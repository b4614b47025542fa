"""The files of a source: walked once, in one order everywhere; and the way from a table's words to a file."""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath
from typing import Any

from lift.artefact import digest, sha256_file
from lift.console import note
from lift.data.decoding import BadImage

# Those from .heic on are never readable: they are listed so that they are reported and not overlooked.
PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm",
    ".avif", ".jp2", ".tga", ".ico",
    ".heic", ".heif", ".psd", ".svg", ".eps", ".raw", ".cr2", ".nef", ".arw", ".dng",
)  # fmt: skip
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".xlsm")
_MEMBERS_OF_ARTEFACTS = ("dataset.json", "store.json", "run.json", "index.json", "calibration.json")


def walk(root: Path) -> list[str]:
    """Paths of all files under `root`, relative with /, sorted; no hidden ones, none of lift's artefacts.

    Directory listings come in any order; sorting gives every machine the same rows.
    """
    found: list[str] = []
    for folder, folders, names in os.walk(root, followlinks=True):
        inside = Path(folder).relative_to(root)
        if inside.parts and any((Path(folder) / name).is_file() for name in _MEMBERS_OF_ARTEFACTS):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found += [(inside / name).as_posix() for name in names if not name.startswith(".") and _is_text(name)]
    return sorted(found)


def _is_text(name: str) -> bool:
    """False for names that are no UTF-8 (from old Windows disks): they cannot be written into a DATASET."""
    try:
        name.encode()
    except UnicodeEncodeError:
        printable = name.encode(errors="surrogateescape").decode(errors="replace")
        note(f"set aside: {printable}: the file's name is not UTF-8 (rename it)")
        return False
    return True


def signature(root: Path, files: list[str], extra: list[Path]) -> str:
    """Digest of names, sizes and times of all files of a source, and of the content of `extra` files."""
    entries: list[Any] = []
    for name in files:
        try:
            status = (root / name).stat()
        except OSError:  # a dangling link: the reader will report it
            entries.append([name, None, None])
            continue
        entries.append([name, status.st_size, status.st_mtime_ns])
    return digest([entries, [sha256_file(path) for path in extra]])


class PhotoFinder:
    """Finds the file that a table's cell means, only ever under the source folder and without a network."""

    def __init__(self, root: Path, files: list[str]) -> None:
        self._root, self._files = root, set(files)
        self._by_name: dict[str, list[str]] | None = None
        self._sources = files

    def find(self, cell: str) -> str:
        """Path relative to the source folder; raises BadImage with reason and remedy."""
        name = cell.strip()
        if not name:
            raise BadImage("no photo named in the row", "fill the cell, or take the row out")
        if re.match(r"(?i)([a-z][a-z0-9+.\-]+://|data:)", name):
            raise BadImage(
                f"web address: {name[:80]} is not fetched",
                "download the photos and name the files in the table",
            )
        path = self._inside(name)
        if path in self._files:
            return path
        numbered = re.sub(r"#\d+$", "", path)  # photo.jpg#3 of Flickr token files
        if numbered in self._files:
            return numbered
        return self._elsewhere(numbered)

    def _inside(self, name: str) -> str:
        if Path(name).is_absolute():
            whole = Path(os.path.normpath(name))
            for root in (self._root.absolute(), self._root.resolve()):
                if whole.is_relative_to(root):
                    return whole.relative_to(root).as_posix()
        name = name.replace("\\", "/")
        path = os.path.normpath(name).replace(os.sep, "/")
        if path.split("/")[0] == ".." or PureWindowsPath(name).drive or path.startswith("/"):
            raise BadImage(
                f"outside the source folder: {name[:80]}",
                "copy the photo into the folder and name it relative to it",
            )
        return path

    def _elsewhere(self, path: str) -> str:
        """A photo of the same name in a sub-folder, or with its ending left out, if there is just one."""
        if self._by_name is None:
            self._by_name = {}
            for file in self._sources:
                base = file.rsplit("/", 1)[-1].lower()
                for name in {base, base.rsplit(".", 1)[0]}:
                    self._by_name.setdefault(name, []).append(file)
        wanted = path.lower()
        same = self._by_name.get(wanted.rsplit("/", 1)[-1], [])
        if "/" in path:  # a folder that was named must fit
            same = [
                f for f in same if f.lower().endswith(f"/{wanted}") or f.lower().rsplit(".", 1)[0] == wanted
            ]
        if len(same) == 1:
            return same[0]
        if same:
            raise BadImage(
                f"ambiguous: {len(same)} photos are named {path[:80]}",
                "write the path with its folder into the table",
            )
        raise BadImage("missing file", "add the photo, or take its row out of the table")
