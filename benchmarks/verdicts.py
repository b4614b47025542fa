"""Are promised error rates kept, and how much is decided without a person? On Flickr8k val photos.

    python benchmarks/verdicts.py --run RUN --dataset DATASET --store STORE --statements forced_choice_esnlive.jsonl

For every kind of false description, 100 times: half of the photos sets the thresholds, the other half is judged. A rate
seen on the other half strays by itself, so the promise is also held against the truth: the photos are taken for the
whole world, as many as a half are drawn from it with replacement, and the thresholds are judged on all of it, exactly.
The control is what people do without this: the score beyond which 5 % of the labelled pairs lie, as a cut. Writes
benchmarks/results/verdicts_flickr8k.json.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from lift.artefact import write_json
from lift.calibration import (
    ASK,
    MATCH,
    MISMATCH,
    Thresholds,
    brier_score,
    calibration_error,
    calibration_noise,
    decide,
    fit_map,
)
from lift.data import Dataset, Row
from lift.evaluation.reading import read_pairs
from lift.metrics import statistic_interval, weighted_auroc
from lift.model import Model, load
from lift.negatives import own_pairs
from lift.predict import exact_scores
from lift.sentences import count_words
from lift.store import EmbeddingStore
from lift.training.cost import machine, versions
from lift.verifying.fitting import Promise, Scored, thresholds_of
from lift.verifying.labelled import OTHER_PHOTO, Labelled, pairs_of_rows

RESULTS = Path(__file__).parent / "results"
PEOPLE = "people's sentences (e-SNLI-VE)"
SIZES = (50, 100, 200, 500)  # photos with labels


@dataclass(frozen=True)
class VerdictsConfig:
    """Promises, shares decided and probabilities over resamples."""

    run: Path
    """RUN trained on the train split."""
    dataset: Path
    """DATASET of Flickr8k."""
    store: Path
    """STORE with the vectors of its captions."""
    statements: Path
    """JSONL of people's true and false sentences {image, positive, negative}."""
    resamples: int = 100
    """Halves drawn."""


def main(config: VerdictsConfig) -> None:
    """Measure and write the JSON."""
    model = load(config.run)
    dataset = Dataset(config.dataset)
    numbers = dataset.split("val")
    rows = [dataset.rows[number] for number in numbers]
    assert isinstance(model, Model)
    photos = model.encode_image(dataset.pixels[numbers])
    features = dict(zip((row.key for row in rows), photos, strict=True))
    store = EmbeddingStore(config.store)
    promise = Promise()
    sets: dict[str, Any] = {}
    learnt: dict[str, Thresholds] = {}
    for name, pairs in pair_sets(rows, dataset, config.statements).items():
        scored = score(model, store, pairs, features)
        asked = promise if name != PEOPLE else Promise(0.1, 0.1)  # too few photos for 5 %
        sets[name] = measure(scored, asked, config.resamples)
        if name.startswith("short"):
            learnt[name] = thresholds_of(scored, promise, np.random.default_rng(0))
        print(name, sets[name]["promise"], sets[name]["decided"], flush=True)
        if name == "short, one fact changed":
            easy = errors_of(scored, learnt["short, other photos' captions"])
        if name == "short, half and half":
            probabilities = probability_of(scored, config.resamples)
            sizes = {str(n): size_of(scored, promise, n, config.resamples) for n in SIZES}
    people = {
        name: dict(zip(("false_alarm", "missed", "decided"), errors_of(scored, limits), strict=True))
        for name, limits in learnt.items()
    }  # scored: the last set, that of people
    made = {
        "config": {"resamples": config.resamples, "promise": vars(promise), "photos": len(rows)},
        "model": {"id": model.id, "fingerprint": model.fingerprint.digest},
        "dataset": {"name": dataset.name, "id": dataset.id, "split": "val"},
        "sets": sets,
        "changed_by_captions": dict(zip(("false_alarm", "missed", "decided"), easy, strict=True)),
        "people_by_other_thresholds": people,
        "probability": probabilities,
        "labels": sizes,
        "machine": machine(),
        "versions": versions(),
    }
    write_json(RESULTS / "verdicts_flickr8k.json", made)


