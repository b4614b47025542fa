"""What negatives and mixes of losses bring: one arm per option, against the plain contrastive loss, same steps.

    python benchmarks/ablation.py scenes --work /tmp/ablation --images 2000 --epochs 10
    python benchmarks/ablation.py flickr8k --data ../shared/data/flickr8k --work /tmp/ablation --epochs 10

Every arm sees the same photos with the same captions and crops from the same initial weights. Writes
benchmarks/results/ablation_<set>_<epochs>.json with recall@10 both ways, pair accuracy by kind beside the control that
sees no photo, paired differences to the plain arm with 95 % intervals, arms of several seeds pooled, what a reader of
the sentences alone gets right, the FLOPs of a sample, the machine and the versions. The runs stay in --work; a stopped
benchmark goes on, and arms that are added later stand beside those that were there.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from lift.significance import pooled_difference, pooled_interval
from tyro.conf import Positional

from lift.adaptation import ConditionConfig, condition
from lift.artefact import write_json
from lift.data import Dataset
from lift.embedding import EmbedConfig, embed
from lift.evaluation import EvaluateConfig, evaluate
from lift.evaluation.retrieval import joined
from lift.ingest import IngestConfig, ingest
from lift.metrics import bootstrap_interval, paired_bootstrap
from lift.scenes import ScenesConfig, scenes
from lift.store import EmbeddingStore
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
    "clip-sentences": ("long", {"method": "clip", "sentence_share": 0.5}),
    "clip-balanced": ("store", {"method": "clip", "batches": "balanced"}),
    "clip-by-length": ("store", {"method": "clip", "batches": "by-length"}),
}
#: Kinds whose false sentence sounds as likely as the true one ("a boy throws a man" beside "a man throws a boy").
PLAUSIBLE = ["swap_colour", "swap_people_people", "swap_people_animal"]
Outcome = tuple[np.ndarray, np.ndarray]  # percent per item, photo of the item
RECALLS = ("text_to_image/recall@10", "image_to_text/recall@10")


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
            train(
                TrainConfig(
                    images=work / ("dataset-long" if texts == "long" else "dataset"),
                    texts=stores[texts],
                    out=run,
                    image_encoder=config.image_encoder,
                    epochs=config.epochs,
                    batch_size=config.batch_size,
                    min_crop=config.min_crop,
                    flip=config.set == "flickr8k",
                    validations=1,
                    seed=seed,
                    **options,
                )
            )
            own = None if options.get("method") == "clip" else stores[texts]
            for task in ("retrieval", "long-retrieval", "pairs"):
                evaluate(EvaluateConfig(run, task, dataset=work / "dataset", texts=own))  # type: ignore[arg-type]
    write_json(RESULTS / f"ablation_{config.set}_{config.epochs}.json", gather(config, work))


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


def gather(config: AblationConfig, work: Path) -> dict[str, Any]:
    """Everything the table needs, from the RUN folders of --epochs that are finished and measured."""
    arms: dict[str, dict[str, Any]] = {}
    found: dict[str, list[dict[str, Outcome]]] = {}
    first: dict[str, Any] = {}
    for arm, (_, options) in ARMS.items():
        for seed in range(10):
            run, plain = (work / f"{name}-{config.epochs}-{seed}" for name in (arm, "plain"))
            if not (run / "run.json").is_file() or len(list((run / "results").glob("*.json"))) < 3:
                continue
            made = json.loads((run / "run.json").read_text("utf-8"))
            first = first or made
            outcomes = outcomes_of(run)
            found.setdefault(arm, []).append(outcomes)
            # Seconds are left out: arms are trained one after the other, and a machine may get busy in between.
            of_seed = {
                "metrics": {name: summary(outcome) for name, outcome in outcomes.items()},
                "flops_per_sample": made["cost"]["flops_per_sample"],
                "negatives": made.get("negatives"),
            }
            if arm != "plain" and (plain / "run.json").is_file():
                of_seed["minus_plain"] = differences(outcomes, outcomes_of(plain))
            asked = {name: made["config"][name] for name in (*options, "hard_kinds") if made["config"][name]}
            arms.setdefault(arm, {"options": asked, "seeds": {}})["seeds"][str(seed)] = of_seed
    names = ("image_encoder", "epochs", "batch_size", "lr", "min_crop", "flip")
    several = {arm: seeds for arm, seeds in found.items() if len(seeds) > 1}
    return {
        "set": config.set,
        "image_size": config.size,
        "config": {name: first["config"][name] for name in names},
        "dataset": first["dataset"],
        "text_encoder": "minilm",
        "plausible_kinds": PLAUSIBLE,
        "blind_reader": blind_reader(work) if config.set == "flickr8k" else None,
        "arms": arms,
        "pooled": {arm: {name: pooled(seeds, name) for name in seeds[0]} for arm, seeds in several.items()},
        "pooled_minus_clip": {
            arm: {name: pooled_gap(seeds, several["clip"], name) for name in seeds[0]}
            for arm, seeds in several.items()
            if arm != "clip" and "clip" in several
        },
        "machine": first["machine"],
        "versions": first["versions"],
    }


def outcomes_of(run: Path) -> dict[str, Outcome]:
    """Per wanted metric the outcome of every item, in percent, and its photo; the plausible kinds also as one."""
    found: dict[str, Outcome] = {}
    for file in sorted((run / "results").glob("*.npz")):
        task = file.name.partition("--")[0]
        with np.load(file) as made:
            for key in made.files:
                name = key.replace("__", "/")
                if not key.endswith("__image") and is_wanted(name):
                    long = "long/" if task == "long-retrieval" else ""
                    found[long + name] = (made[key], made[f"{key}__image"])
    for before in ("", "control/text_only/"):
        parts = [
            found[f"{before}pair_accuracy/{kind}"] for kind in PLAUSIBLE if f"pair_accuracy/{kind}" in found
        ]
        if parts:
            values, photos = (np.concatenate(side) for side in zip(*parts, strict=True))
            found[f"{before}pair_accuracy/plausible"] = (values, photos)
    return found


def is_wanted(metric: str) -> bool:
    """Recall@10 both ways, and pair accuracies over all lengths with the control that sees no photo."""
    by_length = "/short/" in metric or "/long/" in metric
    control = metric.startswith("control/") and "text_only" not in metric
    return metric in RECALLS or ("pair_accuracy/" in metric and not by_length and not control)


def summary(outcome: Outcome) -> dict[str, float]:
    """Mean, 95 % interval over photos, number of items."""
    low, high = bootstrap_interval(*outcome)
    return {
        "value": round(float(outcome[0].mean()), 3),
        "low": round(low, 3),
        "high": round(high, 3),
        "n": len(outcome[0]),
    }


def differences(mine: dict[str, Outcome], plain: dict[str, Outcome]) -> dict[str, list[float]]:
    """Paired difference to the plain arm, per metric: [mean, low, high], 95 %."""
    shared = [name for name in mine if name in plain]
    return {n: [round(x, 3) for x in paired_bootstrap(mine[n][0], plain[n][0], mine[n][1])] for n in shared}


def pooled(seeds: list[dict[str, Outcome]], name: str) -> list[float]:
    """Mean over seeds and items with its 95 % interval, both drawn anew."""
    found = pooled_interval(np.stack([seed[name][0] for seed in seeds]), seeds[0][name][1])
    return [round(float(x), 3) for x in found[:3]]


def pooled_gap(mine: list[dict[str, Outcome]], clip: list[dict[str, Outcome]], name: str) -> list[float]:
    """Mean difference to CLIP over seeds and items with its 95 % interval."""
    one, two = (np.stack([seed[name][0] for seed in seeds]) for seeds in (mine, clip))
    return [round(float(x), 3) for x in pooled_difference(one, two, mine[0][name][1])[:3]]


def blind_reader(work: Path) -> dict[str, float]:
    """Pair accuracy of a reader that sees no photo: a linear map fitted on the vectors of the training pairs.

    It says how much of a pair is told by the sentences alone, to whoever has seen such pairs before.
    """
    from sklearn.linear_model import LogisticRegression

    dataset, store = Dataset(work / "dataset"), EmbeddingStore(work / "store")
    sides = []
    for split in ("train", "val"):
        pairs = [pair for pair in dataset.pairs if pair.split == split]
        true, false = (
            store.vectors([getattr(pair, side) for pair in pairs]) for side in ("positive", "negative")
        )
        sides.append((true - false, np.array([pair.kind for pair in pairs])))
    (seen, _), (asked, kinds) = sides
    labels = np.repeat([1, 0], len(seen))
    reader = LogisticRegression(C=100.0, fit_intercept=False, max_iter=2000).fit(
        np.concatenate([seen, -seen]), labels
    )
    right = 100.0 * (asked @ reader.coef_[0] > 0)
    groups = {"all": kinds != "", "plausible": np.isin(kinds, PLAUSIBLE)} | {
        k: kinds == k for k in sorted(set(kinds))
    }
    return {f"pair_accuracy/{name}": round(float(right[chosen].mean()), 3) for name, chosen in groups.items()}


if __name__ == "__main__":
    main(tyro.cli(AblationConfig))
