"""How fast this machine trains, measured before a run, so that epochs can be fitted into minutes."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from lift.errors import LiftError
from lift.image import ImageEncoder, encoder_shape
from lift.losses import LOSSES
from lift.training.config import TrainConfig
from lift.training.optimisation import autocast
from lift.training.presets import PRESETS
from lift.training.resolving import resolve

# A run of CLIP against one of LIFT, short and long texts mixed, on the drawn scenes: 2.16 by the clock on two quiet
# cores with two threads (1.46 by processor time of one: small text batches gain little from a second thread).
CLIP_SLOWER = 2.2
IN_TRAINING = 0.9  # samples per second of a run against the fastest bare step


def measure_speed(preset: str, size: int, image_encoder: str | None = None) -> float:
    """LIFT training samples per second of the image encoder on this machine, from the fastest of eight steps.

    size: pixels of a photo's side. image_encoder: another one than the preset's.
    """
    if preset not in PRESETS:
        raise LiftError(f"there is no preset {preset!r}", f"known: {', '.join(PRESETS)}")
    place = Path()
    chosen = resolve(
        TrainConfig(images=place, texts=place, out=Path("run"), preset=preset, image_encoder=image_encoder)
    )
    batch = min(chosen.batch_size or 0, 128)
    encoder = ImageEncoder(encoder_shape(chosen.image_encoder or ""), image_size=size, dim=384)
    optimiser = torch.optim.AdamW(encoder.parameters(), fused=True)
    images, text = torch.rand(batch, 3, size, size), torch.eye(batch, 384)
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        with autocast(chosen):
            features = encoder(images)
        value = LOSSES["contrastive"].function(
            features, text, torch.arange(batch), torch.tensor(10.0), torch.tensor(0.0)
        )
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - began)
    return batch / min(seconds)
