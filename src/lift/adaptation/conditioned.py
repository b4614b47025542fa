"""condition: STORE -> a STORE of the same texts in a conditioned space, without encoding a text again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from lift.conditioning import Conditioning, fit_conditioning
from lift.console import note, progress_bar, say
from lift.data import Dataset
from lift.data.dataset import distinct_texts
from lift.errors import LiftError
from lift.place import Place
from lift.store import EmbeddingStore, StoreFacts, StoreWriter, plan_shards, write_conditioning
from lift.text import conditioned_fingerprint

FITTED_ROWS = 200_000  # more would move no direction that matters


@dataclass(frozen=True)
class ConditionConfig:
    """Centre, whiten or shorten the vectors of a STORE, into a new one; no text is encoded again.

    What is fitted becomes part of the fingerprint and goes with every RUN trained on the new STORE, so that queries are
    treated in the same way.
    """

    store: Positional[str]
    """The STORE to start from."""
    out: str
    """The STORE to make."""
    images: Path | None = None
    """DATASET on whose texts it is fitted (of --split); without it on all texts of the STORE."""
    split: str = "train"
    """Split of --images."""
    centre: bool = True
    """Subtract the mean of the texts."""
    whiten: float = 0.0
    """Power by which strong directions are evened out: 0 not at all, 1 until all are equally strong."""
    dim: int | None = None
    """Keep only so many leading directions."""
    shard_rows: int = 16384
    """Texts per shard."""
    overwrite: bool = False
    """Replace the STORE that lies at --out."""


def condition(config: ConditionConfig) -> EmbeddingStore:
    """Make the conditioned STORE, or go on with a killed run; returns it opened."""
    store, place = EmbeddingStore(config.store), Place(config.out)
    if store.conditioning is not None:
        raise LiftError(
            f"{store.folder} is conditioned already", "start from the STORE that `lift embed` made"
        )
    if place.url == store.place.url:
        raise LiftError("--out is the STORE to start from", "give another --out")
    if config.shard_rows < 1:
        raise LiftError("--shard-rows must be 1 or more", "leave it out")
    conditioning = fit(config, store)
    texts = list(store.texts())
    plan = plan_shards(
        place,
        texts,
        facts=StoreFacts(conditioned_fingerprint(store.fingerprint, conditioning), store.facts.dtype),
        request={"from": store.manifest["commits"], "conditioning": conditioning.name, "rows": len(store)},
        shard_rows=config.shard_rows,
        overwrite=config.overwrite,
    )
    writer = StoreWriter(place, plan)
    if not len(plan):
        writer.settle()
        say(f"{place}: already done, {len(texts):,} texts")
        return EmbeddingStore(place)
    write_conditioning(place, conditioning)
    spent = store.manifest
    with progress_bar("conditioning", plan.rows) as bar:
        for number in range(len(plan)):
            shard = plan.shard(number)
            if not writer.has(number):
                seconds = (
                    spent["seconds"] * len(shard) / len(store)
                )  # of the encoder: it is their text pass too
                writer.write(number, shard, conditioning.apply(store.vectors(shard)), seconds)
            bar.advance(len(shard))
    facts = {name: spent[name] for name in ("tokens", "flops", "cut_texts", "max_tokens", "datasets")}
    writer.commit(**facts, conditioned_from=store.fingerprint.digest)
    say(
        f"{place}: {plan.rows:,} texts, {store.dim} numbers each became {conditioning.dim} ({conditioning.description})"
    )
    return EmbeddingStore(place)


def fit(config: ConditionConfig, store: EmbeddingStore) -> Conditioning:
    """Fit on the vectors of the training texts, an even sample when there are very many."""
    if config.images is None:
        note(
            "fitted on all texts of the STORE, those of validation photos among them; --images DATASET leaves these out"
        )
        rows = np.arange(len(store))
    else:
        dataset = Dataset(config.images)
        rows = np.sort(store.rows(distinct_texts([dataset.rows[n] for n in dataset.split(config.split)])))
    rows = rows[:: -(-len(rows) // FITTED_ROWS) or 1]
    return fit_conditioning(store.take(rows), centre=config.centre, whiten=config.whiten, dim=config.dim)
