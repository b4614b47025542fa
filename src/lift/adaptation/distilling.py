"""distill-query: (text, vector) pairs of a STORE -> a light query encoder, refused when it loses too much."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from lift.adaptation.keeping import Kept, kept_neighbours, kept_photos
from lift.adaptation.tuning import Student, tune
from lift.artefact import already_done, new_folder, read_manifest, write_json
from lift.console import progress_bar, say, show_table
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.errors import LiftError
from lift.query_encoder import QueryEncoder, manifest_of, write_map
from lift.ridge import LinearMap, fit_linear_map
from lift.store import EmbeddingStore
from lift.text import TextEncoder, encode_sorted, load_text_encoder
from lift.text.minilm import package_folder

HELD_OUT, MOST_HELD_OUT = 10, 2000  # every tenth text, so many at most
LEAST_TEXTS = 100
READ_AT_ONCE = 1024


@dataclass(frozen=True)
class DistillConfig:
    """Train a light text encoder that stands in for a heavy one at query time, from the vectors of a STORE.

    The student's vectors are mapped onto the stored ones in closed form; with --epochs the student itself is tuned as
    well. What is kept is measured on texts that were held out; below --gate nothing is written.
    """

    store: Positional[str]
    """The STORE whose encoder is too heavy for queries."""
    out: Path
    """The folder of the query encoder to make."""
    student: str = "minilm"
    """The light encoder: minilm, or the folder of one."""
    epochs: int = 0
    """Passes over the texts in which the student's own weights are tuned; 0: only the linear map."""
    layers: int | None = None
    """Keep only the first so many layers of the student (needs --epochs)."""
    run: Path | None = None
    """A RUN trained on this STORE: what is kept is then measured by finding its photos."""
    dataset: Path | None = None
    """The DATASET with the photos for --run; its validation split is used."""
    gate: float = 0.9
    """Share of the original's recall@10 that must be kept; below it the command fails and nothing is written."""
    limit: int = 200_000
    """Texts learnt from at most, an even sample."""
    seed: int = 0
    """Decides the order in which tuning sees the texts."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace what lies at --out."""


def distill_query(config: DistillConfig) -> QueryEncoder:
    """Make the query encoder of `config.store`; LiftError when it keeps less than the gate asks for."""
    check_options(config)
    store = EmbeddingStore(config.store)
    asked = {k: str(v) for k, v in asdict(config).items() if k not in ("out", "overwrite", "gate", "device")}
    request = {**asked, "serves": store.fingerprint.digest, "commits": store.manifest["commits"]}
    if config.run is not None and config.dataset is not None:
        checkpoint = read_manifest(config.run, "run")["checkpoint"]["id"]
        request |= {"checkpoint": checkpoint, "photos": Dataset(config.dataset).id}
    if already_done(config.out, "query", request, config.overwrite):
        finished = QueryEncoder(config.out, device=config.device)
        check_gate(config, list(finished.manifest["kept"].values())[-1]["recall10"])
        say(f"{config.out}: already done")
        return finished
    texts, vectors = sample(store, config.limit)
    held = np.arange(len(texts)) % HELD_OUT == 0
    held[np.flatnonzero(held)[MOST_HELD_OUT:]] = False
    unseen = held | asked_for(config, texts)
    with new_folder(config.out) as folder:
        encoder, found = learn(config, texts, vectors, unseen, folder)
        write_map(found, folder / "map.safetensors")
        began = time.perf_counter()
        own = found.apply(read(encoder, [text for text, out in zip(texts, held, strict=True) if out]))
        seconds = time.perf_counter() - began
        kept = {"stored texts": kept_neighbours(vectors, np.flatnonzero(held), own, config.seed)}
        if config.run is not None and config.dataset is not None:
            kept["photos"] = kept_photos(
                config.run,
                config.dataset,
                store,
                lambda asked: found.apply(read(encoder, asked)),
                config.seed,
            )
        speeds = {
            "student": held.sum() / max(seconds, 1e-9),
            "original": store.manifest["rows"] / max(store.manifest["seconds"], 1e-9),
        }
        show(kept, speeds)
        check_gate(config, list(kept.values())[-1].recall10)
        facts = {
            "learnt_from": int((~unseen).sum()),
            "held_out": int(held.sum()),
            "kept": {name: value.asdict() for name, value in kept.items()},
            "texts_per_second": {name: round(float(value), 1) for name, value in speeds.items()},
            "request": request,
        }
        made = manifest_of(store.fingerprint, encoder.fingerprint, found.strength, folder, facts)
        write_json(folder / "query.json", made)
    say(f"{config.out}: stands in for {store.fingerprint}; use it with --query-encoder {config.out}")
    return QueryEncoder(config.out, device=config.device)


