"""Fills what is left away from the preset, and refuses what does not fit together, before anything is opened."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from lift.device import check_device
from lift.errors import LiftError
from lift.image import HEADS, check_tune
from lift.losses import LOSSES
from lift.negatives import HARD_KINDS, check_kinds
from lift.training.averaging import check_decay
from lift.training.config import TrainConfig
from lift.training.presets import PRESETS
from lift.training.towers import run_named, tower_shape, tower_weights
from lift.training.trackers import check_trackers
from lift.training.unused import tell_unused
from lift.training.workers import default_workers

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
    "sentences": 1,
    "accumulate": 1,
    "seed": 0,
    "workers": 0,
    "shuffle_shards": 1,
}


def resolve(config: TrainConfig) -> TrainConfig:
    """Fill what is None from the preset and check what was given; LiftError names the mistake."""
    if config.preset not in PRESETS:
        raise LiftError(f"there is no preset {config.preset!r}", f"known: {', '.join(PRESETS)}")
    cropped = config.min_crop is not None
    missing = {k: v for k, v in PRESETS[config.preset].items() if getattr(config, k) is None}
    check_trackers(config.tracker, config.tracker_uri)
    check_decay(config.ema)
    tell_unused(config)
    workers = default_workers(config.device) if config.workers is None else config.workers
    config = replace(config, **missing, name=config.name or config.out.resolve().name, workers=workers)
    config = resolve_captions(resolve_negatives(resolve_encoder(resolve_method(config), cropped)))
    shape = tower_shape(config)
    for field, least in LEAST.items():
        value = getattr(config, field)
        if value is not None and value < least:
            raise LiftError(f"--{field.replace('_', '-')} is {value}", f"give at least {least}")
    for field in ("lr", "grad_clip", "checkpoint_minutes", "cache_gb"):
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
    if config.method in ("clip", "lit") and config.text_width is None:
        config = replace(config, text_width=max(64, round(shape.width * 2 / 3 / 64) * 64))
    return config


def resolve_method(config: TrainConfig) -> TrainConfig:
    """Fill and check what follows from the method: its loss, and the head of the image encoder."""
    if config.loss not in LOSSES:
        raise LiftError(f"there is no loss {config.loss!r}", f"known: {', '.join(LOSSES)}")
    if config.method == "words":
        if config.head not in (None, "words"):
            raise LiftError(
                f"--head is {config.head}, but words as labels have a classifier over the words for a head",
                "leave --head away",
            )
        if config.loss not in ("contrastive", "labels"):  # the first is what an option left away says
            raise LiftError(
                f"--loss {config.loss} compares vectors, and words are labels", "leave --loss away"
            )
        return replace(config, loss="labels", head="words")
    if config.loss == "labels" or config.head == "words":
        which = "--loss labels" if config.loss == "labels" else "--head words"
        raise LiftError(f"{which} belongs to --method words", "add --method words, or leave it away")
    if config.method in ("clip", "lit") and config.loss == "cosine":
        raise LiftError(
            "the cosine loss cannot train a text tower: both towers would agree on one constant vector",
            f"use --loss contrastive or --loss sigmoid with --method {config.method}",
        )
    if config.method == "lit":
        return replace(config, tune=config.tune or "head", head=config.head or "none")
    if config.head == "none" and config.method == "lift":
        raise LiftError(
            "--head none leaves the image encoder's own space, and fixed text vectors have one of theirs",
            "give --head linear, or use --method lit",
        )
    return config


def resolve_encoder(config: TrainConfig, cropped: bool) -> TrainConfig:
    """Fill and check what belongs to the image encoder; `cropped`: the user chose min_crop himself."""
    shape, pretrained = tower_shape(config), tower_weights(config) is not None
    if config.method == "lit" and not (pretrained and config.tune == "head"):
        raise LiftError(
            f"--method lit locks a pre-trained image tower, but --image-encoder {config.image_encoder} "
            + ("starts from random weights" if not pretrained else f"would be tuned (--tune {config.tune})"),
            "give --image-encoder the folder or hub id of a pre-trained backbone, or a RUN, and no --tune",
        )
    tune = config.tune or ("head" if pretrained else "full")
    kind, _ = check_tune(tune, shape.depth)
    if config.image_pooling != "mean" and (not pretrained or run_named(config.image_encoder or "")):
        raise LiftError(
            f"--image-pooling is {config.image_pooling}, but the encoders from scratch know the mean alone, and "
            "those of a RUN what they were trained with",
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
            config,
            tune=tune,
            head="linear",
            loss="ridge",
            min_crop=1.0,
            flip=False,
            long_share=None,
            ema=None,
        )
    if kind == "head" and pretrained and not cropped:
        config = replace(config, min_crop=1.0)  # so that every photo passes the frozen backbone only once
    return replace(config, tune=tune, head=config.head or "mlp")


def resolve_negatives(config: TrainConfig) -> TrainConfig:
    """Check what belongs to negatives and mixes of losses and captions; kinds are put into the order of HARD_KINDS."""
    check_kinds(config.hard_kinds)
    if config.hard_kinds and not config.hard_negatives:
        raise LiftError("--hard-kinds says nothing without --hard-negatives", "add --hard-negatives 2")
    if not 0 <= config.hard_weight < math.inf:
        raise LiftError(f"--hard-weight is {config.hard_weight}", "give 0 or more")
    if config.hard_weight and not config.hard_negatives:
        raise LiftError("--hard-weight says nothing without --hard-negatives", "add --hard-negatives 2")
    known = config.loss in LOSSES and LOSSES[config.loss].knows_negatives
    asked = [name for name in ("hard_negatives", "neighbours", "mask_similar") if getattr(config, name)]
    flag = f"--{asked[0].replace('_', '-')}" if asked else "--cosine-weight"
    if not known and (asked or config.cosine_weight):
        if config.method == "words":
            raise LiftError(
                f"{flag} does nothing with --method words, whose loss compares no vectors",
                "use --method lift, or leave it away",
            )
        raise LiftError(
            f"{flag} does nothing with {'--tune' if config.loss == 'ridge' else '--loss'} {config.loss}",
            "use --loss contrastive or --loss sigmoid, or leave it away",
        )
    if asked and config.method in ("clip", "lit"):
        raise LiftError(
            f"{flag} needs text vectors that stand still; the text tower of {config.method} would have to compute them "
            "every step",
            "use --method lift, or leave it away",
        )
    if config.mask_similar is not None and not 0 < config.mask_similar < 1:
        raise LiftError(f"--mask-similar is {config.mask_similar}", "give a cosine above 0 and below 1")
    if config.long_share is not None and not 0 <= config.long_share <= 1:
        raise LiftError(f"--long-share is {config.long_share}", "give a share from 0 to 1")
    if not 0 <= config.cosine_weight < math.inf:
        raise LiftError(f"--cosine-weight is {config.cosine_weight}", "give 0 or more")
    return replace(config, hard_kinds=tuple(kind for kind in HARD_KINDS if kind in config.hard_kinds))


def resolve_captions(config: TrainConfig) -> TrainConfig:
    """Check what belongs to sentences and to the order of the photos."""
    if not 0 <= config.sentence_share <= 1:
        raise LiftError(f"--sentence-share is {config.sentence_share}", "give a share from 0 to 1")
    if config.sentences != 1 and not config.sentence_share:
        raise LiftError("--sentences says nothing without --sentence-share", "add --sentence-share 0.5")
    if config.loss == "ridge" and (config.sentence_share or config.batches != "random"):
        flag = "--sentence-share" if config.sentence_share else "--batches"
        raise LiftError(
            f"{flag} does nothing with --tune ridge, which sees all captions at once", "leave it away"
        )
    return config
