"""Photos out of a zip that somebody sent: nothing outside the folder, nothing too large, nothing but photos."""

from __future__ import annotations

import re
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from lift.indexing.photos import PHOTO_ENDINGS
from lift.serve.config import Limits
from lift.serve.refusing import Refused

_PIECE = 1 << 20
_DEPTH = 12
_RATIO = 200  # photos are compressed already; what shrinks more is no photo
_REMEDY = "make the zip anew, with photos only"


@dataclass(frozen=True)
class Unpacked:
    """How many photos were written, and how many entries were passed over as no photos or with unfit names."""

    photos: int
    passed_over: int


def unpack_photos(file: Path, out: Path, limits: Limits) -> Unpacked:
    """Write the photos in the zip `file` below `out`, which must be empty.

    Raises Refused (400, 413) for what is no zip, a bomb, or over the limits. What an entry says of its size is not
    believed: bytes are counted while they are read. Names that would lead outside are passed over.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _unpack(archive, out, limits)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
    ) as error:
        # RuntimeError: a password; NotImplementedError: a compression of another program
        raise Refused(400, "the zip with the photos cannot be read", _REMEDY) from error


def _unpack(archive: zipfile.ZipFile, out: Path, limits: Limits) -> Unpacked:
    entries = archive.infolist()
    if len(entries) > 2 * limits.zip_files:
        raise Refused(
            413, f"the zip has more than {2 * limits.zip_files:,} entries", "send fewer photos at once"
        )
    photos, passed_over, total, taken = 0, 0, 0, set[str]()
    for entry in entries:
        name = safe_name(entry.filename)
        if entry.is_dir():
            continue
        if name is None or name.lower() in taken or _is_link(entry):
            passed_over += 1
            continue
        taken.add(name.lower())
        photos += 1
        if photos > limits.zip_files:
            raise Refused(
                413, f"the zip has more than {limits.zip_files:,} photos", "send fewer photos at once"
            )
        most = min(limits.photo_bytes, limits.zip_bytes - total, _RATIO * entry.compress_size + 65_536)
        total += _write(archive, entry, out / name, most)
    return Unpacked(photos, passed_over)


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, most: int) -> int:
    """Write one entry; how many bytes it had."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with archive.open(entry) as source, target.open("xb") as file:
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > most:
                raise Refused(
                    413, "a photo in the zip, or all together, is too large unpacked", "send less at once"
                )
            file.write(piece)
    return size


def safe_name(name: str) -> str | None:
    """The relative path at which an entry may be written; None for what is no photo or would lead outside."""
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = path.split("/")
    if path.startswith("/") or re.match("[A-Za-z]:", path) or len(parts) > _DEPTH:
        return None
    for part in parts:
        bad = part in ("", ".", "..") or part.startswith(".") or not part.isprintable()
        if bad or len(part.encode(errors="surrogatepass")) > 200:
            return None
    if parts[0] == "__MACOSX" or not path.lower().endswith(PHOTO_ENDINGS):
        return None
    return path


def _is_link(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry made under Unix is a symbolic link or a device."""
    kind = (entry.external_attr >> 16) & 0o170000
    return kind not in (0, 0o100000)


def check_workbook(file: Path, limits: Limits) -> None:
    """Raise Refused for an Excel file that is a bomb: an .xlsx is a zip, and zipfile holds it to the sizes it tells."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Refused(400, "the table is no readable Excel file", "save it again as .xlsx or .csv") from error
    if len(entries) > 2_000 or sum(entry.file_size for entry in entries) > 4 * limits.table_bytes:
        raise Refused(413, "the Excel file is too large unpacked", "save it as .csv, or send fewer rows")