def pair_sets(rows: list[Row], dataset: Dataset, statements: Path) -> dict[str, list[Labelled]]:
    """Pairs by the length of the description and the kind of the false ones."""
    short = [replace(row, long_captions=[]) for row in rows]
    long = [replace(row, captions=[], long_captions=[" ".join(row.captions)]) for row in rows]
    own = {key: texts for key, texts in own_pairs(dataset).items()}
    sets = {}
    for name, some, texts in (("short", short, own), ("long (five captions)", long, {})):
        for kind, share in (
            ("other photos' captions", 0.0),
            ("one fact changed", 1.0),
            ("half and half", 0.5),
        ):
            pairs = pairs_of_rows(some, texts, hard_share=share, seed=0)
            if share == 1.0:  # none of another photo where no rule applies
                pairs = [pair for pair in pairs if pair.label or pair.kind != OTHER_PHOTO]
            sets[f"{name}, {kind}"] = pairs
    keys = {row.key for row in rows}
    people = [pair for pair in read_pairs(statements) if pair.image in keys]
    sets[PEOPLE] = [
        Labelled(pair.image, text, text is pair.positive, "people")
        for pair in people
        for text in (pair.positive, pair.negative)
    ]
    return sets


def score(
    model: Model, store: EmbeddingStore, pairs: list[Labelled], features: dict[str, np.ndarray]
) -> Scored:
    """Cosines and the rest, as arrays."""
    vectors = model.encode_text([pair.text for pair in pairs], store=store)
    images = np.stack([features[pair.photo] for pair in pairs])
    _, photos = np.unique([pair.photo for pair in pairs], return_inverse=True)
    return Scored(
        exact_scores(vectors, images),
        np.array([pair.label for pair in pairs]),
        photos,
        np.array([count_words(pair.text) for pair in pairs]),
        np.zeros(len(pairs), bool),
    )


def errors_of(pairs: Scored, thresholds: Thresholds) -> tuple[float, float, float]:
    """Percent of true ones called mismatch and of false ones called match, each photo alike; percent decided."""
    decisions = decide(pairs.scores, thresholds)
    rates = []
    for label, wrong in ((True, MISMATCH), (False, MATCH)):
        of = pairs.labels == label
        counts = np.bincount(pairs.photos[of])
        bad = np.bincount(pairs.photos[of], weights=decisions[of] == wrong)
        rates.append(float(100 * (bad[counts > 0] / counts[counts > 0]).mean()))
    return rates[0], rates[1], float(100 * np.mean(decisions != ASK))


def naive_cut(pairs: Scored, promise: Promise) -> Thresholds:
    """The cuts beyond which as many of the labelled pairs lie as are promised."""
    return Thresholds(
        float(np.quantile(pairs.scores[pairs.labels], promise.false_alarm)),
        float(np.quantile(pairs.scores[~pairs.labels], 1 - promise.missed)),
    )


def drawn_photos(pairs: Scored, photos: np.ndarray) -> Scored:
    """The pairs of the photos drawn, each draw a photo of its own."""
    order = np.argsort(pairs.photos, kind="stable")
    starts = np.searchsorted(pairs.photos[order], np.arange(pairs.photos.max() + 2))
    places = [order[starts[photo] : starts[photo + 1]] for photo in photos]
    chosen = np.concatenate(places)
    found = pairs.only(chosen)
    return found._replace(photos=np.repeat(np.arange(len(photos)), [len(part) for part in places]))


