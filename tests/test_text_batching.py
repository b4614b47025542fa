"""Batches by token count, and encoding through them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lift.errors import LiftError
from lift.text import MiniLM, encode_counted, encode_sorted, token_batches

COUNTS = np.array([5, 3, 9, 3, 4, 20, 3])


def lists(batches: list[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


def test_batches_by_hand() -> None:
    # 3+3+3 tokens are 9; a fourth text of 4 would pad all to 4: 16 > 12. Then 4, 5: 10. 9 alone, 20 alone though > 12.
    assert lists(token_batches(COUNTS, most_tokens=12, most_texts=10)) == [[1, 3, 6], [4, 0], [2], [5]]
    assert lists(token_batches(COUNTS, most_tokens=1000, most_texts=3)) == [[1, 3, 6], [4, 0, 2], [5]]
    assert lists(token_batches(COUNTS, most_tokens=1, most_texts=9)) == [[1], [3], [6], [4], [0], [2], [5]]
    # A third of the batch is worth giving up for no padding, two thirds are not.
    assert lists(token_batches(np.array([3, 4, 3, 4, 4]), most_tokens=99, most_texts=3)) == [
        [0, 2],
        [1, 3, 4],
    ]
    assert lists(token_batches(np.array([3, 4, 4, 4]), most_tokens=99, most_texts=3)) == [[0, 1, 2], [3]]
    assert token_batches(np.zeros(0, np.int64), most_tokens=8, most_texts=8) == []
    assert lists(token_batches(np.array([0, 0]), most_tokens=8, most_texts=8)) == [[0, 1]]


def test_every_text_once_within_the_limits_and_little_padding() -> None:
    counts = np.random.default_rng(0).poisson(12, 5000) + 2
    batches = token_batches(counts, most_tokens=4096, most_texts=512)
    assert sorted(np.concatenate(batches).tolist()) == list(range(5000))
    padded = [len(batch) * int(counts[batch].max()) for batch in batches]
    assert max(padded) <= 4096 and max(map(len, batches)) <= 512
    assert counts.sum() / sum(padded) > 0.96
    again = token_batches(counts, most_tokens=4096, most_texts=512)
    assert lists(again) == lists(batches)


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(LiftError, match="1 token and 1 text"):
        token_batches(COUNTS, most_tokens=0, most_texts=3)
    with pytest.raises(LiftError, match="1 token and 1 text"):
        token_batches(COUNTS, most_tokens=3, most_texts=0)


class Plain:
    """MiniLM without `tokenise`, as other encoders are; keeps the batches that it saw."""

    dim, max_tokens, flops_per_token = MiniLM.dim, MiniLM.max_tokens, 1.0

    def __init__(self, inner: MiniLM) -> None:
        self.inner, self.seen = inner, list[list[str]]()
        self.fingerprint = inner.fingerprint

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        return self.inner.token_counts(texts)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.seen.append(list(texts))
        return self.inner.encode(texts)


def test_encoders_with_and_without_tokenise_give_the_same() -> None:
    minilm, texts = MiniLM(), ["one two three", "a", "word " * 400, "", "two words"]
    plain = Plain(minilm)
    vectors, counts = encode_counted(plain, texts, batch_size=2)
    assert counts.tolist() == minilm.token_counts(texts).tolist() == [5, 3, 402, 2, 4]
    assert plain.seen == [["", "a"], ["two words", "one two three"], ["word " * 400]]
    assert np.abs(vectors - encode_sorted(minilm, texts)).max() < 1e-6
    assert np.abs(vectors - minilm.encode(texts)).max() < 1e-6
    plain.counts_tokens, plain.seen = False, []  # type: ignore[attr-defined]
    encode_counted(plain, texts * 30, batch_size=100, most_tokens=50)
    assert [len(batch) for batch in plain.seen] == [90, 60]  # its numbers are bytes: no limit in tokens
    none, zero = encode_counted(minilm, [])
    assert none.shape == (0, 384) and zero.shape == (0,)
