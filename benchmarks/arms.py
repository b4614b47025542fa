"""The arms at equal samples: LIFT-contrastive, LIFT-cosine, CLIP, words and LiT, on Flickr8k or on drawn scenes.

    python benchmarks/arms.py flickr8k --data ../shared/data/flickr8k --work /tmp/arms
    python benchmarks/arms.py scenes --work /tmp/arms
    python benchmarks/arms.py scenes --work /tmp/arms --arms lift-contrastive clip words lit --tower BACKBONE

Writes benchmarks/results/arms_<set>.json with every metric and its interval, the paired differences to CLIP, what
each arm cost, the machine and the versions. The runs stay in --work; a stopped benchmark goes on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from tyro.conf import Positional

from lift.artefact import write_json
from lift.embedding import EmbedConfig, embed
from lift.evaluation import EvaluateConfig, evaluate
from lift.ingest import IngestConfig, ingest
from lift.metrics import paired_bootstrap
from lift.report import CompareConfig, compare
from lift.scenes import ScenesConfig, scenes
from lift.training import TrainConfig, train

RESULTS = Path(__file__).parent / "results"
ARMS = {
    "lift-contrastive": ("lift", "contrastive"),
    "clip": ("clip", "contrastive"),
    "lift-cosine": ("lift", "cosine"),
    "words": ("words", "labels"),
    "lit": ("lit", "contrastive"),
}


@dataclass(frozen=True)
class ArmsConfig:
    """Train and measure arms that see the same photos in the same order."""

    set: Positional[Literal["flickr8k", "scenes"]]
    """Which data set."""
    work: Path = Path("arms-work")
    """Folder for DATASET, STORE and RUNs."""
    data: Path = Path("../shared/data/flickr8k")
    """Folder of the real photos."""
    preset: str = "small"
    """Size of the image tower."""
    image_encoder: str | None = None
    """Another image tower than the preset's."""
    arms: tuple[str, ...] = ("lift-contrastive", "clip", "lift-cosine")
    """Which arms, of ARMS; differences are to clip."""
    tower: str | None = None
    """The locked image tower of lit: folder or hub id of a backbone, or a RUN."""
    epochs: int = 60
    """Passes over the training photos, equal for all arms."""
    size: int = 64
    """Pixels."""
    images: int = 6000
    """Pictures to draw for scenes."""


def main(config: ArmsConfig) -> None:
    """Run everything that is not there yet, then write the JSON."""
    work = config.work / config.set
    dataset, store = work / "dataset", work / "store"
    work.mkdir(parents=True, exist_ok=True)
    if config.set == "scenes":
        scenes(ScenesConfig(out=dataset, images=config.images, size=config.size, workers=2))
    else:
        pairs = (config.data / "order_swap.jsonl",)
        ingest(IngestConfig(config.data, dataset, table="captions.jsonl", pairs=pairs, size=config.size))
    embed(EmbedConfig(dataset=dataset, out=store))
    runs = {}
    if "lit" in config.arms and config.tower is None:
        raise SystemExit("the arm lit needs --tower, a pre-trained image tower")
    for name in config.arms:
        method, loss = ARMS[name]
        runs[name] = work / name
        train(
            TrainConfig(
                images=dataset,
                texts=store,
                out=runs[name],
                preset=config.preset,
                image_encoder=config.tower if method == "lit" else config.image_encoder,
                method=method,  # type: ignore[arg-type]
                loss=loss,
                epochs=config.epochs,
                flip=config.set == "flickr8k",
            )
        )
        texts = store if method == "lift" else None
        evaluate(EvaluateConfig(run=runs[name], dataset=dataset, texts=texts))
        if config.set == "flickr8k":
            sentences = config.data / "forced_choice_esnlive.jsonl"
            evaluate(
                EvaluateConfig(
                    run=runs[name], dataset=dataset, texts=texts, task="verification", pairs=sentences
                )
            )
    compare(CompareConfig(runs=tuple(runs.values()), out=work / "report", title=config.set, overwrite=True))
    write_json(RESULTS / f"arms_{config.set}.json", gather(config, runs))


def gather(config: ArmsConfig, runs: dict[str, Path]) -> dict[str, Any]:
    """Everything the table needs, from the RUN folders."""
    manifests = {name: json.loads((run / "run.json").read_text("utf-8")) for name, run in runs.items()}
    first = next(iter(manifests.values()))
    arms = {}
    for name, run in runs.items():
        made = manifests[name]
        results = {}
        for file in sorted((run / "results").glob("*.json")):
            result = json.loads(file.read_text("utf-8"))
            results[file.stem] = {key: result[key] for key in ("protocol", "n", "seed", "metrics")}
            if name != "clip" and "clip" in runs:
                results[file.stem]["minus_clip"] = differences(file, runs["clip"] / "results" / file.name)
        keep = ("method", "loss", "samples_seen", "parameters", "cost")
        arms[name] = {
            **{key: made[key] for key in keep},
            "backbone": made["backbone"],
            "threads": made["machine"]["threads"],
            "results": results,
        }
        # Arms trained in one process inherit its peak; benchmarks/step_cost.py measures memory properly.
        arms[name]["cost"].pop("peak_memory_bytes")
    chosen = {
        k: first["config"][k]
        for k in ("image_encoder", "epochs", "batch_size", "lr", "min_crop", "flip", "seed")
    }
    return {
        "set": config.set,
        "image_size": config.size,
        "config": chosen,
        "dataset": first["dataset"],
        "arms": arms,
        "machine": first["machine"],
        "versions": first["versions"],
    }


def differences(file: Path, other: Path) -> dict[str, list[float]]:
    """Paired difference to the same result of another run, per metric: [mean, low, high], 95 %."""
    if not other.is_file():
        return {}
    with np.load(file.with_suffix(".npz")) as mine, np.load(other.with_suffix(".npz")) as theirs:
        return {
            key.replace("__", "/"): [
                round(x, 3) for x in paired_bootstrap(mine[key], theirs[key], mine[f"{key}__image"])
            ]
            for key in mine.files
            if not key.endswith("__image") and key in theirs.files
        }


if __name__ == "__main__":
    main(tyro.cli(ArmsConfig))
