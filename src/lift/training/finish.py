"""What a run leaves: its log, and at the end checkpoint, loss plot and run.json."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lift.artefact import digest, sha256_file, write_json
from lift.checkpoint import save_tensors
from lift.console import say
from lift.data import Dataset
from lift.image import BackboneShape, ImageEncoder, merge_lora
from lift.store import EmbeddingStore
from lift.training.arms import Arm, Scalars
from lift.training.config import TrainConfig
from lift.training.cost import machine, versions
from lift.training.plots import plot_log
from lift.training.state import forget_progress
from lift.training.trackers import Trackers


def write_entry(log: Any, trackers: Trackers, entry: dict[str, Any]) -> None:
    """One line of log.jsonl, and the same numbers for the trackers. What is not finite is left out: not JSON."""
    entry = {name: value for name, value in entry.items() if math.isfinite(value)}
    log.write(json.dumps(entry) + "\n")
    log.flush()
    trackers.log(entry)


def backbone_of(encoder: ImageEncoder) -> dict[str, str] | None:
    """What run.json tells of a pre-trained backbone: family, where it came from, hash of its files."""
    shape = encoder.shape
    if not isinstance(shape, BackboneShape):
        return None
    return {"family": shape.family, "source": shape.source, "weights": shape.weights}


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
    fields["texts"] = store.place.url
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
        "backbone": backbone_of(encoder),
        "steps": steps,
        "samples_seen": steps * (config.batch_size or 0) if samples is None else samples,
        "cost": {**cost, "offline_text": text_pass(store) if config.method == "lift" else None},
        "validation": validation,
        **({"negatives": negatives} if negatives else {}),
        **({"weights": f"moving average, decay {config.ema}"} if config.ema is not None else {}),
        **({"guard": guard} if guard is not None else {}),
        "versions": versions(),
        "machine": machine(),
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
