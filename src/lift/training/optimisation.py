"""Learning rate, optimiser and number format of a run."""

from __future__ import annotations

import math
from itertools import groupby

import torch
from torch import nn

from lift.errors import LiftError
from lift.image import ImageEncoder
from lift.training.config import TrainConfig

#: Parts of names of parameters with two or more axes that are no matrices: positions, tokens, ConvNeXt V2's gains.
UNDECAYED = ("position", "token", "class_embedding", ".grn.", "probe")


def diverged(step: int) -> LiftError:
    """What to tell when the numbers are no longer finite."""
    return LiftError(
        f"the loss is no longer finite at step {step}",
        "lower --lr, lengthen --warmup or use --precision fp32, with another --out",
    )


def warmup_steps(warmup: int, steps: int) -> int:
    """Steps in which the learning rate rises: those asked for, but at most a fifth of the run."""
    return min(warmup, max(1, steps // 5))


def learning_rate(step: int, steps: int, *, peak: float, warmup: int) -> float:
    """Linear from 0 to `peak` over `warmup` steps, then along a cosine to 0 at `steps`."""
    warmup = warmup_steps(warmup, steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_optimiser(modules: dict[str, nn.Module], config: TrainConfig) -> torch.optim.AdamW:
    """AdamW as CLIP and LIFT set it (β 0.9 / 0.98, eps 1e-6); decay on matrices only.

    With layer_decay the image encoder's parameters of depth L below its head have `lr_scale` layer_decay^L
    (BEiT, arXiv 2106.08254); without it there are two groups, decayed and free.
    """
    decayed: dict[float, list[nn.Parameter]] = {1.0: []}
    free: dict[float, list[nn.Parameter]] = {1.0: []}
    for module in modules.values():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                scale = 1.0
                if isinstance(module, ImageEncoder):
                    scale = config.layer_decay ** (module.shape.depth + 1 - module.level_of(name))
                matrix = parameter.ndim >= 2 and not any(part in name for part in UNDECAYED)
                (decayed if matrix else free).setdefault(scale, []).append(parameter)
    groups = [
        {"params": alike, "weight_decay": decay, "lr_scale": scale}
        for kind, decay in ((decayed, config.weight_decay), (free, 0.0))
        for scale, found in kind.items()
        for alike in runs_of_a_type(found)
    ]
    return torch.optim.AdamW(groups, lr=config.lr or 0.0, betas=(0.9, 0.98), eps=1e-6, fused=True)


def runs_of_a_type(parameters: list[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Neighbours of one type together: the fused step takes no shards beside whole tensors. The order stays."""
    if not parameters:
        return [[]]
    return [list(run) for _, run in groupby(parameters, key=type)]


def autocast(config: TrainConfig) -> torch.autocast:
    """bf16 where the configuration says so."""
    return torch.autocast(config.device.split(":")[0], torch.bfloat16, enabled=config.precision == "bf16")
