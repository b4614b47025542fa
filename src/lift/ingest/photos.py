"""Decoding the photos of a source: several at once, in order, to stored pixels and to marks of duplicates."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from lift.data.decoding import BadImage, decode_image, resize_image
from lift.ingest.config import IngestConfig
from lift.ingest.duplicates import as_uint64
from lift.ingest.items import Item

_BLOCK = 1024  # photos handed to the threads at a time, which bounds the memory of waiting results


@dataclass(frozen=True)
class Photo:
    """A decoded photo: uint8 pixels (size, size, 3), SHA-256 of its file, hashes and 16 x 16 thumbnail."""

    pixels: np.ndarray
    sha256: bytes
    dhash: int
    phash: int
    thumb: np.ndarray


def decode_photo(item: Item, config: IngestConfig) -> Photo | BadImage:
    """Read and decode one photo; what is wrong with it is returned, not raised."""
    try:
        content = item.photo.read()
        image = decode_image(content, max_pixels=config.max_pixels, target=config.size)
    except BadImage as error:
        return error
    return Photo(
        pixels=resize_image(image, config.size, config.resize_mode),
        sha256=hashlib.sha256(content).digest(),
        dhash=as_uint64(imagehash.dhash(image).hash),
        phash=as_uint64(imagehash.phash(image).hash),
        thumb=np.asarray(image.resize((16, 16), Image.Resampling.BOX, reducing_gap=3.0)),
    )


def decode_all(items: Sequence[Item], config: IngestConfig) -> Iterator[tuple[Item, Photo | BadImage]]:
    """Yield every item with its photo, in order, whatever the number of workers.

    Threads do: Pillow lets go of the interpreter lock while it decodes and resizes, and unlike processes they
    need no `if __name__ == "__main__"` in a caller's script.
    """
    workers = config.workers or os.cpu_count() or 1
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # set back here, since the threads' own settings overlap
        for start in range(0, len(items), _BLOCK):
            block = items[start : start + _BLOCK]
            yield from zip(block, pool.map(lambda item: decode_photo(item, config), block), strict=True)
