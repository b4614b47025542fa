"""Frozen text encoders, chosen by one option: a known name, a sentence-transformers folder or a hub id."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lift.device import check_device
from lift.errors import LiftError
from lift.text.encoder import TextEncoder
from lift.text.minilm import MiniLM
from lift.text.sentence import SentenceEncoder
from lift.text.tower import TextTower, length_buckets, train_tokenizer

__all__ = [
    "TEXT_ENCODERS",
    "MiniLM",
    "SentenceEncoder",
    "TextEncoder",
    "TextTower",
    "encode_sorted",
    "length_buckets",
    "load_text_encoder",
    "train_tokenizer",
]

TEXT_ENCODERS: dict[str, Callable[[str], TextEncoder]] = {"minilm": lambda device: MiniLM(device=device)}


def load_text_encoder(name: str, *, device: str = "cpu") -> TextEncoder:
    """The encoder of a known name, of a sentence-transformers folder, or of a hub id such as `org/model`.

    Raises LiftError listing the known names when `name` is none of these or cannot be loaded.
    """
    check_device(device)
    if name in TEXT_ENCODERS:
        return TEXT_ENCODERS[name](device)
    if (Path(name) / "modules.json").is_file() or (Path(name) / "config.json").is_file():
        return SentenceEncoder(name, device=device)
    if "/" in name and not Path(name).exists() and not name.startswith((".", "/", "~")):
        if os.environ.get("HF_HUB_OFFLINE") == "1":
            raise LiftError(
                f"the encoder {name!r} is not on this machine and HF_HUB_OFFLINE=1 forbids fetching it",
                "copy the model's folder here and give its path as --encoder",
            )
        return SentenceEncoder(name, device=device)
    raise LiftError(
        f"there is no text encoder {name!r}",
        f"known names: {', '.join(TEXT_ENCODERS)}; or give a sentence-transformers folder or a hub id (org/model)",
    )


def encode_sorted(encoder: TextEncoder, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
    """Unit vectors float32 (n, D) of `texts`, encoded in batches of similar length (padding costs time)."""
    counts = encoder.token_counts(texts)
    order = np.argsort(counts, kind="stable")
    vectors = np.empty((len(texts), encoder.dim), np.float32)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        vectors[batch] = encoder.encode([texts[i] for i in batch])
    return vectors
