"""Approximate search in a large INDEX, by FAISS: an inverted file of 8-bit vectors beside the segments.

    approximate/facts.json      segments it covers, lists, how many are probed, recall measured when it was made
    approximate/NAME.faiss      the inverted file, memory-mapped

It is a cache: made again when missing or stale, and never the only copy of anything. Candidates are scored again with
the exact vectors; segments that it does not know are searched exactly; filters and deleted rows are left out inside
FAISS, and where few rows may be found those are searched exactly. benchmarks/index_libraries.py has the comparison.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from lift.artefact import make_folder, sha256_file, write_json
from lift.catalogue.commits import writing
from lift.catalogue.scanning import Best, best_rows, join
from lift.catalogue.view import View
from lift.errors import LiftError

FOLDER, FACTS = "approximate", "facts.json"
#: Photos up to which every search is exact; beyond, the approximate index is made and used.
EXACT_UP_TO = 200_000
STALE = 0.2  # share of rows not covered from which it is made again
WANTED, TRIED = 0.99, 200
FEW_ROWS = 100_000  # that may be found: so many are searched exactly
LOCK = ".approximate.lock"


def available() -> bool:
    """Is FAISS installed?"""
    return find_spec("faiss") is not None


def _faiss() -> Any:
    return import_module("faiss")


@dataclass(frozen=True)
class Approximate:
    """The inverted file opened for one state of an INDEX."""

    facts: dict[str, Any]
    index: Any
    view: View

    @classmethod
    def open(cls, view: View, before: Approximate | None = None) -> Approximate | None:
        """That of `view`'s INDEX, or None where there is none, it is of another model, or FAISS is not installed."""
        path = view.folder / FOLDER / FACTS
        if not available() or not path.is_file():
            return None
        try:
            facts = json.loads(path.read_bytes())
        except (ValueError, FileNotFoundError):  # damaged, or the folder was replaced meanwhile
            return None
        if facts["model"] != view.commit.content["model"]["id"]:
            return None
        if before is not None and before.facts == facts:
            return cls(facts, before.index, view)
        faiss = _faiss()
        file = view.folder / FOLDER / facts["file"]
        if not file.is_file() or sha256_file(file) != facts["sha256"]:
            return None  # a cache that is damaged is as good as none; it is made again
        return cls(facts, faiss.read_index(str(file), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY), view)

    @property
    def uncovered(self) -> float:
        """Share of the INDEX's rows that it does not know."""
        known = set(self.facts["segments"])
        return sum(s.live for s in self.view.segments if s.name not in known) / max(len(self.view), 1)

    def search(self, masks: Sequence[np.ndarray | None], query: np.ndarray, top: int) -> Best | None:
        """The best rows for a unit vector (dim,); None where an exact search is the better way."""
        view, numbers = self.view, {s.name: n for n, s in enumerate(self.view.segments)}
        covered, starts, allowed = [], [], []
        for name, rows in zip(self.facts["segments"], self.facts["rows"], strict=True):
            number = numbers.pop(name, None)
            starts.append(-1 if number is None else int(view.starts[number]))
            mask = np.zeros(rows, bool) if number is None else masks[number]
            covered.append(np.ones(rows, bool) if mask is None else mask)
            allowed.append(int(np.count_nonzero(covered[-1])))
        total = sum(self.facts["rows"])
        if sum(allowed) <= max(FEW_ROWS, 4 * top):
            return None
        share = sum(allowed) / total
        found = self._candidates(covered if share < 1 else None, share, query, top)
        if len(found) < top:
            return None
        ends = np.cumsum(self.facts["rows"])
        segment = np.searchsorted(ends, found, side="right")
        rows = np.array(starts)[segment] + found - (ends - self.facts["rows"])[segment]
        rows = np.sort(rows)
        vectors = np.stack([part.vectors[place] for part, place in map(view.at, rows)])
        best = join((np.empty(0, np.int64), np.empty(0)), rows, vectors, query, top)
        for number in numbers.values():  # segments that it does not know
            [(more, scores)] = best_rows([(view.segments[number].vectors, masks[number])], query[None], top)
            best = (
                np.concatenate([best[0], more + int(view.starts[number])]),
                np.concatenate([best[1], scores]),
            )
        order = np.lexsort((best[0], -best[1]))[:top]
        return best[0][order], best[1][order]

    def _candidates(
        self, covered: list[np.ndarray] | None, share: float, query: np.ndarray, top: int
    ) -> np.ndarray:
        """Rows of the inverted file worth an exact look."""
        faiss = _faiss()
        # With a filter the best are spread over more lists.
        probed = min(self.facts["lists"], int(np.ceil(self.facts["probed"] / share)))
        options: dict[str, Any] = {"nprobe": probed}
        if covered is not None:
            bits = np.packbits(np.concatenate(covered), bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(bits)
        parameters = faiss.SearchParametersIVF(**options)
        found = self.index.search(query[None], candidates_for(top), params=parameters)[1][0]
        return np.asarray(found[found >= 0], np.int64)


def candidates_for(top: int) -> int:
    """How many candidates are scored again."""
    return 4 * top + 32


def make(view: View) -> dict[str, Any]:
    """Make the inverted file of a state, measure it, and put it in the place of the old one; its facts."""
    if not available():
        raise LiftError("approximate search needs FAISS, which is not installed", "pip install 'lift[ann]'")
    faiss = _faiss()
    rows = int(view.starts[-1])
    if rows < 1000:
        raise LiftError(f"{view.folder} holds {len(view)} photos", "exact search is faster for so few")
    lists, dim = int(4 * rows**0.5), view.commit.content["dim"]
    index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.min_points_per_centroid = 10, 5
    random = np.random.default_rng(0)
    index.train(_take(view, np.sort(random.choice(rows, min(rows, 40 * lists), replace=False))))
    for segment in view.segments:
        for start in range(0, len(segment), 50_000):
            index.add(np.asarray(segment.vectors[start : start + 50_000], np.float32))
    probed, recall = _tune(view, index, lists, random)
    with writing(view.folder, LOCK):
        make_folder(view.folder / FOLDER)
        old = sorted((view.folder / FOLDER).glob("*.faiss*"))
        partial = view.folder / FOLDER / "new.faiss.partial"
        faiss.write_index(index, str(partial))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        sha256 = sha256_file(partial)
        partial.replace(view.folder / FOLDER / f"{sha256[:16]}.faiss")
        facts = {
            "file": f"{sha256[:16]}.faiss",
            "sha256": sha256,
            "model": view.commit.content["model"]["id"],
            "segments": [segment.name for segment in view.segments],
            "rows": [len(segment) for segment in view.segments],
            "lists": lists,
            "probed": probed,
            "recall@10": recall,
            "bytes": (view.folder / FOLDER / f"{sha256[:16]}.faiss").stat().st_size,
        }
        write_json(view.folder / FOLDER / FACTS, facts)
        for path in old:
            if path.name != facts["file"]:
                path.unlink(missing_ok=True)
    return facts


def _take(view: View, rows: np.ndarray) -> np.ndarray:
    parts = []
    for number, segment in enumerate(view.segments):
        low, high = view.starts[number], view.starts[number + 1]
        parts.append(np.asarray(segment.vectors[rows[(rows >= low) & (rows < high)] - low], np.float32))
    return np.concatenate(parts)


def _tune(view: View, index: Any, lists: int, random: np.random.Generator) -> tuple[int, float]:
    """The fewest lists to probe for a recall@10 of WANTED, and that recall.

    Measured with points half-way between two photos, which lie outside the clusters, as sentences do.
    """
    faiss = _faiss()
    pairs = random.choice(int(view.starts[-1]), (TRIED, 2))
    first, second = (_take(view, np.sort(side)) for side in pairs.T)
    queries = random.permutation(first) + second
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    right = best_rows([(segment.vectors, None) for segment in view.segments], queries, 10)
    probed, recall = 1, 0.0
    while True:
        parameters = faiss.SearchParametersIVF(nprobe=probed)
        found = index.search(queries, candidates_for(10), params=parameters)[1]
        recall = float(
            np.mean([np.isin(rows, near).mean() for (rows, _), near in zip(right, found, strict=True)])
        )
        if recall >= WANTED or probed >= lists:
            return probed, round(recall, 4)
        probed = min(lists, max(probed + 1, int(probed * 1.5)))


def keep_fresh(view: View) -> dict[str, Any] | None:
    """Make the inverted file of a large INDEX where it is missing or stale; its facts, or None when all is well."""
    if len(view) <= EXACT_UP_TO or not available():
        return None
    opened = Approximate.open(view)
    return make(view) if opened is None or opened.uncovered > STALE else None
