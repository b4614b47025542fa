"""INDEX: photos with their vectors, searched, added to, deleted from, and returned to an earlier state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from lift.artefact import read_manifest
from lift.catalogue import changing, commits
from lift.catalogue.duplicates import groups_of
from lift.catalogue.fields import Where
from lift.catalogue.searching import Finder
from lift.catalogue.segments import Entry
from lift.catalogue.view import View, birth, open_first_format, open_view
from lift.data import Dataset, decode_image
from lift.errors import LiftError
from lift.indexing.adding import Added, NewPhoto, add_photos
from lift.indexing.building import open_source, request_of, write_empty
from lift.indexing.query import Query, refuse_unfit
from lift.indexing.updating import bring
from lift.model import Model, Rival, load
from lift.predict import exact_scores


@dataclass(frozen=True)
class Match:
    """A photo found: key, path, cosine with the query (-1 to 1), texts and metadata."""

    key: str
    path: Path
    score: float
    captions: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Index:
    """An INDEX opened. Searches see one state until `refresh`; several threads may search and change it."""

    def __init__(self, folder: Path | str) -> None:
        """Open and check `folder`; LiftError when it is no INDEX or a file differs from its SHA-256."""
        self.folder = Path(folder)
        marker = read_manifest(self.folder, "index")
        first = marker["format"] == 1
        self._finder, self._lock = Finder(), Lock()
        self._dataset: Dataset | None = None
        self.view: View = open_first_format(self.folder, marker) if first else open_view(self.folder)

    @classmethod
    def open(cls, folder: Path | str) -> Index:
        """The INDEX in `folder`."""
        return cls(folder)

    @classmethod
    def build(
        cls, model: Model | Rival, photos: Path | str, out: Path | str, *, overwrite: bool = False
    ) -> Index:
        """Index a folder of photos or a DATASET; in an INDEX that is there, what has changed is taken up."""
        source = open_source(photos)
        bring(model, source, Path(out), request_of(model, source), overwrite=overwrite)
        return cls(out)

    @classmethod
    def create(cls, model: Model | Rival, out: Path | str) -> Index:
        """An INDEX without photos, for `add`; LiftError when there is something at `out`."""
        write_empty(model, Path(out))
        return cls(out)

    def __len__(self) -> int:
        return len(self.view)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.view.find(key) is not None

    def __repr__(self) -> str:
        return f"Index({self.folder}, {len(self)} photos, made by {self.maker})"

    @property
    def manifest(self) -> dict[str, Any]:
        """Model, run, fingerprint, dim, rows, source and request of the state that is open."""
        return self.view.commit.content

    @property
    def fields(self) -> dict[str, str]:
        """Metadata fields, each text, number, date or bool."""
        return dict(self.view.commit.fields)

    @property
    def maker(self) -> str:
        """The model that made it and the text encoder it was made for, in words."""
        fingerprint = self.manifest["fingerprint"]
        return _maker(self.manifest["model"]["id"], fingerprint["name"], fingerprint["digest"])

    def keys(self) -> list[str]:
        """Keys of all photos, in the order of rows."""
        return [entry.key for _, entry in self.view.entries()]

    @property
    def vectors(self) -> np.ndarray:
        """Unit vectors float16 (N, dim), in the order of `keys`."""
        parts = [part.vectors[part.live_rows] for part in self.view.segments]
        return np.concatenate(parts) if parts else np.empty((0, self.manifest["dim"]), np.float16)

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
        photos = self.manifest["source"]["folder"]
        raise LiftError(
            f"the INDEX {self.folder} was made by {self.maker}, but the RUN {model.run} is {other}; "
            "their vectors must not be mixed",
            f"search with the RUN that made the INDEX ({self.manifest['run'] or 'not recorded'}), or bring "
            f"the INDEX to the other model: `lift manage reindex {self.folder} --run {model.run}`, or make it anew: "
            f"`lift index {model.run} {photos} --out {self.folder} --overwrite`",
        )

    def search(
        self,
        query: str | np.ndarray | Query,
        top: int = 10,
        *,
        model: Model | Rival | None = None,
        where: Where | None = None,
        exact: bool | None = None,
    ) -> list[Match]:
        """The `top` photos for a sentence, a unit vector (dim,) or a Query, best first; equal scores by row.

        where: {field: value, [values] or {">=": x, "<": y}}, all must hold. exact: True compares every photo, False
        uses the approximate index where there is one, None (default) does so when the INDEX is large.
        """
        return self.search_many([query], top, model=model, where=where, exact=exact)[0]

    def search_many(
        self,
        queries: Sequence[str | np.ndarray | Query] | np.ndarray,
        top: int = 10,
        *,
        model: Model | Rival | None = None,
        where: Where | None = None,
        exact: bool | None = None,
    ) -> list[list[Match]]:
        """`search` for several sentences, Queries or unit vectors (Q, dim), in one pass over the INDEX."""
        view = self.view
        if not len(queries):
            return []
        vectors = queries if isinstance(queries, np.ndarray) else self._encode(queries, model)
        found = self._finder.find(view, vectors, top, where, exact)
        return [
            [self._match(view, int(row), float(np.float32(score))) for row, score in zip(*one, strict=True)]
            for one in found
        ]

    def _encode(self, queries: Sequence[str | np.ndarray | Query], model: Model | Rival | None) -> np.ndarray:
        """Unit vectors float32 (Q, dim) of sentences, vectors and Queries; plain sentences in one batch."""
        if any(isinstance(q, str) or (isinstance(q, Query) and q.needs_model) for q in queries):
            model = model or self.load_model()
            self.check_model(model)
        sentences = [q for q in queries if isinstance(q, str)]
        refuse_unfit(sentences)
        encoded = iter(model.encode_text(sentences) if model and sentences else ())
        vectors = []
        for q in queries:
            if isinstance(q, Query):
                vectors.append(q.vector(model))
            else:
                vectors.append(next(encoded) if isinstance(q, str) else np.asarray(q, np.float32))
        return np.stack(vectors)

    def similar(self, key: str, top: int = 10, *, where: Where | None = None) -> list[Match]:
        """The `top` photos most like the photo `key`, itself left out; LiftError when it is not known."""
        vector = self.view.vector(self._row(self.view, key))
        found = self.search(vector / np.linalg.norm(vector), top + 1, where=where)
        return [match for match in found if match.key != key][:top]

    def near_duplicates(self, threshold: float = 0.97) -> list[list[Match]]:
        """Groups of photos whose cosine is at least `threshold`, exactly; scores are those with the first of a group.

        All pairs are compared, so that the time grows with the square of the number of photos.
        """
        view, vectors = self.view, self.vectors
        rows = np.concatenate(
            [start + part.live_rows for start, part in zip(view.starts, view.segments, strict=False)]
            or [np.empty(0, np.int64)]
        )
        groups = []
        for group in groups_of(vectors, threshold):
            scores = exact_scores(vectors[group], np.asarray(vectors[group[0]], np.float32))
            groups.append(
                [self._match(view, int(rows[n]), float(s)) for n, s in zip(group, scores, strict=True)]
            )
        return groups

    def match(self, key: str, score: float = 1.0) -> Match:
        """The photo of a key; LiftError when it is not known."""
        view = self.view
        return self._match(view, self._row(view, key), score)

    def _row(self, view: View, key: str) -> int:
        row = view.find(key)
        if row is None:
            raise LiftError(f"the INDEX {self.folder} has no photo {key!r}", "check the key")
        return row

    def _match(self, view: View, row: int, score: float) -> Match:
        entry: Entry = view.entry(row)
        return Match(entry.key, view.path_of(entry), score, entry.captions, entry.metadata)

    def picture(self, match: Match) -> Image.Image:
        """The photo of a match, from its file or from the DATASET's pixels.

        Raises data.BadImage when the file cannot be read, LiftError when the DATASET is gone or has changed.
        """
        view = self.view
        row = view.find(match.key)
        if row is None or view.commit.places[view.entry(row).place]["kind"] != "dataset":
            return decode_image(match.path)
        source = view.commit.content["source"]
        if self._dataset is None or self._dataset.id != source["state"]:
            self._dataset = Dataset(source["folder"])
        dataset = self._dataset
        if dataset.id != source["state"]:
            raise LiftError(f"{dataset.folder} has changed since it was indexed", "run `lift index` again")
        return Image.fromarray(dataset.pixels[dataset.index_of[match.key]])

    def add(
        self, photos: Iterable[NewPhoto], model: Model | Rival, *, max_pixels: int | None = None
    ) -> Added:
        """Add photos, or update those whose key is known; on the disk when it returns."""
        self.check_model(model)
        view, added = add_photos(self.folder, self.view, list(photos), model, max_pixels)
        self._see(view)
        return added

    def delete(self, keys: Iterable[str]) -> int:
        """Take photos out; how many of the keys were there. On the disk when it returns."""
        gone = list(keys)
        done = changing.apply(self.folder, self.view, lambda _: changing.Change(gone=gone))
        self._see(done.view)
        return done.deleted

    def snapshot(self, name: str) -> None:
        """Keep the newest state under a name, to go back to it with `rollback`."""
        changing.writable(self.view)
        with commits.writing(self.folder):
            view = open_view(self.folder, self.view)
            commits.keep_snapshot(self.folder, name, view.commit.number)
        self._see(view)

    def snapshots(self) -> dict[str, int]:
        """Names of the snapshots, each with the number of the state that it keeps."""
        return commits.snapshots(self.folder)

    def drop_snapshot(self, name: str) -> None:
        """Forget a snapshot; LiftError when there is none of this name."""
        with commits.writing(self.folder):
            commits.drop_snapshot(self.folder, name)

    def rollback(self, name: str) -> None:
        """Make the state that a snapshot keeps the newest one again."""
        changing.writable(self.view)
        self._see(changing.restore(self.folder, self.view, name))

    def refresh(self) -> bool:
        """See the newest state, if another process has written one; True when it was newer."""
        before = self.view
        replaced = birth(self.folder) != before.born
        if replaced or (before.commit.number and commits.numbers(self.folder)[-1:] != [before.commit.number]):
            self._see(open_view(self.folder, before))
        return self.view is not before

    def _see(self, view: View) -> None:
        """Search in `view` from now on, unless another thread has opened a newer state meanwhile."""
        with self._lock:
            if view.born != self.view.born or view.commit.number >= self.view.commit.number:
                self.view = view


def _maker(model_id: str, encoder: str, digest: str) -> str:
    return f"{model_id} (text encoder {encoder}, fingerprint {digest})"
