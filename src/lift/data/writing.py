"""Writing a DATASET folder: rows, pairs, report and manifest, and the photos into a file or store of one's choice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from lift.artefact import sha256_file, write_json
from lift.data.dataset import SPLITS, Pair, Row

HEADER_BYTES = 128  # a version 1.0 npy header of fixed length, so that it can be rewritten when N is known


def npy_header(count: int, size: int) -> bytes:
    """The first 128 bytes of a uint8 npy file of shape (count, size, size, 3)."""
    words = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, {size}, {size}, 3), }}"
    body = words.ljust(HEADER_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body.encode("latin1")


class PhotoStore(Protocol):
    """Where a DatasetWriter puts the photos: `add` them in order, then `close`."""

    def add(self, photo: Any, row: Row) -> None:
        """Append one photo; ValueError when it is not what this store holds."""
        ...

    def close(self) -> tuple[list[str], dict[str, Any]]:
        """Finish: names of its files in the DATASET folder, and what the manifest tells of them."""
        ...


class PixelFile:
    """The usual PhotoStore: pixels.npy, from uint8 (size, size, 3) arrays."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size, self.count = size, 0
        self._file: BinaryIO = (folder / "pixels.npy").open("wb")
        self._file.write(npy_header(0, size))

    def add(self, photo: np.ndarray, row: Row) -> None:
        """Append one photo."""
        expected = (self.size, self.size, 3)
        if photo.shape != expected or photo.dtype != np.uint8:
            raise ValueError(f"pixels must be uint8 {expected}, got {photo.dtype} {photo.shape}")
        self._file.write(np.ascontiguousarray(photo).tobytes())
        self.count += 1

    def close(self) -> tuple[list[str], dict[str, Any]]:
        """Write the final header."""
        self._file.seek(0)
        self._file.write(npy_header(self.count, self.size))
        self._file.close()
        return ["pixels.npy"], {}


class DatasetWriter:
    """Writes a DATASET into an (empty, temporary) folder: `add` photos, `add_pair`, then `close`."""

    def __init__(
        self, folder: Path, *, name: str, image_size: int, resize_mode: str, photos: PhotoStore | None = None
    ) -> None:
        """photos: where the photos go, if not into pixels.npy."""
        self.folder, self.name, self.image_size, self.resize_mode = folder, name, image_size, resize_mode
        self._photos = photos or PixelFile(folder, image_size)
        self._rows = (folder / "rows.jsonl").open("w", encoding="utf-8")
        self._pairs = (folder / "pairs.jsonl").open("w", encoding="utf-8")
        self._keys: set[str] = set()
        self._splits: dict[str, int] = {}
        self._n_texts = self._n_pairs = 0

    def add(self, photo: Any, row: Row) -> None:
        """Append one photo: uint8 (size, size, 3) pixels (or what the PhotoStore takes) and its row."""
        if row.key in self._keys:
            raise ValueError(f"key {row.key!r} was added twice")
        if row.split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {row.split!r}")
        self._photos.add(photo, row)
        self._keys.add(row.key)
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
        names, facts = self._photos.close()
        for file in (self._rows, self._pairs):
            file.close()
        write_json(self.folder / "report.json", report)
        sums = {name: sha256_file(self.folder / name) for name in ("rows.jsonl", *names, "pairs.jsonl")}
        identity = f"{self.resize_mode}|" + "|".join(sums.values())
        if facts:  # stored photos may be larger than those that are trained on
            identity = f"{self.image_size}|{identity}"
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
            **facts,
        }
        write_json(self.folder / "dataset.json", manifest)
        return manifest


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
