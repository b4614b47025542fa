"""The baseline that needs no training: a linear head solved for in one step on a frozen body (--tune ridge)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from lift.data import Dataset
from lift.image import HEADS
from lift.losses import LOSSES
from lift.ridge import fit_linear_map
from lift.store import EmbeddingStore
from lift.training.arms import LiftArm, Scalars
from lift.training.config import TrainConfig
from lift.training.cost import peak_memory, reset_peak_memory
from lift.training.features import keep_features
from lift.training.finish import finish, write_entry
from lift.training.towers import new_encoder
from lift.training.trackers import Trackers
from lift.training.validation import seen_photos, validate

HELD_SHARE, LEAST_PHOTOS = 0.1, 10


def solve(config: TrainConfig, dataset: Dataset, store: EmbeddingStore) -> None:
    """Fit the linear map from the body's vectors onto the mean text vector of each photo, and finish the RUN.

    The strength of the ridge is the one with the best mean cosine on a tenth of the training photos; the map is
    then fitted on all of them.
    """
    numbers = np.array(
        [n for n in dataset.split(config.train_split) if dataset.rows[n].texts], dtype=np.int64
    )
    rows = [dataset.rows[n] for n in numbers]
    torch.manual_seed(config.seed)
    encoder = new_encoder(config, dataset.image_size, store.dim)
    reset_peak_memory(config.device)
    kept = keep_features(encoder, dataset, seen_photos(dataset, numbers, config), config)
    assert kept is not None
    began = time.perf_counter()
    features = kept.rows(numbers).numpy()
    targets = mean_vectors(store, [row.texts for row in rows])
    order = np.random.default_rng(config.seed).permutation(len(numbers))
    held, fitted = np.split(order, [max(1, round(HELD_SHARE * len(numbers)))])
    chosen = fit_linear_map(features[fitted], targets[fitted], features[held], targets[held])
    found = fit_linear_map(features, targets, features[held], targets[held], (chosen.strength,))
    head = HEADS["linear"](encoder.shape.width, store.dim)
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(found.weights.T))
        head.bias.copy_(torch.from_numpy(found.bias))
    encoder.head = head.to(config.device)
    seconds = time.perf_counter() - began

    arm = LiftArm(store, rows, config.device)
    loss = LOSSES["contrastive"]  # nothing learns a scale here: the value that training starts from
    scalars = Scalars(loss.initial_scale, loss.initial_bias, learns_scale=False, learns_bias=False)
    measured = validate(encoder, arm, dataset, config, 1, kept) if config.validations else {}
    (config.out / "log.jsonl").unlink(missing_ok=True)  # of a killed attempt
    solving = 2 * len(numbers) * encoder.shape.width * (encoder.shape.width + store.dim)
    flops = kept.flops + solving
    cost = {
        "seconds": round(kept.seconds + seconds, 2),
        "samples_per_second": round(len(numbers) / max(kept.seconds + seconds, 1e-9), 1),
        "flops_per_sample": flops / len(numbers),
        "flops_total": flops,
        "frozen_features": kept.cost,
        "peak_memory_bytes": peak_memory(config.device),
    }
    modules: dict[str, nn.Module] = {"image": encoder, "scalars": scalars}
    facts: dict[str, Any] = {"steps": 1, "samples": len(numbers), "cost": cost, "validation": measured}
    with Trackers(config, 0) as trackers:
        with (config.out / "log.jsonl").open("w", encoding="utf-8") as log:
            entry = {"step": 1, "epoch": 1.0, "ridge_strength": chosen.strength, **measured}
            write_entry(log, trackers, entry)
        finish(config, modules, arm, dataset, store, trackers, **facts)


def mean_vectors(store: EmbeddingStore, texts: list[list[str]]) -> np.ndarray:
    """Mean of the vectors of each photo's texts, at unit length: float32 (n, D)."""
    flat = store.vectors([text for own in texts for text in own])
    starts = np.cumsum([0, *(len(own) for own in texts)])[:-1]
    sums = np.add.reduceat(flat, starts, axis=0)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(min=1e-12)
