"""One shard of a plan: the unit of work, whoever does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lift.store import StoreWriter
from lift.text import TextEncoder, encode_counted, token_facts
from lift.text.batching import BATCH_TEXTS


class Encoded(NamedTuple):
    """A shard's unit vectors float32 (n, D), and what they took: seconds, tokens read, texts that were cut.

    Tokens and cut texts are None for an encoder that cannot count tokens (an endpoint).
    """

    vectors: np.ndarray
    seconds: float
    tokens: int | None
    cut_texts: int | None


def encode_shard(
    encoder: TextEncoder,
    texts: Sequence[str],
    *,
    batch_size: int = BATCH_TEXTS,
    advance: Callable[[int], None] = lambda texts: None,
) -> Encoded:
    """Unit vectors of one shard's texts, in their order; `advance` is told of every batch.

    Texts of similar length share a batch. Nothing outside the shard matters, so any process with the same number of
    threads gives the same bytes.
    """
    began = time.perf_counter()
    vectors, counts = encode_counted(encoder, texts, batch_size=batch_size, advance=advance)
    seconds = time.perf_counter() - began
    facts = token_facts(encoder, counts)
    return Encoded(vectors, seconds, facts["tokens"], facts["cut_texts"])


def work_on(
    writer: StoreWriter,
    encoder: TextEncoder,
    number: int,
    texts: Sequence[str],
    batch_size: int,
    advance: Callable[[int], None] = lambda texts: None,
) -> None:
    """Encode and write shard `number`, unless it is finished already."""
    if writer.has(number):
        advance(len(texts))
        return
    made = encode_shard(encoder, texts, batch_size=batch_size, advance=advance)
    writer.write(number, texts, made.vectors, made.seconds, tokens=made.tokens, cut_texts=made.cut_texts)
