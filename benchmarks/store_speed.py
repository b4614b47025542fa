"""Write, open and read a STORE, beside list<float32> Parquet in row groups of 100, and beside Lance.

    python benchmarks/store_speed.py --work /tmp/store-speed

Same vectors, same texts, one after the other in one run; every reading in a process of its own, in turn, files warm in
the page cache. Parquet is written and read as the method's public code does, on fewer rows (its figures are per row).
Writes benchmarks/results/store_speed.json and deletes what it wrote.
"""

from __future__ import annotations

import gc
import importlib.metadata
import multiprocessing
import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch  # loaded before memory is measured
import tyro

from lift.artefact import write_json
from lift.fingerprint import Fingerprint
from lift.place import Place
from lift.store import EmbeddingStore, StoreFacts, StoreWriter, plan_shards, text_keys

RESULTS = Path(__file__).parent / "results"
BATCH, BATCHES, SHARD = 1024, 60, 16384
GROUP = 100  # rows of a Parquet row group in the method's public code


@dataclass(frozen=True)
class StoreSpeedConfig:
    """Figures of the STORE against Parquet and Lance."""

    work: Path = Path("store-speed")
    """Folder for the files; deleted at the end."""
    rows: tuple[int, ...] = (1_000_000, 200_000)
    """Rows of each shape."""
    dims: tuple[int, ...] = (384, 4096)
    """Length of the vectors of each shape."""
    parquet_rows: tuple[int, ...] = (100_000, 20_000)
    """Rows of each shape written as Parquet."""
    rounds: int = 3
    """Processes per reading."""


def texts_of(rows: int) -> list[str]:
    """Distinct captions of nine words and a number."""
    letters = np.random.default_rng(0).integers(97, 123, (4000, 6)).astype(np.uint8)
    vocabulary = [bytes(word).decode() for word in letters]
    chosen = np.minimum(np.random.default_rng(1).geometric(0.002, (rows, 9)) - 1, 3999)
    return [" ".join([vocabulary[i] for i in line]) + f" {n}" for n, line in enumerate(chosen.tolist())]


def blocks(rows: int, dim: int) -> Iterator[np.ndarray]:
    """Unit vectors float32 in blocks of SHARD rows, drawn once."""
    drawn = np.random.default_rng(2).normal(size=(SHARD, dim)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    for start in range(0, rows, SHARD):
        yield drawn[: min(SHARD, rows - start)]


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_lift(out: Path, texts: list[str], dim: int) -> float:
    """Plan, write and commit; seconds."""
    fingerprint = Fingerprint("drawn", "drawn", "w", "t", "", "mean", 8, True, dim, "float32")
    began = time.perf_counter()
    plan = plan_shards(
        Place(out), texts, facts=StoreFacts(fingerprint, "float16"), request={"dim": dim}, shard_rows=SHARD
    )
    writer = StoreWriter(Place(out), plan)
    for number, vectors in enumerate(blocks(len(texts), dim)):
        writer.write(number, plan.shard(number), vectors)
    writer.commit()
    return time.perf_counter() - began


def write_parquet(out: Path, texts: list[str], dim: int) -> float:
    """A row group of 100 rows at a time, the vector a list<float32>; seconds."""
    out.mkdir(parents=True)
    schema = pa.schema([("text", pa.string()), ("vector", pa.list_(pa.float32()))])
    began = time.perf_counter()
    with pq.ParquetWriter(out / "vectors.parquet", schema) as writer:
        start = 0
        for block in blocks(len(texts), dim):
            for low in range(0, len(block), GROUP):
                part = block[low : low + GROUP]
                lists = pa.ListArray.from_arrays(np.arange(len(part) + 1, dtype=np.int32) * dim, part.ravel())
                table = pa.table([texts[start : start + len(part)], lists], schema=schema)
                writer.write_table(table, row_group_size=GROUP)
                start += len(part)
    return time.perf_counter() - began


def write_lance(out: Path, texts: list[str], dim: int) -> float:
    """Fixed-size lists of float16 with text and leading key half, and the index that finds keys; seconds."""
    import lance

    vector = pa.list_(pa.float16(), dim)
    schema = pa.schema([("key", pa.int64()), ("text", pa.string()), ("vector", vector)])

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for block in blocks(len(texts), dim):
            part = texts[start : start + len(block)]
            values = pa.array(block.astype(np.float16).ravel())
            lists = pa.FixedSizeListArray.from_arrays(values, dim)
            keys = pa.array(text_keys(part)[0].view(np.int64))
            yield pa.RecordBatch.from_arrays([keys, pa.array(part), lists], schema=schema)
            start += len(block)

    began = time.perf_counter()
    dataset = lance.write_dataset(pa.RecordBatchReader.from_batches(schema, batches()), out)
    dataset.create_scalar_index("key", "BTREE")
    return time.perf_counter() - began


WRITERS = {"lift": write_lift, "parquet": write_parquet, "lance": write_lance}


def open_lift(out: Path) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[list[str]], np.ndarray]]:
    """Readers by row and by text."""
    store = EmbeddingStore(out)
    return store.take, store.vectors


