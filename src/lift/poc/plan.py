"""Time and disk of the whole road, estimated before it is walked; how many epochs fit into the minutes."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np

from lift.artefact import write_json
from lift.console import note, say
from lift.data import Dataset
from lift.errors import LiftError
from lift.poc.config import PocConfig
from lift.training import PRESETS
from lift.training.speed import CLIP_SLOWER, IN_TRAINING, measure_speed

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def count_photos(config: PocConfig) -> int | None:
    """Photos that SOURCE seems to hold; None where only reading it would tell."""
    if config.source is None:
        return config.images
    if not config.source.is_dir():
        return None
    count = sum(1 for file in config.source.rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES)
    return count or None


def make_plan(config: PocConfig) -> dict[str, Any]:
    """Measure the machine, estimate time and disk, say both; kept in plan.json so that a rerun plans the same."""
    file = config.out / "plan.json"
    asked = {name: str(getattr(config, name)) for name in ("source", "minutes", "images", "size", "preset")}
    if file.is_file():
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["asked"] == asked:
            return known
    speed = measure_speed(config.preset, config.size)
    photos = count_photos(config)
    config.out.mkdir(parents=True, exist_ok=True)
    plan: dict[str, Any] = {"asked": asked, "samples_per_second": round(speed, 1), "photos": photos}
    if photos is not None:
        texts = photos * 5
        minutes = (
            photos / 200 / 60 + texts / 900 / 60 + config.minutes + 1
        )  # 1: exam, measuring, report, index
        disk = photos * config.size**2 * 3 + texts * 384 * 2 + 200 * texts + 60e6
        free = shutil.disk_usage(config.out).free
        say(
            f"About {photos:,} photos. Estimate: {minutes:.0f} minutes and {disk / 1e6:.0f} MB in {config.out} "
            f"({free / 1e9:.0f} GB free). This machine trains {speed:.0f} photos a second."
        )
        if disk > free:
            raise LiftError(
                f"{config.out} needs about {disk / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
                "free some space, choose another --out, or a smaller --size",
            )
        plan |= {"minutes": round(minutes, 1), "disk_bytes": int(disk)}
    else:
        note("The number of photos is known only after reading them; the time is told then.")
    write_json(file, plan)
    return plan


def fit_budget(plan: dict[str, Any], config: PocConfig, dataset: Dataset) -> tuple[int, int]:
    """Epochs that both arms can do in `minutes`, and a batch that small sets can fill; equal for both arms."""
    count = len(dataset.split("train"))
    batch_size = min(int(PRESETS[config.preset]["batch_size"]), max(2, count // 4))
    samples = IN_TRAINING * plan["samples_per_second"] * config.minutes * 60 / (1 + CLIP_SLOWER)
    return int(np.clip(samples // count, 2, 200)), batch_size
