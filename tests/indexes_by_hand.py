"""INDEXes of vectors written without a model, for tests of what lies below it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import write_json
from lift.catalogue.commits import FORMAT, SEGMENTS, write_commit
from lift.catalogue.segments import Entry, SegmentWriter
from lift.catalogue.view import View, open_view

SHOPS = ("tokyo", "osaka", "京都")


def unit(rows: int, dim: int, seed: int) -> np.ndarray:
    """Random unit vectors float32 (rows, dim)."""
    drawn = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def entry_of(number: int) -> Entry:
    """Photo `number`: price is its number, shops come in turn, every tenth has no price."""
    metadata: dict[str, Any] = {"shop": SHOPS[number % 3], "new": number % 2 == 0}
    if number % 10:
        metadata["price"] = float(number)
    return Entry(f"p{number}.jpg", f"p{number}.jpg", (f"photo {number}",), metadata, sign=str(number))


FIELDS = {"shop": "text", "new": "bool", "price": "number"}


def write_by_hand(folder: Path, vectors: np.ndarray, segments: int = 1) -> View:
    """An INDEX of these vectors in so many segments; its photos are `entry_of` their row."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "index.json", {"format": FORMAT, "kind": "index"})
    entries = []
    for part, rows in enumerate(np.array_split(np.arange(len(vectors)), segments)):
        with SegmentWriter(
            folder / SEGMENTS, f"00000001{'abcdefgh'[part]}", vectors.shape[1], FIELDS
        ) as writer:
            writer.write(vectors[rows], [entry_of(int(row)) for row in rows])
            entries.append(writer.close())
    write_commit(
        folder,
        {
            "model": {"id": "model@1", "name": "model", "method": "lift"},
            "run": None,
            "fingerprint": {"name": "encoder", "digest": "0" * 16},
            "dim": vectors.shape[1],
            "dtype": "float16",
            "places": [{"kind": "folder", "folder": "/photos"}],
            "source": {"kind": "folder", "folder": "/photos", "state": ""},
            "request": {},
            "fields": FIELDS,
            "segments": entries,
        },
    )
    return open_view(folder)
