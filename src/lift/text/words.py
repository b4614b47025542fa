"""No text encoder: a text is the bag of its words (SuperClass, arXiv 2411.03313). The text side of --method words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from lift.artefact import digest
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.text.encoder import TEXTS_AT_ONCE, count_tokens
from lift.text.tower import train_tokenizer

SPECIAL = 3  # <pad>, <start> and <end> stand first in the tokenizer
NO_LIMIT = 1 << 30  # tokens: all of a text counts


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[list[int]]:
    """Token ids of each text, a part of the texts tokenised at a time."""
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        for item in tokenizer.encode_batch(list(texts[start : start + TEXTS_AT_ONCE])):
            yield item.ids


class WordBag:
    """A TextEncoder whose vectors have one number for every subword of the training texts.

    That number is the subword's weight log((N + 1) / (n + 1)) where the text has it, however often, else 0: N training
    texts, n of them with the subword. Then unit length. Word order changes nothing, not a bit of the vector. Subwords
    that no training text had are passed over; a text without any known one gets the same number everywhere.
    """

    flops_per_token = 0.0
    max_tokens = NO_LIMIT

    def __init__(self, tokenizer: Tokenizer, texts: int, counts: dict[int, int]) -> None:
        """`counts`: how many of the `texts` training texts hold each subword, by its id in the tokenizer."""
        self.tokenizer, self.texts, self.counts = tokenizer, texts, dict(sorted(counts.items()))
        self.tokenizer.encode_special_tokens = True  # a caption that says "<end>" means those letters
        self.dim = len(self.counts)
        self.ids = np.fromiter(self.counts, np.int64, self.dim)
        found = np.fromiter(self.counts.values(), np.float64, self.dim)
        self.weights = np.log((texts + 1) / (found + 1)).astype(np.float32)
        self._place = np.full(tokenizer.get_vocab_size(), -1, np.int64)
        self._place[self.ids] = np.arange(self.dim)

    @classmethod
    def fit(cls, texts: Sequence[str]) -> WordBag:
        """The bag of the training texts, over the subwords that the CLIP baseline fits on them.

        Raises LiftError when no subword tells one text from another.
        """
        tokenizer = train_tokenizer(texts)
        tokenizer.encode_special_tokens = True
        counts = np.zeros(tokenizer.get_vocab_size(), np.int64)
        for ids in encoded(tokenizer, texts):
            counts[np.unique(ids)] += 1
        # What every text has tells nothing of a photo, and its weight is 0.
        known = [int(i) for i in np.flatnonzero((counts > 0) & (counts < len(texts))) if i >= SPECIAL]
        if not known:
            raise LiftError(
                "all training texts have the same words, so words cannot be labels", "use another --method"
            )
        return cls(tokenizer, len(texts), {i: int(counts[i]) for i in known})

    @property
    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs, as JSON holds it."""
        return {
            "tokenizer": self.tokenizer.to_str(),
            "words": {"texts": self.texts, "counts": list(map(list, self.counts.items()))},
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> WordBag:
        """The inverse of `settings`."""
        words = settings["words"]
        return cls(Tokenizer.from_str(settings["tokenizer"]), words["texts"], dict(words["counts"]))

    @property
    def subwords(self) -> list[str]:
        """What each number of a vector stands for, as the tokenizer writes it."""
        return [str(self.tokenizer.id_to_token(int(i))) for i in self.ids]

    def places(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Which numbers of its vector each text has, ascending: int64 (k,) each."""
        found = (np.unique(self._place[ids]) for ids in encoded(self.tokenizer, texts))
        return [own[own >= 0] for own in found]

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens of each text, specials included: int64 (n,)."""
        return count_tokens(self.tokenizer.encode_batch, texts)

    def bags(self, places: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors float32 (n, V) of texts whose subwords are at `places`."""
        out = np.zeros((len(places), self.dim), np.float32)
        for row, own in zip(out, places, strict=True):
            row[own] = self.weights[own]
            length = float(np.sqrt((row[own].astype(np.float64) ** 2).sum()))
            if length > 0:
                row[own] /= length
            else:
                row[:] = self.dim**-0.5
        return out

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 (n, V) of one batch."""
        return self.bags(self.places(texts))

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What decides the vectors: the tokenizer and how often the training texts hold its subwords."""
        return Fingerprint(
            name="words as labels, no text encoder",
            source="checkpoint",
            weights=digest(self.settings["words"]),
            tokenizer=hashlib.sha256(self.tokenizer.to_str().encode()).hexdigest()[:16],
            prompt="",
            pooling="bag of subwords weighted by rarity",
            max_tokens=self.max_tokens,
            normalised=True,
            dim=self.dim,
            dtype="float32",
        )
