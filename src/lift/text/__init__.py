"""Frozen text encoders, chosen by one option: a known name, a model folder, a hub id, or an endpoint."""

from __future__ import annotations

from lift.text.batching import encode_counted, encode_sorted, token_batches
from lift.text.conditioned import ConditionedEncoder, conditioned_fingerprint
from lift.text.encoder import TextEncoder, token_facts
from lift.text.endpoint import EndpointEncoder
from lift.text.loading import TEXT_ENCODERS, load_text_encoder, rebuild_text_encoder
from lift.text.minilm import MiniLM
from lift.text.options import EncoderOptions
from lift.text.own import OwnEncoder
from lift.text.sentence import SentenceEncoder
from lift.text.tower import TextTower, length_buckets, train_tokenizer
from lift.text.transformer import TransformerEncoder
from lift.text.words import WordBag

__all__ = [
    "TEXT_ENCODERS",
    "ConditionedEncoder",
    "EncoderOptions",
    "EndpointEncoder",
    "MiniLM",
    "OwnEncoder",
    "SentenceEncoder",
    "TextEncoder",
    "TextTower",
    "TransformerEncoder",
    "WordBag",
    "conditioned_fingerprint",
    "encode_counted",
    "encode_sorted",
    "length_buckets",
    "load_text_encoder",
    "rebuild_text_encoder",
    "token_batches",
    "token_facts",
    "train_tokenizer",
]
