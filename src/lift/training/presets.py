"""Presets of `lift train`: what fills the options that are left away."""

from __future__ import annotations

from typing import Any

#: Smallest first. Batch and learning rate of `paper-b16` are those of arXiv 2506.04209; the others are ours.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "image_encoder": "vit-nano",
        "epochs": 2,
        "batch_size": 32,
        "lr": 1e-3,
        "warmup": 10,
        "min_crop": 0.9,
    },
    "demo": {
        "image_encoder": "vit-micro-deep",
        "epochs": 30,
        "batch_size": 128,
        "lr": 1e-3,
        "warmup": 100,
        "min_crop": 0.8,
    },
    "small": {
        "image_encoder": "vit-mini-conv",
        "epochs": 60,
        "batch_size": 256,
        "lr": 1e-3,
        "warmup": 200,
        "min_crop": 0.4,
    },
    "medium": {
        "image_encoder": "vit-s16",
        "epochs": 30,
        "batch_size": 1024,
        "lr": 1e-3,
        "warmup": 500,
        "min_crop": 0.5,
    },
    "paper-b16": {
        "image_encoder": "vit-b16",
        "epochs": 1,
        "batch_size": 16384,
        "lr": 1e-3,
        "warmup": 500,
        "min_crop": 0.9,
    },
}
