"""Alignment losses on unit vectors: pure functions of one batch.

All take image_features (B, D), text_features (B, D) of unit length, text_ids (B,) telling which texts are the
same string, and the scalars logit_scale (already exponentiated) and logit_bias; all return a scalar.
Row i of the images belongs to row i of the texts. Those that know negatives also take `own`, negatives that belong to
one image each, and `similar`, a cosine from which on two texts of the batch are too much alike to be negatives.
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


class OwnNegatives(NamedTuple):
    """Up to K false texts of each image of a batch: unit vectors (B, K, D), and which are there, bool (B, K)."""

    features: Tensor
    there: Tensor


def false_negative_mask(
    text_ids: Int[Tensor, " B"],
    text_features: Float[Tensor, "B D"] | None = None,
    similar: float | None = None,
) -> Bool[Tensor, "B B"]:
    """True where pair (i, j), i != j, would be a false negative: text j is the very string of text i.

    With `similar` also where the cosine of the two texts lies above it.
    """
    same = text_ids[:, None] == text_ids[None, :]
    if similar is not None:
        assert text_features is not None
        near = text_features.detach()
        same = same | (near @ near.T > similar)
    return same & ~torch.eye(len(text_ids), dtype=torch.bool, device=text_ids.device)


def own_logits(
    image_features: Float[Tensor, "B D"], own: OwnNegatives, logit_scale: Float[Tensor, ""]
) -> Float[Tensor, "B K"]:
    """logit_scale times the cosine of each image with each of its own negatives; what is not there is not masked."""
    return logit_scale * (own.features @ image_features[:, :, None]).squeeze(-1)


def own_loss(
    image_features: Float[Tensor, "B D"], text_features: Float[Tensor, "B D"], own: OwnNegatives
) -> Float[Tensor, ""]:
    """Each image's text against its own negatives alone: mean cross-entropy of 1 + K candidates at MAX_LOGIT_SCALE.

    A changed caption lies so near its text (cosine 0.9 to 0.98) that among a batch's candidates, at the scale that
    suits those, it adds next to nothing to the gradient; here it is the only rival. An image without negatives has
    one candidate and adds 0.
    """
    right = MAX_LOGIT_SCALE * (image_features * text_features).sum(-1, keepdim=True)
    wrong = own_logits(image_features, own, right.new_tensor(MAX_LOGIT_SCALE))
    candidates = torch.cat([right, wrong.masked_fill(~own.there, -math.inf)], dim=1)
    return F.cross_entropy(candidates, torch.zeros(len(right), dtype=torch.int64, device=right.device))


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
    own: OwnNegatives | None = None,
    similar: float | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE over the batch (CLIP, arXiv 2103.00020), identical texts taken out of the negatives.

    With 2,000 distinct captions 40 % of the rows of a batch of 1,024 would hold a false negative.
    `own` negatives stand beside the texts of the batch as candidates of their image (NegCLIP, arXiv 2210.01936);
    they have no image, so the direction from text to image is as without them.
    """
    logits = logit_scale * image_features @ text_features.T
    logits = logits.masked_fill(false_negative_mask(text_ids, text_features, similar), -math.inf)
    target = torch.arange(len(logits), device=logits.device)
    candidates = logits
    if own is not None:
        more = own_logits(image_features, own, logit_scale).masked_fill(~own.there, -math.inf)
        candidates = torch.cat([logits, more], dim=1)
    return (F.cross_entropy(candidates, target) + F.cross_entropy(logits.T, target)) / 2


def sigmoid_loss(
    image_features: Float[Tensor, "B D"],
    text_features: Float[Tensor, "B D"],
    text_ids: Int[Tensor, " B"],
    logit_scale: Float[Tensor, ""],
    logit_bias: Float[Tensor, ""],
    own: OwnNegatives | None = None,
    similar: float | None = None,
) -> Float[Tensor, ""]:
    """Pairwise sigmoid loss, summed over texts, mean over images (SigLIP, arXiv 2303.15343, algorithm 1).

    Each of an image's `own` negatives is one more text that is false of it.
    """
    logits = logit_scale * image_features @ text_features.T + logit_bias
    sign = 2 * torch.eye(len(logits), device=logits.device, dtype=logits.dtype) - 1
    terms = -F.logsigmoid(sign * logits)
    total = terms.masked_fill(false_negative_mask(text_ids, text_features, similar), 0.0).sum()
    if own is not None:
        more = -F.logsigmoid(-(own_logits(image_features, own, logit_scale) + logit_bias))
        total = total + more.masked_fill(~own.there, 0.0).sum()
    return total / len(logits)


def label_loss(
    image_features: Float[Tensor, "B V"],
    text_features: Float[Tensor, "B V"],
    text_ids: Int[Tensor, " B"],
    logit_scale: Float[Tensor, ""],
    logit_bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Words as labels (SuperClass, arXiv 2411.03313, §3): softmax cross-entropy against the weights of a text's words.

    The only loss whose image_features are no unit vectors: they are logits, one per word of the vocabulary.
    text_features are the words' weights (0 for those that the text lacks), brought here to sum to 1.
    """
    targets = text_features / text_features.sum(-1, keepdim=True)
    return -(targets * F.log_softmax(image_features.float(), dim=-1)).sum(-1).mean()


class Loss(NamedTuple):
    """A loss with the starting values of its learnt scalars; `learns_scale` is off where it uses none."""

    function: Callable[..., Tensor]
    initial_scale: float
    initial_bias: float
    learns_scale: bool
    learns_bias: bool
    knows_negatives: bool


LOSSES: dict[str, Loss] = {
    "cosine": Loss(cosine_loss, 1 / 0.07, 0.0, False, False, False),
    "contrastive": Loss(contrastive_loss, 1 / 0.07, 0.0, True, False, True),
    "sigmoid": Loss(sigmoid_loss, 10.0, -10.0, True, True, True),
    "labels": Loss(label_loss, 1 / 0.07, 0.0, False, False, False),  # of --method words alone
}


def with_cosine(loss: Loss, weight: float) -> Loss:
    """The loss plus `weight` times the cosine loss; the loss itself for a weight of 0."""
    if not weight:
        return loss

    def mixed(*batch: Tensor, **negatives: OwnNegatives | float | None) -> Tensor:
        total: Tensor = loss.function(*batch, **negatives) + weight * cosine_loss(*batch)
        return total

    return loss._replace(function=mixed)


def with_own(loss: Loss, weight: float, first: int) -> Loss:
    """The loss plus `weight` times `own_loss` over the `first` own negatives; for a weight of 0 the loss itself."""
    if not weight:
        return loss

    def mixed(*batch: Tensor, own: OwnNegatives, **more: float | None) -> Tensor:
        chosen = OwnNegatives(own.features[:, :first], own.there[:, :first])
        total: Tensor = loss.function(*batch, own=own, **more) + weight * own_loss(batch[0], batch[1], chosen)
        return total

    return loss._replace(function=mixed)
