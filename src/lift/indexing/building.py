"""RUN + photos -> INDEX folder, whole or not at all: one segment in the order of the photos' names, one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import new_folder, write_json
from lift.catalogue.commits import FORMAT, SEGMENTS, write_commit, writing
from lift.catalogue.segments import Entry, SegmentWriter
from lift.console import progress_bar
from lift.data import Dataset, is_dataset
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.indexing.photos import (
    BATCH,
    Batch,
    SetAside,
    dataset_entries,
    from_dataset,
    from_files,
    list_photos,
    refuse_odd_name,
    sign_of,
    state_of,
)
from lift.indexing.tables import MetadataTable
from lift.model import Model, Rival

OF_DATASET = {"split": "text", "label": "text"}


@dataclass(frozen=True)
class Source:
    """The photos to index: a folder with its list of files, or a DATASET with its row numbers."""

    folder: Path
    files: list[Path]
    dataset: Dataset | None = None
    numbers: np.ndarray | None = None
    table: MetadataTable | None = None
    max_pixels: int = MAX_PIXELS

    def __len__(self) -> int:
        return len(self.files) if self.numbers is None else len(self.numbers)

    def describe(self) -> dict[str, Any]:
        """What tells this source from another; changes when a photo is added, removed or edited."""
        if self.dataset is None:
            folder = str(self.folder.resolve())
            return {"kind": "folder", "folder": folder, "state": state_of(self.folder, self.files)}
        folder = self.dataset.address
        return {"kind": "dataset", "folder": folder, "state": self.dataset.id, "name": self.dataset.name}

    @property
    def place(self) -> dict[str, str]:
        """Its place in an INDEX's list of places."""
        found = self.describe() if self.dataset is not None else {"folder": str(self.folder.resolve())}
        return {"kind": "folder" if self.dataset is None else "dataset", "folder": found["folder"]}

    @property
    def fields(self) -> dict[str, str]:
        """Metadata fields of its photos, with their types."""
        own = {} if self.dataset is None else dict(OF_DATASET)
        return {**own, **(self.table.fields if self.table else {})}

    @property
    def tells_texts(self) -> bool:
        """Whether it says anything of captions and metadata; photo files alone do not."""
        return self.dataset is not None or self.table is not None

    def batches(self, model: Model | Rival) -> Iterator[Batch]:
        """The photos as `model` sees them, in order, with their metadata."""
        if self.dataset is None or self.numbers is None:
            batches = from_files(self.folder, self.files, model, self.max_pixels)
        else:
            batches = from_dataset(self.dataset, self.numbers, model)
        for batch in batches:
            yield replace(batch, entries=[self.complete(entry) for entry in batch.entries])

    def complete(self, entry: Entry) -> Entry:
        """The entry with its row of the metadata table."""
        if self.table is None or not (found := self.table.of(entry.key)):
            return entry
        return replace(entry, metadata={**entry.metadata, **found})

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Every photo without decoding it: its number among the photos of this source, and its entry."""
        if self.dataset is None or self.numbers is None:
            for number, file in enumerate(self.files):
                name = file.as_posix()
                yield number, self.complete(Entry(name, name, sign=sign_of(self.folder / file)))
            return
        for start in range(0, len(self.numbers), BATCH):
            batch = self.numbers[start : start + BATCH]
            found = dataset_entries(self.dataset, batch, self.dataset.pixels[batch])
            for number, entry in enumerate(found, start):
                yield number, self.complete(entry)

    def only(self, chosen: list[int]) -> Source:
        """The photos with these numbers."""
        if self.numbers is None:
            return replace(self, files=[self.files[number] for number in chosen])
        return replace(self, numbers=self.numbers[chosen])


def open_source(
    photos: Path | str,
    split: str = "all",
    metadata: Path | None = None,
    column: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """Look at `photos`: a DATASET when it holds dataset.json, else a folder of photo files.

    metadata: a table with a row per photo; column: the one that names the photo.
    """
    if is_dataset(photos) or "://" in str(photos):
        dataset = Dataset(photos)
        numbers = dataset.split(split)
        source = Source(Path(dataset.folder), [], dataset, numbers, max_pixels=max_pixels)
        keys = [dataset.rows[number].key for number in numbers]
    else:
        photos = Path(photos)
        if not photos.is_dir():
            raise LiftError(f"there is no folder {photos}", "give a folder of photos or a DATASET")
        refuse_odd_name(photos)
        files = list_photos(photos)
        if not files:
            raise LiftError(
                f"{photos} holds no photos", "give a folder with JPEG, PNG or WebP files, at any depth"
            )
        source, keys = Source(photos, files, max_pixels=max_pixels), [file.as_posix() for file in files]
    if metadata is None:
        return source
    return replace(source, table=MetadataTable.read(metadata, keys, column, taken=source.fields))


def request_of(model: Model | Rival, source: Source, split: str = "all") -> dict[str, Any]:
    """What an INDEX was asked for; equal requests give equal bytes."""
    photos = source.describe()
    request = {
        "model": model.id,
        "photos": photos["folder"],
        "state of the photos": photos["state"],
        "split": split,
        "max_pixels": source.max_pixels,
    }
    return {**request, "metadata": source.table.sha256} if source.table else request


def facts_of(model: Model | Rival) -> dict[str, Any]:
    """What a commit says of the model that made its vectors."""
    return {
        "model": {"id": model.id, "name": model.name, "method": model.method},
        "run": str(model.run.resolve()) if model.run else None,
        "fingerprint": model.fingerprint.asdict(),
        "dim": model.dim,
        "dtype": "float16",
    }


def write_index(model: Model | Rival, source: Source, out: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Encode the photos and write the INDEX folder whole or not at all; returns report.json's content."""
    with ExitStack() as last, new_folder(out) as folder:
        write_json(folder / "index.json", {"format": FORMAT, "kind": "index"})
        rows, entry, set_aside = _write_vectors(model, source, folder)
        report = report_of(len(source), rows, set_aside)
        if not rows:
            raise LiftError(
                f"none of the {len(source)} photos could be read; the first: "
                f"{set_aside[0].file}: {set_aside[0].reason}",
                set_aside[0].remedy,
            )
        write_json(folder / "report.json", report)
        content = {
            **facts_of(model),
            "places": [source.place],
            "source": source.describe(),
            "request": request,
            "fields": source.fields,
            "segments": [entry],
        }
        write_commit(folder, content)
        if out.is_dir():  # no writer shall be half-way through a change when the folder is replaced
            last.enter_context(writing(out))
    return report


