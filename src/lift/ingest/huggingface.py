"""Source form 4: a folder written by `save_to_disk` of Hugging Face datasets."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lift.data.decoding import BadImage
from lift.errors import LiftError
from lift.ingest.columns import embedded_photo, guess_columns, item_of
from lift.ingest.config import IngestConfig
from lift.ingest.items import Asides, Item, split_name
from lift.ingest.source import Source


@dataclass(frozen=True)
class PhotoInArrow:
    """A photo in one row of a saved Hugging Face data set; `part` is its split, or "" where there is none."""

    folder: Path
    part: str
    column: str
    row: int

    def read(self) -> bytes:
        """The cell's bytes, not decoded: lift's own decoder reads them."""
        photo = embedded_photo(_parts(self.folder)[self.part][self.row][self.column])
        if photo is None:
            raise BadImage("missing file (no photo in the cell)", "save the data set with its photos inside")
        return photo.read()


def read_huggingface(source: Source, config: IngestConfig, asides: Asides) -> Iterator[Item]:
    """Yield one Item per row of every split, photos left where they are."""
    parts = _parts(source.root)
    rows = next((part for part in parts.values() if len(part)), None)
    if rows is None:
        raise LiftError(f"{source.root} has no rows", "save the data set again")
    sample = [rows[number] for number in range(min(20, len(rows)))]
    columns = guess_columns(list(rows.column_names), sample, config)
    image = str(columns.image)
    source.facts["columns"] = columns.asdict()
    source.tell(f"columns: {columns}")
    for name, part in parts.items():
        class_name = getattr(part.features.get(columns.label), "int2str", None)
        for number, row in enumerate(part.remove_columns([image])):
            label = row.get(columns.label) if columns.label else None
            if columns.label and class_name and isinstance(label, int):
                row[columns.label] = class_name(label) if label >= 0 else None  # -1: no label
            key = f"{name}/{number:08d}" if name else f"{number:08d}"
            photo = PhotoInArrow(source.root, name, image, number)
            yield item_of(
                row, columns, key=key, photo=photo, split=_split_of(name, part), source=None, asides=asides
            )


@functools.lru_cache(maxsize=2)
def _parts(folder: Path) -> dict[str, Any]:
    """The saved data set's splits by name, pictures as {"bytes", "path"}."""
    try:
        import datasets
    except ImportError as error:
        raise LiftError(
            "reading a Hugging Face data set needs the package `datasets`", "run: pip install 'lift[hf]'"
        ) from error
    try:
        saved = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LiftError(
            f"{folder} is no readable data set ({error})", "save it again with save_to_disk"
        ) from error
    parts = dict(saved) if isinstance(saved, datasets.DatasetDict) else {"": saved}
    for name, part in parts.items():
        for column, feature in part.features.items():
            if isinstance(feature, datasets.Image):
                part = part.cast_column(column, datasets.Image(decode=False))
        parts[name] = part
    return parts


def _split_of(name: str, part: Any) -> str | None:
    """The split of a part; a lone part called train is still to be split."""
    if name:
        return split_name(name)
    alone = split_name(part.split)
    return None if alone == "train" else alone
