"""Alignment losses on unit vectors: pure functions of one batch.

All take image_features (B, D), text_features (B, D) of unit length, text_ids (B,) telling which texts are the
same string, and the scalars logit_scale (already exponentiated) and logit_bias; all return a scalar.
Row i of the images belongs to row i of the texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

MAX_LOGIT_SCALE = 100.0


def false_negative_mask(text_ids: Int[Tensor, " B"]) -> Bool[Tensor, "B B"]:
    """True where pair (i, j), i != j, would be a false negative: text j is the very string of text i."""
    same = text_ids[:, None] == text_ids[None, :]
    return same & ~torch.eye(len(text_ids), dtype=torch.bool, device=text_ids.device)


def cosine_loss(
    image_features: Float[Tensor, "B D"],
    text_features: Float[Tensor, "B D"],
    text_ids: Int[Tensor, " B"],
    logit_scale: Float[Tensor, ""],
    logit_bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Mean of 1 - cos over the pairs (LIFT, arXiv 2506.04209): no negatives, no coupling within the batch."""
    return (1 - (image_features * text_features).sum(-1)).mean()


def contrastive_loss(
    image_features: Float[Tensor, "B D"],
    text_features: Float[Tensor, "B D"],
    text_ids: Int[Tensor, " B"],
    logit_scale: Float[Tensor, ""],
    logit_bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE over the batch (CLIP, arXiv 2103.00020), identical texts taken out of the negatives.

    With 2,000 distinct captions 40 % of the rows of a batch of 1,024 would hold a false negative.
    """
    logits = logit_scale * image_features @ text_features.T
    logits = logits.masked_fill(false_negative_mask(text_ids), -math.inf)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def sigmoid_loss(
    image_features: Float[Tensor, "B D"],
    text_features: Float[Tensor, "B D"],
    text_ids: Int[Tensor, " B"],
    logit_scale: Float[Tensor, ""],
    logit_bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Pairwise sigmoid loss, summed over texts, mean over images (SigLIP, arXiv 2303.15343, algorithm 1)."""
    logits = logit_scale * image_features @ text_features.T + logit_bias
    sign = 2 * torch.eye(len(logits), device=logits.device, dtype=logits.dtype) - 1
    terms = -F.logsigmoid(sign * logits)
    return terms.masked_fill(false_negative_mask(text_ids), 0.0).sum() / len(logits)


class Loss(NamedTuple):
    """A loss with the starting values of its learnt scalars; `learns_scale` is off where it uses none."""

    function: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
    initial_scale: float
    initial_bias: float
    learns_scale: bool
    learns_bias: bool


LOSSES: dict[str, Loss] = {
    "cosine": Loss(cosine_loss, 1 / 0.07, 0.0, False, False),
    "contrastive": Loss(contrastive_loss, 1 / 0.07, 0.0, True, False),
    "sigmoid": Loss(sigmoid_loss, 10.0, -10.0, True, True),
}