def check_options(config: DistillConfig) -> None:
    """LiftError for options that contradict one another."""
    if (config.run is None) != (config.dataset is None):
        raise LiftError(
            "--run and --dataset go together", "give both: the RUN, and the DATASET with its photos"
        )
    if config.layers is not None and not config.epochs:
        raise LiftError("a student with layers cut off must be tuned", "add --epochs 2 or more")
    if config.epochs < 0 or config.limit < LEAST_TEXTS or not 0 <= config.gate <= 1:
        raise LiftError(
            "--epochs must be 0 or more, --limit 100 or more, --gate between 0 and 1", "leave them out"
        )


def check_gate(config: DistillConfig, recall10: float) -> None:
    """LiftError when the student keeps less of the original's recall@10 than the gate asks for."""
    if recall10 < config.gate:
        raise LiftError(
            f"the student keeps {recall10:.1%} of the original's recall@10, the gate is {config.gate:.1%}",
            "tune it (--epochs 3), take a larger --student, embed more texts, or lower --gate; nothing was written",
        )


def asked_for(config: DistillConfig, texts: list[str]) -> np.ndarray:
    """Which of `texts` describe the photos that --run is to find: bool (n,). The student must not have learnt them."""
    if config.dataset is None:
        return np.zeros(len(texts), bool)
    dataset = Dataset(config.dataset)
    asked = set(distinct_texts([dataset.rows[n] for n in dataset.split("val")]))
    found = np.array([text in asked for text in texts])
    if (~found).sum() < LEAST_TEXTS:
        raise LiftError(
            f"beside the texts of the validation photos the STORE holds {(~found).sum()}, too few to learn from",
            f"embed {LEAST_TEXTS} other texts or more, or measure without --run",
        )
    return found


def sample(store: EmbeddingStore, limit: int) -> tuple[list[str], np.ndarray]:
    """Texts and unit vectors (n, D) of at most `limit` rows, evenly spread; LiftError when they are too few."""
    if len(store) < LEAST_TEXTS:
        raise LiftError(
            f"the STORE holds {len(store)} texts, too few to learn from", f"embed {LEAST_TEXTS} texts or more"
        )
    step = -(-len(store) // limit)
    texts = [text for number, text in enumerate(store.texts()) if number % step == 0]
    return texts, store.vectors(texts)


def learn(
    config: DistillConfig, texts: list[str], vectors: np.ndarray, unseen: np.ndarray, folder: Path
) -> tuple[TextEncoder, LinearMap]:
    """The student, tuned and saved into `folder` where that is asked for, and its map; `unseen` texts stay so."""
    known, goal = [text for text, out in zip(texts, unseen, strict=True) if not out], vectors[~unseen]
    if not config.epochs:
        encoder = load_text_encoder(config.student, device=config.device)
        return encoder, fit(read(encoder, known), goal)
    source = package_folder() if config.student == "minilm" else Path(config.student)
    student = Student(source, layers=config.layers, device=config.device)
    found = fit(student.encode(known), goal)
    found = tune(student, found, known, goal, epochs=config.epochs, seed=config.seed)
    student.save(folder / "student")
    encoder = load_text_encoder(str(folder / "student"), device=config.device)
    return encoder, found


def fit(features: np.ndarray, targets: np.ndarray) -> LinearMap:
    """The linear map from features (n, d) to targets (n, D), its strength chosen on every tenth row."""
    check = np.arange(len(features)) % HELD_OUT == 0
    return fit_linear_map(features[~check], targets[~check], features[check], targets[check])


def read(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    """Unit vectors float32 (n, d) under a progress bar."""
    parts = []
    with progress_bar("the student reads the texts", len(texts)) as bar:
        for start in range(0, len(texts), READ_AT_ONCE):
            parts.append(encode_sorted(encoder, texts[start : start + READ_AT_ONCE]))
            bar.advance(len(parts[-1]))
    return np.concatenate(parts)


def show(kept: dict[str, Kept], speeds: dict[str, float]) -> None:
    """Print what is kept, and how much quicker the student is."""
    rows = [
        (
            name,
            "–" if k.recall1 is None else f"{k.recall1:.1%}",
            f"{k.recall10:.1%}",
            f"{k.low:.1%} to {k.high:.1%}",
            k.n,
        )
        for name, k in kept.items()
    ]
    show_table(
        "kept of what the original finds",
        ("searching", "recall@1", "recall@10", "95 % interval", "queries"),
        rows,
    )
    say(
        f"student {speeds['student']:.0f} texts/s, original {speeds['original']:.0f} texts/s when it was embedded"
    )
