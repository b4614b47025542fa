"""How long scoring takes, and in how much memory: retrieval of 5,000 photos by 25,000 texts, and 25,000 pairs.

    python benchmarks/evaluation_speed.py

Drawn vectors of 384 numbers, so that only the scoring is timed, not a model: ranks both ways, recall, chance, hubs,
worst queries, examples, all intervals and the files of the result. Each round is a process of its own; processor time
stands beside the clock, since other work on the machine slows only the clock. Writes
benchmarks/results/evaluation_speed.json.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tyro

from lift.artefact import write_json
from lift.data import Pair
from lift.evaluation.pairs import pairs
from lift.evaluation.results import write_result
from lift.evaluation.retrieval import measure_retrieval
from lift.evaluation.subject import Subject
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"
DIM = 384


@dataclass(frozen=True)
class EvaluationSpeedConfig:
    """Seconds and memory of scoring."""

    photos: int = 5000
    """Photos; each has five texts."""
    rounds: int = 3
    """Processes."""


class DrawnSubject(Subject):
    """A Subject whose vectors are drawn, not encoded."""

    def __init__(self, photos: int) -> None:
        drawn = np.random.default_rng(0)
        self.image_features = unit(drawn.normal(size=(photos, DIM)).astype(np.float32))
        self.texts = [[f"text {n} of photo {photo}" for n in range(5)] for photo in range(photos)]
        every = [text for own in self.texts for text in own]
        # So noisy that about 70 % of the texts find their photo at once, as with a good model on such a set.
        near = np.repeat(self.image_features, 5, axis=0)
        vectors = unit(near + 0.23 * drawn.normal(size=near.shape).astype(np.float32))
        self._vectors = dict(zip(every, vectors, strict=True))
        self.rows = [
            SimpleNamespace(key=f"{n}.jpg", captions=own, texts=own) for n, own in enumerate(self.texts)
        ]
        self.numbers = np.arange(photos)
        self.config = SimpleNamespace(pairs=None, split="val", seed=0)
        negatives = [every[(n + 7) % len(every)] for n in range(len(every))]
        kept = [
            Pair(f"{n // 5}.jpg", every[n], negatives[n], f"kind {n % 4}", "val") for n in range(len(every))
        ]
        self.dataset = SimpleNamespace(pairs=kept, folder=Path())

    def encode(self, texts: Any) -> None:
        """Shuffled words are drawn when first asked for."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            vectors = unit(np.random.default_rng(1).normal(size=(len(new), DIM)).astype(np.float32))
            self._vectors.update(zip(new, vectors, strict=True))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def one_round(photos: int, send: Any) -> None:
    """Score once; sends seconds by the clock and by the processor, memory and recall."""
    subject = DrawnSubject(photos)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found: dict[str, Any] = {}
    for name in ("retrieval", "pairs"):
        began, work = time.perf_counter(), time.process_time()
        if name == "retrieval":
            measured = measure_retrieval(subject, list(range(photos)), subject.texts, "drawn")
        else:
            measured = pairs(subject)
        facts = {"task": name, "dataset": {}, "model": {}, "seed": 0, "seconds": 0, "request": {}}
        with tempfile.TemporaryDirectory() as folder:
            result = write_result(Path(folder) / "result.json", measured, facts)
        found[name] = {
            "seconds": time.perf_counter() - began,
            "processor_seconds": time.process_time() - work,
        }
        if name == "retrieval":
            found["recall@1"] = result["metrics"]["text_to_image/recall@1"]["value"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    send.send(found | {"peak_bytes": peak * 1024, "added_bytes": (peak - before) * 1024})


def run(config: EvaluationSpeedConfig) -> dict[str, Any]:
    """All rounds, one after the other."""
    context, rounds = multiprocessing.get_context("spawn"), []
    for _ in range(config.rounds):
        receive, send = context.Pipe(duplex=False)
        worker = context.Process(target=one_round, args=(config.photos, send))
        worker.start()
        rounds.append(receive.recv() | {"load_average": os.getloadavg()[0]})
        worker.join()
    middle = {
        name: {key: statistics.median(r[name][key] for r in rounds) for key in rounds[0][name]}
        for name in ("retrieval", "pairs")
    }
    return {
        "photos": config.photos,
        "texts": 5 * config.photos,
        "dim": DIM,
        "recall@1": rounds[0]["recall@1"],
        "median": middle,
        "peak_bytes": max(r["peak_bytes"] for r in rounds),
        "added_bytes": max(r["added_bytes"] for r in rounds),
        "rounds": rounds,
        "machine": machine(),
        "versions": versions(),
    }


if __name__ == "__main__":
    made = run(tyro.cli(EvaluationSpeedConfig))
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / "evaluation_speed.json", made)
    print(json.dumps(made, indent=1))
