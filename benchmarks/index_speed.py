"""lift's own INDEX at several sizes: opening, exact and approximate search, filters, adding, bytes a photo.

    python benchmarks/index_speed.py --work /tmp/index-speed

Vectors are drawn in clusters (vector_sets.py), queries are vectors, so that no encoder is in the times. Two threads;
one query at a time; exact and approximate search take turns, round after round, and medians over all rounds are kept.
Writes benchmarks/results/index_speed.json and deletes what it wrote.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from index_libraries import processor
from lift.artefact import write_json
from lift.catalogue import approximate
from lift.catalogue.changing import Change, apply
from lift.catalogue.commits import FORMAT, SEGMENTS, write_commit
from lift.catalogue.segments import Entry, SegmentWriter
from lift.indexing import Index
from vector_sets import clustered, recall, truth

RESULTS = Path(__file__).parent / "results"
TOP, QUERIES, ROUNDS, BLOCK = 10, 100, 3, 16_384
SHOPS = ("tokyo", "osaka", "kyoto", "nara", "kobe")


@dataclass(frozen=True)
class SpeedConfig:
    """Figures of the INDEX."""

    work: Path = Path("index-speed")
    """Folder for the files; deleted at the end."""
    rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Sizes."""
    dim: int = 384
    """Length of the vectors."""
    exact_only: bool = False
    """Without the approximate index, whose making takes minutes for a million."""
    add: bool = False
    """Keep what the results file has of other sizes."""


def write(folder: Path, vectors: np.ndarray) -> float:
    """An INDEX of these vectors, with a path, a caption, a price and a shop each; seconds."""
    began = time.perf_counter()
    folder.mkdir(parents=True)
    write_json(folder / "index.json", {"format": FORMAT, "kind": "index"})
    fields = {"price": "number", "shop": "text"}
    with SegmentWriter(folder / SEGMENTS, "00000001a", vectors.shape[1], fields) as writer:
        for start in range(0, len(vectors), BLOCK):
            part = np.asarray(vectors[start : start + BLOCK])
            writer.write(part, [entry(start + n) for n in range(len(part))])
        segment = writer.close()
    content = {
        "model": {"id": "drawn@0", "name": "drawn", "method": "lift"},
        "run": None,
        "fingerprint": {"name": "drawn", "digest": "0" * 16},
        "dim": vectors.shape[1],
        "dtype": "float16",
        "places": [{"kind": "folder", "folder": "/photos"}],
        "source": {"kind": "folder", "folder": "/photos", "state": ""},
        "request": {},
        "fields": fields,
        "segments": [segment],
    }
    write_commit(folder, content)
    return time.perf_counter() - began


def entry(number: int) -> Entry:
    """Photo `number`."""
    metadata = {"price": float(number % 1000), "shop": SHOPS[number % 5]}
    return Entry(f"2026/{number % 365:03d}/photo-{number:07d}.jpg", f"{number}.jpg", ("a photo",), metadata)


def clock(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def figures(times: list[float]) -> dict[str, float]:
    """Median and 99th percentile in milliseconds."""
    return {
        "p50_ms": round(1e3 * float(np.median(times)), 2),
        "p99_ms": round(1e3 * float(np.quantile(times, 0.99)), 2),
    }


def rows_of(index: Index, query: np.ndarray, **options: Any) -> np.ndarray:
    """Row numbers found; -1 where fewer."""
    found = [int(match.key[-11:-4]) for match in index.search(query, TOP, **options)]
    return np.array(found + [-1] * (TOP - len(found)))


def measure(config: SpeedConfig, rows: int) -> dict[str, Any]:
    """One size."""
    folder = config.work / "index"
    shutil.rmtree(config.work, ignore_errors=True)
    config.work.mkdir(parents=True)
    vectors, queries = clustered(config.work / "vectors.npy", rows, config.dim, QUERIES)
    right = truth(vectors, queries, TOP)
    out: dict[str, Any] = {"write_seconds": round(write(folder, vectors), 1)}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    out["bytes_per_photo"] = round(size / rows)
    out["open_seconds"] = round(float(np.median([clock(lambda: Index.open(folder)) for _ in range(3)])), 3)
    if not config.exact_only:
        out["approximate"] = make_approximate(folder, rows)
    index = Index.open(folder)
    fifth, percent = {"shop": "tokyo"}, {"price": {"<": 10}}
    kinds: dict[str, dict[str, Any]] = {
        "exact": {"exact": True},
        "near": {"exact": False},
        "exact, a fifth": {"exact": True, "where": fifth},
        "near, a fifth": {"exact": False, "where": fifth},
        "exact, one in a hundred": {"exact": True, "where": percent},
        "near, one in a hundred": {"exact": False, "where": percent},
    }
    found = {
        name: np.stack([rows_of(index, q, **options) for q in queries]) for name, options in kinds.items()
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for query in queries:
            for name, options in kinds.items():
                times[name].append(clock(lambda q=query, o=options: index.search(q, TOP, **o)))
    truths = {"exact": right, "near": right}
    truths |= {name: found[name.replace("near", "exact")] for name in kinds if name.startswith("near,")}
    out["search"] = {
        name: figures(times[name])
        | ({"recall@10": round(recall(found[name], truths[name]), 4)} if name in truths else {})
        for name in kinds
    }
    out["delete_and_add"] = figures([clock(lambda n=n: change(index, n, queries[n])) for n in range(40)])
    out["find_key"] = figures([clock(lambda: entry(rows // 2).key in index) for _ in range(100)])
    out["peak_memory_mb_with_mapped_files"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    out["load"] = round(os.getloadavg()[0], 1)
    shutil.rmtree(config.work)
    return out


def make_approximate(folder: Path, rows: int) -> dict[str, Any]:
    """Make the approximate index; its figures."""
    began = time.perf_counter()
    facts = approximate.make(Index.open(folder).view)
    return {
        "build_seconds": round(time.perf_counter() - began, 1),
        "bytes_per_photo": round(facts["bytes"] / rows),
        "lists": facts["lists"],
        "probed": facts["probed"],
        "recall@10_when_made": facts["recall@10"],
    }


def change(index: Index, number: int, vector: np.ndarray) -> None:
    """Delete one photo and add another, in one commit."""

    def make(_: object) -> Change:
        made = Change(gone=[entry(number).key])
        made.put(Entry(f"new-{number:07d}.jpg", "new.jpg"), vector)
        return made

    index.view = apply(index.folder, index.view, make).view


def main(config: SpeedConfig) -> None:
    """All sizes."""
    torch.set_num_threads(2)
    approximate.FEW_ROWS = 1000  # or small sets would be searched exactly
    out: dict[str, Any] = {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {
            name: importlib.metadata.version(name) for name in ("faiss-cpu", "torch", "numpy", "pyarrow")
        },
        "protocol": f"{QUERIES} queries one at a time, top {TOP}, {ROUNDS} rounds in turn; {config.dim} numbers each; "
        "recall of exact search against a float32 product, whose near-ties may fall otherwise",
        "sizes": {},
    }
    if config.add and (RESULTS / "index_speed.json").is_file():
        out["sizes"] = json.loads((RESULTS / "index_speed.json").read_text())["sizes"]
    for rows in config.rows:
        out["sizes"][f"{rows}"] = measure(config, rows)
        print(rows, out["sizes"][f"{rows}"], flush=True)
        write_json(RESULTS / "index_speed.json", out)


if __name__ == "__main__":
    main(tyro.cli(SpeedConfig))
