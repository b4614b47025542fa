"""FAISS (IVF, HNSW), USearch and LanceDB for approximate search: recall, time a query, time to build, bytes, memory.

    python benchmarks/index_libraries.py --work /tmp/index-libraries [--store STORE]

Each library builds and searches in a process of its own, two threads, the same vectors. Its effort (lists probed, size
of the candidate list) is raised until recall@10 against exact search reaches 0.98; times are those at that effort, one
query at a time. Writes benchmarks/results/index_libraries.json and deletes what it wrote.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from lift.artefact import write_json
from vector_sets import BLOCK, clustered, recall, truth, unit

RESULTS = Path(__file__).parent / "results"
TOP, QUERIES, WANTED, ROUNDS = 10, 200, 0.98, 3
Search = Callable[[np.ndarray, int], np.ndarray]  # query (dim,), effort -> rows (TOP,)


@dataclass(frozen=True)
class LibrariesConfig:
    """Libraries for approximate search, side by side."""

    work: Path = Path("index-libraries")
    """Folder for the files; deleted at the end."""
    rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Sizes of the drawn sets."""
    dim: int = 384
    """Length of the vectors."""
    store: Path | None = None
    """A STORE whose vectors are one more set: real ones; every 100th is a query."""
    libraries: tuple[str, ...] = (
        "faiss-ivf-sq8",
        "faiss-ivf-fp16",
        "usearch-hnsw",
        "faiss-hnsw",
        "lancedb-ivf-pq",
        "lancedb-hnsw-sq",
    )
    """Which to compare."""
    add: bool = False
    """Keep what the results file has of other sets and libraries."""
    minutes: float = 12.0
    """A library that has not finished one set by then is stopped."""


def blocks(vectors: np.ndarray) -> Iterator[np.ndarray]:
    """The vectors as float32, in blocks."""
    for start in range(0, len(vectors), BLOCK):
        yield np.asarray(vectors[start : start + BLOCK], np.float32)


def lists_for(rows: int) -> int:
    """Number of IVF lists: 4 * sqrt(rows)."""
    return int(4 * rows**0.5)


def faiss_ivf(kind: str) -> Callable[[np.ndarray, Path], tuple[Search, Any]]:
    """IVF with scalar quantisation; 4 * TOP candidates are scored again with the float16 vectors."""

    def build(vectors: np.ndarray, work: Path) -> tuple[Search, Any]:
        import faiss

        faiss.omp_set_num_threads(2)
        lists = lists_for(len(vectors))
        index = faiss.index_factory(vectors.shape[1], f"IVF{lists},{kind}", faiss.METRIC_INNER_PRODUCT)
        chosen = np.sort(
            np.random.default_rng(1).choice(len(vectors), min(len(vectors), 30 * lists), replace=False)
        )
        index.cp.niter = 10
        index.train(np.asarray(vectors[chosen], np.float32))
        for block in blocks(vectors):
            index.add(block)
        faiss.write_index(index, str(work / "index"))

        def search(query: np.ndarray, effort: int) -> np.ndarray:
            index.nprobe = effort
            return rescored(vectors, index.search(query[None], 4 * TOP)[1][0], query)

        return search, range

    return build


