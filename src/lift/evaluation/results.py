"""Results on disk: one JSON per task x data x protocol, and an npz of per-item values to compare runs by."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lift import __version__
from lift.artefact import write_bytes, write_json
from lift.console import say, show_table
from lift.errors import LiftError
from lift.metrics import Statistic, bootstrap_interval, statistic_interval

CONTROL = "control/"


@dataclass(frozen=True)
class Metric:
    """A number with what its interval needs: values (n,) in percent whose mean it is, and clusters (n,).

    Where the number is no plain mean, `statistic` computes it from item weights, for a truer interval. Where
    `values` do not even average to it (average precision), `per_item` is off and they only count the items.
    `least` is the lowest value there is: 0 for a share, -100 for a correlation.
    """

    values: np.ndarray
    clusters: np.ndarray
    statistic: Statistic | None = None
    per_item: bool = True
    least: float = 0.0

    def entry(self, seed: int) -> dict[str, float]:
        """{value, low, high, n}: percent with its 95 % bootstrap interval, whole clusters resampled."""
        if self.statistic is None:
            value = float(self.values.mean())
            low, high = bootstrap_interval(self.values, self.clusters, seed)
        else:
            value = float(self.statistic(np.ones((1, len(self.values)), dtype=np.int64))[0])
            low, high = statistic_interval(self.statistic, self.clusters, seed)
        # Item influences may average to beyond a percentage.
        low, high = max(low, self.least), min(high, 100.0)
        return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4), "n": len(self.values)}


@dataclass(frozen=True)
class Measurement:
    """What a task returns: its protocol in one sentence, how many of what, metrics by name, examples.

    `details` are lists and curves that are no single numbers, for the report: JSON values by name.
    `lines` are items that a person may want to read, sort out and use again: they go to a JSONL file of their own.
    """

    protocol: str
    n: dict[str, int]
    metrics: dict[str, Metric]
    examples: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)


def result_path(run: Path, task: str, data: str, variant: str) -> Path:
    """RUN/results/<task>--<data>[--variant].json; data is <dataset name>-<split>."""
    name = f"{task}--{data}" + (f"--{variant}" if variant else "")
    return run / "results" / f"{name.replace('/', '-')}.json"


def finished_result(path: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """The result at `path` when it is there, readable and was made by the same request."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    same = isinstance(result, dict) and result.get("request") == request
    return result if same and (path.parent / result["per_item"]).is_file() else None


def refuse_other_data(path: Path, dataset_id: str) -> None:
    """LiftError when the result at `path` was measured on another DATASET that has the same name."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["dataset"]["id"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        return
    if known != dataset_id:
        raise LiftError(
            f"{path} was measured on another DATASET of the same name ({known}, this one is {dataset_id})",
            "add --overwrite to replace it, or ingest the other one under another --name",
        )


def write_result(path: Path, measured: Measurement, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write npz and JSONL, then JSON (so that a JSON is never without them); returns the JSON's content.

    `facts` are the entries that do not come from the task: task, dataset, model, seed, seconds, request, and where
    there are any `left_out`, photos that could not be read, and `texts_cut`, how many texts were longer than the limit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    per_item = path.with_suffix(".npz")
    write_bytes(per_item, per_item_bytes(measured.metrics))
    if measured.lines:
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in measured.lines)
        write_bytes(path.with_suffix(".jsonl"), lines.encode())
    result = {
        "format": 1,
        "task": facts["task"],
        "protocol": measured.protocol,
        **{name: facts[name] for name in ("dataset", "model")},
        "n": measured.n,
        "seed": facts["seed"],
        "metrics": {name: metric.entry(facts["seed"]) for name, metric in measured.metrics.items()},
        "per_item": per_item.name,
        "examples": measured.examples,
        "details": measured.details,
        "seconds": facts["seconds"],
        "versions": {"lift": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "request": facts["request"],
    }
    result |= {name: facts[name] for name in ("left_out", "texts_cut") if facts.get(name)}
    write_json(path, result)
    return result


def per_item_bytes(metrics: Mapping[str, Metric]) -> bytes:
    """An npz of per-item values and, as `<metric>__image`, cluster ids; without controls and non-means."""
    arrays: dict[str, np.ndarray] = {}
    for name, metric in metrics.items():
        if metric.per_item and not name.startswith(CONTROL):
            key = name.replace("/", "__")
            arrays[key], arrays[f"{key}__image"] = metric.values.astype(np.float64), metric.clusters
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def show_result(result: Mapping[str, Any]) -> None:
    """Print a result as a table: each metric with its interval, n, and the controls of the same metric."""
    metrics = result["metrics"]
    controls = list(dict.fromkeys(name.split("/")[1] for name in metrics if name.startswith(CONTROL)))
    rows = []
    for name, entry in metrics.items():
        if name.startswith(CONTROL):
            continue
        beside = [metrics.get(f"{CONTROL}{control}/{name}") for control in controls]
        rows.append(
            [name, f"{entry['value']:.1f}", f"{entry['low']:.1f} - {entry['high']:.1f}", entry["n"]]
            + [f"{other['value']:.1f}" if other else "" for other in beside]
        )
    dataset = result["dataset"]
    title = f"{result['task']}: {result['model']['id']} on {dataset['name']}, {dataset['split']}"
    header = ["metric", "percent", "95 % interval", "n"] + [name.replace("_", " ") for name in controls]
    show_table(title, header, rows)
    say(f"  {result['protocol']}")