def open_parquet(out: Path) -> tuple[Callable[[np.ndarray], np.ndarray], None]:
    """Reader by row: the row groups that hold them. There is no way by text but to read all."""
    file = pq.ParquetFile(out / "vectors.parquet", memory_map=True)

    def by_row(rows: np.ndarray) -> np.ndarray:
        groups, inverse = np.unique(rows // GROUP, return_inverse=True)
        table = file.read_row_groups(groups.tolist(), columns=["vector"])
        lists = table.column("vector").combine_chunks()
        flat = lists.values.to_numpy().reshape(len(lists), -1)
        starts = np.cumsum([0, *(file.metadata.row_group(int(g)).num_rows for g in groups)])[:-1]
        return flat[starts[inverse] + rows % GROUP]

    return by_row, None


def open_lance(out: Path) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[list[str]], np.ndarray]]:
    """Readers by row and by key; float32 unit vectors, as lift gives them."""
    import lance

    dataset = lance.dataset(out)

    def unit(column: Any) -> np.ndarray:
        lists = column.combine_chunks()
        flat = lists.values.to_numpy().reshape(len(lists), -1).astype(np.float32)
        return flat / np.sqrt(np.einsum("ij,ij->i", flat, flat))[:, None]

    def by_row(rows: np.ndarray) -> np.ndarray:
        return unit(dataset.take(rows.tolist(), columns=["vector"]).column("vector"))

    def by_text(texts: list[str]) -> np.ndarray:
        keys = text_keys(texts)[0].view(np.int64)
        found = dataset.to_table(
            filter=f"key IN ({','.join(map(str, keys.tolist()))})", columns=["key", "vector"]
        )
        there = found.column("key").to_numpy()
        order = np.argsort(there)
        return unit(found.column("vector"))[order[np.searchsorted(there[order], keys)]]

    return by_row, by_text


OPENERS: dict[str, Any] = {"lift": open_lift, "parquet": open_parquet, "lance": open_lance}


