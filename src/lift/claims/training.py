"""The runs behind the claims: as many epochs as the budget holds, each arm trained on equal terms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import write_json
from lift.claims.claim import ARMS
from lift.claims.config import ClaimsConfig
from lift.console import note, say
from lift.data import Dataset
from lift.errors import LiftError
from lift.training import PRESETS, TrainConfig, train
from lift.training.speed import CLIP_SLOWER, IN_TRAINING, measure_speed

SLOWNESS = {"lift": 1.0, "clip": CLIP_SLOWER}  # of a method, LIFT being 1


@dataclass(frozen=True)
class Schedule:
    """Passes over the photos of a DATASET, and photos per step; equal for all arms and seeds."""

    epochs: int
    batch_size: int


def schedule_of(config: ClaimsConfig, dataset: Dataset) -> Schedule:
    """The schedule of a DATASET, kept in plan.json so that a rerun trains the same.

    LiftError when --out holds the runs of other options.
    """
    file, asked = config.out / "plan.json", config.asked()
    known: dict[str, Any] = {"asked": asked, "schedules": {}}
    if file.is_file():
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["asked"] != asked:
            changed = sorted(name for name in asked if asked[name] != known["asked"].get(name))
            raise LiftError(
                f"{config.out} was begun with other options ({', '.join(changed)})",
                "give another --out, or add --overwrite to begin anew",
            )
    if dataset.id not in known["schedules"]:
        made = _fit(config, asked["budget"], dataset)
        known["schedules"][dataset.id] = {"epochs": made.epochs, "batch_size": made.batch_size}
        config.out.mkdir(parents=True, exist_ok=True)
        write_json(file, known)
    return Schedule(**known["schedules"][dataset.id])


def _fit(config: ClaimsConfig, minutes: float | None, dataset: Dataset) -> Schedule:
    count = len(dataset.split("train"))
    if config.preset not in PRESETS:
        raise LiftError(f"there is no preset {config.preset!r}", f"known: {', '.join(PRESETS)}")
    batch_size = min(int(PRESETS[config.preset]["batch_size"]), max(2, count // 4))
    if minutes is None:
        return Schedule(config.epochs or 1, batch_size)
    speed = measure_speed(config.preset, dataset.image_size, config.image_encoder)
    passes = len(config.seeds) * sum(SLOWNESS[method] for method, _, _ in ARMS.values())
    epochs = int(np.clip(IN_TRAINING * speed * minutes * 60 / (passes * count), 1, 200))
    expected = passes * count * epochs / (IN_TRAINING * speed) / 60
    note(
        f"{dataset.name}: {epochs} epochs for each of {len(ARMS)} arms and {len(config.seeds)} seeds, "
        f"about {expected:.0f} minutes of training"
    )
    return Schedule(epochs, batch_size)


def arm_config(
    config: ClaimsConfig, dataset: Path, store: Path, out: Path, arm: str, seed: int, schedule: Schedule
) -> TrainConfig:
    """The training of one arm with one seed; all but method and loss is equal."""
    method, loss, words = ARMS[arm]
    cores = 1 if config.device == "cpu" else min(8, os.cpu_count() or 1)
    return TrainConfig(
        images=dataset,
        texts=store,
        out=out,
        preset=config.preset,
        image_encoder=config.image_encoder,
        method=method,  # type: ignore[arg-type]
        loss=loss,
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
        flip=config.flip,
        validations=2,
        seed=seed,
        device=config.device,
        workers=None if config.at_once == 1 else max(0, cores // config.at_once - 1),
        name=f"{words}, seed {seed}",
    )


def train_arms(config: ClaimsConfig, name: str, plans: Sequence[TrainConfig]) -> None:
    """Train all RUNs that are not finished, as many at a time as `config` says; plan.json keeps whether more than one.

    When one fails the others that have begun are finished first; LiftError then.
    """
    if config.at_once > 1 and not all((made.out / "run.json").is_file() for made in plans):
        file = config.out / "plan.json"
        write_json(file, json.loads(file.read_text("utf-8")) | {"side_by_side": True})

    def one(numbered: tuple[int, TrainConfig]) -> None:
        number, made = numbered
        say(f"\n[{number}/{len(plans)}] {name}: {made.name}, {made.epochs} epochs")
        train_arm(made, config.isolate)

    if config.at_once == 1:
        for numbered in enumerate(plans, 1):
            one(numbered)
    else:
        with ThreadPoolExecutor(config.at_once) as pool:
            list(pool.map(one, enumerate(plans, 1)))


def side_by_side(config: ClaimsConfig) -> bool:
    """Whether any RUN of --out was trained beside another, so that its clock tells nothing."""
    plan: dict[str, Any] = json.loads((config.out / "plan.json").read_text("utf-8"))
    return bool(plan.get("side_by_side"))


def train_arm(made: TrainConfig, isolate: bool) -> None:
    """Train a RUN that is not finished yet, in a process of its own when `isolate`; LiftError when that fails."""
    if not isolate or (made.out / "run.json").is_file():
        train(made)  # a finished RUN is only looked at
        return
    usual = TrainConfig(images=Path(), texts="", out=Path())
    fields = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(made).items()
        if value != getattr(usual, name)
    }
    done = subprocess.run([sys.executable, "-m", "lift.claims.child", json.dumps(fields)])
    if done.returncode:
        raise LiftError(
            f"training {made.out} failed", "see the message above; then run the same command again"
        )


def command(made: TrainConfig) -> str:
    """The same training as a command line."""
    flags = {
        "images": made.images, "texts": made.texts, "out": made.out, "preset": made.preset,
        "image-encoder": made.image_encoder, "method": made.method, "loss": made.loss, "epochs": made.epochs,
        "batch-size": made.batch_size, "validations": made.validations, "seed": made.seed,
        "device": made.device if made.device != "cpu" else None, "name": f'"{made.name}"',
    }  # fmt: skip
    words = [f"--{name} {value}" for name, value in flags.items() if value is not None]
    return " ".join(["lift train", *words, *(["--flip"] if made.flip else [])])
