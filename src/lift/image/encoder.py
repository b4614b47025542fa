"""ImageEncoder: a body, its mean patch token, and a head into the text space (LIFT, arXiv 2506.04209, §3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lift.errors import LiftError
from lift.image.backbone import Backbone, BackboneShape
from lift.image.vit import MEAN, STD, Block, ViTShape, conv_stem


def mlp_head(width: int, dim: int) -> nn.Sequential:
    """Linear-GELU-Linear, as the paper."""
    return nn.Sequential(nn.Linear(width, dim), nn.GELU(), nn.Linear(dim, dim))


def linear_head(width: int, dim: int) -> nn.Linear:
    """One matrix."""
    return nn.Linear(width, dim)


def mlp_norm_head(width: int, dim: int) -> nn.Sequential:
    """LayerNorm, then Linear-GELU-Linear: for bodies whose vectors are of any size."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, dim), nn.GELU(), nn.Linear(dim, dim))


class WordsHead(nn.Module):
    """One number per word: by how much the photo makes it more likely than photos in general, in nats.

    log softmax of a linear map, minus `log_prior`, what a guess without the photo gives (SuperClass, arXiv 2411.03313,
    has the linear map and the softmax).
    """

    log_prior: Tensor

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, dim)
        self.register_buffer("log_prior", torch.full((dim,), -math.log(dim)))

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, W) -> (B, V)."""
        return F.log_softmax(self.linear(pooled).float(), dim=-1) - self.log_prior


def no_head(width: int, dim: int) -> nn.Identity:
    """The body's vector itself; LiftError unless the space is as wide as it."""
    if width != dim:
        raise LiftError(f"without a head {width} numbers cannot become {dim}", "choose another head")
    return nn.Identity()


HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "mlp": mlp_head,
    "linear": linear_head,
    "mlp-norm": mlp_norm_head,
    "none": no_head,
    "words": WordsHead,
}


class ImageEncoder(nn.Module):
    """Body (a ViT of ours or a pre-trained backbone), pooling, head, unit length. Normalises the pixels itself."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, shape: ViTShape | BackboneShape, *, image_size: int, dim: int, head: str = "mlp"
    ) -> None:
        """`image_size` in pixels (a multiple of the patch), `dim` = length of the text vectors."""
        super().__init__()
        if image_size % shape.patch:
            raise LiftError(
                f"an image size of {image_size} px is no multiple of the patch of {shape.patch} px",
                f"ingest with --size {max(1, round(image_size / shape.patch)) * shape.patch}, "
                "or choose another encoder",
            )
        if head not in HEADS:
            raise LiftError(f"there is no head {head!r}", f"known: {', '.join(HEADS)}")
        self.shape, self.image_size, self.dim, self.head_name, self.tune = (
            shape,
            image_size,
            dim,
            head,
            "full",
        )
        self.origin: dict[str, Any] | None = None  # where pre-trained weights came from
        pretrained = isinstance(shape, BackboneShape)
        mean, std = (shape.mean, shape.std) if isinstance(shape, BackboneShape) else (MEAN, STD)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.backbone: Backbone | None = Backbone(shape, image_size) if pretrained else None  # type: ignore[arg-type]
        if isinstance(shape, ViTShape):
            self._build_vit(shape)
        self.head = HEADS[head](shape.width, dim)

    def _build_vit(self, shape: ViTShape) -> None:
        side = self.image_size // shape.patch
        self.stem: nn.Module
        if shape.stem in ("conv", "deep"):
            self.stem = conv_stem(shape.width, shape.patch, deep=shape.stem == "deep")
        else:
            self.stem = nn.Conv2d(3, shape.width, shape.patch, stride=shape.patch)
        self.positions = nn.Parameter(torch.randn(side * side, shape.width) * 0.02)
        self.blocks = nn.ModuleList([Block(shape.width, shape.heads) for _ in range(shape.depth)])
        self.norm = nn.LayerNorm(shape.width)

    @property
    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs to build the same encoder."""
        shape = self.shape.asdict() if isinstance(self.shape, BackboneShape) else asdict(self.shape)
        head = {} if self.head_name == "mlp" else {"head": self.head_name}
        return {"shape": shape, "image_size": self.image_size, "dim": self.dim, **head}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> ImageEncoder:
        """The inverse of `settings`; a backbone is built from its configuration, its folder is not needed."""
        fields = settings["shape"]
        shape = BackboneShape.from_dict(fields) if "family" in fields else ViTShape(**fields)
        return cls(
            shape,
            image_size=settings["image_size"],
            dim=settings["dim"],
            head=settings.get("head", "mlp"),
        )

    def patch_features(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B T W"]:
        """Token states after the last norm; images in 0..1."""
        pixels = (images - self.mean) / self.std
        return self.backbone.tokens(pixels) if self.backbone is not None else self._vit_tokens(pixels)

    def _vit_tokens(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def body(self, pixels: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B W"]:
        """The body's one vector per normalised image, before the head."""
        return self.backbone(pixels) if self.backbone is not None else self._vit_tokens(pixels).mean(1)

    def pooled(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B W"]:
        """The body's one vector per image (in 0..1), before the head."""
        return self.body((images - self.mean) / self.std)

    def from_pooled(self, pooled: Float[Tensor, "B W"]) -> Float[Tensor, "B D"]:
        """Unit vectors of what `pooled` gave: the head alone."""
        return F.normalize(self.head(pooled).float(), dim=-1)

    def forward(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Unit vectors of images in 0..1."""
        return self.from_pooled(self.pooled(images))

    def level_of(self, name: str) -> int:
        """Depth of a parameter: 0 for what meets the pixels, 1.. for the blocks, depth + 1 for last norm and head."""
        if name.startswith("backbone.model.") and self.backbone is not None:
            return self.backbone.level_of(name.removeprefix("backbone.model."))
        if name.startswith("blocks."):
            return int(name.split(".")[1]) + 1
        return 0 if name.startswith(("stem.", "positions")) else self.shape.depth + 1
