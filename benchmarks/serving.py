"""What the measurements of `lift serve` share: a server as a person starts it, an INDEX of synthetic vectors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from lift.catalogue.changing import Change, apply
from lift.catalogue.segments import Entry
from lift.indexing import Index
from lift.model import load
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("fastapi", "starlette", "uvicorn", "h11", "sqlalchemy", "pyarrow")
CHUNK = 100_000
SUBJECTS = (
    "dog",
    "man",
    "woman",
    "child",
    "boat",
    "red car",
    "horse",
    "cyclist",
    "bird",
    "train",
    "cook",
    "crowd",
)
DOINGS = ("running", "standing", "waiting", "jumping", "resting", "turning", "crossing a road", "looking up")
PLACES = (
    "on the beach",
    "in the snow",
    "at night",
    "in a kitchen",
    "under a bridge",
    "in tall grass",
    "by a lake",
)


def circumstances() -> dict[str, Any]:
    """Machine and versions, and that others used the machine at the same time."""
    return {
        "machine": {**machine(), "platform": platform.platform(), "cores": os.cpu_count()},
        "load_average": os.getloadavg(),
        "note": "a shared machine: other work ran on the same cores, client and server as well",
        "versions": {**versions(), **{name: version(name) for name in PACKAGES}},
    }


def sentence(number: int) -> str:
    """A sentence of its own for every number, of usual length."""
    subject, doing = SUBJECTS[number % 12], DOINGS[number // 12 % 8]
    return f"a {subject} {doing} {PLACES[number // 96 % 7]}, picture {number}"


def synthetic_index(run: Path, out: Path, photos: int, seed: int = 0) -> Index:
    """An INDEX of `photos` unit vectors in 1,000 clusters, which stand for no photo; one that is there is opened."""
    if (out / "index.json").is_file():
        opened = Index.open(out)
        if len(opened) == photos:
            return opened
        raise SystemExit(f"{out} holds {len(opened)} photos; delete it")
    model = load(run)
    index = Index.create(model, out)
    random = np.random.default_rng(seed)
    centres = random.normal(size=(1000, model.dim))
    for start in range(0, photos, CHUNK):
        rows = np.arange(start, min(start + CHUNK, photos))
        near = centres[random.integers(0, 1000, len(rows))]
        vectors = (near + 0.7 * random.normal(size=(len(rows), model.dim))).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        entries = [
            Entry(f"photo-{row:07}.jpg", f"photo-{row:07}.jpg", ("a caption of a photo",)) for row in rows
        ]

        def change(view: Any, entries: Any = entries, vectors: Any = vectors) -> Change:
            return Change(entries, list(vectors), content={"places": [{"kind": "file", "folder": ""}]})

        apply(out, index.view, change)
        index.refresh()
    return Index.open(out)


@contextmanager
def served(index: Path, *arguments: str) -> Iterator[tuple[psutil.Process, str]]:
    """`lift serve INDEX …` as a process of its own at a free port; its process and address."""
    command = [sys.executable, "-m", "lift", "serve", str(index), "--port", "0", "--rate", "0", *arguments]
    with Path(os.devnull).open("w") as nowhere:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=nowhere, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if " at http://" not in line:
            raise SystemExit("the server did not start")
        yield psutil.Process(process.pid), line.split(" at ")[1].split()[0].rstrip("/")
    finally:
        process.terminate()
        process.wait(60)


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p90 and p99 in milliseconds, and the number of measurements."""
    if not seconds:
        return {"n": 0}
    p50, p90, p99 = map(float, np.percentile(np.array(seconds) * 1000, (50, 90, 99)))
    return {"p50_ms": round(p50, 2), "p90_ms": round(p90, 2), "p99_ms": round(p99, 2), "n": len(seconds)}
