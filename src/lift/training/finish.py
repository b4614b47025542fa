"""What a run leaves: its log, and at the end checkpoint, loss plot and run.json."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lift.artefact import digest, sha256_file, write_json
from lift.checkpoint import save_tensors
from lift.console import say
from lift.data import Dataset
from lift.image import ImageEncoder, merge_lora
from lift.store import EmbeddingStore
from lift.training.arms import Arm, Scalars
from lift.training.batches import unreadable_photos
from lift.training.config import TrainConfig
from lift.training.cost import machine, versions
from lift.training.features import Features
from lift.training.negatives import NegativeTable
from lift.training.plots import plot_log
from lift.training.state import forget_progress, trim_log
from lift.training.trackers import Trackers

Entry = dict[str, Any]


@contextmanager
def journal(
    config: TrainConfig, step: int, *, silent: bool = False
) -> Iterator[tuple[Callable[[Entry], None], Trackers]]:
    """Yields what writes a line of log.jsonl and the same numbers for the trackers, and those; goes on behind `step`.

    silent: for the processes that write no files.
    """
    if silent:
        yield lambda entry: None, Trackers(replace(config, tracker=()), step)
        return
    trim_log(config.out / "log.jsonl", step)
    with (
        Trackers(config, step) as trackers,
        (config.out / "log.jsonl").open("a", encoding="utf-8") as log,
    ):
        yield partial(write_entry, log, trackers), trackers


def write_entry(log: Any, trackers: Trackers, entry: Entry) -> None:
    """One line of log.jsonl, and the same numbers for the trackers. What is not finite is left out: not JSON."""
    entry = {name: value for name, value in entry.items() if math.isfinite(value)}
    log.write(json.dumps(entry) + "\n")
    log.flush()
    trackers.log(entry)


def finish(
    config: TrainConfig,
    modules: dict[str, nn.Module],
    arm: Arm,
    dataset: Dataset,
    store: EmbeddingStore,
    trackers: Trackers,
    *,
    steps: int,
    cost: dict[str, Any],
    validation: dict[str, float],
    samples: int | None = None,
    negatives: dict[str, Any] | None = None,
    processes: int = 1,
    guard: dict[str, int] | None = None,
) -> None:
    """Write the checkpoint, the loss plot and, last, run.json: only then the folder is a RUN.

    Low-rank additions are merged into the weights. `samples`: photos seen, where not steps times batch size.
    negatives: what run.json tells of hard negatives and neighbours. guard: how many steps it found strange, or skipped.
    """
    encoder, scalars = modules["image"], modules["scalars"]
    assert isinstance(encoder, ImageEncoder) and isinstance(scalars, Scalars)
    trained = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    merge_lora(encoder)
    weights = {name: module.state_dict() for name, module in modules.items()}
    if config.method == "lift" and store.conditioning is not None:  # queries must go the same way
        numbers = {"mean": store.conditioning.mean, "projection": store.conditioning.projection}
        weights["conditioning"] = {name: torch.from_numpy(value) for name, value in numbers.items()}
    settings = {
        "image_encoder": encoder.settings,
        "resize_mode": dataset.resize_mode,
        "logit_scale": scalars.log_scale.exp().item(),
        "fingerprint": arm.fingerprint.asdict(),
        **arm.settings,
    }
    save_tensors(config.out / "checkpoint", weights, settings)
    settings_file = config.out / "checkpoint" / "checkpoint.json"
    sums = json.loads(settings_file.read_text(encoding="utf-8"))["sha256"]
    plot_log(config.out / "log.jsonl", config.out / "loss.png", title=config.name or "")
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}
    fields = {k: str(v.resolve()) if isinstance(v, Path) else v for k, v in asdict(config).items()}
    fields |= {"images": dataset.address, "texts": store.place.url}
    lost = len(unreadable_photos(config.out))
    manifest = {
        "format": 1,
        "name": config.name,
        "method": config.method,
        "loss": config.loss,
        "preset": config.preset,
        "config": fields,
        "dataset": {"name": dataset.name, "id": dataset.id},
        "fingerprint": arm.fingerprint.asdict(),
        "checkpoint": {"id": digest(sums), "sha256": {**sums, "checkpoint.json": sha256_file(settings_file)}},
        "parameters": {"image": counts["image"], "text": counts.get("text", 0), "image_trained": trained},
        "backbone": encoder.origin,
        "steps": steps,
        "samples_seen": steps * (config.batch_size or 0) if samples is None else samples,
        "cost": {**cost, "offline_text": text_pass(store) if config.method == "lift" else None},
        "validation": validation,
        **({"negatives": negatives} if negatives else {}),
        **({"unreadable_photos": lost} if lost else {}),
        **({"weights": f"moving average, decay {config.ema}"} if config.ema is not None else {}),
        **({"guard": guard} if guard is not None else {}),
        "versions": versions(),
        "machine": {**machine(), "processes": processes},
    }
    trackers.end(manifest, config.out / "loss.png")
    write_json(config.out / "run.json", manifest)
    forget_progress(config.out)
    tell(config, manifest)


def text_pass(store: EmbeddingStore) -> dict[str, Any]:
    """What the STORE's vectors took, once."""
    made = store.manifest
    return {"seconds": made["seconds"], "flops": made["flops"], "texts": made["rows"]}


def tell(config: TrainConfig, manifest: dict[str, Any]) -> None:
    """One line on the finished run."""
    found, cost = manifest["validation"].get("val/text_to_image/recall@10"), manifest["cost"]
    say(
        f"{config.out}: {manifest['steps']:,} steps, {manifest['samples_seen']:,} samples in {cost['seconds']:.0f} s "
        f"({cost['samples_per_second']:.0f}/s)"
        + (f", val text_to_image/recall@10 {found:.1f}" if found else "")
    )


def cost_of(
    samples: int,
    seconds: float,
    flops: int,
    memory: int,
    kept: Features | None,
    negatives: NegativeTable | None,
) -> dict[str, Any]:
    """As it stands in run.json: `memory` of the largest process, and with what came before the steps."""
    before = [part for part in (kept, negatives) if part is not None]
    return {
        "seconds": round(seconds + sum(part.seconds for part in before), 2),
        "samples_per_second": round(samples / max(seconds, 1e-9), 1),
        "flops_per_sample": flops / samples,
        "flops_total": flops + sum(part.flops for part in before),
        **({"frozen_features": kept.cost} if kept is not None else {}),
        **({"negatives": negatives.cost} if negatives is not None else {}),
        "peak_memory_bytes": memory,
    }
