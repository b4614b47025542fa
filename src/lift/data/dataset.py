"""Reading a DATASET: a folder, or (in shards) a folder of object storage.

dataset.json   manifest: id, name, image_size, resize_mode, counts per split, SHA-256 of the other files
rows.jsonl     one line per photo, in the order of the pixel rows
pixels.npy     uint8 (N, size, size, 3), memory-mapped: training never decodes a photo. Or, in shards:
members.npy    int64 (N, 5): shard, offset and bytes of each photo and of its texts; sums.npy: their SHA-256
pairs.jsonl    typed hard negatives {image, positive, negative, kind, split, length}; may be empty
report.json    what was set aside at ingest, with file, reason and remedy
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import parse_manifest, read_manifest
from lift.data.cache import Shard, ShardCache
from lift.data.shards import ShardPixels
from lift.errors import LiftError
from lift.place import Place

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


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


class Dataset:
    """A DATASET opened for reading: `rows`, `pixels` (uint8, by row number), `pairs`, `split(name)`.

    `pixels` is the memory-mapped array, or reads as if it were one: see ShardPixels.
    """

    def __init__(self, where: Path | str, *, cache: ShardCache | None = None) -> None:
        """Open a folder or fsspec URL; raises LiftError when it is no DATASET or its files do not fit together.

        cache: where copies of remote shards go (default: ShardCache()).
        """
        self.place = Place(where)
        self.manifest = manifest_of(self.place)
        self.id: str = self.manifest["id"]
        self.name: str = self.manifest["name"]
        self.image_size: int = self.manifest["image_size"]
        self.resize_mode: str = self.manifest["resize_mode"]
        try:
            self.rows: list[Row] = [Row(**line) for line in _read_lines(self._file("rows.jsonl"))]
            self.pixels: np.ndarray | ShardPixels = self._open_pixels(cache)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LiftError(
                f"{self.place} is damaged ({error})", "make it again with `lift ingest --overwrite`"
            ) from error
        if not len(self.rows) == len(self.pixels) == self.manifest["images"]:
            raise LiftError(
                f"{self.place} is damaged: {len(self.rows)} rows for {len(self.pixels)} photos",
                "make it again with `lift ingest --overwrite`",
            )

    def _file(self, name: str) -> Path:
        """A local path of one of the small files."""
        return self.place.file(name, self.manifest["sha256"][name])

    def _open_pixels(self, cache: ShardCache | None) -> np.ndarray | ShardPixels:
        if "shards" not in self.manifest:
            if self.place.local is None:
                raise LiftError(
                    f"{self.place} is a DATASET with pixels.npy on object storage",
                    "copy it to a local disk, or put it there in shards: `lift shard DATASET --out URL`",
                )
            pixels: np.ndarray = np.load(self.place.local / "pixels.npy", mmap_mode="r")
            return pixels
        return ShardPixels(
            Place(self.manifest.get("shards_at") or self.place),
            [Shard(**shard) for shard in self.manifest["shards"]],
            np.load(self._file("members.npy"), mmap_mode="r"),
            np.load(self._file("sums.npy"), mmap_mode="r"),
            size=self.image_size,
            resize_mode=self.resize_mode,
            max_pixels=self.manifest["max_pixels"],
            cache=cache,
            key_of=lambda number: self.rows[number].key,
        )

    @property
    def folder(self) -> Path | str:
        """Its folder, or URL."""
        return self.place.local or self.place.url

    @property
    def address(self) -> str:
        """Where others find it again: the resolved path, or the URL."""
        return address_of(self.place)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Dataset({self.name}, {len(self)} photos at {self.image_size} px, id {self.id})"

    @cached_property
    def pairs(self) -> list[Pair]:
        """Hard negatives of the DATASET itself."""
        return [Pair(**line) for line in _read_lines(self._file("pairs.jsonl"))]

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
        """Compare every file with its SHA-256 in the manifest; LiftError names the first that differs.

        Not the shards: each of their photos is compared whenever it is read, and `faults` reads them all. Nor what was
        fetched from object storage: it was compared then.
        """
        if self.place.local is None:
            return
        for fault in self._changed(self.manifest["sha256"]):
            raise fault

    def faults(self) -> Iterator[LiftError]:
        """Everything that is not as it was written, shards and the photos in them too."""
        yield from self._changed(self.manifest["sha256"])
        if isinstance(self.pixels, ShardPixels):
            yield from self._changed({s.name: s.sha256 for s in self.pixels.shards if s.sha256})
            if "shards_at" in self.manifest:
                yield from self.pixels.faults()

    def _changed(self, sums: dict[str, str]) -> Iterator[LiftError]:
        remedy = "make the DATASET again with `lift ingest --overwrite` or `lift shard --overwrite`"
        for name, expected in sums.items():
            try:
                if self.place.sha256(name) != expected:
                    yield LiftError(f"{self.place}/{name} has changed since it was written", remedy)
            except FileNotFoundError:
                yield LiftError(f"{self.place}/{name} is missing", remedy)


def is_dataset(where: Path | str) -> bool:
    """Is there a DATASET at this folder or URL? False as well where the storage cannot be reached."""
    try:
        return Place(where).exists("dataset.json")
    except LiftError:
        return False


def address_of(place: Place) -> str:
    """The resolved path of a local Place, the URL of another."""
    return str(place.local.resolve()) if place.local is not None else place.url


def manifest_of(place: Place) -> dict[str, Any]:
    """The manifest of a DATASET; LiftError when there is none, or none that this version understands."""
    if place.local is not None:
        return read_manifest(place.local, "dataset")
    try:
        return parse_manifest(place.read("dataset.json"), "dataset", place.url)
    except FileNotFoundError as error:
        raise LiftError(
            f"{place} is not a DATASET: there is no dataset.json",
            f"make one there with `lift shard DATASET --out {place}`, or give the URL of one",
        ) from error


def distinct_texts(rows: Sequence[Row]) -> list[str]:
    """Every distinct text of `rows`, in order of first appearance."""
    return list(dict.fromkeys(text for row in rows for text in row.texts))