def measure(pairs: Scored, promise: Promise, resamples: int) -> dict[str, Any]:
    """Broken promises and shares decided over resamples, and the AUROC."""
    count = int(pairs.photos.max()) + 1
    ways: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ("halves", "world", "naive")}
    for seed in range(resamples):
        generator = np.random.default_rng(seed)
        first = generator.permutation(count) < count // 2
        learnt, rest = pairs.only(first[pairs.photos]), pairs.only(~first[pairs.photos])
        ways["halves"].append(errors_of(rest, thresholds_of(learnt, promise, generator)))
        drawn = drawn_photos(pairs, generator.integers(count, size=count // 2))
        ways["world"].append(errors_of(pairs, thresholds_of(drawn, promise, generator)))
        ways["naive"].append(errors_of(pairs, naive_cut(drawn, promise)))
    low, high = statistic_interval(weighted_auroc(pairs.scores, pairs.labels), pairs.photos)
    auroc = float(weighted_auroc(pairs.scores, pairs.labels)(np.ones((1, len(pairs.labels)), np.int64))[0])
    return {
        "n": {"photos": count, "true": int(pairs.labels.sum()), "false": int((~pairs.labels).sum())},
        "words": float(np.median(pairs.words)),
        "promised": vars(promise),
        "auroc": {"value": round(auroc, 2), "low": round(low, 2), "high": round(high, 2)},
        "promise": {name: broken(np.array(found), promise) for name, found in ways.items()},
        "decided": {name: round(float(np.array(found)[:, 2].mean()), 2) for name, found in ways.items()},
    }


def broken(found: np.ndarray, promise: Promise) -> dict[str, dict[str, float]]:
    """For each promise: percent of resamples that broke it, mean and worst rate in percent."""
    return {
        name: {
            "broken": round(float(100 * np.mean(found[:, column] > 100 * getattr(promise, name))), 1),
            "mean": round(float(found[:, column].mean()), 2),
            "worst": round(float(found[:, column].max()), 2),
        }
        for column, name in enumerate(("false_alarm", "missed"))
    }


def probability_of(pairs: Scored, resamples: int) -> dict[str, Any]:
    """Brier score and calibration error on the other half, of both methods, by number of photos learnt from."""
    count = int(pairs.photos.max()) + 1
    found: dict[str, Any] = {}
    for size in SIZES:
        values: dict[str, list[tuple[float, float]]] = {"platt": [], "isotonic": []}
        noise = []
        for seed in range(min(resamples, 50)):
            order = np.random.default_rng(seed).permutation(count)
            learnt = pairs.only(np.isin(pairs.photos, order[: min(size, count // 2)]))
            rest = pairs.only(np.isin(pairs.photos, order[count // 2 :]))
            for method in ("platt", "isotonic"):
                chance = fit_map(learnt.scores, learnt.labels, method)(rest.scores)
                values[method].append(
                    (brier_score(chance, rest.labels), calibration_error(chance, rest.labels))
                )
            if seed < 5:
                noise.append(calibration_noise(chance, np.random.default_rng(seed), draws=20))
        found[str(size)] = {
            method: {
                "brier": round(float(np.mean(v, axis=0)[0]), 3),
                "ece": round(float(np.mean(v, axis=0)[1]), 2),
            }
            for method, v in values.items()
        } | {"ece_of_a_perfect_one": round(float(np.mean(noise)), 2)}
    return found


def size_of(pairs: Scored, promise: Promise, size: int, resamples: int) -> dict[str, float]:
    """What so many labelled photos decide, judged on all."""
    count = int(pairs.photos.max()) + 1
    found = []
    for seed in range(resamples):
        generator = np.random.default_rng((seed, size))
        drawn = drawn_photos(pairs, generator.integers(count, size=size))
        found.append(errors_of(pairs, thresholds_of(drawn, promise, generator)))
    decided = np.array(found)[:, 2]
    return {
        "decided": round(float(decided.mean()), 2),
        **{k: v["mean"] for k, v in broken(np.array(found), promise).items()},
    }


if __name__ == "__main__":
    main(tyro.cli(VerdictsConfig))
