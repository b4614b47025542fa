"""What can be chosen for a training run, and the presets that choose it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from lift.device import check_device
from lift.errors import LiftError
from lift.image import HEADS, BackboneShape, check_tune, encoder_shape
from lift.losses import LOSSES
from lift.negatives import HARD_KINDS, check_kinds

#: Smallest first. Batch and learning rate of `paper-b16` are those of arXiv 2506.04209; the others are ours.
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "image_encoder": "vit-nano",
        "epochs": 2,
        "batch_size": 32,
        "lr": 1e-3,
        "warmup": 10,
        "min_crop": 0.9,
    },
    "demo": {
        "image_encoder": "vit-micro-deep",
        "epochs": 30,
        "batch_size": 128,
        "lr": 1e-3,
        "warmup": 100,
        "min_crop": 0.8,
    },
    "small": {
        "image_encoder": "vit-mini-conv",
        "epochs": 60,
        "batch_size": 256,
        "lr": 1e-3,
        "warmup": 200,
        "min_crop": 0.4,
    },
    "medium": {
        "image_encoder": "vit-s16",
        "epochs": 30,
        "batch_size": 1024,
        "lr": 1e-3,
        "warmup": 500,
        "min_crop": 0.5,
    },
    "paper-b16": {
        "image_encoder": "vit-b16",
        "epochs": 1,
        "batch_size": 16384,
        "lr": 1e-3,
        "warmup": 500,
        "min_crop": 0.9,
    },
}


LEAST = {
    "epochs": 1,
    "batch_size": 2,
    "warmup": 0,
    "weight_decay": 0,
    "context": 8,
    "validations": 0,
    "hard_negatives": 0,
    "neighbours": 0,
    "checkpoint_steps": 1,
    "seed": 0,
}


@dataclass(frozen=True)
class TrainConfig:
    """Train an image encoder to land on text vectors (lift), or the CLIP baseline with its own text tower (clip).

    Kill it at any moment and run the same command again: it goes on, and on a CPU, with the same number of threads,
    the final weights are the same bytes as of an undisturbed run.
    """

    images: Path
    """The DATASET folder."""
    texts: str | Path
    """The STORE, a folder or fsspec URL, with the vectors of its texts (with --method clip only the dimension is
    taken from it)."""
    out: Path
    """The RUN folder to make."""
    preset: str = "small"
    """Starting point for the options below that are left at None: smoke, demo, small, medium, paper-b16."""
    method: Literal["lift", "clip"] = "lift"
    """lift: fixed text vectors. clip: same image tower, data order and steps, text transformer from scratch."""
    loss: str = "contrastive"
    """contrastive, cosine (lift only) or sigmoid."""
    cosine_weight: float = 0.0
    """Adds the cosine loss, times this weight, to a contrastive or sigmoid one."""
    hard_negatives: int = 0
    """lift: minimally changed, false captions per photo and step, beside the texts of the batch; `lift embed
    --hard-negatives` puts their vectors into the STORE."""
    hard_weight: float = 0.0
    """With --hard-negatives: adds, times this weight, a loss of its own in which a photo's text has to beat its changed
    captions alone, for instance 1."""
    hard_kinds: tuple[str, ...] = ()
    """Kinds of change to use, for instance order attribute number (see docs/rewording.md; default: all); pairs stands
    for the false texts of the DATASET's own pairs."""
    neighbours: int = 0
    """lift: for each text so many of the nearest training texts of other photos, as negatives beside the batch."""
    mask_similar: float | None = None
    """lift: texts of the batch, and neighbours, with a cosine above this to a photo's own text are no negatives of it,
    for instance 0.95. Changed captions stay: they are alike and yet false."""
    image_encoder: str | None = None
    """A ViT from scratch, for instance vit-mini-conv (see lift.image.IMAGE_ENCODERS), or a pre-trained backbone: the
    folder or hub id (org/model) of a transformers DINOv2/v3, ViT, ConvNeXt, CLIP or SigLIP vision model."""
    tune: str | None = None
    """What is trained: full, head, last:K (K blocks and what follows), lora:R (low-rank additions of rank R), or
    ridge (a linear head in closed form; loss, epochs and batch size have no say). Default: full from scratch, head
    for a pre-trained backbone."""
    head: str | None = None
    """Map from the image encoder's vector into the text space: mlp (default), linear, or mlp-norm."""
    image_pooling: Literal["mean", "cls", "pooler"] = "mean"
    """Pre-trained backbones: mean of the patch tokens, the class token, or the backbone's own pooling."""
    layer_decay: float = 1.0
    """Factor on the learning rate per block, from the head down to the pixels; 0.75 for a pre-trained backbone."""
    features: Path | None = None
    """Folder that keeps a frozen backbone's vectors, to share them between runs (default: inside the RUN)."""
    long_share: float | None = None
    """Share of the epochs in which a photo with short and long captions uses a long one (default: all its captions in
    turn)."""
    epochs: int | None = None
    """Passes over the training photos; each pass uses the next caption of every photo."""
    batch_size: int | None = None
    """Photos per step; also the number of candidates in the contrastive loss."""
    lr: float | None = None
    """Peak learning rate, reached after the warm-up and lowered to zero along a cosine."""
    warmup: int | None = None
    """Steps over which the learning rate rises from zero; at most a fifth of the run."""
    weight_decay: float = 0.2
    """AdamW weight decay; never on biases, norms, positions and scalars."""
    grad_clip: float = 1.0
    """Largest norm of the gradient."""
    min_crop: float | None = None
    """Smallest share of a photo that a random crop keeps; 1 turns cropping off (the paper: 0.9). Small crops hold
    off overfitting on a few thousand photos, and cut away what texts about counts and places speak of."""
    flip: bool = False
    """Mirror photos at random; wrong where texts speak of left and right."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on GPUs, and on CPUs that compute in bf16 for encoders from width 128 up."""
    text_width: int | None = None
    """clip: width of the text tower (default: two thirds of the image tower's, as in CLIP B/16)."""
    context: int | None = None
    """clip: tokens that the text tower reads (default: the longest training text, at least 77, at most 256)."""
    train_split: str = "train"
    """Split that is trained on."""
    val_split: str = "val"
    """Split of the validation during training."""
    validations: int = 10
    """How many times retrieval on (at most 1,000 photos of) the validation split is measured."""
    checkpoint_minutes: float = 5.0
    """Time between two savings of the resume state."""
    checkpoint_steps: int | None = None
    """Steps between two savings, instead of the time above."""
    seed: int = 0
    """Decides the initial weights, the order of the photos, the captions and the crops."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1, mps."""
    name: str | None = None
    """What reports call the run (default: the folder's name)."""
    overwrite: bool = False
    """Replace what lies at --out."""


