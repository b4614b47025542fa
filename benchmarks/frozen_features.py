"""What is won by computing a frozen backbone's vectors once: head-only training with and without, side by side.

    python benchmarks/frozen_features.py --work /tmp/frozen

A DINOv2 of the size of dinov2-small (weights at random: they do not change the time) at 64 px, patch 16. Both kinds of
run alternate, A B A B …; the run without looks at photos cropped by a thousandth, which forbids the cache. Writes
benchmarks/results/frozen_features.json with the ratios.
"""

from __future__ import annotations

import json
import shutil
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import transformers
import tyro

from lift.artefact import write_json
from lift.embedding import EmbedConfig, embed
from lift.scenes import ScenesConfig, scenes
from lift.training import TrainConfig, train
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class FrozenConfig:
    """Head-only training with and without kept vectors."""

    work: Path = Path("frozen-work")
    """Folder for the data and the runs."""
    images: int = 640
    """Drawn pictures."""
    epochs: int = 4
    """Epochs of a measured run; the ratio for more epochs is worked out from it."""
    rounds: int = 3
    """Pairs of runs."""


def main(config: FrozenConfig) -> None:
    """Measure and write the JSON."""
    work = config.work
    work.mkdir(parents=True, exist_ok=True)
    scenes(ScenesConfig(out=work / "dataset", images=config.images, val_fraction=0.1, workers=1))
    embed(EmbedConfig(dataset=work / "dataset", out=work / "store"))
    torch.manual_seed(0)
    shape = transformers.Dinov2Config(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=64, patch_size=16
    )
    transformers.Dinov2Model(shape).save_pretrained(work / "backbone")
    run = TrainConfig(
        images=work / "dataset",
        texts=work / "store",
        out=work / "run",
        image_encoder=str(work / "backbone"),
        batch_size=64,
        epochs=config.epochs,
        warmup=10,
        validations=0,
        precision="fp32",
    )
    rounds = []
    for _ in range(config.rounds):
        seconds = {}
        for kind, asked in (("kept", run), ("computed", replace(run, min_crop=0.999))):
            shutil.rmtree(run.out, ignore_errors=True)
            train(asked)
            cost = json.loads((run.out / "run.json").read_text("utf-8"))["cost"]
            once = cost.get("frozen_features", {}).get("seconds", 0.0)
            per_epoch = round((cost["seconds"] - once) / config.epochs, 3)
            seconds[kind] = {"once": once, "per_epoch": per_epoch}
        rounds.append(seconds)
        print(seconds)
    ratios = {
        str(epochs): round(
            statistics.median(
                epochs * r["computed"]["per_epoch"] / (r["kept"]["once"] + epochs * r["kept"]["per_epoch"])
                for r in rounds
            ),
            1,
        )
        for epochs in (1, 10, 60)
    }
    print(ratios)
    write_json(
        RESULTS / "frozen_features.json",
        {"ratio_by_epochs": ratios, "rounds": rounds, "machine": machine(), "versions": versions()},
    )


if __name__ == "__main__":
    main(tyro.cli(FrozenConfig))
