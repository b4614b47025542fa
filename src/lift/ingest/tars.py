"""Source form 3: WebDataset tar shards, key.jpg beside key.txt, key.json or key.cls."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lift.data.decoding import BadImage
from lift.data.reading import read_text
from lift.errors import LiftError
from lift.ingest.columns import guess_columns, item_of
from lift.ingest.config import IngestConfig
from lift.ingest.items import Asides, Item, split_name
from lift.ingest.source import Source

_PHOTO = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "avif", "heic")
SAMPLE = 200  # samples looked at when columns are guessed
_SMALL = 10_000_000  # a caption file larger than this is no caption


@dataclass(frozen=True)
class PhotoInTar:
    """A photo as a range of bytes of an uncompressed tar, read without unpacking it."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The member's bytes; BadImage when the shard ends before them."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise BadImage("truncated file (the shard ends early)", "copy the shard again")
        return content


def read_tars(source: Source, config: IngestConfig, asides: Asides) -> Iterator[Item]:
    """Yield the samples of all shards in sorted order; a shard named train-…, val-… gives the split."""
    shards = [source.shard.name] if source.shard else [n for n in source.files if n.lower().endswith(".tar")]
    if not shards:
        raise LiftError(
            f"{source.root} holds no .tar shards", "unpack .tar.gz files first, or give another --kind"
        )
    found: list[tuple[str, PhotoInTar, str | None, dict[str, Any]]] = []
    for shard in shards:
        path = source.root / shard
        for key, members in _samples(path, shard, asides):
            photo = next((members[ending] for ending in _PHOTO if ending in members), None)
            if photo is None:
                asides.add(
                    f"{shard}:{key}", "missing file: a sample without photo", "add the photo to the shard"
                )
                continue
            record = _record(path, f"{shard}:{key}", members, config.encoding, asides)
            place = PhotoInTar(path, photo.offset_data, photo.size)
            found.append((f"{shard}:{photo.name}", place, _split_of(shard), record))
    sample = [record for *_, record in found[:SAMPLE]]
    header = list(dict.fromkeys(name for record in sample for name in record))
    if not header:
        raise LiftError(
            f"{source.root}: the shards hold no texts", "add key.txt or key.json beside each key.jpg"
        )
    columns = guess_columns(header, sample, config, need_image=False)
    source.facts["columns"] = columns.asdict()
    source.tell(f"samples: {columns}")
    for key, place, split, record in found:
        yield item_of(record, columns, key=key, photo=place, split=split, source=key, asides=asides)


def _samples(path: Path, shard: str, asides: Asides) -> Iterator[tuple[str, dict[str, tarfile.TarInfo]]]:
    """Members of a shard joined by the part of their names before the first dot."""
    samples: dict[str, dict[str, tarfile.TarInfo]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                if member.isreg() and stem and ending:
                    samples.setdefault(f"{folder}/{stem}".lstrip("/"), {})[ending.lower()] = member
    except (tarfile.TarError, OSError, EOFError) as error:
        asides.add(shard, f"damaged shard ({error})", "copy the shard again; its whole samples are used")
    yield from samples.items()


def _record(
    path: Path, name: str, members: dict[str, tarfile.TarInfo], encoding: str | None, asides: Asides
) -> dict[str, Any]:
    """The texts of a sample as one table row: .json fields, .txt as `text`, .cls as `class`."""
    record: dict[str, Any] = {}
    for ending in ("json", "txt", "caption", "cls", "class"):
        member = members.get(ending)
        if member is None or member.size > _SMALL:
            continue
        with path.open("rb") as file:
            file.seek(member.offset_data)
            text, _ = read_text(file.read(member.size), encoding, f"{name}.{ending}")
        if ending == "json":
            try:
                value = json.loads(text)
            except json.JSONDecodeError as error:
                asides.add(f"{name}.json", f"unreadable text ({error.msg})", "correct the JSON")
                continue
            record |= value if isinstance(value, dict) else {"caption": value}
        elif ending in ("txt", "caption"):
            record["text"] = [line for line in text.splitlines() if line.strip()] or [""]
        else:
            record["class"] = text.strip()
    return record


def _split_of(shard: str) -> str | None:
    """The split in a shard's name or folder: train-0001.tar, val/0001.tar."""
    words = re.split(r"[/\-_.0-9]+", shard)
    return next((found for word in words if (found := split_name(word))), None)