def resolve(config: TrainConfig) -> TrainConfig:
    """Fill what is None from the preset and check what was given; LiftError names the mistake."""
    if config.preset not in PRESETS:
        raise LiftError(f"there is no preset {config.preset!r}", f"known: {', '.join(PRESETS)}")
    cropped = config.min_crop is not None
    missing = {k: v for k, v in PRESETS[config.preset].items() if getattr(config, k) is None}
    config = replace(config, **missing, name=config.name or config.out.resolve().name)
    if config.loss not in LOSSES:
        raise LiftError(f"there is no loss {config.loss!r}", f"known: {', '.join(LOSSES)}")
    if config.method == "clip" and config.loss == "cosine":
        raise LiftError(
            "the cosine loss cannot train a text tower: both towers would agree on one constant vector",
            "use --loss contrastive or --loss sigmoid with --method clip",
        )
    config = resolve_negatives(resolve_encoder(config, cropped))
    shape = encoder_shape(config.image_encoder or "", config.image_pooling)
    for field, least in LEAST.items():
        value = getattr(config, field)
        if value is not None and value < least:
            raise LiftError(f"--{field.replace('_', '-')} is {value}", f"give at least {least}")
    for field in ("lr", "grad_clip", "checkpoint_minutes"):
        if not 0 < getattr(config, field) < math.inf:
            raise LiftError(f"--{field.replace('_', '-')} is {getattr(config, field)}", "give more than 0")
    if config.text_width is not None and config.text_width % 64:
        raise LiftError(f"--text-width is {config.text_width}", "give a multiple of 64, the width of a head")
    if config.min_crop is None or not 0 < config.min_crop <= 1:
        raise LiftError(f"--min-crop is {config.min_crop}", "give a share above 0 and up to 1")
    check_device(config.device)
    if config.precision == "auto":
        # A step of vit-micro-deep takes 0.66 of its time in fp32, one of vit-micro-conv 0.8.
        wide = shape.width >= 128 and torch.cpu._is_avx512_bf16_supported()
        config = replace(config, precision="bf16" if config.device != "cpu" or wide else "fp32")
    if config.method == "clip" and config.text_width is None:
        config = replace(config, text_width=max(64, round(shape.width * 2 / 3 / 64) * 64))
    return config