def rescored(vectors: np.ndarray, rows: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The TOP of some rows by their float16 vectors."""
    rows = np.sort(rows[rows >= 0])
    scores = np.asarray(vectors[rows], np.float32) @ query
    return rows[np.argsort(-scores, kind="stable")[:TOP]]


def faiss_hnsw(vectors: np.ndarray, work: Path) -> tuple[Search, Any]:
    """HNSW with 32 links over float16 vectors."""
    import faiss

    faiss.omp_set_num_threads(2)
    index = faiss.index_factory(vectors.shape[1], "HNSW32,SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 80
    index.train(np.asarray(vectors[:1000], np.float32))
    for block in blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(work / "index"))

    def search(query: np.ndarray, effort: int) -> np.ndarray:
        index.hnsw.efSearch = effort
        return index.search(query[None], TOP)[1][0]

    return search, None


def usearch(vectors: np.ndarray, work: Path) -> tuple[Search, Any]:
    """HNSW with 16 links over float16 vectors."""
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_add=80)
    for start in range(0, len(vectors), BLOCK):
        part = np.ascontiguousarray(vectors[start : start + BLOCK])
        index.add(np.arange(start, start + len(part)), part, threads=2)
    index.save(str(work / "index"))

    def search(query: np.ndarray, effort: int) -> np.ndarray:
        index.expansion_search = effort
        return np.asarray(index.search(query.astype(np.float16), TOP, threads=1).keys, np.int64)

    return search, None


def lancedb(kind: str) -> Callable[[np.ndarray, Path], tuple[Search, Any]]:
    """A LanceDB table; IVF_PQ with candidates scored again, or IVF_HNSW_SQ."""

    def build(vectors: np.ndarray, work: Path) -> tuple[Search, Any]:
        import lancedb as lance
        import pyarrow as pa

        dim = vectors.shape[1]
        schema = pa.schema([("row", pa.int64()), ("vector", pa.list_(pa.float16(), dim))])

        def batches() -> Iterator[pa.RecordBatch]:
            for start in range(0, len(vectors), BLOCK):
                part = np.ascontiguousarray(vectors[start : start + BLOCK])
                lists = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), dim)
                rows = pa.array(np.arange(start, start + len(part)))
                yield pa.RecordBatch.from_arrays([rows, lists], schema=schema)

        table = lance.connect(work / "lance").create_table(
            "t", pa.RecordBatchReader.from_batches(schema, batches())
        )
        lists = max(1, len(vectors) // 4096)
        options = {"num_sub_vectors": dim // 8} if kind == "IVF_PQ" else {"m": 20, "ef_construction": 100}
        table.create_index(metric="dot", num_partitions=lists, index_type=kind, **options)

        def search(query: np.ndarray, effort: int) -> np.ndarray:
            asked = (
                table.search(query)
                .distance_type("dot")
                .limit(TOP)
                .nprobes(min(effort, lists))
                .refine_factor(20 if kind == "IVF_PQ" else 4)
            )
            if kind != "IVF_PQ":
                asked = asked.ef(max(4 * TOP, effort))
            return np.asarray(asked.select(["row", "_distance"]).to_arrow()["row"])

        return search, None

    return build


BUILD: dict[str, Callable[[np.ndarray, Path], tuple[Search, Any]]] = {
    "faiss-ivf-sq8": faiss_ivf("SQ8"),
    "faiss-ivf-fp16": faiss_ivf("SQfp16"),
    "faiss-hnsw": faiss_hnsw,
    "usearch-hnsw": usearch,
    "lancedb-ivf-pq": lancedb("IVF_PQ"),
    "lancedb-hnsw-sq": lancedb("IVF_HNSW_SQ"),
}


def measure(library: str, data: Path, work: Path) -> dict[str, Any]:
    """Build and search in this process."""
    vectors = np.load(data / "vectors.npy", mmap_mode="r")
    queries, right = np.load(data / "queries.npy"), np.load(data / "right.npy")
    before = peak_kilobytes()
    began = time.perf_counter()
    search, _ = BUILD[library](vectors, work)
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    tried: dict[int, float] = {}
    for effort in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512):
        tried[effort] = recall(np.stack([padded(search(query, effort)) for query in queries]), right)
        if tried[effort] >= WANTED:
            break
    times = []
    for _ in range(ROUNDS):
        for query in queries:
            start = time.perf_counter()
            search(query, effort)
            times.append(time.perf_counter() - start)
    return {
        "build_seconds": round(seconds, 1),
        "effort": effort,
        "recall@10": round(tried[effort], 4),
        "recall_by_effort": {str(n): round(value, 4) for n, value in tried.items()},
        "p50_ms": round(1e3 * float(np.median(times)), 2),
        "p99_ms": round(1e3 * float(np.quantile(times, 0.99)), 2),
        "bytes_per_vector": round(size / len(vectors)),
        "peak_memory_mb_over_start": round((peak_kilobytes() - before) / 1024),
    }


def peak_kilobytes() -> int:
    """The most memory that this process has had; mapped files count where they were read."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def padded(rows: np.ndarray) -> np.ndarray:
    """TOP row numbers; -1 where a library found fewer."""
    return np.concatenate([rows, np.full(TOP - len(rows), -1)])[:TOP]


def make_sets(config: LibrariesConfig) -> Iterator[tuple[str, Path]]:
    """Write the sets one after the other: vectors, queries, and the exact answers."""
    if config.store is not None:
        from lift.store import EmbeddingStore

        store = EmbeddingStore(config.store)
        every = unit(store.take(np.arange(len(store))))
        chosen = np.arange(len(every)) % 100 == 0
        data = config.work / "texts"
        data.mkdir(parents=True)
        np.save(data / "vectors.npy", every[~chosen].astype(np.float16))
        finish_set(data, np.load(data / "vectors.npy", mmap_mode="r"), every[chosen][:QUERIES])
        yield f"captions by {store.facts.fingerprint.name}, {int((~chosen).sum()):,}", data
    for rows in config.rows:
        data = config.work / f"clustered-{rows}"
        data.mkdir(parents=True)
        vectors, queries = clustered(data / "vectors.npy", rows, config.dim, QUERIES)
        finish_set(data, vectors, queries)
        yield f"clustered, {rows:,}", data


def finish_set(data: Path, vectors: np.ndarray, queries: np.ndarray) -> None:
    """Write queries and exact answers."""
    np.save(data / "queries.npy", queries)
    np.save(data / "right.npy", truth(vectors, queries, TOP))


def main(config: LibrariesConfig) -> None:
    """Compare; one process for each library and set."""
    shutil.rmtree(config.work, ignore_errors=True)
    out: dict[str, Any] = {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {
            name: importlib.metadata.version(name) for name in ("faiss-cpu", "usearch", "lancedb", "numpy")
        },
        "protocol": f"{QUERIES} queries, top {TOP}, {ROUNDS} rounds one query at a time; the smallest effort with "
        f"recall@10 >= {WANTED}; 2 threads to build",
        "load_at_start": os.getloadavg()[0],
        "sets": {},
    }
    if config.add and (RESULTS / "index_libraries.json").is_file():
        out["sets"] = json.loads((RESULTS / "index_libraries.json").read_text())["sets"]
    for name, data in make_sets(config):
        out["sets"].setdefault(name, {})
        for library in config.libraries:
            work = config.work / "made"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            command = [sys.executable, __file__, "--one", library, str(data), str(work)]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=60 * config.minutes, check=False
                )
                found = (
                    json.loads(done.stdout.splitlines()[-1])
                    if done.returncode == 0
                    else {"failed": done.stderr[-300:]}
                )
            except subprocess.TimeoutExpired:
                found = {"not_finished_after_minutes": config.minutes}
            found["load"] = os.getloadavg()[0]
            out["sets"][name][library] = found
            print(name, library, found, flush=True)
            write_json(RESULTS / "index_libraries.json", out)
        shutil.rmtree(data)
    shutil.rmtree(config.work)


def processor() -> str:
    """The name of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main(tyro.cli(LibrariesConfig))