def anonymous_memory() -> int:
    """Bytes of this process that are no mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) * 1024


def read(kind: str, out: Path, asked: list[str], rows: int) -> dict[str, float]:
    """One process: opening in ms, rows/s by row and by text, added memory in bytes."""
    if kind == "lance":
        import lance  # noqa: F401 - the import is not part of opening
    gc.collect()
    before = anonymous_memory()
    began = time.perf_counter()
    by_row, by_text = OPENERS[kind](out)
    opened = time.perf_counter() - began
    rng = np.random.default_rng(3)
    result = {"open_ms": opened * 1000}
    wanted = [rng.integers(0, rows, BATCH) for _ in range(BATCHES + 1)]
    most = 0
    for name, call, batches in (
        ("by_row", by_row, wanted),
        ("by_text", by_text, [[asked[i % len(asked)] for i in batch] for batch in wanted]),
    ):
        if call is None:
            continue
        call(batches[0])  # the first one maps files
        batches = batches[1:] if kind != "parquet" else batches[1:9]  # it takes seconds for each
        seconds, computed = [], time.process_time()
        for batch in batches:
            began = time.perf_counter()
            call(batch)
            seconds.append(time.perf_counter() - began)
            most = max(most, anonymous_memory() - before)
        computed = time.process_time() - computed
        result[f"rows_per_second_{name}"] = BATCH / statistics.median(seconds)
        result[f"rows_per_cpu_second_{name}"] = BATCH * len(batches) / computed
    return {**result, "memory_bytes": float(most)}


def measure(config: StoreSpeedConfig, rows: int, dim: int, parquet_rows: int) -> dict[str, Any]:
    """All figures of one shape."""
    print(f"{rows:,} x {dim}", flush=True)
    texts = texts_of(rows)
    counts = {"lift": rows, "parquet": parquet_rows, "lance": rows}
    made: dict[str, Any] = {}
    for kind, write in WRITERS.items():
        out = config.work / f"{kind}-{dim}"
        computed = time.process_time()
        seconds = write(out, texts[: counts[kind]], dim)
        computed = time.process_time() - computed
        made[kind] = {
            "rows": counts[kind],
            "write_rows_per_second": counts[kind] / seconds,
            "write_rows_per_cpu_second": counts[kind] / computed,
            "bytes_per_row": folder_bytes(out) / counts[kind],
        }
        print(kind, made[kind], flush=True)
    entries = EmbeddingStore(config.work / f"lift-{dim}").manifest["shards"]
    parts = [sum(entry["bytes"][i] for entry in entries) / rows for i in range(3)]
    made["lift"] |= dict(zip(("vectors_per_row", "keys_per_row", "texts_per_row"), parts, strict=True))
    made["lift"]["vectors_and_keys_over_raw_float16"] = (parts[0] + parts[1]) / (2 * dim)
    readings: dict[str, list[dict[str, float]]] = {kind: [] for kind in WRITERS}
    context = multiprocessing.get_context("spawn")
    asked = texts[:: max(1, rows // 50_000)]
    for _ in range(config.rounds):
        for kind in WRITERS:
            with context.Pool(1) as pool:
                arguments = (kind, config.work / f"{kind}-{dim}", asked, counts[kind])
                readings[kind].append(pool.apply(read, arguments))
    for kind, found in readings.items():
        for name in found[0]:
            made[kind][name] = statistics.median(one[name] for one in found)
        print(kind, made[kind], flush=True)
    for other in ("parquet", "lance"):
        shared = [name for name in made[other] if name in made["lift"] and name != "rows"]
        made[f"lift_over_{other}"] = {name: made["lift"][name] / made[other][name] for name in shared}
    for kind in WRITERS:
        shutil.rmtree(config.work / f"{kind}-{dim}")
    return made


def rounded(value: Any) -> Any:
    """Four significant digits everywhere."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(config: StoreSpeedConfig) -> None:
    """Measure every shape and write the JSON."""
    config.work.mkdir(parents=True, exist_ok=True)
    shapes = {
        f"{rows} x {dim}": rounded(measure(config, rows, dim, parquet_rows))
        for rows, dim, parquet_rows in zip(config.rows, config.dims, config.parquet_rows, strict=True)
    }
    shutil.rmtree(config.work)
    versions = {name: importlib.metadata.version(name) for name in ("lift", "numpy", "pyarrow", "pylance")}
    write_json(
        RESULTS / "store_speed.json",
        {
            "batch": BATCH,
            "shard_rows": SHARD,
            "rounds": config.rounds,
            "shapes": shapes,
            "machine": {
                "processor": platform.processor() or platform.machine(),
                "system": platform.system(),
                "threads": torch.get_num_threads(),
                "load": os.getloadavg(),
            },
            "versions": {"python": platform.python_version(), **versions},
        },
    )


if __name__ == "__main__":
    main(tyro.cli(StoreSpeedConfig))
