"""Learning rate, optimiser and number format of a run."""

from __future__ import annotations

import math

import torch
from torch import nn

from lift.errors import LiftError
from lift.training.config import TrainConfig


def diverged(step: int) -> LiftError:
    """What to tell when the numbers are no longer finite."""
    return LiftError(
        f"the loss is no longer finite at step {step}",
        "lower --lr, lengthen --warmup or use --precision fp32, with another --out",
    )


def learning_rate(step: int, steps: int, *, peak: float, warmup: int) -> float:
    """Linear from 0 to `peak` over `warmup` steps, then along a cosine to 0 at `steps`."""
    warmup = min(warmup, max(1, steps // 5))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_optimiser(modules: dict[str, nn.Module], config: TrainConfig) -> torch.optim.AdamW:
    """AdamW as CLIP and LIFT set it (β 0.9 / 0.98, eps 1e-6); decay on matrices only."""
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for module in modules.values():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                matrix = parameter.ndim >= 2 and name not in ("positions", "tokens.weight")
                (decayed if matrix else free).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.lr or 0.0, betas=(0.9, 0.98), eps=1e-6, fused=True)


def autocast(config: TrainConfig) -> torch.autocast:
    """bf16 where the configuration says so."""
    return torch.autocast(config.device.split(":")[0], torch.bfloat16, enabled=config.precision == "bf16")
