"""Where the photos of a table are: below a folder, or in a DATASET."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from lift.data import BadImage, Dataset, decode_image, is_dataset
from lift.data.decoding import MAX_PIXELS
from lift.data.files import PhotoFinder, walk
from lift.errors import LiftError
from lift.model import Model, Rival

THUMBNAIL = 96  # pixels of the longer side


class Seen(NamedTuple):
    """A photo as the model sees it, and a small RGB picture of it for people."""

    pixels: np.ndarray
    thumbnail: Image.Image


class PhotoPlace(Protocol):
    """Where photos are found by what a table calls them; both raise BadImage for what cannot be used."""

    def find(self, cell: str) -> str:
        """The key of the photo that a cell names."""
        ...

    def see(self, key: str, model: Model | Rival, *, thumbnail: bool = False) -> Seen:
        """The photo of a key."""
        ...


class Photos:
    """The photos that a table names: `find` a cell's photo, `see` it."""

    def __init__(self, root: Path, *, max_pixels: int = MAX_PIXELS) -> None:
        """root: a folder or a DATASET; LiftError when there is neither."""
        if not root.is_dir():
            raise LiftError(f"there is no folder {root}", "check the path given with --photos")
        self.root, self.max_pixels = root, max_pixels
        self.dataset = Dataset(root) if is_dataset(root) else None

    @cached_property
    def _finder(self) -> PhotoFinder:
        return PhotoFinder(self.root, walk(self.root))

    def find(self, cell: str) -> str:
        """The key of the photo that a cell names; BadImage when there is none, or it lies outside."""
        name = cell.strip()
        if self.dataset is not None:
            if name in self.dataset.index_of:
                return name
            raise BadImage(f"no photo of the DATASET is called {name[:80]}", "write the key as in rows.jsonl")
        return self._finder.find(name)

    def see(self, key: str, model: Model | Rival, *, thumbnail: bool = False) -> Seen:
        """Read one photo; BadImage when it cannot be used. Without `thumbnail` its picture is 1 pixel."""
        if self.dataset is not None:
            stored = self.dataset.pixels[self.dataset.index_of[key]]
            picture = Image.fromarray(np.asarray(stored))
            pixels = model.pixels(np.asarray(stored)[None])[0]
        elif thumbnail:
            target = model.image_size if isinstance(model, Model) else None  # as `prepare` decodes a file
            picture = decode_image(self.root / key, max_pixels=self.max_pixels, target=target)
            pixels = model.prepare(picture)
        else:
            return Seen(model.prepare(self.root / key, max_pixels=self.max_pixels), Image.new("RGB", (1, 1)))
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        return Seen(pixels, picture)
