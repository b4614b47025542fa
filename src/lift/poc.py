"""poc: the whole road in one folder, from photos and texts to a compared, searchable, verifying model.

Every step is the verb of the same name; a step that is done is skipped, a killed one goes on.
"""

from __future__ import annotations

import json
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tyro.conf import Positional

from lift.artefact import refuse_foreign, write_json
from lift.console import note, say
from lift.data import Dataset
from lift.embedding import EmbedConfig, embed
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.image import ImageEncoder, encoder_shape
from lift.indexing import IndexConfig, SearchConfig, index, search
from lift.ingest import IngestConfig, ingest
from lift.losses import LOSSES
from lift.report import CompareConfig, compare
from lift.scenes import ScenesConfig, scenes
from lift.training import PRESETS, TrainConfig, train

METHODS = ("lift", "clip")
MADE = (
    "dataset",
    "store",
    "runs",
    "report",
    "index",
    "search.png",
    "example.png",
    "plan.json",
)  # the mark last
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
CLIP_SLOWER = 2.7  # a CLIP step against a LIFT step, short and long texts mixed, on the drawn scenes


@dataclass(frozen=True)
class PocConfig:
    """Proof of concept in one folder: ingest, embed, train LIFT and CLIP on equal terms, evaluate, compare, index.

    Without SOURCE it draws its own pictures. Run the same command again after a stop: what is done is skipped.
    """

    source: Positional[Path | None] = None
    """Photos with texts, in any form that `lift ingest` reads; nothing: the built-in drawn scenes."""
    out: Path = Path("poc")
    """Folder for everything that is made."""
    minutes: float = 5.0
    """Time for training both models together; decides the number of epochs."""
    images: int = 4500
    """Pictures to draw when there is no SOURCE."""
    size: int = 64
    """Side of the stored photos in pixels."""
    preset: str = "demo"
    """Size of the model: smoke, demo, small, medium (see `lift train --help`)."""
    encoder: str = "minilm"
    """Text encoder: a known name, a sentence-transformers folder, or a hub id."""
    table: str | None = None
    """Table to read when SOURCE holds several (see `lift ingest --help`)."""
    pairs: tuple[Path, ...] = ()
    """JSONL files of {image, positive, negative, kind}: true and minimally different false texts."""
    flip: bool = False
    """Mirror photos at random; leave it off where texts speak of left and right."""
    seed: int = 0
    """Decides the drawn pictures, the weights and the order of training."""
    overwrite: bool = False
    """Make everything anew."""


def poc(config: PocConfig) -> Path:
    """Walk the whole road as `config` says; returns the path of the report page."""
    began = time.perf_counter()
    if config.source is not None and not config.source.exists():
        raise LiftError(f"there is no {config.source}", "give the folder or table with your photos and texts")
    out = config.out
    if not 0 < config.minutes < 100_000:
        raise LiftError(f"--minutes is {config.minutes}", "give the time for training, more than 0")
    if config.source is not None and config.source.resolve().is_relative_to(out.resolve()):
        raise LiftError(f"{config.source} lies inside --out {out}", "give another folder as --out")
    if config.overwrite and out.exists():
        refuse_foreign(out, "plan.json")
        for name in MADE:
            made = out / name
            shutil.rmtree(made, ignore_errors=True) if made.is_dir() else made.unlink(missing_ok=True)
    plan = make_plan(config)

    heading(1, "photos and texts")
    dataset, store, runs = out / "dataset", out / "store", [out / "runs" / method for method in METHODS]
    if config.source is None:
        scenes(ScenesConfig(out=dataset, images=config.images, size=config.size, seed=config.seed, workers=2))
    else:
        ingest(
            IngestConfig(
                source=config.source,
                out=dataset,
                size=config.size,
                table=config.table,
                pairs=config.pairs,
                name=config.source.stem,
            )
        )
    heading(2, "every text becomes a vector, once")
    embed(EmbedConfig(dataset=dataset, out=store, encoder=config.encoder))
    epochs, batch_size = fit_budget(plan, config, Dataset(dataset))
    for step, (method, run) in enumerate(zip(METHODS, runs, strict=True), 3):
        heading(step, f"training {method.upper()}, {epochs} epochs")
        train(
            TrainConfig(
                images=dataset,
                texts=store,
                out=run,
                preset=config.preset,
                method=method,  # type: ignore[arg-type]
                epochs=epochs,
                batch_size=batch_size,
                flip=config.flip,
                seed=config.seed,
                validations=4,
                name=method.upper(),
            )
        )
    heading(5, "measuring both on photos they have not seen")
    for run, method in zip(runs, METHODS, strict=True):
        evaluate(EvaluateConfig(run=run, dataset=dataset, texts=store if method == "lift" else None))
    heading(6, "comparing")
    compare(
        CompareConfig(
            runs=tuple(runs), out=out / "report", title="LIFT and CLIP on equal terms", overwrite=True
        )
    )
    heading(7, "an index to search in")
    found = Dataset(dataset)
    index(IndexConfig(run=runs[0], photos=dataset, out=out / "index", split="val"))
    queries = val_captions(found, config.seed)  # drawn, not picked
    search(SearchConfig(index=out / "index", sentences=queries, top=10, grid=out / "search.png"))
    farewell(out, queries[0], found, time.perf_counter() - began)
    return out / "report" / "report.html"