def write_empty(model: Model | Rival, out: Path) -> None:
    """An INDEX without photos, for those that are added one by one; LiftError when `out` holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LiftError(f"{out} exists", "open it, or give the name of a new folder")
    with new_folder(out) as folder:
        write_json(folder / "index.json", {"format": FORMAT, "kind": "index"})
        source = {"kind": "none", "folder": "", "state": ""}
        write_commit(
            folder,
            {**facts_of(model), "places": [], "source": source, "request": {}, "fields": {}, "segments": []},
        )


def report_of(photos: int, indexed: int, set_aside: list[SetAside]) -> dict[str, Any]:
    """The content of report.json."""
    return {
        "photos": photos,
        "indexed": indexed,
        "set_aside_by_reason": dict(Counter(item.reason for item in set_aside).most_common()),
        "set_aside": [asdict(item) for item in set_aside],
    }


def encode(model: Model | Rival, pixels: np.ndarray) -> np.ndarray:
    """Unit vectors of photos as the model sees them; LiftError when it gives some that are not finite."""
    features = model.encode_pixels(pixels)
    if not np.isfinite(features).all():
        raise LiftError(f"{model.id} gives vectors that are not finite", "the RUN is unusable; train again")
    return features


def _write_vectors(
    model: Model | Rival, source: Source, folder: Path
) -> tuple[int, dict[str, Any], list[SetAside]]:
    """Stream the segment; returns the number of rows, what a commit says of it, and what was set aside."""
    set_aside = list[SetAside]()
    with (
        SegmentWriter(folder / SEGMENTS, "00000001a", model.dim, source.fields) as writer,
        progress_bar("indexing photos", len(source)) as bar,
    ):
        for batch in source.batches(model):
            set_aside += batch.set_aside
            if batch.entries:
                writer.write(encode(model, batch.pixels), batch.entries)
            bar.advance(len(batch.entries) + len(batch.set_aside))
        entry = writer.close()
    return writer.rows, entry, set_aside
