"""embed: DATASET -> STORE. Every distinct caption goes through the frozen text encoder once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from tyro.conf import Positional

from lift.artefact import digest
from lift.console import note, progress_bar, say
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.errors import LiftError
from lift.place import Place
from lift.store import EmbeddingStore, Plan, StoreFacts, StoreWriter, plan_shards
from lift.text import TextEncoder, load_text_encoder


@dataclass(frozen=True)
class EmbedConfig:
    """Turn every distinct text of a DATASET into a vector, once, with a frozen text encoder.

    An existing STORE of the same encoder and dtype gets the texts that it lacks.
    """

    dataset: Positional[Path]
    """The DATASET folder whose texts are embedded."""
    out: str | Path
    """The STORE to make or to append to: a folder, or an fsspec URL such as s3://bucket/store."""
    encoder: str = "minilm"
    """A known name (minilm), a sentence-transformers folder, or a hub id such as org/model."""
    dtype: Literal["float16", "float32", "int8"] = "float16"
    """Number type of the stored vectors; with int8 the recall that it costs is measured and told."""
    batch_size: int = 64
    """Texts encoded together."""
    shard_rows: int = 16384
    """Texts per shard; a killed run loses one unfinished shard at most."""
    device: str = "cpu"
    """Where the encoder runs: cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace the STORE that lies at --out; it stays readable until the new one is finished."""


class Encoded(NamedTuple):
    """A shard's unit vectors float32 (n, D), and what they took: seconds, tokens read, texts that were cut."""

    vectors: np.ndarray
    seconds: float
    tokens: int
    cut_texts: int


def embed(config: EmbedConfig) -> EmbeddingStore:
    """Bring the texts of `config.dataset` into a STORE; goes on where a killed run stopped, returns it opened."""
    if config.batch_size < 1 or config.shard_rows < 1:
        raise LiftError("--batch-size and --shard-rows must be 1 or more", "leave them out")
    dataset, place = Dataset(config.dataset), Place(config.out)
    texts = distinct_texts(dataset.rows)
    if not texts:
        raise LiftError(f"{config.dataset} holds no texts", "ingest photos together with their descriptions")
    encoder = load_text_encoder(config.encoder, device=config.device)
    plan = plan_embedding(config, encoder, texts, dataset.id)
    writer = StoreWriter(place, plan)
    if not len(plan):
        writer.settle()
        say(f"{place}: already done, {len(texts):,} texts")
        return EmbeddingStore(place)
    with progress_bar("embedding texts", plan.rows) as bar:
        for number in range(len(plan)):
            shard = plan.shard(number)
            if writer.has(number):
                bar.advance(len(shard))
                continue
            made = encode_shard(encoder, shard, batch_size=config.batch_size, advance=bar.advance)
            writer.write(
                number, shard, made.vectors, made.seconds, tokens=made.tokens, cut_texts=made.cut_texts
            )
    finish(config, writer, encoder, dataset)
    return EmbeddingStore(place)


def plan_embedding(config: EmbedConfig, encoder: TextEncoder, texts: Sequence[str], dataset_id: str) -> Plan:
    """The recorded plan of one run: shards of the texts that the STORE lacks; without shards nothing is to do."""
    request = {
        "dataset": dataset_id,
        "texts": digest(list(texts)),
        "encoder": encoder.fingerprint.digest,
        "dtype": config.dtype,
        "shard_rows": config.shard_rows,
        "batch_size": config.batch_size,
    }
    return plan_shards(
        Place(config.out),
        texts,
        facts=StoreFacts(encoder.fingerprint, config.dtype),
        request=request,
        shard_rows=config.shard_rows,
        overwrite=config.overwrite,
    )


def encode_shard(
    encoder: TextEncoder,
    texts: Sequence[str],
    *,
    batch_size: int = 64,
    advance: Callable[[int], None] = lambda texts: None,
) -> Encoded:
    """Unit vectors of one shard's texts, in their order; `advance` is told of every batch.

    Texts of similar length share a batch. Nothing outside the shard matters, so any process gives the same bytes.
    """
    counts = encoder.token_counts(texts)
    order = np.argsort(counts, kind="stable")
    vectors = np.empty((len(texts), encoder.dim), np.float32)
    began = time.perf_counter()
    for start in range(0, len(texts), batch_size):
        batch = order[start : start + batch_size]
        vectors[batch] = encoder.encode([texts[i] for i in batch])
        advance(len(batch))
    seconds = time.perf_counter() - began
    tokens = int(np.minimum(counts, encoder.max_tokens).sum())
    return Encoded(vectors, seconds, tokens, int((counts > encoder.max_tokens).sum()))


def finish(config: EmbedConfig, writer: StoreWriter, encoder: TextEncoder, dataset: Dataset) -> None:
    """Commit the run's shards and say what was done."""
    commit = writer.commit(
        flops_per_token=encoder.flops_per_token,
        max_tokens=encoder.max_tokens,
        datasets=[{"name": dataset.name, "id": dataset.id}],
        settings={"encoder": config.encoder, "device": config.device},
    )
    made, total = commit.content, len(distinct_texts(dataset.rows))
    say(
        f"{writer.place}: {made['rows']:,} new of {total:,} distinct texts, {encoder.dim} numbers each, "
        f"by {encoder.fingerprint}"
    )
    if "int8" in made:
        judged = made["int8"]
        say(
            f"int8: {judged['recall@10']:.2%} of the 10 nearest texts are those of the encoder's own vectors "
            f"({judged['queries']:,} queries, {judged['rows']:,} rows)"
        )
    if made["cut_texts"]:
        note(
            f"{made['cut_texts']:,} of {made['rows']:,} texts are longer than the encoder's {encoder.max_tokens} "
            "tokens; what lies beyond was cut off. Shorten them, or choose an --encoder with a longer limit."
        )
