"""Reading and writing a DATASET folder.

dataset.json   manifest: id, name, image_size, resize_mode, counts per split, SHA-256 of the other files
rows.jsonl     one line per photo, in the order of the pixel rows
pixels.npy     uint8 (N, size, size, 3), memory-mapped: training never decodes a photo
pairs.jsonl    typed hard negatives {image, positive, negative, kind, split, length}; may be empty
report.json    what was set aside at ingest, with file, reason and remedy
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import read_manifest, sha256_file, write_json
from lift.errors import LiftError

HEADER_BYTES = 128  # a version 1.0 npy header of fixed length, so that it can be rewritten when N is known
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Row:
    """One photo: `key` is unique in the DATASET, `captions` are short texts, `long_captions` long ones."""

    key: str
    captions: list[str]
    split: str
    long_captions: list[str] = field(default_factory=list)
    label: str | None = None
    source: str | None = None

    @property
    def texts(self) -> list[str]:
        """All texts of the photo, short first."""
        return self.captions + self.long_captions


@dataclass(frozen=True)
class Pair:
    """A true and a minimally different false text of photo `image` (a row key); `length` is short or long."""

    image: str
    positive: str
    negative: str
    kind: str
    split: str
    length: str = "short"


def npy_header(count: int, size: int) -> bytes:
    """The first 128 bytes of a uint8 npy file of shape (count, size, size, 3)."""
    words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, {size}, {size}, 3), }}"
    body = words.ljust(HEADER_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body.encode("latin1")


class DatasetWriter:
    """Writes a DATASET into an (empty, temporary) folder: `add` photos, `add_pair`, then `close`."""

    def __init__(self, folder: Path, *, name: str, image_size: int, resize_mode: str) -> None:
        self.folder, self.name, self.image_size, self.resize_mode = folder, name, image_size, resize_mode
        self._pixels = (folder / "pixels.npy").open("wb")
        self._pixels.write(npy_header(0, image_size))
        self._rows = (folder / "rows.jsonl").open("w", encoding="utf-8")
        self._pairs = (folder / "pairs.jsonl").open("w", encoding="utf-8")
        self._keys: set[str] = set()
        self._splits: dict[str, int] = {}
        self._n_texts = self._n_pairs = 0

    def add(self, pixels: np.ndarray, row: Row) -> None:
        """Append one photo: uint8 (size, size, 3) pixels and its row."""
        expected = (self.image_size, self.image_size, 3)
        if pixels.shape != expected or pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8 {expected}, got {pixels.dtype} {pixels.shape}")
        if row.key in self._keys:
            raise ValueError(f"key {row.key!r} was added twice")
        if row.split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {row.split!r}")
        self._keys.add(row.key)
        self._pixels.write(np.ascontiguousarray(pixels).tobytes())
        self._rows.write(_line(asdict(row)))
        self._splits[row.split] = self._splits.get(row.split, 0) + 1
        self._n_texts += len(row.texts)

    def add_pair(self, pair: Pair) -> None:
        """Append one hard negative; its photo must have been added."""
        if pair.image not in self._keys:
            raise ValueError(f"pair names the unknown photo {pair.image!r}")
        self._pairs.write(_line(asdict(pair)))
        self._n_pairs += 1

    def close(self, *, request: dict[str, Any], report: dict[str, Any], source: str) -> dict[str, Any]:
        """Finish the files and write the manifest (returned); `request` is what the stage was asked for."""
        self._pixels.seek(0)
        self._pixels.write(npy_header(len(self._keys), self.image_size))
        for file in (self._pixels, self._rows, self._pairs):
            file.close()
        write_json(self.folder / "report.json", report)
        sums = {name: sha256_file(self.folder / name) for name in ("rows.jsonl", "pixels.npy", "pairs.jsonl")}
        identity = f"{self.resize_mode}|" + "|".join(sums.values())
        manifest = {
            "format": 1,
            "name": self.name,
            "id": hashlib.sha256(identity.encode()).hexdigest()[:16],
            "image_size": self.image_size,
            "resize_mode": self.resize_mode,
            "images": len(self._keys),
            "texts": self._n_texts,
            "pairs": self._n_pairs,
            "splits": {split: self._splits[split] for split in SPLITS if split in self._splits},
            "source": source,
            "sha256": sums,
            "request": request,
        }
        write_json(self.folder / "dataset.json", manifest)
        return manifest


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


class Dataset:
    """A DATASET opened for reading: `rows`, `pixels` (memory-mapped), `pairs`, `split(name)`."""

    def __init__(self, folder: Path | str) -> None:
        """Open `folder`; raises LiftError when it is no DATASET or its files do not fit together."""
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder, "dataset")
        self.id: str = self.manifest["id"]
        self.name: str = self.manifest["name"]
        self.image_size: int = self.manifest["image_size"]
        self.resize_mode: str = self.manifest["resize_mode"]
        try:
            self.pixels: np.ndarray = np.load(self.folder / "pixels.npy", mmap_mode="r")
            self.rows: list[Row] = [Row(**line) for line in _read_lines(self.folder / "rows.jsonl")]
        except (OSError, ValueError, TypeError) as error:
            raise LiftError(
                f"{self.folder} is damaged ({error})", "make it again with `lift ingest --overwrite`"
            ) from error
        if not len(self.rows) == len(self.pixels) == self.manifest["images"]:
            raise LiftError(
                f"{self.folder} is damaged: {len(self.rows)} rows for {len(self.pixels)} photos",
                "make it again with `lift ingest --overwrite`",
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Dataset({self.name}, {len(self)} photos at {self.image_size} px, id {self.id})"

    @cached_property
    def pairs(self) -> list[Pair]:
        """Hard negatives of the DATASET itself."""
        return [Pair(**line) for line in _read_lines(self.folder / "pairs.jsonl")]

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Row number by key."""
        return {row.key: number for number, row in enumerate(self.rows)}

    def split(self, name: str) -> np.ndarray:
        """Row numbers of a split (train, val, test, or all), ascending; LiftError when it is empty."""
        numbers = [n for n, row in enumerate(self.rows) if name in ("all", row.split)]
        if not numbers:
            have = ", ".join(f"{k} ({v})" for k, v in self.manifest["splits"].items())
            raise LiftError(f"{self.folder} has no photos in split {name!r}", f"use one of: {have}, all")
        return np.array(numbers)

    def check(self) -> None:
        """Compare every file with its SHA-256 in the manifest; LiftError names the first that differs."""
        for name, expected in self.manifest["sha256"].items():
            if sha256_file(self.folder / name) != expected:
                raise LiftError(
                    f"{self.folder / name} has changed since it was written",
                    "make the DATASET again with `lift ingest --overwrite`",
                )


def distinct_texts(rows: Sequence[Row]) -> list[str]:
    """Every distinct text of `rows`, in order of first appearance."""
    return list(dict.fromkeys(text for row in rows for text in row.texts))
