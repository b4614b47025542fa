"""Zero-shot classes and verification of trained RUNs, through `lift benchmark` and `lift evaluate`, with controls.

    python benchmarks/transfer.py --data ../shared/data --dataset DATASET --lift RUN --clip RUN
    python benchmarks/transfer.py --data ../shared/data --trained-on grocery --tests grocery --lift RUN --clip RUN

Classes: grocery (val photos, 81 classes) and clothing (all photos, 17 classes), one sentence a class and the ensemble.
Verification: human true and false sentences about Flickr8k's val photos (from e-SNLI-VE, a true and a false one a line;
their photos are those of --dataset) and about the development drawings of NLVR.
Adds to benchmarks/results/transfer.json; what it holds of RUNs trained on something else stays.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from lift.artefact import read_manifest, write_json
from lift.evaluation import EvaluateConfig, evaluate
from lift.evaluation.benchmarks import BenchmarkConfig, benchmark
from lift.metrics import paired_bootstrap
from lift.training.cost import machine, versions

RESULT = Path(__file__).parent / "results" / "transfer.json"
ARMS = ("lift", "clip")
#: Test -> (title, benchmark, folder of the data, protocol, metric); no benchmark: `lift evaluate`.
Test = Literal["grocery", "clothing", "nlvr", "esnlive"]
TESTS: dict[Test, list[tuple[str, str, str, str, str]]] = {
    "grocery": [
        ("grocery, one sentence a class", "classes-jsonl", "grocery", "val-single-prompt", "top1"),
        ("grocery, six sentences a class", "classes-jsonl", "grocery", "val-ensemble6", "top1"),
    ],
    "clothing": [
        ("clothing, one sentence a class", "classes-jsonl", "clothing", "all-single-prompt", "top1"),
        ("clothing, six sentences a class", "classes-jsonl", "clothing", "all-ensemble6", "top1"),
    ],
    "nlvr": [("NLVR, all drawings together", "nlvr", "nlvr", "dev-first-drawing", "auroc"),
             ("NLVR, drawings of one sentence", "nlvr", "nlvr", "dev-first-drawing", "auroc_within_sentence")],
    "esnlive": [("e-SNLI-VE, all photos together", "", "flickr8k", "", "auroc"),
                ("e-SNLI-VE, sentences of one photo", "", "flickr8k", "", "auroc_within_photo")],
}  # fmt: skip


@dataclass(frozen=True)
class TransferConfig:
    """Measure a LIFT and a CLIP RUN."""

    data: Path
    """Folder that holds flickr8k, nlvr, grocery and clothing."""
    lift: Path
    """RUN of LIFT."""
    clip: Path
    """RUN of CLIP, trained on equal terms."""
    dataset: Path | None = None
    """DATASET of Flickr8k (default: the one that the RUNs learnt from)."""
    trained_on: str = "Flickr8k"
    """What they learnt from, in words."""
    tests: tuple[Test, ...] = ("grocery", "clothing", "esnlive", "nlvr")
    """Which tests."""
    device: str = "cpu"
    """Where to encode."""


def measured(config: TransferConfig, run: Path, test: tuple[str, str, str, str, str]) -> dict[str, Any]:
    """The result of one RUN on one test, as lift writes it."""
    _, name, folder, protocol, _ = test
    if name:
        return benchmark(
            BenchmarkConfig(run, name, config.data / folder, protocol=protocol, device=config.device)
        )
    file = config.data / folder / "forced_choice_esnlive.jsonl"
    return evaluate(
        EvaluateConfig(run, task="verification", dataset=config.dataset, pairs=file, device=config.device)
    )[0]


def row(config: TransferConfig, test: tuple[str, str, str, str, str]) -> dict[str, Any]:
    """Both arms on one test: values with intervals, controls, and their paired difference."""
    title, metric = test[0], test[4]
    found = {arm: measured(config, getattr(config, arm), test) for arm in ARMS}
    arms = {}
    for arm, result in found.items():
        metrics = result["metrics"]
        controls = {
            name.split("/")[1]: value["value"]
            for name, value in metrics.items()
            if name.startswith("control/") and name.endswith(f"/{metric}")
        }
        arms[arm] = {
            **{key: metrics[metric][key] for key in ("value", "low", "high", "n")},
            "controls": controls,
        }
    values, photos = zip(*(items(getattr(config, arm), found[arm], metric) for arm in ARMS), strict=True)
    if not np.array_equal(*photos):
        raise AssertionError(f"{title}: the arms were measured on different items")
    return {
        "test": title,
        "metric": metric,
        "n": found["lift"]["n"],
        "protocol": found["lift"]["protocol"],
        "arms": arms,
        "lift_minus_clip": paired_bootstrap(*values, photos[0]),
    }


def items(run: Path, result: dict[str, Any], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Outcome in percent of each item (n,), and its photo."""
    with np.load(run / "results" / result["per_item"]) as arrays:
        return arrays[metric], arrays[f"{metric}__image"]


def main(config: TransferConfig) -> None:
    """Measure all, add to the JSON."""
    rows = [row(config, test) for name in config.tests for test in TESTS[name]]
    manifests = {arm: read_manifest(getattr(config, arm), "run") for arm in ARMS}
    keys = ("image_encoder", "epochs", "batch_size", "preset", "seed")
    runs = {
        arm: {
            **{key: made["config"][key] for key in keys},
            "samples_seen": made["samples_seen"],
            "id": made["checkpoint"]["id"],
            "image_size": json.loads(
                (getattr(config, arm) / "checkpoint" / "checkpoint.json").read_text("utf-8")
            )["image_encoder"]["image_size"],
        }
        for arm, made in manifests.items()
    }
    content: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if RESULT.is_file() else {"sets": {}}
    content["sets"][config.trained_on] = {
        "runs": runs, "rows": rows, "machine": machine(), "versions": versions()}  # fmt: skip
    write_json(RESULT, content)


if __name__ == "__main__":
    main(tyro.cli(TransferConfig))
