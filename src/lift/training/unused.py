"""Options that have no say in the training that is asked for: they are named, so that nobody waits for their effect."""

from __future__ import annotations

from dataclasses import fields

from lift.console import note
from lift.training.config import TrainConfig

#: What says how to train by steps: --tune ridge solves in one.
BY_STEPS = (
    "loss", "epochs", "batch_size", "lr", "warmup", "weight_decay", "grad_clip", "min_crop", "flip", "long_share",
    "layer_decay", "checkpoint_minutes", "checkpoint_steps", "ema", "on_spike", "accumulate", "checkpointing",
    "compile", "workers",
)  # fmt: skip
OF_CLIP = ("text_width", "context")


def tell_unused(config: TrainConfig) -> None:
    """Name the given options that have no say, since nothing they ask for is done."""
    usual = {field.name: field.default for field in fields(TrainConfig)}
    for names, holds, why in (
        (BY_STEPS, config.tune == "ridge", "--tune ridge solves for the map in one step"),
        (OF_CLIP, config.method in ("lift", "words"), f"--method {config.method} trains no text tower"),
    ):
        given = [n for n in names if getattr(config, n) != usual[n]] if holds else []
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            note(f"{why}: {flags} {'has' if len(given) == 1 else 'have'} no say")
