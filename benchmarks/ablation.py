"""What negatives and mixes of losses bring: one arm per option, against the plain contrastive loss, same steps.

    python benchmarks/ablation.py scenes --work /tmp/ablation --images 2000 --epochs 10
    python benchmarks/ablation.py flickr8k --data ../shared/data/flickr8k --work /tmp/ablation --epochs 20

Every arm sees the same photos with the same captions and crops from the same initial weights. Writes
benchmarks/results/ablation_<set>_<epochs>.json with recall@10 both ways, pair accuracy by kind beside the controls,
paired differences to the plain arm with 95 % intervals, arms of several seeds pooled, what a reader of the sentences
alone gets right, the FLOPs of a sample, the machine and the versions. The runs stay in --work; a stopped benchmark goes
on, and arms that are added later stand beside those that were there.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from tyro.conf import Positional

from ablation_gather import gather
from lift.adaptation import ConditionConfig, condition
from lift.artefact import write_json
from lift.embedding import EmbedConfig, embed
from lift.evaluation import EvaluateConfig, evaluate
from lift.evaluation.retrieval import joined
from lift.ingest import IngestConfig, ingest
from lift.scenes import ScenesConfig, scenes
from lift.training import TrainConfig, train

RESULTS = Path(__file__).parent / "results"
HARD = {"hard_negatives": 4}
#: Arm -> (STORE, options of TrainConfig); those with hard negatives use --kinds.
ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("store", {}),
    "hard": ("store", HARD),
    "hard-2": ("store", {"hard_negatives": 2}),
    "hard-own": ("store", HARD | {"hard_weight": 1.0}),
    "centred-hard-own": ("centred", HARD | {"hard_weight": 1.0}),
    "neighbours": ("store", {"neighbours": 8}),
    "hard-neighbours": ("store", HARD | {"neighbours": 8}),
    "mask": ("store", {"mask_similar": 0.9}),
    "cosine-mix": ("store", {"cosine_weight": 1.0}),
    "cosine": ("store", {"loss": "cosine"}),
    "centred": ("centred", {}),
    "centred-hard": ("centred", HARD),
    "sigmoid": ("store", {"loss": "sigmoid"}),
    "sigmoid-hard": ("store", {"loss": "sigmoid"} | HARD),
    "long-mix": ("long", {"long_share": 0.3}),
    "sentences": ("long", {"sentence_share": 0.5}),
    "sentences-3": ("long", {"sentence_share": 0.5, "sentences": 3}),
    "balanced": ("store", {"batches": "balanced"}),
    "by-length": ("store", {"batches": "by-length"}),
    "clip": ("store", {"method": "clip"}),
    "words": ("store", {"method": "words"}),
    "lit": ("store", {"method": "lit", "image_encoder": "plain"}),  # the tower of the plain arm, locked
    "clip-sentences": ("long", {"method": "clip", "sentence_share": 0.5}),
    "clip-balanced": ("store", {"method": "clip", "batches": "balanced"}),
    "clip-by-length": ("store", {"method": "clip", "batches": "by-length"}),
}


@dataclass(frozen=True)
class AblationConfig:
    """Train and measure arms that differ in one option each."""

    set: Positional[Literal["flickr8k", "scenes"]]
    """Which data set."""
    work: Path = Path("ablation-work")
    """Folder for DATASET, STOREs and RUNs."""
    data: Path = Path("../shared/data/flickr8k")
    """Folder of the real photos."""
    image_encoder: str = "vit-micro-deep"
    """Image tower, from scratch."""
    epochs: int = 60
    """Passes over the training photos."""
    batch_size: int = 256
    """Photos per step."""
    min_crop: float = 0.4
    """Smallest share of a photo that a random crop keeps."""
    size: int = 64
    """Pixels."""
    images: int = 2000
    """Pictures to draw for scenes."""
    arms: tuple[str, ...] = tuple(ARMS)
    """Arms to train now, of ARMS."""
    kinds: tuple[str, ...] = ("order", "attribute", "number", "left_right", "relation", "pairs")
    """Kinds of hard negatives."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of each arm."""


def main(config: AblationConfig) -> None:
    """Run what is not there yet, then write the JSON of everything that is there."""
    work = config.work / config.set
    stores = prepare(config, work)
    for seed in config.seeds:
        for arm in config.arms:
            texts, options = ARMS[arm]
            if "hard_negatives" in options:
                options = options | {"hard_kinds": config.kinds}
            run = work / f"{arm}-{config.epochs}-{seed}"
            tower = options.get("image_encoder")
            options = options | {"image_encoder": config.image_encoder}
            if tower:
                options["image_encoder"] = str(work / f"{tower}-{config.epochs}-{seed}")
            train(
                TrainConfig(
                    images=work / ("dataset-long" if texts == "long" else "dataset"),
                    texts=stores[texts],
                    out=run,
                    epochs=config.epochs,
                    batch_size=config.batch_size,
                    min_crop=config.min_crop,
                    flip=config.set == "flickr8k",
                    validations=1,
                    seed=seed,
                    **options,
                )
            )
            own = None if "method" in options else stores[texts]
            for task in ("retrieval", "long-retrieval", "pairs"):
                evaluate(EvaluateConfig(run, task, dataset=work / "dataset", texts=own))  # type: ignore[arg-type]
    write_json(
        RESULTS / f"ablation_{config.set}_{config.epochs}.json", gather(ARMS, config.set, config.epochs, work)
    )


def prepare(config: AblationConfig, work: Path) -> dict[str, Path]:
    """DATASET and STOREs, where they are not there yet; the STOREs by name."""
    work.mkdir(parents=True, exist_ok=True)
    dataset, store = work / "dataset", work / "store"
    stores = {"store": store, "centred": work / "centred", "long": store}
    if config.set == "scenes":
        scenes(ScenesConfig(out=dataset, images=config.images, size=config.size, workers=1))
        stores["long"] = store
    else:
        pairs = (config.data / "order_swap.jsonl",)
        ingest(IngestConfig(config.data, dataset, table="captions.jsonl", pairs=pairs, size=config.size))
    most = max(
        options.get("sentences", 1) if "sentence_share" in options else 0 for _, options in ARMS.values()
    )
    drawn = most if config.set == "scenes" else 0
    embed(EmbedConfig(dataset, store, hard_negatives=True, hard_kinds=config.kinds, sentences=drawn))
    condition(ConditionConfig(store=str(store), out=str(stores["centred"]), images=dataset))
    if config.set == "flickr8k" and any(ARMS[arm][0] == "long" for arm in config.arms):
        # Flickr8k has no long captions: the five short ones of a photo, joined, stand for one.
        table = work / "with-long.jsonl"
        if not table.is_file():
            lines = [
                json.loads(line) for line in (config.data / "captions.jsonl").read_text("utf-8").splitlines()
            ]
            for line in lines:
                line |= {"long_captions": [joined(line["captions"])]}
            shutil.copytree(config.data / "images", work / "images", dirs_exist_ok=True)
            table.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        ingest(IngestConfig(table, work / "dataset-long", size=config.size))
        stores["long"] = work / "long"
        embed(EmbedConfig(work / "dataset-long", stores["long"], sentences=most))
    return stores


if __name__ == "__main__":
    main(tyro.cli(AblationConfig))
