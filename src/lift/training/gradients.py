"""Forward and backward of one step: in one go, in parts, over one process or many. The gradients are the same.

A loss with negatives couples the rows of a batch, so that parts of it have no loss of their own. What can be cut is the
encoders' work (GradCache, arXiv 2101.06983): the features of all parts without gradient, the loss of the whole batch on
them, and then each part once more, with the gradient that arrived at its features.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lift.image import ImageEncoder
from lift.losses import Loss
from lift.training.arms import Arm, Scalars
from lift.training.batches import Batch
from lift.training.config import TrainConfig
from lift.training.cost import forward_flops, loss_flops, step_flops
from lift.training.negatives import gather
from lift.training.optimisation import autocast
from lift.training.parallel import Ranks
from lift.training.sharding import Placement


class Part(NamedTuple):
    """Some rows of this process: what the image encoder is given, the numbers of their texts (n,)."""

    images: Tensor
    texts: np.ndarray


class Gradients:
    """Computes the gradients of a step."""

    def __init__(
        self,
        placement: Placement,
        arm: Arm,
        loss: Loss,
        scalars: Scalars,
        config: TrainConfig,
        ranks: Ranks,
    ) -> None:
        self.placement, self.arm, self.loss, self.scalars = placement, arm, loss, scalars
        self.config, self.ranks = config, ranks
        self.coupled = loss.knows_negatives  # rows of a batch meet as negatives, and nowhere else

    def of_step(self, batch: Batch) -> Tensor:
        """Add the gradients of a step to the parameters; returns the loss of the whole batch.

        `batch` holds the crops of this process's rows, and the texts and negatives of all.
        """
        if not batch.agreed:
            false = None if batch.negatives is None else self.ranks.rows_of_all(batch.negatives)
            batch = batch._replace(texts=self.ranks.rows_of_all(batch.texts), negatives=false)
        mine = batch.texts[self.ranks.rows(len(batch.texts))]
        parts = [
            Part(images, texts)
            for images, texts in zip(
                torch.tensor_split(batch.images, self.config.accumulate),
                np.array_split(mine, self.config.accumulate),
                strict=True,
            )
        ]
        if not self.coupled:
            return self._row_by_row(parts, len(batch.texts))
        if len(parts) == 1:
            value = self._loss_of_batch(self._features(parts[0]), batch)
            value.backward()
        else:
            value = self._in_two_passes(parts, batch)
        for parameter in self.scalars.parameters():
            if self.ranks.count > 1 and parameter.grad is not None:  # the same in all, up to the last digit
                self.ranks.total(parameter.grad).div_(self.ranks.count)
        return value

    def _in_two_passes(self, parts: list[Part], batch: Batch) -> Tensor:
        with torch.no_grad():
            first = [self._features(part) for part in parts]
        mine = [torch.cat(column).requires_grad_() for column in zip(*first, strict=True)]
        value = self._loss_of_batch(mine, batch)
        value.backward()
        arrived = zip(*(torch.tensor_split(part_of.grad, len(parts)) for part_of in mine), strict=True)  # type: ignore[arg-type]
        for part, gradients in zip(self._one_by_one(parts), arrived, strict=True):
            learnt = [n for n in zip(self._features(part), gradients, strict=True) if n[0].requires_grad]
            torch.autograd.backward(
                [features for features, _ in learnt], [gradient for _, gradient in learnt]
            )
        return value.detach()

    def _row_by_row(self, parts: list[Part], total: int) -> Tensor:
        """The mean over rows that do not meet: nothing is gathered, and no second pass is needed."""
        value = torch.zeros((), device=self.config.device)
        for part in self._one_by_one(parts):
            image_features, *text_features = self._features(part)
            known = text_features[0] if text_features else self.arm.text_features(part.texts)
            ids = torch.from_numpy(part.texts).to(self.config.device)
            share = self.loss.function(image_features, known, ids, *self._numbers())
            share = share * (len(part.texts) / total)
            (share * self.ranks.count).backward()
            value += share.detach()
        return self.ranks.total(value)

    def _one_by_one(self, parts: list[Part]) -> Iterator[Part]:
        """The parts; what they leave in the gradients is sent with the last one."""
        for number, part in enumerate(parts, 1):
            with self.placement.unsent(number < len(parts)):
                yield part

    def _features(self, part: Part) -> list[Tensor]:
        """Image features of a part, and text features if their tower learns."""
        with autocast(self.config):
            found = [self.placement.encode(part.images)]
            if self.arm.tower is not None:
                found.append(self.arm.text_features(part.texts))
        return found

    def _loss_of_batch(self, mine: list[Tensor], batch: Batch) -> Tensor:
        """The loss of the whole batch, of this process's features and those of the others."""
        image_features, *text_features = (self.ranks.gather(one, len(batch.texts)) for one in mine)
        known = text_features[0] if text_features else self.arm.text_features(batch.texts)
        ids = torch.from_numpy(batch.texts).to(self.config.device)
        more: dict[str, Any] = {}
        if self.config.mask_similar is not None:
            more["similar"] = self.config.mask_similar
        if batch.negatives is not None:
            more["own"] = gather(self.arm, batch.negatives, self.config.device)
        value: Tensor = self.loss.function(image_features, known, ids, *self._numbers(), **more)
        return value

    def _numbers(self) -> tuple[Tensor, Tensor]:
        return self.scalars.log_scale.exp(), self.scalars.bias

    def flops(self, batch: Batch) -> int:
        """Of a step in all processes together, whatever is computed twice included."""
        encoder, size = self.placement.home["image"], len(batch.texts)
        assert isinstance(encoder, ImageEncoder)
        own = 0 if batch.negatives is None else batch.negatives.shape[1]
        masked, kept = self.config.mask_similar is not None, batch.images.ndim == 2
        weighed = self.config.hard_negatives if self.config.hard_weight else 0
        parts = [rows for rank in self.ranks.parts(size, self.config.accumulate) for rows in rank]
        texts = [bucket for rows in parts for bucket in self.arm.computed(batch.texts[rows])]
        found = step_flops(
            encoder,
            size,
            self.config.loss,
            self.arm.tower,
            texts,
            kept=kept,
            own=own,
            masked=masked,
            weighed=weighed,
            recomputed=self.config.checkpointing,
        )
        if self.coupled and self.config.accumulate > 1:
            found += forward_flops(encoder, size, self.arm.tower, texts, kept=kept)
        if self.coupled and self.ranks.count > 1:  # every process computes the loss of all
            learns = self.arm.tower is not None
            once = loss_flops(
                size, encoder.dim, self.config.loss, own=own, masked=masked, weighed=weighed, learns=learns
            )
            found += (self.ranks.count - 1) * once
        return found
