"""The image encoder as training begins: from scratch, on a pre-trained backbone, or on the encoder of another RUN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from lift.artefact import read_manifest
from lift.checkpoint import load_tensors
from lift.errors import LiftError
from lift.image import BackboneShape, ImageEncoder, ViTShape, apply_tuning, build_encoder, encoder_shape
from lift.training.config import TrainConfig


def run_named(name: str) -> Path | None:
    """The RUN folder that --image-encoder names, None when it names something else."""
    folder = Path(name).expanduser()
    return folder if name and (folder / "run.json").is_file() else None


def tower_shape(config: TrainConfig) -> ViTShape | BackboneShape:
    """The shape of the image encoder's body; LiftError when there is none of that name."""
    run = run_named(config.image_encoder or "")
    return encoder_shape(config.image_encoder or "", config.image_pooling) if run is None else run_shape(run)


def run_shape(run: Path) -> ViTShape | BackboneShape:
    """The shape of a finished RUN's image encoder."""
    fields = run_settings(run)["shape"]
    return BackboneShape.from_dict(fields) if "family" in fields else ViTShape(**fields)


def run_settings(run: Path) -> dict[str, Any]:
    """The settings of a finished RUN's image encoder, as its checkpoint holds them."""
    read_manifest(run, "run")
    try:
        settings = json.loads((run / "checkpoint" / "checkpoint.json").read_text(encoding="utf-8"))
        return settings["image_encoder"]
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise LiftError(
            f"{run / 'checkpoint'} is no complete checkpoint ({error})",
            "restore it from a copy, or train again",
        ) from error


def tower_weights(config: TrainConfig) -> str | None:
    """What tells pre-trained weights from others; None for an encoder from scratch."""
    run, shape = run_named(config.image_encoder or ""), tower_shape(config)
    if run is not None:
        return str(read_manifest(run, "run")["checkpoint"]["id"])
    return shape.weights if isinstance(shape, BackboneShape) else None


def check_tower(config: TrainConfig, image_size: int, dim: int) -> None:
    """LiftError for a tower that does not fit the photos, or that lies where the new RUN shall be."""
    run = run_named(config.image_encoder or "")
    if run is not None:
        if run.resolve() == config.out.resolve():
            raise LiftError(f"{run} cannot be both --image-encoder and --out", "give another --out")
        check_size(run, run_settings(run)["image_size"], image_size)
    with torch.device("meta"):
        ImageEncoder(tower_shape(config), image_size=image_size, dim=dim)


def check_size(run: Path, seen: int, image_size: int) -> None:
    """LiftError unless the RUN's encoder was trained on photos of this size."""
    if seen != image_size:
        raise LiftError(
            f"the image encoder of {run} sees {seen} px, the photos have {image_size} px",
            f"ingest with --size {seen}, or give another --image-encoder",
        )


def new_encoder(config: TrainConfig, image_size: int, dim: int) -> ImageEncoder:
    """The image encoder as training begins: its weights, and what of them is frozen."""
    head, run = config.head or "mlp", run_named(config.image_encoder or "")
    if run is None:
        encoder = build_encoder(
            config.image_encoder or "",
            image_size=image_size,
            dim=dim,
            head=head,
            pooling=config.image_pooling,
        )
        shape = encoder.shape
        if isinstance(shape, BackboneShape):
            encoder.origin = {"family": shape.family, "source": shape.source, "weights": shape.weights}
    else:
        encoder = encoder_of_run(run, image_size=image_size, dim=dim, head=head)
    return apply_tuning(encoder, config.tune or "full").to(config.device)


def encoder_of_run(run: Path, *, image_size: int, dim: int, head: str) -> ImageEncoder:
    """The body of a RUN's image encoder with a fresh head; LiftError when it saw photos of another size."""
    groups, settings = load_tensors(run / "checkpoint")
    check_size(run, settings["image_encoder"]["image_size"], image_size)
    encoder = ImageEncoder(run_shape(run), image_size=image_size, dim=dim, head=head)
    body = {name: value for name, value in groups["image"].items() if not name.startswith("head.")}
    own = {name: value for name, value in encoder.state_dict().items() if name.startswith("head.")}
    encoder.load_state_dict({**body, **own})
    encoder.origin = origin_of(run)
    return encoder


def origin_of(run: Path) -> dict[str, Any]:
    """What run.json tells of a tower that another RUN trained, and what that took."""
    made = read_manifest(run, "run")
    keep = {key: made.get(key) for key in ("method", "loss", "samples_seen")}
    return {
        "family": "lift",
        "source": made["name"],
        "weights": made["checkpoint"]["id"],
        "pretraining": {
            **keep,
            "dataset": made["dataset"],
            "flops_total": (made.get("cost") or {}).get("flops_total"),
        },
    }
