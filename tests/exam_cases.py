"""Texts and deliberately broken encoders for the tests of the exam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lift.auditing import Corpus, corpus_of
from lift.text import MiniLM

COLOURS = ("black", "white", "red", "brown", "grey", "yellow")
PEOPLE = ("man", "woman", "boy", "girl")
ANIMALS = ("dog", "cat", "horse")
LANDMARKS = [
    "lighthouse", "piano", "tractor", "volcano", "library", "waterfall", "stadium", "windmill",
    "castle", "submarine", "bakery", "cactus", "aquarium", "railway", "pyramid", "glacier",
    "orchard", "circus", "cathedral", "dentist", "vineyard", "airport", "telescope", "snowman",
    "barbershop", "canoe", "fountain", "greenhouse", "mosque", "elevator", "laundry", "campfire",
    "skyscraper", "pharmacy", "trampoline", "harbour",
]  # fmt: skip


def english_items(count: int = 36) -> list[tuple[str, list[str]]]:
    """Items with two texts each about one scene; all facts that the rules can change occur in them."""
    items = []
    for i, landmark in enumerate(LANDMARKS[:count]):
        colour, other = COLOURS[i % 6], COLOURS[(i + 1 + i // 6) % 6]
        person, animal = PEOPLE[i % 4], ANIMALS[i % 3]
        items.append(
            (
                f"photo-{i}.jpg",
                [
                    f"A {colour} {animal} chases a {other} cow near a {landmark} .",
                    f"A {person} at the {landmark} watches two cows and one {colour} {animal} .",
                ],
            )
        )
    return items


def english(count: int = 36) -> Corpus:
    """The corpus of `english_items`."""
    return corpus_of(english_items(count), "scenes in words")


class Wrapped:
    """The default encoder, each text encoded once, with `encode` changed by a subclass."""

    def __init__(self, encoder: MiniLM, known: dict[str, np.ndarray]) -> None:
        self.encoder, self.dim, self.max_tokens, self.known = encoder, encoder.dim, encoder.max_tokens, known
        self.fingerprint, self.flops_per_token = encoder.fingerprint, encoder.flops_per_token

    def token_counts(self, texts: Sequence[str]) -> np.ndarray:
        """Tokens as the default encoder counts them."""
        return self.encoder.token_counts(texts)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of the default encoder, from `known` where they are there."""
        new = [text for text in texts if text not in self.known]
        self.known.update(zip(new, self.encoder.encode(new), strict=True))
        return np.stack([self.known[text] for text in texts])


class WordOrderBlind(Wrapped):
    """Takes every text for the first one it met that has the same words in any order."""

    def __init__(self, encoder: MiniLM, known: dict[str, np.ndarray]) -> None:
        super().__init__(encoder, known)
        self.first: dict[tuple[str, ...], str] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of the first texts of the same words."""
        return super().encode([self.first.setdefault(tuple(sorted(t.lower().split())), t) for t in texts])


class Constant(Wrapped):
    """Gives every text the same vector."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Always the first axis."""
        return np.tile(np.eye(1, self.dim, dtype=np.float32), (len(texts), 1))


class Drifting(Wrapped):
    """Lets the size of the batch leak into the vectors."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors turned a little, by the number of texts."""
        vectors = super().encode(texts)
        vectors[:, 0] += 0.001 * min(len(texts), 64)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Broken(Wrapped):
    """Gives a vector that is no number now and then."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors with nan in those of texts about cows."""
        vectors = super().encode(texts)
        vectors[["cow" in text for text in texts], 3] = np.nan
        return vectors


class ShortSighted(Wrapped):
    """Reads eight tokens only."""

    def __init__(self, encoder: MiniLM, known: dict[str, np.ndarray]) -> None:
        super().__init__(encoder, known)
        self.max_tokens = 8


class Narrow(Wrapped):
    """Keeps six directions of the vectors."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors cut to their first six numbers."""
        vectors = super().encode(texts)
        vectors[:, 6:] = 0
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
