"""The verb `embed`: plan the shards that the STORE lacks, have an engine encode them, commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional

from lift.artefact import digest
from lift.console import note, progress_bar, say
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.embedding.cluster import work_on_cluster
from lift.embedding.shards import work_on
from lift.errors import LiftError
from lift.negatives import count_kinds, hard_negatives, texts_of
from lift.place import Place
from lift.sentences import runs_of_rows, texts_of_runs
from lift.store import EmbeddingStore, Plan, StoreFacts, StoreWriter, plan_shards, read_conditioning
from lift.text import ConditionedEncoder, EncoderOptions, TextEncoder, load_text_encoder
from lift.text.batching import BATCH_TEXTS
from lift.text.encoder import counts_tokens


@dataclass(frozen=True)
class EmbedConfig:
    """Turn every distinct text of a DATASET into a vector, once, with a frozen text encoder.

    An existing STORE of the same encoder and dtype gets the texts that it lacks.
    """

    dataset: Positional[str | Path]
    """The DATASET folder whose texts are embedded."""
    out: str | Path
    """The STORE to make or to append to: a folder, or an fsspec URL such as s3://bucket/store."""
    encoder: str = "minilm"
    """A known name (minilm), a model folder, a hub id (org/model), or an endpoint (https://host/v1#model)."""
    options: Annotated[EncoderOptions, OmitArgPrefixes] = field(default_factory=EncoderOptions)
    hard_negatives: bool = False
    """Embed minimally changed captions too, for `lift train --hard-negatives`."""
    hard_kinds: tuple[str, ...] = ()
    """Kinds of change to embed, for instance order attribute number (see docs/rewording.md; default: all made by rule);
    pairs stands for the false texts of the DATASET's own pairs."""
    sentences: int = 0
    """Embed the sentences of long captions too, and runs of up to so many, for `lift train --sentence-share`."""
    dtype: Literal["float16", "float32", "int8"] = "float16"
    """Number type of the stored vectors; with int8 the recall that it costs is measured and told."""
    batch_size: int = BATCH_TEXTS
    """Texts encoded together at most; fewer when they are long."""
    shard_rows: int = 16384
    """Texts per shard; a killed run loses one unfinished shard at most."""
    device: str = "cpu"
    """Where the encoder runs: cpu, cuda, cuda:1, mps."""
    engine: Literal["local", "ray"] = "local"
    """local: this process. ray: the workers of a Ray cluster (needs lift[ray]), which all must reach --out."""
    workers: int = 2
    """ray: how many workers at once."""
    worker_threads: int = 1
    """ray: CPU threads of each worker."""
    ray_address: str | None = None
    """ray: the cluster, for instance ray://head:10001 or auto; without it one is started on this machine."""
    overwrite: bool = False
    """Replace the STORE that lies at --out; it stays readable until the new one is finished."""


def embed(config: EmbedConfig) -> EmbeddingStore:
    """Bring the texts of `config.dataset` into a STORE; goes on where a killed run stopped, returns it opened."""
    for name in ("batch_size", "shard_rows", "workers", "worker_threads"):
        if getattr(config, name) < 1:
            raise LiftError(f"--{name.replace('_', '-')} must be 1 or more", "leave it out")
    dataset, place = Dataset(config.dataset), Place(config.out)
    texts = wanted_texts(config, dataset)
    encoder = open_encoder(config, place)
    plan = plan_embedding(config, encoder, texts, dataset.id)
    writer = StoreWriter(place, plan)
    if not len(plan):
        writer.settle()
        say(f"{place}: already done, {len(texts):,} texts")
        return EmbeddingStore(place)
    with progress_bar("embedding texts", plan.rows) as bar:
        ENGINES[config.engine](config, writer, encoder, bar.advance)
    finish(config, writer, encoder, dataset, len(texts))
    return EmbeddingStore(place)


def wanted_texts(config: EmbedConfig, dataset: Dataset) -> list[str]:
    """Every distinct text that is to be in the STORE; LiftError when there is none."""
    texts = distinct_texts(dataset.rows)
    if not texts:
        raise LiftError(f"{config.dataset} holds no texts", "ingest photos together with their descriptions")
    if config.hard_kinds and not config.hard_negatives:
        raise LiftError("--hard-kinds says nothing without --hard-negatives", "add --hard-negatives")
    if config.sentences < 0:
        raise LiftError(f"--sentences is {config.sentences}", "give the longest run of sentences, 1 or more")
    if config.sentences:
        runs = texts_of_runs(runs_of_rows(dataset.rows, config.sentences))
        say(f"sentences of long captions, runs of up to {config.sentences}: {len(runs):,} distinct ones")
        texts = list(dict.fromkeys([*texts, *runs]))
    if not config.hard_negatives:
        return texts
    found = hard_negatives(dataset, range(len(dataset)), config.hard_kinds)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in count_kinds(found).items())
    say(f"hard negatives of {len(distinct_texts(dataset.rows)):,} distinct texts: {kinds or 'none'}")
    return list(dict.fromkeys([*texts, *texts_of(found)]))


def open_encoder(config: EmbedConfig, place: Place) -> TextEncoder:
    """The encoder that is asked for; what is appended to a conditioned STORE is conditioned in the same way."""
    encoder = load_text_encoder(config.encoder, device=config.device, options=config.options)
    conditioning = None if config.overwrite else read_conditioning(place)
    return encoder if conditioning is None else ConditionedEncoder(encoder, conditioning)


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


def work_here(
    config: EmbedConfig, writer: StoreWriter, encoder: TextEncoder, advance: Callable[[int], None]
) -> None:
    """All shards, one after the other, in this process."""
    for number in range(len(writer.plan)):
        work_on(writer, encoder, number, writer.plan.shard(number), config.batch_size, advance)


def work_on_ray(
    config: EmbedConfig, writer: StoreWriter, encoder: TextEncoder, advance: Callable[[int], None]
) -> None:
    """The shards that are not finished, by the workers of a Ray cluster."""
    work_on_cluster(
        writer,
        encoder.fingerprint,
        encoder.conditioning if isinstance(encoder, ConditionedEncoder) else None,
        batch_size=config.batch_size,
        device=config.device,
        workers=config.workers,
        threads=config.worker_threads,
        address=config.ray_address,
        advance=advance,
    )


ENGINES: dict[str, Callable[[EmbedConfig, StoreWriter, TextEncoder, Callable[[int], None]], None]] = {
    "local": work_here,
    "ray": work_on_ray,
}


def finish(
    config: EmbedConfig, writer: StoreWriter, encoder: TextEncoder, dataset: Dataset, total: int
) -> None:
    """Commit the run's shards and say what was done; `total` distinct texts were wanted."""
    commit = writer.commit(
        flops_per_token=encoder.flops_per_token,
        max_tokens=encoder.max_tokens if counts_tokens(encoder) else None,
        datasets=[{"name": dataset.name, "id": dataset.id}],
        settings={"encoder": config.encoder, "device": config.device, "engine": config.engine},
    )
    made = commit.content
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
    if made["cut_texts"] is None:
        note("tokens were not counted: the endpoint does not tell whether it cut long texts")
    elif made["cut_texts"]:
        note(
            f"{made['cut_texts']:,} of {made['rows']:,} texts are longer than the encoder's {encoder.max_tokens} "
            "tokens; what lies beyond was cut off. Shorten them, or choose an --encoder with a longer limit."
        )
