"""Does `lift train` keep the cores busy? Its samples/s against a bare forward-backward-step loop, side by side.

    python benchmarks/training_speed.py --work /tmp/speed

Both run in turn in one process, A B A B …, on the same image tower, batch and pixels; the bare loop steps on random
tensors of the same shape. Writes benchmarks/results/training_speed.json with the ratio of each round.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
import tyro
from torch import nn

from lift.artefact import write_json
from lift.data import Dataset
from lift.embedding import EmbedConfig, embed
from lift.image import ImageEncoder, encoder_shape
from lift.losses import LOSSES
from lift.scenes import ScenesConfig, scenes
from lift.training import TrainConfig, train
from lift.training.cost import machine, versions
from lift.training.optimisation import autocast, make_optimiser
from lift.training.resolving import resolve

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class SpeedConfig:
    """Samples per second of `lift train` against the bare loop."""

    work: Path = Path("speed-work")
    """Folder for the data and the runs."""
    presets: tuple[str, ...] = ("demo", "small")
    """Presets to measure."""
    rounds: int = 5
    """Pairs of runs per preset."""
    epochs: int = 4
    """Epochs of a run of 2,560 pictures."""


def bare_loop(config: TrainConfig, size: int, steps: int) -> float:
    """Samples/s of forward, loss, backward, clip and step on random tensors, after two steps of warm-up."""
    config = resolve(config)
    batch = config.batch_size or 0
    encoder = ImageEncoder(encoder_shape(config.image_encoder or ""), image_size=size, dim=384)
    optimiser = make_optimiser({"image": encoder}, config)
    images, text = torch.rand(batch, 3, size, size), F.normalize(torch.randn(batch, 384), dim=-1)
    ids, scale, bias = torch.arange(batch), torch.tensor(14.3), torch.tensor(0.0)
    began = 0.0
    for step in range(steps + 2):
        if step == 2:
            began = time.perf_counter()
        with autocast(config):
            features = encoder(images)
        value = LOSSES["contrastive"].function(features, text, ids, scale, bias)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
    return steps * batch / (time.perf_counter() - began)


def main(config: SpeedConfig) -> None:
    """Measure every preset and write the JSON."""
    config.work.mkdir(parents=True, exist_ok=True)
    scenes(ScenesConfig(out=config.work / "dataset", images=2816, val_fraction=0.09, workers=2))
    embed(EmbedConfig(dataset=config.work / "dataset", out=config.work / "store"))
    dataset = Dataset(config.work / "dataset")
    torch.use_deterministic_algorithms(True, warn_only=True)  # as in training
    presets = {}
    for preset in config.presets:
        rounds = []
        for _ in range(config.rounds):
            run = TrainConfig(
                images=config.work / "dataset",
                texts=config.work / "store",
                out=config.work / "run",
                preset=preset,
                epochs=config.epochs,
                validations=1,
            )
            shutil.rmtree(run.out, ignore_errors=True)
            train(run)
            made = json.loads((run.out / "run.json").read_text("utf-8"))
            bare = bare_loop(run, dataset.image_size, made["steps"])
            rounds.append({"train": made["cost"]["samples_per_second"], "bare": round(bare, 1)})
        ratios = [r["train"] / r["bare"] for r in rounds]
        presets[preset] = {
            "samples_per_second": rounds,
            "ratio_median": round(statistics.median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
        }
        print(preset, presets[preset])
    write_json(
        RESULTS / "training_speed.json",
        {"image_size": dataset.image_size, "presets": presets, "machine": machine(), "versions": versions()},
    )


if __name__ == "__main__":
    main(tyro.cli(SpeedConfig))
