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
from lift.training.optimisation import autocast

VALIDATION_PHOTOS = 1000


def validation_photos(dataset: Dataset, config: TrainConfig) -> np.ndarray:
    """Row numbers of the photos to validate on; LiftError when there are none."""
    numbers = dataset.split(config.val_split)
    usable = np.array([n for n in numbers if dataset.rows[n].texts], dtype=np.int64)[:VALIDATION_PHOTOS]
    if not len(usable):
        raise LiftError(
            f"no photo of split {config.val_split!r} in {dataset.folder} has a text",
            "choose another --val-split, or train with --validations 0",
        )
    return usable


def validate(encoder: ImageEncoder, arm: Arm, dataset: Dataset, config: TrainConfig) -> dict[str, float]:
    """Five-caption retrieval on at most 1,000 photos of the validation split: recall in percent."""
    numbers = validation_photos(dataset, config)
    texts = [text for n in numbers for text in dataset.rows[n].texts[:5]]
    owner = [i for i, n in enumerate(numbers) for _ in dataset.rows[n].texts[:5]]
    features = []
    with torch.inference_mode(), autocast(config):
        for start in range(0, len(numbers), 256):
            pixels = torch.from_numpy(dataset.pixels[numbers[start : start + 256]]).to(config.device)
            features.append(encoder(pixels.permute(0, 3, 1, 2).float().div_(255)).float().cpu())
    recall = recall_at_k(torch.cat(features).numpy(), arm.encode(texts), np.array(owner))
    return {f"val/{name}": round(value, 3) for name, value in recall.items()}
