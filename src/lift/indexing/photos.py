"""Photos in the order they are indexed: from a folder of any depth, single files, or a DATASET."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lift.artefact import digest
from lift.catalogue.fields import is_text
from lift.catalogue.segments import Entry
from lift.data import BadImage, Dataset
from lift.errors import LiftError
from lift.model import Model, Rival

#: Files of a folder that are taken for photos; HEIC cannot be read, but must be reported and not passed over.
PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm",
    ".pgm", ".avif", ".jp2", ".tga", ".heic", ".heif",
)  # fmt: skip
BATCH = 64


@dataclass(frozen=True)
class SetAside:
    """A photo that could not be used, why, and what to do about it."""

    file: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Batch:
    """Some photos, stacked as their model sees them, with their entries, and those set aside among them."""

    pixels: np.ndarray
    entries: list[Entry]
    set_aside: list[SetAside]


def list_photos(folder: Path) -> list[Path]:
    """Photo files below `folder` at any depth, relative to it, sorted; hidden files are passed over."""
    found = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.suffix.lower() in PHOTO_ENDINGS and not path.is_dir() and not hidden:
            found.append(relative)
    return sorted(found, key=lambda relative: relative.as_posix())


def refuse_odd_name(folder: Path) -> None:
    """LiftError for a folder whose path is not valid UTF-8, which no state of an INDEX could name."""
    if not is_text(str(folder.resolve())):
        raise LiftError(f"{str(folder)!r} is not valid UTF-8", "rename the folder")


def state_of(folder: Path, files: Sequence[Path]) -> str:
    """16 hexadecimal digits over names, sizes and times of change, to tell whether a folder is the same."""
    return digest([(os.fsencode(file).hex(), sign_of(folder / file)) for file in files])


def sign_of(file: Path) -> str:
    """Size and time of change of a file, which tell whether it is the same."""
    try:
        stat = file.stat()
    except OSError:  # a link to nowhere: decoding will say so
        return "-"
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def from_files(folder: Path, files: Sequence[Path], model: Model | Rival, max_pixels: int) -> Iterator[Batch]:
    """Decode `files` (relative to `folder`) in their order, as `model` wants them, in batches of at most 64."""
    read = partial(_read, folder, partial(model.prepare, max_pixels=max_pixels))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            signs = [sign_of(folder / file) for file in batch]  # before reading: a later change must show
            results = list(pool.map(read, batch))
            good = [pixels for pixels in results if isinstance(pixels, np.ndarray)]
            yield Batch(
                np.stack(good) if good else np.empty(0, np.uint8),
                [
                    Entry(file.as_posix(), file.as_posix(), sign=sign)
                    for file, sign, result in zip(batch, signs, results, strict=True)
                    if isinstance(result, np.ndarray)
                ],
                [result for result in results if isinstance(result, SetAside)],
            )


def _read(folder: Path, prepare: Callable[[Path], np.ndarray], file: Path) -> np.ndarray | SetAside:
    """One file as `prepare` gives it, or why it cannot be used."""
    try:
        file.as_posix().encode()
    except UnicodeEncodeError:
        name = file.as_posix().encode(errors="backslashreplace").decode()
        return SetAside(name, "file name is not valid UTF-8", "rename the file")
    try:
        return prepare(folder / file)
    except BadImage as error:
        return SetAside(file.as_posix(), error.reason, error.remedy)


def from_dataset(dataset: Dataset, numbers: np.ndarray, model: Model | Rival) -> Iterator[Batch]:
    """The stored pixels of the given rows of a DATASET, in batches of at most 64; paths as they were at ingest."""
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        pixels = dataset.pixels[batch]
        yield Batch(model.pixels(pixels), list(dataset_entries(dataset, batch, pixels)), [])


def dataset_entries(dataset: Dataset, numbers: np.ndarray, pixels: np.ndarray) -> Iterator[Entry]:
    """Entries of some rows of a DATASET with these pixels; split and class are their metadata."""
    place = Path(dataset.manifest["source"])
    for number, picture in zip(numbers, pixels, strict=True):
        row = dataset.rows[number]
        metadata = {"split": row.split, **({} if row.label is None else {"label": row.label})}
        path = str(place / row.source) if row.source else row.key
        sign = hashlib.sha256(picture.tobytes()).hexdigest()[:16]
        yield Entry(row.key, path, tuple(row.texts), metadata, sign=sign)


def photo_files(given: Sequence[Path]) -> list[Path]:
    """Photo files named one by one or by folder; LiftError for a missing path or an empty folder."""
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = [path / file for file in list_photos(path)]
            if not inside:
                raise LiftError(f"{path} holds no photos", "give a folder with JPEG, PNG or WebP files")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise LiftError(f"there is no file or folder {path}", "check the path")
    if not files:
        raise LiftError("no photo was given", "name photo files or folders")
    return files
