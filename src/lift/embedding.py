"""embed: DATASET -> STORE. Every distinct caption goes through the frozen text encoder once."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tyro.conf import OmitArgPrefixes, Positional

from lift.artefact import already_done, digest
from lift.console import note, progress_bar, say
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.errors import LiftError
from lift.store import EmbeddingStore, StoreWriter, tidy
from lift.text import EncoderOptions, TextEncoder, load_text_encoder
from lift.text.encoder import token_facts


@dataclass(frozen=True)
class EmbedConfig:
    """Turn every distinct text of a DATASET into a vector, once, with a frozen text encoder."""

    dataset: Positional[Path]
    """The DATASET folder whose texts are embedded."""
    out: Path
    """The STORE folder to make."""
    encoder: str = "minilm"
    """A known name (minilm), a model folder, a hub id (org/model), or an endpoint (https://host/v1#model)."""
    options: Annotated[EncoderOptions, OmitArgPrefixes] = field(default_factory=EncoderOptions)
    dtype: Literal["float16", "float32"] = "float16"
    """Number type of the stored vectors."""
    batch_size: int = 64
    """Texts encoded together."""
    shard_rows: int = 4096
    """Texts per shard; a killed run loses one unfinished shard at most."""
    device: str = "cpu"
    """Where the encoder runs: cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace what lies at --out."""


def embed(config: EmbedConfig) -> EmbeddingStore:
    """Make the STORE of `config.dataset`; goes on where a killed run stopped, returns the opened STORE."""
    if config.batch_size < 1 or config.shard_rows < 1:
        raise LiftError("--batch-size and --shard-rows must be 1 or more", "leave them out")
    dataset = Dataset(config.dataset)
    texts = distinct_texts(dataset.rows)
    if not texts:
        raise LiftError(f"{config.dataset} holds no texts", "ingest photos together with their descriptions")
    encoder = load_text_encoder(config.encoder, device=config.device, options=config.options)
    request = {
        "dataset": dataset.id,
        "texts": digest(texts),
        "encoder": encoder.fingerprint.digest,
        "dtype": config.dtype,
        "shard_rows": config.shard_rows,
        "batch_size": config.batch_size,
    }
    if already_done(config.out, "store", request, config.overwrite):
        tidy(config.out)
        say(f"{config.out}: already done, {len(texts):,} texts")
        return EmbeddingStore(config.out)

    counts = encoder.token_counts(texts)
    # Similar lengths share a batch, and the batches are the same whenever the run is resumed.
    order = sorted(range(len(texts)), key=lambda i: (int(counts[i]), texts[i]))
    writer = StoreWriter(config.out, request)
    _write_shards(writer, encoder, [texts[i] for i in order], config)
    facts = {
        "dataset": {"name": dataset.name, "id": dataset.id},
        **token_facts(encoder, counts),
        "settings": {k: str(v) for k, v in asdict(config).items() if k != "overwrite"},
    }
    writer.close(encoder.fingerprint, config.dtype, facts)
    say(f"{config.out}: {len(texts):,} distinct texts, {encoder.dim} numbers each, by {encoder.fingerprint}")
    if facts["cut_texts"] is None:
        note("tokens were not counted: the endpoint does not tell whether it cut long texts")
    elif facts["cut_texts"]:
        note(
            f"{facts['cut_texts']} of {len(texts):,} texts are longer than the encoder's {encoder.max_tokens} "
            "tokens; what lies beyond was cut off. Shorten them, or choose an --encoder with a longer limit."
        )
    return EmbeddingStore(config.out)


def _write_shards(writer: StoreWriter, encoder: TextEncoder, texts: list[str], config: EmbedConfig) -> None:
    """Encode and write the shards that are not there yet."""
    with progress_bar("embedding texts", len(texts)) as bar:
        for number, start in enumerate(range(0, len(texts), config.shard_rows)):
            shard = texts[start : start + config.shard_rows]
            if writer.has(number, shard):
                bar.advance(len(shard))
                continue
            vectors = np.empty((len(shard), encoder.dim), np.float32)
            seconds = 0.0
            for low in range(0, len(shard), config.batch_size):
                batch = shard[low : low + config.batch_size]
                began = time.perf_counter()
                vectors[low : low + len(batch)] = encoder.encode(batch)
                seconds += time.perf_counter() - began
                bar.advance(len(batch))
            writer.write(number, shard, vectors, config.dtype, seconds)
