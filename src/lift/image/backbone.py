"""Vision models of the transformers library as the body of an image encoder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lift.errors import LiftError

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
POOLINGS = ("mean", "cls", "pooler")


class Family(NamedTuple):
    """Where things are in the vision models of one `model_type`.

    `blocks` is the path of its list of blocks (* runs over stages), `prefix` the number of tokens before the
    patches, `mean_std` its usual normalisation, taken when a folder says nothing of its own.
    """

    model: str
    blocks: str
    mean_std: tuple[tuple[float, float, float], tuple[float, float, float]]
    prefix: int = 1
    own_positions: bool = True  # a learnt table of positions, which belongs to one image size
    has_cls: bool = True


FAMILIES: dict[str, Family] = {
    "vit": Family("ViTModel", "layers", HALF),
    "dinov2": Family("Dinov2Model", "encoder.layer", IMAGENET),
    "dinov2_with_registers": Family("Dinov2WithRegistersModel", "encoder.layer", IMAGENET),
    "dinov3_vit": Family("DINOv3ViTModel", "model.layer", IMAGENET, own_positions=False),
    "dinov3_convnext": Family("DINOv3ConvNextModel", "model.stages.*.layers", IMAGENET, own_positions=False),
    "convnext": Family(
        "ConvNextModel", "encoder.stages.*.layers", IMAGENET, 0, own_positions=False, has_cls=False
    ),
    "convnextv2": Family(
        "ConvNextV2Model", "encoder.stages.*.layers", IMAGENET, 0, own_positions=False, has_cls=False
    ),
    "clip_vision_model": Family("CLIPVisionModel", "encoder.layers", CLIP),
    "siglip_vision_model": Family("SiglipVisionModel", "encoder.layers", HALF, 0, has_cls=False),
}


@dataclass(frozen=True)
class BackboneShape:
    """Everything but the weights of a pre-trained backbone; all fields together rebuild it without its folder.

    `config` is transformers' configuration as JSON (a string, so that a shape can be the key of a cache);
    `source` and `weights` say where it came from and the hash of its files.
    """

    family: str
    config: str
    width: int
    depth: int
    patch: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pooling: str = "mean"
    source: str = ""
    weights: str = ""

    def asdict(self) -> dict[str, Any]:
        """As it stands in checkpoint.json, the configuration readable."""
        return {**self.__dict__, "config": json.loads(self.config)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> BackboneShape:
        """The inverse of `asdict`, from JSON."""
        settled = {"mean": tuple(value["mean"]), "std": tuple(value["std"])}
        return cls(**{**value, **settled, "config": json.dumps(value["config"], sort_keys=True)})


def shape_of(config: Any, **facts: Any) -> BackboneShape:
    """The shape of a transformers vision configuration; `facts` are the fields it does not tell."""
    stages = getattr(config, "depths", None)
    passing = ("dtype", "transformers_version", "model_type", "architectures")
    fields = {k: v for k, v in config.to_diff_dict().items() if k not in passing}
    # Vectors must not depend on chance, and frozen parts must be the same in training as afterwards.
    fields |= {k: 0.0 for k in config.to_dict() if re.search("dropout|drop_path", k)}
    if config.model_type == "dinov3_vit":  # it shakes its positions while in training mode
        fields |= {f"pos_embed_{what}": None for what in ("shift", "jitter", "rescale")}
    if stages:
        width, depth = config.hidden_sizes[-1], sum(stages)
        patch = getattr(config, "patch_size", 4) * 2 ** (len(stages) - 1)
    else:
        width, depth, patch = config.hidden_size, config.num_hidden_layers, config.patch_size
        patch = patch if isinstance(patch, int) else max(patch)
    return BackboneShape(
        family=config.model_type,
        config=json.dumps(fields, sort_keys=True, default=str),
        width=int(width),
        depth=int(depth),
        patch=int(patch),
        **facts,
    )


def check_pooling(family: str, pooling: str) -> None:
    """LiftError when this family has no such pooled vector."""
    known = FAMILIES[family]
    if pooling not in POOLINGS or (pooling == "cls" and not known.has_cls):
        have = ", ".join(p for p in POOLINGS if p != "cls" or known.has_cls)
        raise LiftError(f"a {family} backbone has no pooling {pooling!r}", f"give --image-pooling {have}")


class Backbone(nn.Module):
    """A transformers vision model whose tokens become one vector; weights are random until loaded."""

    def __init__(self, shape: BackboneShape, image_size: int) -> None:
        """`image_size`: a learnt table of positions is built for this many pixels."""
        super().__init__()
        import transformers

        known = FAMILIES[shape.family]
        settings = json.loads(shape.config)
        if known.own_positions:
            settings["image_size"] = image_size
        if shape.family == "siglip_vision_model":
            settings["vision_use_head"] = shape.pooling == "pooler"
        config = transformers.AutoConfig.for_model(shape.family, **settings)
        extra = {"add_pooling_layer": shape.pooling == "pooler"} if shape.family == "vit" else {}
        self.model = getattr(transformers, known.model)(config, **extra).float().eval()
        self.family, self.pooling = shape.family, shape.pooling
        self.prefix = known.prefix + int(getattr(config, "num_register_tokens", 0) or 0)
        self.blocks = block_names(self.model, known.blocks)

    def tokens(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B T W"]:
        """States of the patches after the last norm; images normalised."""
        return self._all_tokens(images)[:, self.prefix :]

    def _all_tokens(self, images: Tensor) -> Tensor:
        states = self.model(pixel_values=images).last_hidden_state
        if self.family == "clip_vision_model":  # transformers gives CLIP's tokens before their last norm
            return self.model.post_layernorm(states)
        if states.ndim == 4:  # ConvNeXt: (B, W, H, W)
            return self.model.layernorm(states.flatten(2).transpose(1, 2))
        return states

    def forward(self, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B W"]:
        """One vector per normalised image: mean of the patch tokens, class token, or the model's own pooling.

        ConvNeXt's mean is the one it was trained with: the last norm comes after the mean.
        """
        if self.pooling == "pooler" or self.family in ("convnext", "convnextv2"):
            return self.model(pixel_values=images).pooler_output
        if self.pooling == "cls":
            return self._all_tokens(images)[:, 0]
        return self.tokens(images).mean(1)

    def level_of(self, name: str) -> int:
        """Depth of a parameter of `model`: 0 embeddings, 1.. blocks, number of blocks + 1 what comes after."""
        for number, block in enumerate(self.blocks, 1):
            if name.startswith(block + "."):
                return number
        stage = re.match(r"(.*stages\.)(\d+)\.", name)
        if stage:  # the convolution that halves the image before a stage belongs to its first block
            first = f"{stage[1]}{stage[2]}."
            number = next(n for n, block in enumerate(self.blocks, 1) if block.startswith(first))
            return 0 if self.family == "dinov3_convnext" and stage[2] == "0" else number
        return 0 if name.startswith(("embeddings.", "pre_layrnorm.")) else len(self.blocks) + 1


def block_names(model: nn.Module, path: str) -> list[str]:
    """Names of the blocks under `path`, in order of depth."""
    if "*" not in path:
        return [f"{path}.{number}" for number in range(len(model.get_submodule(path)))]  # type: ignore[arg-type]
    before, after = path.split(".*")
    stages = range(len(model.get_submodule(before)))  # type: ignore[arg-type]
    return [name for stage in stages for name in block_names(model, f"{before}.{stage}{after}")]


@torch.no_grad()
def resized_positions(model: Any, image_size: int, patch: int) -> tuple[str, Tensor]:
    """Name and table of a pre-trained model's positions at `image_size`, by transformers' own interpolation."""
    embeddings = model.embeddings
    side = image_size // patch
    name = next(n for n, _ in embeddings.named_parameters() if n.startswith("position_embedding"))
    table = embeddings.get_parameter(name)
    own = min(1, FAMILIES[model.config.model_type].prefix)  # the class token has a place of its own
    tokens = torch.zeros(1, side * side + own, table.shape[-1])  # only its shape is looked at
    resized = embeddings.interpolate_pos_encoding(tokens, image_size, image_size)
    return f"embeddings.{name}", resized.reshape(*table.shape[:-2], -1, table.shape[-1]).clone()
