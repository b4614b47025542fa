"""Writing photos into shards: WebDataset tars (photo and key.json side by side), or a list of where others put them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lift.data.cache import Shard
from lift.data.dataset import Row
from lift.data.decoding import MAX_PIXELS
from lift.place import Place, npy_parts

#: How photos can be stored: ending in the tar, and what Pillow is told. npy is the bare pixels.
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("png", {"format": "PNG", "compress_level": 6}),
    "webp": ("webp", {"format": "WEBP", "lossless": True, "quality": 50, "method": 2}),
    "jpeg": ("jpg", {"format": "JPEG", "quality": 95, "subsampling": 0}),
    "npy": ("npy", {}),
}


def encode_photo(pixels: np.ndarray, photo_format: str) -> bytes:
    """The file of one photo, from uint8 (S, S, 3); png, webp and npy give the very same pixels back."""
    _, how = FORMATS[photo_format]
    if not how:
        return b"".join(npy_parts(pixels))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **how)
    return file.getvalue()


def ending_of(content: bytes) -> str:
    """The ending that readers of WebDataset expect for a photo's file."""
    with Image.open(io.BytesIO(content)) as image:
        kind = (image.format or "").lower()
    return {"jpeg": "jpg", "mpo": "jpg", "tiff": "tif"}.get(kind, kind)


class MemberTable:
    """Which bytes of which shard each photo is: members.npy and sums.npy of a DATASET."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._members: list[tuple[int, int, int, int, int]] = []
        self._sums: list[bytes] = []

    def add(
        self, shard: int, photo: tuple[int, int, bytes], texts: tuple[int, int, bytes] = (0, 0, bytes(32))
    ) -> None:
        """Append one row: offset, length and SHA-256 of the photo, and of its texts where they are in the shard."""
        self._members.append((shard, photo[0], photo[1], texts[0], texts[1]))
        self._sums.append(photo[2] + texts[2])

    def close(self) -> list[str]:
        """Write both files; returns their names."""
        np.save(self.folder / "members.npy", np.array(self._members, np.int64).reshape(-1, 5))
        sums = np.frombuffer(b"".join(self._sums), np.uint8).reshape(-1, 2, 32)
        np.save(self.folder / "sums.npy", sums)
        return ["members.npy", "sums.npy"]


class TarShards:
    """A PhotoStore of tar shards of `per_shard` photos in `place`, those of each split in shards of their own.

    Equal photos and rows give equal bytes. One unfinished shard of each split waits in memory.
    """

    def __init__(self, folder: Path, place: Place, *, per_shard: int, max_pixels: int = MAX_PIXELS) -> None:
        """folder: where the DATASET's small files are written; place: the DATASET as it will be."""
        self.place, self.per_shard, self.max_pixels = place, per_shard, max_pixels
        self.shards: list[Shard] = []
        self._table = MemberTable(folder)
        self._open: dict[str, _OpenTar] = {}
        self._made: dict[str, int] = {}
        self._rows = 0

    def add(self, photo: tuple[bytes, str], row: Row) -> None:
        """Append the bytes of a photo's file, with its ending, and its row."""
        tar = self._open.get(row.split)
        if tar is None:
            number = self._made[row.split] = self._made.get(row.split, -1) + 1
            self.shards.append(Shard(f"shards/{row.split}-{number:06d}.tar", 0, ""))
            tar = self._open[row.split] = _OpenTar(len(self.shards) - 1)
        content, ending = photo
        texts = json.dumps(asdict(row), ensure_ascii=False).encode()
        name = f"{self._rows:09d}"
        self._table.add(tar.number, tar.add(f"{name}.{ending}", content), tar.add(f"{name}.json", texts))
        self._rows += 1
        tar.photos += 1
        if tar.photos == self.per_shard:
            self._finish(row.split)

    def _finish(self, split: str) -> None:
        tar = self._open.pop(split)
        content, name = tar.close(), self.shards[tar.number].name
        self.place.write(name, content)
        self.shards[tar.number] = Shard(name, len(content), hashlib.sha256(content).hexdigest())

    def close(self) -> tuple[list[str], dict[str, Any]]:
        """Write the last shards and the table."""
        for split in list(self._open):
            self._finish(split)
        facts = {"max_pixels": self.max_pixels, "shards": [asdict(shard) for shard in self.shards]}
        return self._table.close(), facts


class PhotoPlace(NamedTuple):
    """Where a photo lies in a shard that others made, and the SHA-256 of its bytes."""

    shard: Path
    offset: int
    length: int
    sha256: bytes


class ShardsInPlace:
    """A PhotoStore that copies nothing: tars under `root` stay where they are, and the DATASET knows the places."""

    def __init__(self, folder: Path, root: Path, *, max_pixels: int) -> None:
        self.root, self.max_pixels = root.resolve(), max_pixels
        self._table = MemberTable(folder)
        self._numbers: dict[Path, int] = {}

    def add(self, photo: PhotoPlace, row: Row) -> None:
        """Append where a photo is."""
        number = self._numbers.setdefault(photo.shard, len(self._numbers))
        self._table.add(number, photo[1:])

    def close(self) -> tuple[list[str], dict[str, Any]]:
        """Write the table."""
        shards = [
            asdict(Shard(path.resolve().relative_to(self.root).as_posix(), path.stat().st_size, ""))
            for path in self._numbers
        ]
        facts = {"max_pixels": self.max_pixels, "shards_at": str(self.root), "shards": shards}
        return self._table.close(), facts


class _OpenTar:
    """A tar in memory, in the plain form that every reader of tars knows, without times and owners."""

    def __init__(self, number: int) -> None:
        self.number, self.photos = number, 0
        self._buffer = io.BytesIO()
        self._tar = tarfile.TarFile(fileobj=self._buffer, mode="w", format=tarfile.USTAR_FORMAT)

    def add(self, name: str, content: bytes) -> tuple[int, int, bytes]:
        """Append a file; returns its offset, length and SHA-256."""
        header = tarfile.TarInfo(name)
        header.size = len(content)
        self._tar.addfile(header, io.BytesIO(content))
        offset = self._buffer.tell() - -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        return offset, len(content), hashlib.sha256(content).digest()

    def close(self) -> bytes:
        """The bytes of the whole tar."""
        self._tar.close()
        return self._buffer.getvalue()
