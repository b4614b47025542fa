"""RUN + photos -> INDEX folder: one unit vector per photo, float16, in the order of the photos' names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import new_folder, sha256_file, write_json
from lift.console import progress_bar
from lift.data import Dataset, is_dataset
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError
from lift.indexing.photos import Batch, SetAside, from_dataset, from_files, list_photos, state_of
from lift.model import Model, Rival


@dataclass(frozen=True)
class Source:
    """The photos to index: a folder with its list of files, or a DATASET with its row numbers."""

    folder: Path
    files: list[Path]
    dataset: Dataset | None = None
    numbers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.files) if self.numbers is None else len(self.numbers)

    def describe(self) -> dict[str, Any]:
        """What tells this source from another; changes when a photo is added, removed or edited."""
        if self.dataset is None:
            folder = str(self.folder.resolve())
            return {"kind": "folder", "folder": folder, "state": state_of(self.folder, self.files)}
        folder = self.dataset.address
        return {"kind": "dataset", "folder": folder, "state": self.dataset.id, "name": self.dataset.name}

    def batches(self, model: Model | Rival, max_pixels: int) -> Iterator[Batch]:
        """The photos as `model` sees them, in order."""
        if self.dataset is None or self.numbers is None:
            return from_files(self.folder, self.files, model, max_pixels)
        return from_dataset(self.dataset, self.numbers, model)


def open_source(photos: Path | str, split: str = "all") -> Source:
    """Look at `photos`: a DATASET when it holds dataset.json, else a folder of photo files."""
    if is_dataset(photos) or "://" in str(photos):
        dataset = Dataset(photos)
        return Source(Path(dataset.folder), [], dataset, dataset.split(split))
    photos = Path(photos)
    if not photos.is_dir():
        raise LiftError(f"there is no folder {photos}", "give a folder of photos or a DATASET")
    files = list_photos(photos)
    if not files:
        raise LiftError(
            f"{photos} holds no photos", "give a folder with JPEG, PNG or WebP files, at any depth"
        )
    return Source(photos, files)


def request_of(
    model: Model | Rival, source: Source, split: str = "all", max_pixels: int = MAX_PIXELS
) -> dict[str, Any]:
    """What an INDEX was asked for; equal requests give equal bytes."""
    photos = source.describe()
    return {
        "model": model.id,
        "photos": photos["folder"],
        "state of the photos": photos["state"],
        "split": split,
        "max_pixels": max_pixels,
    }


def write_index(model: Model | Rival, source: Source, out: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Encode the photos and write the INDEX folder whole or not at all; returns report.json's content."""
    with new_folder(out) as folder:
        rows, set_aside = _write_vectors(model, source, folder, request["max_pixels"])
        report = {
            "photos": len(source),
            "indexed": rows,
            "set_aside_by_reason": dict(Counter(item.reason for item in set_aside).most_common()),
            "set_aside": [asdict(item) for item in set_aside],
        }
        if not rows:
            raise LiftError(
                f"none of the {len(source)} photos could be read; the first: "
                f"{set_aside[0].file}: {set_aside[0].reason}",
                set_aside[0].remedy,
            )
        write_json(folder / "report.json", report)
        manifest = {
            "format": 1,
            "model": {"id": model.id, "name": model.name, "method": model.method},
            "run": str(model.run.resolve()) if model.run else None,
            "fingerprint": model.fingerprint.asdict(),
            "dim": model.dim,
            "rows": rows,
            "dtype": "float16",
            "source": source.describe(),
            "sha256": {name: sha256_file(folder / name) for name in ("vectors.npy", "rows.jsonl")},
            "request": request,
        }
        write_json(folder / "index.json", manifest)
    return report


def _write_vectors(
    model: Model | Rival, source: Source, folder: Path, max_pixels: int
) -> tuple[int, list[SetAside]]:
    """Stream vectors.npy and rows.jsonl; returns the number of rows and what was set aside."""
    rows, set_aside = 0, list[SetAside]()
    with (
        (folder / "vectors.npy").open("wb") as vectors,
        (folder / "rows.jsonl").open("w", encoding="utf-8") as lines,
        progress_bar("indexing photos", len(source)) as bar,
    ):
        _write_header(vectors, 0, model.dim)
        for batch in source.batches(model, max_pixels):
            set_aside += batch.set_aside
            if batch.entries:
                features = model.encode_pixels(batch.pixels)
                if not np.isfinite(features).all():
                    raise LiftError(
                        f"{model.id} gives vectors that are not finite", "the RUN is unusable; train again"
                    )
                vectors.write(np.ascontiguousarray(features, dtype=np.float16).tobytes())
                lines.writelines(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in batch.entries)
                rows += len(batch.entries)
            bar.advance(len(batch.entries) + len(batch.set_aside))
        vectors.seek(0)
        _write_header(vectors, rows, model.dim)
    return rows, set_aside


def _write_header(file: Any, rows: int, dim: int) -> None:
    """The npy header for (rows, dim) float16; numpy pads it so that its length is the same for any `rows`."""
    np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": (rows, dim)})