def resolve_encoder(config: TrainConfig, cropped: bool) -> TrainConfig:
    """Fill and check what belongs to the image encoder; `cropped`: the user chose min_crop himself."""
    shape = encoder_shape(config.image_encoder or "", config.image_pooling)
    pretrained = isinstance(shape, BackboneShape)
    tune = config.tune or ("head" if pretrained else "full")
    kind, _ = check_tune(tune, shape.depth)
    if config.image_pooling != "mean" and not pretrained:
        raise LiftError(
            f"--image-pooling is {config.image_pooling}, but the encoders from scratch know the mean alone",
            "leave --image-pooling away",
        )
    if not 0 < config.layer_decay <= 1:
        raise LiftError(f"--layer-decay is {config.layer_decay}", "give a factor above 0 and up to 1")
    if config.head is not None and config.head not in HEADS:
        raise LiftError(f"there is no head {config.head!r}", f"known: {', '.join(HEADS)}")
    if kind == "ridge":
        if config.method != "lift" or config.head not in (None, "linear"):
            raise LiftError(
                "--tune ridge solves for a linear map onto fixed text vectors",
                "leave --head away, and use --method lift",
            )
        # One look at the whole photo, nothing learnt by steps: what would not be used is not recorded.
        return replace(
            config, tune=tune, head="linear", loss="ridge", min_crop=1.0, flip=False, long_share=None
        )
    if kind == "head" and pretrained and not cropped:
        config = replace(config, min_crop=1.0)  # so that every photo passes the frozen backbone only once
    return replace(config, tune=tune, head=config.head or "mlp")


def resolve_negatives(config: TrainConfig) -> TrainConfig:
    """Check what belongs to negatives and mixes of losses and captions; kinds are put into the order of HARD_KINDS."""
    check_kinds(config.hard_kinds)
    if config.hard_kinds and not config.hard_negatives:
        raise LiftError("--hard-kinds says nothing without --hard-negatives", "add --hard-negatives 2")
    known = config.loss in LOSSES and LOSSES[config.loss].knows_negatives
    asked = [name for name in ("hard_negatives", "neighbours", "mask_similar") if getattr(config, name)]
    flag = f"--{asked[0].replace('_', '-')}" if asked else "--cosine-weight"
    if not known and (asked or config.cosine_weight):
        raise LiftError(
            f"{flag} does nothing with {'--tune' if config.loss == 'ridge' else '--loss'} {config.loss}",
            "use --loss contrastive or --loss sigmoid, or leave it away",
        )
    if asked and config.method == "clip":
        raise LiftError(
            f"{flag} needs text vectors that stand still; the text tower of clip would have to compute them every step",
            "use --method lift, or leave it away",
        )
    if config.mask_similar is not None and not 0 < config.mask_similar < 1:
        raise LiftError(f"--mask-similar is {config.mask_similar}", "give a cosine above 0 and below 1")
    if config.long_share is not None and not 0 <= config.long_share <= 1:
        raise LiftError(f"--long-share is {config.long_share}", "give a share from 0 to 1")
    if not 0 <= config.cosine_weight < math.inf:
        raise LiftError(f"--cosine-weight is {config.cosine_weight}", "give 0 or more")
    return replace(config, hard_kinds=tuple(kind for kind in HARD_KINDS if kind in config.hard_kinds))
