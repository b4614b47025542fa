"""Frozen text encoders, chosen by one option: a known name, a model folder, a hub id, or an endpoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift.text.encoder import TextEncoder
from lift.text.endpoint import EndpointEncoder
from lift.text.loading import TEXT_ENCODERS, load_text_encoder, rebuild_text_encoder
from lift.text.minilm import MiniLM
from lift.text.options import EncoderOptions
from lift.text.own import OwnEncoder
from lift.text.sentence import SentenceEncoder
from lift.text.tower import TextTower, train_tokenizer
from lift.text.transformer import TransformerEncoder

__all__ = [
    "TEXT_ENCODERS",
    "EncoderOptions",
    "EndpointEncoder",
    "MiniLM",
    "OwnEncoder",
    "SentenceEncoder",
    "TextEncoder",
    "TextTower",
    "TransformerEncoder",
    "encode_sorted",
    "load_text_encoder",
    "rebuild_text_encoder",
    "train_tokenizer",
]


def encode_sorted(encoder: TextEncoder, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
    """Unit vectors float32 (n, D) of `texts`, encoded in batches of similar length (padding costs time)."""
    counts = encoder.token_counts(texts)
    order = np.argsort(counts, kind="stable")
    vectors = np.empty((len(texts), encoder.dim), np.float32)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        vectors[batch] = encoder.encode([texts[i] for i in batch])
    return vectors
