"""Retrieval on the validation split while a run goes on."""

from __future__ import annotations

import numpy as np
import torch

from lift.data import Dataset
from lift.errors import LiftError
from lift.image import ImageEncoder
from lift.metrics import recall_at_k
from lift.training.arms import Arm
from lift.training.config import TrainConfig
from lift.training.features import Features
from lift.training.optimisation import autocast, diverged

VALIDATION_PHOTOS = 1000


def validation_photos(dataset: Dataset, config: TrainConfig) -> np.ndarray:
    """Row numbers of the photos to validate on; LiftError when there are none."""
    rows = enumerate(dataset.rows)
    usable = np.array([n for n, row in rows if row.split == config.val_split and row.texts], dtype=np.int64)
    if not len(usable):
        raise LiftError(
            f"no photo of split {config.val_split!r} in {dataset.folder} has a text",
            "ingest again with a larger --val-fraction, choose another --val-split, or train with --validations 0",
        )
    return usable[:VALIDATION_PHOTOS]


def seen_photos(dataset: Dataset, numbers: np.ndarray, config: TrainConfig) -> np.ndarray:
    """Row numbers of all photos that a run looks at: the training photos `numbers`, and those to validate on."""
    return np.concatenate([numbers, validation_photos(dataset, config)]) if config.validations else numbers


def validate(
    encoder: ImageEncoder,
    arm: Arm,
    dataset: Dataset,
    config: TrainConfig,
    step: int,
    kept: Features | None = None,
) -> dict[str, float]:
    """Five-caption retrieval on at most 1,000 photos of the validation split: recall in percent.

    Short captions, as in `lift evaluate`; a photo that has none takes its long ones. `kept`: vectors of the frozen
    body, so that only the head is computed.
    """
    numbers = validation_photos(dataset, config)
    captions = [(dataset.rows[n].captions or dataset.rows[n].texts)[:5] for n in numbers]
    texts = [text for five in captions for text in five]
    owner = [i for i, five in enumerate(captions) for _ in five]
    features = []
    with torch.inference_mode(), autocast(config):
        for start in range(0, len(numbers), 256):
            if kept is not None:
                pooled = kept.rows(numbers[start : start + 256]).to(config.device)
                features.append(encoder.from_pooled(pooled).float().cpu())
                continue
            pixels = torch.from_numpy(dataset.pixels[numbers[start : start + 256]]).to(config.device)
            features.append(encoder(pixels.permute(0, 3, 1, 2).float().div_(255)).float().cpu())
    images = torch.cat(features)
    if not torch.isfinite(images).all():
        raise diverged(step)
    recall = recall_at_k(images.numpy(), arm.encode(texts), np.array(owner))
    return {f"val/{name}": round(value, 3) for name, value in recall.items()}
