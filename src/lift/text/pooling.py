"""From token states to one vector: mean, position-weighted mean, first and last token."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def pool(hidden: Tensor, mask: Tensor, how: Literal["mean", "weighted-mean", "last", "cls"]) -> Tensor:
    """Token states (B, T, D) where mask (B, T) is one, to (B, D) in float32; padding may be on either side.

    weighted-mean: the i-th of n tokens weighs i / (1 + … + n) (SGPT, arXiv 2202.08904, for causal models, whose late
    states have seen more of the text). last: the state of the last real token. cls: of the first.
    """
    hidden = hidden.float()
    if how == "last":
        last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    if how == "cls":
        return hidden[torch.arange(len(hidden), device=hidden.device), mask.argmax(1)]
    weight = mask if how == "mean" else mask.cumsum(1) * mask
    shares = weight / weight.sum(1, keepdim=True).clamp(min=1)
    return (hidden * shares[..., None]).sum(1)
