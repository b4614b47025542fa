"""The parts of the ViTs that are trained from scratch, and their known sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

MEAN, STD = (0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)  # of web photos, as CLIP uses


@dataclass(frozen=True)
class ViTShape:
    """Size of a ViT; `stem` is patch (one strided linear map), conv (early convolutions, for small data) or deep
    (more and wider ones, for a few minutes of training)."""

    width: int
    depth: int
    heads: int
    patch: int
    stem: str = "patch"


IMAGE_ENCODERS: dict[str, ViTShape] = {
    "vit-nano": ViTShape(64, 4, 2, 16),
    "vit-micro": ViTShape(128, 6, 2, 16),
    "vit-micro-conv": ViTShape(128, 6, 2, 16, "conv"),
    "vit-micro-deep": ViTShape(128, 3, 2, 16, "deep"),
    "vit-mini": ViTShape(192, 6, 3, 16),
    "vit-mini-conv": ViTShape(192, 6, 3, 16, "conv"),
    "vit-mini-conv8": ViTShape(192, 6, 3, 8, "conv"),
    "vit-ti16": ViTShape(192, 12, 3, 16),
    "vit-s16-conv": ViTShape(384, 6, 6, 16, "conv"),
    "vit-s16": ViTShape(384, 12, 6, 16),
    "vit-b16": ViTShape(768, 12, 12, 16),
    "vit-l16": ViTShape(1024, 24, 16, 16),
}


class Attention(nn.Module):
    """Multi-head self-attention over all tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, W) -> (B, T, W)."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def conv_stem(width: int, patch: int, *, deep: bool = False) -> nn.Sequential:
    """Strided 3x3 convolutions down to one token per patch (Early Convolutions, arXiv 2106.14881).

    Group norm instead of batch norm: a photo's vector must not depend on its batch. `deep`: twice as wide, and a
    second convolution of stride 1 behind each halving but the first (where it is dear) and the last.
    """
    halvings = patch.bit_length() - 1
    if 2**halvings != patch or halvings < 2:
        raise ValueError(f"the conv stem needs a patch of 4, 8, 16 or 32 pixels, got {patch}")
    layers: list[nn.Module] = []
    channels = 3
    for step in range(halvings):
        wide = max(32 if deep else 16, width >> max(0, halvings - 1 - deep - step))
        for stride in (2, 1) if deep and 0 < step < halvings - 1 else (2,):
            layers += [
                nn.Conv2d(channels, wide, 3, stride=stride, padding=1),
                nn.GroupNorm(1, wide),
                nn.GELU(),
            ]
            channels = wide
    return nn.Sequential(*layers, nn.Conv2d(channels, width, 1))
