"""What the runs of an ablation found: per arm and seed, beside controls, against the plain arm, and pooled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lift.data import Dataset
from lift.metrics import bootstrap_interval, paired_bootstrap
from lift.significance import pooled_difference, pooled_interval
from lift.store import EmbeddingStore

#: Kinds whose false sentence sounds as likely as the true one ("a boy throws a man" beside "a man throws a boy").
PLAUSIBLE = ["swap_colour", "swap_people_people", "swap_people_animal"]
CONTROLS = ("text_only", "wrong_photo")
Outcome = tuple[np.ndarray, np.ndarray]  # percent per item, photo of the item
RECALLS = ("text_to_image/recall@10", "image_to_text/recall@10")


def gather(
    known: Mapping[str, tuple[str, dict[str, Any]]], name: str, epochs: int, work: Path
) -> dict[str, Any]:
    """Everything the table needs, from the RUN folders of so many epochs that are finished and measured.

    known: STORE and options by arm. name: of the data set.
    """
    arms: dict[str, dict[str, Any]] = {}
    found: dict[str, list[dict[str, Outcome]]] = {}
    first: dict[str, Any] = {}
    for arm, (_, options) in known.items():
        for seed in range(10):
            run, plain = (work / f"{name}-{epochs}-{seed}" for name in (arm, "plain"))
            if not (run / "run.json").is_file() or len(list((run / "results").glob("*.json"))) < 3:
                continue
            made = json.loads((run / "run.json").read_text("utf-8"))
            first = first or made
            outcomes = outcomes_of(run)
            found.setdefault(arm, []).append(outcomes)
            # Seconds are left out: arms are trained one after the other, and a machine may get busy in between.
            of_seed = {
                "metrics": {name: summary(outcome) for name, outcome in outcomes.items()},
                "controls": controls_of(run),
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
        "set": name,
        "image_size": Dataset(work / "dataset").image_size,
        "config": {name: first["config"][name] for name in names},
        "dataset": first["dataset"],
        "text_encoder": "minilm",
        "plausible_kinds": PLAUSIBLE,
        "blind_reader": blind_reader(work) if name == "flickr8k" else None,
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
    parts = [found[f"pair_accuracy/{kind}"] for kind in PLAUSIBLE if f"pair_accuracy/{kind}" in found]
    if parts:
        values, photos = (np.concatenate(side) for side in zip(*parts, strict=True))
        found["pair_accuracy/plausible"] = (values, photos)
    return found


def controls_of(run: Path) -> dict[str, float]:
    """Pair accuracy of the mean photo and of a wrong photo in place of the right one, by kind, and together."""
    [file] = (run / "results").glob("pairs--*.json")
    metrics = json.loads(file.read_text("utf-8"))["metrics"]
    found: dict[str, float] = {}
    for control in CONTROLS:
        start = f"control/{control}/pair_accuracy/"
        named = {n.removeprefix(start): m for n, m in metrics.items() if n.startswith(start) and is_wanted(n)}
        plausible = [named[kind] for kind in PLAUSIBLE if kind in named]
        found |= {f"{control}/{kind}": metric["value"] for kind, metric in named.items()}
        if plausible:
            total = sum(metric["value"] * metric["n"] for metric in plausible)
            found[f"{control}/plausible"] = round(total / sum(metric["n"] for metric in plausible), 3)
    return found


def is_wanted(metric: str) -> bool:
    """Recall@10 both ways, and pair accuracies over all lengths."""
    by_length = "/short/" in metric or "/long/" in metric
    return metric in RECALLS or ("pair_accuracy/" in metric and not by_length)


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