def heading(step: int, what: str) -> None:
    """Announce a step."""
    say(f"\n[{step}/7] {what}")


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
    speed = measure_speed(config)
    photos = count_photos(config)
    config.out.mkdir(parents=True, exist_ok=True)
    plan: dict[str, Any] = {"asked": asked, "samples_per_second": round(speed, 1), "photos": photos}
    if photos is not None:
        texts = photos * 5
        minutes = photos / 150 / 60 + texts / 150 / 60 + config.minutes + 1.5
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


def measure_speed(config: PocConfig) -> float:
    """Training samples per second of the image encoder on this machine, from the fastest of eight steps."""
    if config.preset not in PRESETS:
        raise LiftError(f"there is no preset {config.preset!r}", f"known: {', '.join(PRESETS)}")
    chosen = PRESETS[config.preset]
    batch = min(int(chosen["batch_size"]), 128)
    encoder = ImageEncoder(encoder_shape(chosen["image_encoder"]), image_size=config.size, dim=384)
    optimiser = torch.optim.AdamW(encoder.parameters(), fused=True)
    images, text = torch.rand(batch, 3, config.size, config.size), torch.eye(batch, 384)
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        value = LOSSES["contrastive"].function(
            encoder(images), text, torch.arange(batch), torch.tensor(10.0), torch.tensor(0.0)
        )
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - began)
    return batch / min(seconds)


def fit_budget(plan: dict[str, Any], config: PocConfig, dataset: Dataset) -> tuple[int, int]:
    """Epochs that both arms can do in `minutes`, and a batch that small sets can fill; equal for both arms."""
    count = len(dataset.split("train"))
    batch_size = min(int(PRESETS[config.preset]["batch_size"]), max(2, count // 4))
    samples = plan["samples_per_second"] * config.minutes * 60 / (1 + CLIP_SLOWER)
    return int(np.clip(samples // count, 2, 200)), batch_size


def val_captions(dataset: Dataset, seed: int) -> tuple[str, ...]:
    """Up to six captions of photos that were not trained on, as queries."""
    texts = sorted({row.texts[0] for row in dataset.rows if row.split == "val" and row.texts})
    chosen = np.random.default_rng(seed).permutation(len(texts))[:6]
    return tuple(texts[i] for i in chosen)


def example_photo(out: Path, dataset: Dataset) -> Path:
    """A photo of the validation split to try things on, written from the stored pixels."""
    file = out / "example.png"
    number = int(dataset.split("val")[0])
    Image.fromarray(np.array(dataset.pixels[number])).save(file)
    return file


def farewell(out: Path, query: str, dataset: Dataset, seconds: float) -> None:
    """Say where everything is and what to try next."""
    photo = shlex.quote(str(example_photo(out, dataset)))
    run = shlex.quote(str(out / "runs" / "lift"))
    lines = (
        f"\nDone in {seconds / 60:.1f} minutes.",
        f"  the report for your manager:  {out / 'report' / 'report.html'}",
        f"  searches as a picture:        {out / 'search.png'}",
        "Try next:",
        f"  lift search {shlex.quote(str(out / 'index'))} {shlex.quote(query)}",
        f"  lift verify {photo} {shlex.quote(query)} --run {run}",
        f"  lift classify {photo} --classes 'cat, dog, car' --run {run}",
    )
    for line in lines:
        say(line)
