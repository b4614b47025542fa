"""Stage `shard`: a DATASET -> the same DATASET in tar shards, in a folder or on object storage."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from lift.artefact import parse_manifest
from lift.console import progress_bar, say
from lift.data import BadImage, Dataset, DatasetWriter, ShardPixels
from lift.data.dataset import address_of
from lift.data.packing import FORMATS, TarShards, encode_photo, ending_of
from lift.errors import LiftError
from lift.place import Place

BLOCK = 256  # photos encoded at a time, which bounds the memory of those that wait


@dataclass(frozen=True)
class ShardConfig:
    """Write a DATASET as WebDataset tar shards, to train from object storage or a disk that is read in long runs.

    Rows, texts, splits and pairs stay the same. Kill it at any moment and run the same command again.
    """

    dataset: Positional[str | Path]
    """The DATASET folder (or URL of one in shards)."""
    out: str | Path
    """Where to write: a folder or fsspec URL, such as s3://bucket/photos."""
    photo_format: Literal["png", "webp", "jpeg", "npy", "as-is"] = "png"
    """png, webp (lossless), npy (bare pixels: fastest to read, largest), jpeg (smallest, quality 95: the pixels
    change a little), or as-is: the files of a DATASET that refers to photos (--layout in-place)."""
    photos_per_shard: int = 2048
    """Photos in a shard."""
    workers: int = 0
    """Encoding threads; 0: one per core. The result is the same for any number."""
    overwrite: bool = False
    """Replace the DATASET in --out."""

    def check(self) -> None:
        """Raise LiftError for values that cannot work."""
        if self.photos_per_shard < 1 or self.workers < 0:
            raise LiftError(
                "--photos-per-shard must be 1 or more, --workers 0 or more", "leave them out, for instance"
            )


def shard(config: ShardConfig) -> Dataset:
    """Write the shards, then the small files, dataset.json last; returns the new DATASET."""
    config.check()
    source, place = Dataset(config.dataset), Place(config.out)
    if source.address == address_of(place):
        raise LiftError("--out is the DATASET itself", "give another --out")
    if config.photo_format == "as-is" and not isinstance(source.pixels, ShardPixels):
        raise LiftError(
            f"{source.place} holds pixels and not the files of photos", "use --photo-format png, for instance"
        )
    request = {
        "dataset": source.id,
        "photo_format": config.photo_format,
        "photos_per_shard": config.photos_per_shard,
    }
    if done(place, request, config.overwrite):
        say(f"{place}: already done")
        return Dataset(config.out)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        manifest = write(folder, place, source, config, request)
        for name in (*manifest["sha256"], "report.json"):
            place.write(name, (folder / name).read_bytes())
        place.write("dataset.json", (folder / "dataset.json").read_bytes())
        tidy(place, {entry["name"] for entry in manifest["shards"]})
    size = sum(entry["bytes"] for entry in manifest["shards"])
    say(
        f"DATASET {place}: {manifest['images']:,} photos in {len(manifest['shards']):,} shards of together "
        f"{size / 1e6:,.1f} MB (id {manifest['id']})"
    )
    return Dataset(config.out)


def done(place: Place, request: dict[str, Any], overwrite: bool) -> bool:
    """Is this very DATASET there? LiftError when something else is; its manifest goes before it is replaced."""
    if place.exists("dataset.json"):
        made_by = parse_manifest(place.read("dataset.json"), "dataset", place.name).get("request")
        if made_by == request and not overwrite:
            place.remove("unfinished.json")  # left by a kill after the last file was written
            return True
        if not overwrite:
            raise LiftError(
                f"{place} holds another DATASET, or one made with other settings",
                "give another --out, or add --overwrite to replace it",
            )
        if place.exists("pixels.npy"):
            raise LiftError(f"{place} is a DATASET with pixels.npy", "give another --out")
    elif not place.is_empty() and not place.exists("unfinished.json"):
        raise LiftError(f"{place} exists and is not a DATASET", "give another --out")
    place.write("unfinished.json", b"{}\n")  # so that the rerun after a kill knows the folder as its own
    place.remove("dataset.json")
    return False


def write(
    folder: Path, place: Place, source: Dataset, config: ShardConfig, request: dict[str, Any]
) -> dict[str, Any]:
    """Shards into `place`, everything else into `folder`; returns the manifest."""
    store = TarShards(folder, place, per_shard=config.photos_per_shard)
    if isinstance(source.pixels, ShardPixels):
        store.max_pixels = source.pixels.max_pixels
    writer = DatasetWriter(
        folder, name=source.name, image_size=source.image_size, resize_mode=source.resize_mode, photos=store
    )
    with progress_bar("writing shards", len(source)) as bar:
        for number, photo in enumerate(encoded(source, config)):
            writer.add(photo, source.rows[number])
            bar.advance()
    for pair in source.pairs:
        writer.add_pair(pair)
    return writer.close(request=request, report={"made_of": source.id}, source=source.manifest["source"])


def encoded(source: Dataset, config: ShardConfig) -> Iterator[tuple[bytes, str]]:
    """The file of every photo and its ending, in order, whatever the number of threads."""

    pixels = source.pixels
    as_is = config.photo_format == "as-is"

    def one(number: int, content: bytes | None) -> tuple[bytes, str]:
        if content is None:
            return encode_photo(pixels[number], config.photo_format), FORMATS[config.photo_format][0]
        if as_is:
            return content, ending_of(content)
        assert isinstance(pixels, ShardPixels)
        return encode_photo(pixels.decode(content), config.photo_format), FORMATS[config.photo_format][0]

    def read(number: int) -> bytes | None:
        if not isinstance(pixels, ShardPixels):
            return None
        try:
            return pixels.content(number)
        except BadImage as error:
            raise pixels.unreadable(number, error) from error

    with ThreadPoolExecutor(config.workers or os.cpu_count() or 1) as pool:
        for start in range(0, len(source), BLOCK):
            numbers = range(start, min(start + BLOCK, len(source)))
            yield from pool.map(one, numbers, [read(number) for number in numbers])


def tidy(place: Place, kept: set[str]) -> None:
    """Remove the shards of what was replaced, and the mark of the unfinished."""
    for name in place.names("shards"):
        if f"shards/{name}" not in kept:
            place.remove(f"shards/{name}")
    place.remove("unfinished.json")
