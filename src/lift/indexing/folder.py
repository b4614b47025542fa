"""Reading an INDEX folder and searching it.

index.json     manifest: model, fingerprint of its text encoder, dim, rows, source of the photos, SHA-256 sums
vectors.npy    float16 (N, dim) unit rows, memory-mapped: searching needs no room for all of them
rows.jsonl     one line {key, path, captions} per vector, read one line at a time
report.json    photos that were set aside, with reason and remedy
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from lift.artefact import already_done, read_manifest, sha256_file
from lift.data import Dataset, decode_image
from lift.errors import LiftError
from lift.indexing.building import open_source, request_of, write_index
from lift.indexing.photos import Entry
from lift.model import Model, Rival, load
from lift.predict import top_k


@dataclass(frozen=True)
class Match:
    """A photo found: its key and path, and the cosine of its vector with the query's (-1 to 1)."""

    key: str
    path: Path
    score: float


class Index:
    """An INDEX opened for searching: `search` for one query, `search_many` for several at once."""

    def __init__(self, folder: Path | str) -> None:
        """Open and check `folder`; LiftError when it is no INDEX or a file differs from its SHA-256."""
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder, "index")
        self._check()
        self.vectors: np.ndarray = np.load(self.folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
        self._lines = np.memmap(self.folder / "rows.jsonl", np.uint8, "r")
        self._ends = np.flatnonzero(self._lines == ord("\n"))
        if not len(self.vectors) == len(self._ends) == self.manifest["rows"]:
            raise self._damaged(f"{len(self._ends)} rows for {len(self.vectors)} vectors")

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """The INDEX in `folder`."""
        return cls(folder)

    @classmethod
    def build(
        cls, model: Model | Rival, photos: Path | str, out: Path | str, *, overwrite: bool = False
    ) -> Index:
        """Index a folder of photos or a DATASET; an INDEX of the same photos and model is just opened."""
        source, out = open_source(Path(photos)), Path(out)
        request = request_of(model, source)
        if not already_done(out, "index", request, overwrite):
            write_index(model, source, out, request)
        return cls(out)

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return f"Index({self.folder}, {len(self)} photos, made by {self.maker})"

    @property
    def maker(self) -> str:
        """The model that made it and the text encoder it was made for, in words."""
        fingerprint = self.manifest["fingerprint"]
        return _maker(self.manifest["model"]["id"], fingerprint["name"], fingerprint["digest"])

    def entry(self, row: int) -> Entry:
        """Key, path and captions of one row."""
        start = self._ends[row - 1] + 1 if row else 0
        return Entry(**json.loads(self._lines[start : self._ends[row]].tobytes()))

    def load_model(self, run: Path | str | None = None) -> Model | Rival:
        """The model for searching: of `run`, or of the RUN recorded when the INDEX was made."""
        recorded = self.manifest["run"]
        if run is None:
            if recorded is None or not Path(recorded).is_dir():
                raise LiftError(
                    f"the RUN that made {self.folder} is not where it was ({recorded or 'not recorded'})",
                    "say where it is now with --run",
                )
            run = recorded
        model = load(run)
        self.check_model(model)
        return model

    def check_model(self, model: Model | Rival) -> None:
        """LiftError, naming both, unless `model` is the one that made this INDEX."""
        same_encoder = model.fingerprint.digest == self.manifest["fingerprint"]["digest"]
        if model.id == self.manifest["model"]["id"] and same_encoder:
            return
        other = _maker(model.id, model.fingerprint.name, model.fingerprint.digest)
        raise LiftError(
            f"the INDEX {self.folder} was made by {self.maker}, but the RUN {model.run} is {other}; "
            "their vectors must not be mixed",
            f"search with the RUN that made the INDEX ({self.manifest['run'] or 'not recorded'}), or make "
            f"the INDEX anew: {self._recipe(model.run)}",
        )

    def search(
        self, query: str | np.ndarray, top: int = 10, *, model: Model | Rival | None = None
    ) -> list[Match]:
        """The `top` photos for one sentence (with `model`) or one unit vector (dim,), best first.

        Exact; photos of equal score come in the order of their rows.
        """
        if isinstance(query, str):
            return self.search_many([query], top, model=model)[0]
        return self.search_many(np.asarray(query)[None], top)[0]

    def search_many(
        self, queries: Sequence[str] | np.ndarray, top: int = 10, *, model: Model | Rival | None = None
    ) -> list[list[Match]]:
        """`search` for several sentences or for unit vectors (Q, dim), in one pass over the INDEX."""
        if not isinstance(queries, np.ndarray):
            model = model or self.load_model()
            self.check_model(model)
            queries = model.encode_text(queries)
        rows, scores = top_k(self.vectors, queries, top)
        return [
            [self._match(int(row), float(score)) for row, score in zip(*found, strict=True)]
            for found in zip(rows, scores, strict=True)
        ]

    def _match(self, row: int, score: float) -> Match:
        entry = self.entry(row)
        path = Path(entry.path)
        if self.manifest["source"]["kind"] == "folder":
            path = Path(self.manifest["source"]["folder"]) / path
        return Match(entry.key, path, score)

    @cached_property
    def _dataset(self) -> Dataset:
        return Dataset(self.manifest["source"]["folder"])

    def picture(self, match: Match) -> Image.Image:
        """The photo of a match, from its file or from the DATASET's pixels.

        Raises data.BadImage when the file cannot be read, LiftError when the DATASET is gone or has changed.
        """
        if self.manifest["source"]["kind"] == "folder":
            return decode_image(match.path)
        if self._dataset.id != self.manifest["source"]["state"]:
            raise LiftError(
                f"{self._dataset.folder} has changed since it was indexed", "run `lift index` again"
            )
        return Image.fromarray(self._dataset.pixels[self._dataset.index_of[match.key]])

    def _check(self) -> None:
        for name, expected in self.manifest["sha256"].items():
            path = self.folder / name
            if not path.is_file():
                raise self._damaged(f"{name} is missing")
            if sha256_file(path) != expected:
                raise self._damaged(f"{name} has changed since it was written")

    def _damaged(self, what: str) -> LiftError:
        return LiftError(
            f"the INDEX {self.folder} is damaged: {what}",
            f"make it again: {self._recipe(self.manifest['run'])}",
        )

    def _recipe(self, run: Path | str | None) -> str:
        photos = self.manifest["source"]["folder"]
        return f"`lift index {run or 'RUN'} {photos} --out {self.folder} --overwrite`"


def _maker(model_id: str, encoder: str, digest: str) -> str:
    return f"{model_id} (text encoder {encoder}, fingerprint {digest})"
