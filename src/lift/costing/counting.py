"""FLOPs of a step by caption length, counted, and the point where the offline text pass has paid."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lift.image import ImageEncoder, ViTShape, encoder_shape
from lift.text import TextTower, train_tokenizer
from lift.training.cost import step_flops

VOCABULARY = 300  # embeddings are looked up, not multiplied: their number changes no FLOPs


@dataclass(frozen=True)
class StepSize:
    """What a step computes: image tower, pixels, photos, length of the vectors, width of CLIP's text tower."""

    image_encoder: str
    image_size: int
    batch: int
    dim: int
    text_width: int

    @property
    def shape(self) -> ViTShape:
        """The image tower's; also the depth of the text tower."""
        shape = encoder_shape(self.image_encoder)
        assert isinstance(shape, ViTShape)
        return shape

    def image_tower(self) -> ImageEncoder:
        """Built where torch builds things now (the meta device costs nothing)."""
        return ImageEncoder(self.shape, image_size=self.image_size, dim=self.dim)

    def text_tower(self, context: int) -> TextTower:
        """CLIP's text tower, as `lift train --method clip` builds it."""
        tokenizer = train_tokenizer(["a few words to fit a vocabulary"], vocabulary=VOCABULARY)
        return TextTower(
            tokenizer, width=self.text_width, depth=self.shape.depth, dim=self.dim, context=context
        )


def counted_flops(size: StepSize, tokens: int) -> float:
    """FLOPs per photo of a training step; `tokens` per text of CLIP's tower, 0 for LIFT."""
    with torch.device("meta"):
        encoder = size.image_tower()
        tower = size.text_tower(max(tokens, 8)) if tokens else None
    return step_flops(encoder, size.batch, "contrastive", tower, ((size.batch, tokens),)) / size.batch


def break_even(offline: float, lift: float, clip: float) -> float | None:
    """Samples after which the offline text pass (FLOPs) is paid by cheaper steps (FLOPs per sample); None: never."""
    return offline / (clip - lift) if clip > lift else None
