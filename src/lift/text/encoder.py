"""What every text encoder must offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from lift.fingerprint import Fingerprint

TEXTS_AT_ONCE = 10_000  # a tokenised text takes some 4 kB until it is counted


def count_tokens(encode_batch: Callable[[list[str]], Sequence[Any]], texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text by a tokenizer's `encode_batch`, a part of the texts at a time: int64 (n,)."""
    counts = [
        len(item.ids)
        for start in range(0, len(texts), TEXTS_AT_ONCE)
        for item in encode_batch(list(texts[start : start + TEXTS_AT_ONCE]))
    ]
    return np.array(counts, dtype=np.int64)


def counts_tokens(encoder: object) -> bool:
    """False for an encoder (an endpoint) whose `token_counts` gives bytes, since it cannot know the tokens."""
    return bool(getattr(encoder, "counts_tokens", True))


def token_facts(encoder: TextEncoder, counts: np.ndarray) -> dict[str, Any]:
    """What a STORE tells of its texts' tokens: limit, texts cut, tokens and FLOPs; None where they are not known.

    counts: what `encoder.token_counts` gave. An encoder with `counts_tokens = False` (an endpoint) gives bytes there.
    """
    if not counts_tokens(encoder):
        return dict.fromkeys(("cut_texts", "max_tokens", "tokens", "flops"))
    computed = np.minimum(counts, encoder.max_tokens).sum()
    return {
        "cut_texts": int((counts > encoder.max_tokens).sum()),
        "max_tokens": encoder.max_tokens,
        "tokens": int(computed),
        "flops": float(encoder.flops_per_token * computed),
    }


class TextEncoder(Protocol):
    """A frozen text encoder: texts in, unit vectors out."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens beyond this many are cut off."""
        ...

    @property
    def flops_per_token(self) -> float:
        """Forward cost of one token: two per non-embedding parameter."""
        ...

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text before truncation, specials included: int (n,)."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch."""
        ...
