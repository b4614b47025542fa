"""Photos added one by one: files, or bytes that are kept inside the INDEX under their SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from lift.artefact import fsync_folder, make_folder
from lift.catalogue.changing import Change, apply, place_of, writable
from lift.catalogue.commits import UPLOADS
from lift.catalogue.fields import is_text, join_fields, stored_value
from lift.catalogue.segments import Entry
from lift.catalogue.view import View
from lift.data import BadImage
from lift.data.decoding import MAX_PIXELS, read_photo
from lift.errors import LiftError
from lift.indexing.building import encode
from lift.indexing.photos import BATCH, SetAside
from lift.model import Model, Rival


@dataclass(frozen=True)
class NewPhoto:
    """A photo to add under a unique `key`: a file that stays where it is, or bytes that the INDEX keeps."""

    key: str
    path: Path | str | None = None
    image_bytes: bytes | None = None
    captions: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.path is None) == (self.image_bytes is None):
            raise LiftError(f"the photo {self.key!r} has no file or two", "give either path or image_bytes")
        if not self.key or len(self.key) > 1000 or not self.key.isprintable():
            raise LiftError(f"{self.key[:50]!r} is no key", "use 1 to 1,000 printable letters")
        if isinstance(self.captions, str) or not all(is_text(caption) for caption in self.captions):
            raise LiftError(f"the captions of {self.key!r} are no list of texts", 'write captions=("a dog",)')

    def read(self) -> bytes:
        """The bytes of the file; raises data.BadImage when it cannot be read."""
        return self.image_bytes if self.image_bytes is not None else read_photo(Path(str(self.path)))


@dataclass(frozen=True)
class Added:
    """What `Index.add` did: photos that are new, that were known before, and those that could not be used."""

    added: int
    updated: int
    set_aside: list[SetAside]


def add_photos(
    folder: Path, view: View, photos: Sequence[NewPhoto], model: Model | Rival, max_pixels: int | None = None
) -> tuple[View, Added]:
    """Decode, encode, keep the bytes that were given, and commit; the new state and what was done."""
    writable(view)
    read = partial(_prepare, folder, model, max_pixels or MAX_PIXELS)
    ready: list[tuple[NewPhoto, str, str, np.ndarray]] = []
    set_aside: list[SetAside] = []
    for start in range(0, len(photos), BATCH):
        found = []
        for photo in photos[start : start + BATCH]:
            result = read(photo)
            if isinstance(result, SetAside):
                set_aside.append(result)
            else:
                found.append((photo, *result))
        if found:
            vectors = encode(model, np.stack([pixels for *_, pixels in found]))
            ready += [(p, path, sign, v) for (p, path, sign, _), v in zip(found, vectors, strict=True)]

    def make(newest: View) -> Change:
        places, fields = [dict(place) for place in newest.commit.places], newest.commit.fields
        change = Change()
        for photo, path, sign, vector in ready:
            place = place_of(places, "file" if photo.path is not None else "upload")
            fields = join_fields(fields, photo.metadata)
            metadata = {
                name: stored_value(name, fields[name], v)
                for name, v in photo.metadata.items()
                if v is not None
            }
            change.put(Entry(photo.key, path, tuple(photo.captions), metadata, place, sign), vector)
        change.content = {"places": places}
        return change

    if not ready:
        return view, Added(0, 0, set_aside)
    done = apply(folder, view, make, model.id)
    return done.view, Added(done.added, done.updated, set_aside)


def _prepare(
    folder: Path, model: Model | Rival, max_pixels: int, photo: NewPhoto
) -> tuple[str, str, np.ndarray] | SetAside:
    """Path as the INDEX keeps it, sign, and the pixels as the model sees them; or why it cannot be used."""
    try:
        content = photo.read()
        pixels = model.prepare(content, max_pixels=max_pixels)
    except BadImage as error:
        return SetAside(photo.key, error.reason, error.remedy)
    sign = hashlib.sha256(content).hexdigest()
    if photo.path is not None:
        return str(Path(photo.path).absolute()), sign, pixels
    return keep_upload(folder, content, sign), sign, pixels


def keep_upload(folder: Path, content: bytes, sha256: str) -> str:
    """Write the bytes of a photo into uploads/, unless they are there; their name below uploads/."""
    name = f"{sha256[:2]}/{sha256}"
    target = folder / UPLOADS / name
    if target.is_file() and target.read_bytes() == content:  # else it is damaged, and is brought back
        os.utime(target)  # gc looks at its age, and might be about to take it away
        return name
    make_folder(folder / UPLOADS)
    make_folder(target.parent)
    # A name of its own: the same photo may come twice at once.
    temporary = target.with_name(f".{uuid4().hex}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    fsync_folder(target.parent)
    return name
