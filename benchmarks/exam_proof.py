"""Does the exam foretell retrieval? Its score for many variants of an encoder against recall@10 after a short training.

    python benchmarks/exam_proof.py --data ../shared/data/flickr8k --work /tmp/exam-proof

The variants are the default encoder, sound and damaged in known ways, conditioned, and untrained ones. Each gets its
exam on the training texts only, a STORE, and one short LIFT training, alike for all. Writes
benchmarks/results/exam_proof.json with Spearman's rank correlation, its interval over resampled variants, and the same
for each part of the score. A stopped benchmark goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from scipy.stats import spearmanr

from lift.artefact import read_manifest, write_json
from lift.auditing import corpus_of, examine
from lift.conditioning import fit_conditioning
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.embedding import encode_shard
from lift.fingerprint import Fingerprint
from lift.ingest import IngestConfig, ingest
from lift.place import Place
from lift.store import EmbeddingStore, StoreFacts, StoreWriter, plan_shards, write_conditioning
from lift.text import (
    ConditionedEncoder,
    EncoderOptions,
    MiniLM,
    TextEncoder,
    encode_sorted,
    load_text_encoder,
)
from lift.text.minilm import package_folder
from lift.training import TrainConfig, train
from lift.training.cost import machine, versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class ProofConfig:
    """Examine and train every variant."""

    work: Path = Path("exam-proof-work")
    """Folder for DATASET, STOREs and RUNs."""
    data: Path = Path("../shared/data/flickr8k")
    """Folder of the real photos."""
    epochs: int = 10
    """Passes over the training photos, equal for all."""
    seeds: tuple[int, ...] = (0,)
    """Trainings of each variant."""
    limit: int = 3000
    """Texts in the exam."""


class Reworded:
    """The default encoder that reads something else than the text: a deliberate damage."""

    def __init__(self, encoder: TextEncoder, name: str, reword: Callable[[str], str]) -> None:
        self.encoder, self.name, self.reword = encoder, name, reword
        self.dim, self.max_tokens = encoder.dim, encoder.max_tokens
        self.flops_per_token = encoder.flops_per_token

    @property
    def fingerprint(self) -> Fingerprint:
        """That of the encoder, with the damage as post-processing."""
        return replace(self.encoder.fingerprint, name=self.name, prompt=f"damaged: {self.name}")

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Of what is read."""
        return self.encoder.token_counts([self.reword(text) for text in texts])

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of what is read."""
        return self.encoder.encode([self.reword(text) for text in texts])


def shuffled(text: str) -> str:
    """The words in an order drawn from the text itself."""
    words = text.split()
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return " ".join(words[i] for i in np.random.default_rng(seed).permutation(len(words)))


def every_third_word(text: str) -> str:
    """A third of the words."""
    return " ".join(text.split()[::3])


def without_meaning(text: str) -> str:
    """A code of the text in place of its words: texts of one meaning have nothing in common."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def layers_of_minilm(folder: Path, layers: int, *, trained: bool) -> str:
    """A folder with the first layers of the default encoder, or the same shape with random weights."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    if not (folder / "config.json").is_file():
        config = AutoConfig.from_pretrained(package_folder(), num_hidden_layers=layers)
        torch.manual_seed(0)
        model = (
            AutoModel.from_pretrained(package_folder(), config=config)
            if trained
            else AutoModel.from_config(config)
        )
        AutoTokenizer.from_pretrained(package_folder()).save_pretrained(folder)
        model.save_pretrained(folder)
    return str(folder)


def variants(work: Path, texts: list[str]) -> dict[str, Callable[[], TextEncoder]]:
    """What is examined and trained on; `texts` are the training texts, for what must be fitted."""

    def of_minilm(**options: Any) -> TextEncoder:
        return load_text_encoder("minilm", options=EncoderOptions(**options))

    def conditioned(**options: Any) -> TextEncoder:
        plain = MiniLM()
        return ConditionedEncoder(plain, fit_conditioning(encode_sorted(plain, texts[:8000]), **options))

    def of_layers(name: str, layers: int, trained: bool) -> TextEncoder:
        return load_text_encoder(layers_of_minilm(work / name, layers, trained=trained))

    return {
        "minilm": MiniLM,
        "centred": lambda: conditioned(),
        "whitened": lambda: conditioned(whiten=1.0),
        "whitened by half": lambda: conditioned(whiten=0.5),
        "64 directions": lambda: conditioned(dim=64),
        "16 directions": lambda: conditioned(dim=16),
        "4 directions": lambda: conditioned(dim=4),
        "pooling cls": lambda: of_minilm(pooling="cls"),
        "pooling last": lambda: of_minilm(pooling="last"),
        "5 tokens": lambda: of_minilm(max_tokens=5),
        "words shuffled": lambda: Reworded(MiniLM(), "words shuffled", shuffled),
        "every third word": lambda: Reworded(MiniLM(), "every third word", every_third_word),
        "no meaning": lambda: Reworded(MiniLM(), "no meaning", without_meaning),
        "one layer": lambda: of_layers("one-layer", 1, True),
        "untrained": lambda: of_layers("untrained", 6, False),
    }


def examined(encoder: TextEncoder, name: str, dataset: Dataset, limit: int) -> dict[str, Any]:
    """Score and normalised parts of the exam on training texts."""
    rows = [dataset.rows[n] for n in dataset.split("train")]
    items = [(row.key, list(row.texts)) for row in rows[: limit // 5]]
    found = examine({name: encoder}, corpus_of(items, dataset.name), batch_size=256)
    score = found.scores[name]
    return {"score": score.value, "low": score.low, "high": score.high, "parts": score.parts}


def make_store(encoder: TextEncoder, texts: list[str], place: Path) -> EmbeddingStore:
    """All texts of the DATASET as a STORE."""
    facts = StoreFacts(encoder.fingerprint, "float16")
    request = {"texts": len(texts), "encoder": encoder.fingerprint.digest}
    plan = plan_shards(Place(place), texts, facts=facts, request=request, shard_rows=1 << 20)
    writer = StoreWriter(Place(place), plan)
    if isinstance(encoder, ConditionedEncoder):
        write_conditioning(Place(place), encoder.conditioning)
    for number in range(len(plan)):
        made = encode_shard(encoder, plan.shard(number))
        writer.write(number, plan.shard(number), made.vectors, made.seconds, tokens=made.tokens)
    if len(plan):
        writer.commit(flops_per_token=encoder.flops_per_token)
    return EmbeddingStore(place)


def trained(config: ProofConfig, name: str, store: Path, dataset: Path, seed: int) -> float:
    """Validation recall@10, text to image, after the short training."""
    out = config.work / "runs" / f"{name.replace(' ', '-')}-{seed}"
    train(
        TrainConfig(
            images=dataset,
            texts=store,
            out=out,
            preset="small",
            image_encoder="vit-micro-conv",
            epochs=config.epochs,
            batch_size=128,
            warmup=50,
            min_crop=0.6,
            flip=True,
            seed=seed,
            validations=1,
        )
    )
    return float(read_manifest(out, "run")["validation"]["val/text_to_image/recall@10"])


def main(config: ProofConfig) -> None:
    """Run everything that is not there yet, then write the JSON."""
    folder = config.work / "dataset"
    ingest(IngestConfig(config.data, folder, table="captions.jsonl", size=64))
    dataset = Dataset(folder)
    texts = distinct_texts(dataset.rows)
    known = distinct_texts([dataset.rows[n] for n in dataset.split("train")])
    found: dict[str, Any] = {}
    for name, make in variants(config.work, known).items():
        kept = config.work / "exams" / f"{name.replace(' ', '-')}.json"
        store = config.work / "stores" / name.replace(" ", "-")
        if not kept.is_file():
            encoder = make()
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_json(kept, examined(encoder, name, dataset, config.limit))
            make_store(encoder, texts, store)
        runs = [trained(config, name, store, folder, seed) for seed in config.seeds]
        found[name] = {**json.loads(kept.read_text("utf-8")), "recall@10": runs}
    write_json(RESULTS / "exam_proof.json", summary(config, found))


def summary(config: ProofConfig, found: dict[str, Any]) -> dict[str, Any]:
    """Rank correlations of score and parts with the mean recall."""
    recall = np.array([np.mean(one["recall@10"]) for one in found.values()])
    columns = {"score": np.array([one["score"] for one in found.values()], float)}
    for part in sorted({key for one in found.values() for key in one["parts"]}):
        columns[part] = np.array([one["parts"].get(part, np.nan) for one in found.values()], float)
    return {
        "protocol": (
            "Spearman's rank correlation over variants of the exam's score (on training texts) with text-to-image "
            "recall@10 (five captions, 1,000 validation photos) after an equal short training; 95 % interval over "
            "resampled variants"
        ),
        "config": {"epochs": config.epochs, "seeds": list(config.seeds), "exam_texts": config.limit},
        "variants": found,
        "rank_correlation": {name: correlation(values, recall) for name, values in columns.items()},
        "machine": machine(),
        "versions": versions(),
    }


def correlation(values: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    """Spearman's rho, with its percentile interval over 2,000 resamples of the variants."""
    usable = np.isfinite(values)
    values, recall = values[usable], recall[usable]
    random, drawn = np.random.default_rng(0), []
    for _ in range(2000):
        rows = random.integers(0, len(values), len(values))
        if len(np.unique(values[rows])) > 1 and len(np.unique(recall[rows])) > 1:
            drawn.append(spearmanr(values[rows], recall[rows]).statistic)
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (np.nan, np.nan)
    whole = spearmanr(values, recall).statistic if len(np.unique(values)) > 1 else np.nan
    return {
        "rho": round(float(whole), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
        "n": len(values),
    }


if __name__ == "__main__":
    main(tyro.cli(ProofConfig))
