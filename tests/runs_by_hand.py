"""RUN folders built by hand, with outcomes so small that differences can be worked out on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lift.data import DatasetWriter, Row
from lift.report.reading import Run, read_runs

R10 = "text_to_image/recall@10"
R10_LOG = f"val/{R10}"
EVIL = "<script>alert('x')</script> & a dog"
GOOD, BAD = [1, 1, 1, 0] * 4, [1, 0, 0, 0] * 4  # 75 and 25 of 100; never the other way round


def make_dataset(folder: Path, photos: int = 8) -> str:
    """A DATASET of one-coloured photos p0, p1, …; returns its id."""
    folder.mkdir(parents=True)
    writer = DatasetWriter(folder, name="toy", image_size=16, resize_mode="crop")
    for number_ in range(photos):
        pixels = np.full((16, 16, 3), 30 * number_, dtype=np.uint8)
        writer.add(pixels, Row(f"p{number_}", [EVIL if number_ == 0 else f"photo {number_}"], "val"))
    return writer.close(request={}, report={}, source="test")["id"]


def make_run(folder: Path, name: str, method: str = "lift", **changes: Any) -> Path:
    """A RUN without results; `changes` replace entries of run.json."""
    folder.mkdir(parents=True)
    cost = {
        "seconds": 600.0 if method == "lift" else 900.0,
        "samples_per_second": 200.0,
        "flops_per_sample": 3e9 if method == "lift" else 5e9,
        "flops_total": 3e14 if method == "lift" else 5e14,
        "peak_memory_bytes": 1.5e9,
        "offline_text": {"seconds": 60.0, "flops": 5e13, "texts": 1000} if method == "lift" else None,
    }
    manifest = {
        "format": 1,
        "name": name,
        "method": method,
        "loss": "contrastive",
        "preset": "small",
        "config": {"batch_size": 100, "seed": 0},
        "dataset": {"name": "toy", "id": "d1"},
        "fingerprint": {"name": "minilm", "digest": "0123456789abcdef"},
        "checkpoint": {"id": "aaaabbbbccccdddd", "sha256": {}},
        "parameters": {"image": 3_400_000, "text": 0},
        "samples_seen": 100_000,
        "steps": 1000,
        "cost": cost,
        "versions": {"torch": "2.13.0"},
        "machine": {"processor": "x86_64", "threads": 2},
    }
    (folder / "run.json").write_text(json.dumps(manifest | changes))
    log = [{"step": s, "loss": 5.0 - s / 500, R10_LOG: s / 100} for s in (500, 1000)]
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, log)) + '\n{"step": 15')
    return folder


def add_result(run: Path, outcomes: dict[str, list[float]], task: str = "retrieval", **changes: Any) -> Path:
    """RUN/results/<task>--toy-val.json and npz; `outcomes` are shares from 0 to 1 per query."""
    folder = run / "results"
    folder.mkdir(exist_ok=True)
    percents = {metric: 100.0 * np.array(values, dtype=float) for metric, values in outcomes.items()}
    metrics = {
        metric: {
            "value": values.mean(),
            "low": values.mean() - 2,
            "high": values.mean() + 2,
            "n": len(values),
        }
        for metric, values in percents.items()
    }
    name = json.loads((run / "run.json").read_text())["name"]
    arrays: dict[str, np.ndarray] = {}
    for metric, values in percents.items():
        if not metric.startswith("control/"):
            key = metric.replace("/", "__")
            arrays |= {key: values, f"{key}__image": np.arange(len(values))}
    result: dict[str, Any] = {
        "format": 1,
        "task": task,
        "protocol": "five-caption retrieval",
        "dataset": {"name": "toy", "id": "d1", "split": "val"},
        "model": {"id": f"{name}@aaaabbbbccccdddd", "method": "lift", "run": name},
        "n": {"images": 1000, "texts": 16},
        "seed": 0,
        "metrics": metrics,
        "examples": [],
    } | changes
    path = folder / f"{task}--toy-{result['dataset']['split']}.json"
    result["per_item"] = path.with_suffix(".npz").name
    np.savez(folder / result["per_item"], **arrays)
    path.write_text(json.dumps(result))
    return path


def two_runs(tmp_path: Path, first: list[float], second: list[float]) -> list[Run]:
    """LIFT with outcomes `first` and CLIP with outcomes `second`, in one metric."""
    a, b = make_run(tmp_path / "a", "LIFT"), make_run(tmp_path / "b", "CLIP", "clip")
    add_result(a, {R10: first})
    add_result(b, {R10: second})
    return read_runs([a, b])


def pairs_run(folder: Path, name: str, method: str, outcomes: list[float], control: list[float]) -> Path:
    run = make_run(folder, name, method)
    add_result(
        run,
        {
            "pair_accuracy/all": outcomes,
            "pair_accuracy/swap_attribute": outcomes,
            "control/text_only/pair_accuracy/all": control,
            "control/text_only/pair_accuracy/swap_attribute": control,
        },
        task="pairs",
    )
    return run


def add_examples(run: Path, found: list[str], **changes: Any) -> None:
    example = {"query": EVIL, "truth": "p0", "found": found, "scores": [0.5] * len(found)}
    add_result(run, {R10: GOOD, "image_to_text/recall@1": BAD}, examples=[example], **changes)
