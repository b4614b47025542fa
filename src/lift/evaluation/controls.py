"""Controls of a choice among texts: the same choice without the order of the words, or without the right photo."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

SHUFFLED_WORDS = (
    "control shuffled words: every text as a bag of words, in lower case and an order that depends on the words "
    "only"
)
WRONG_PHOTO = (
    "control wrong photo: the same texts with another photo, drawn by the seed, that does not have the true "
    "text"
)
TRIES = 20  # at another photo that does not have the true text as well


def bag_of_words(text: str, seed: tuple[int, int]) -> str:
    """`text` in lower case with its words in a drawn order that forgets the given one.

    Sorting first makes the order a function of the words alone: texts of the same words become the same text,
    so that a pair that only swaps words ties exactly and the control shows what the words alone give away.
    """
    words = sorted(text.lower().split())
    return " ".join(words[i] for i in np.random.default_rng(seed).permutation(len(words)))


def wrong_photos(
    own: np.ndarray, true: Sequence[Collection[str]], texts: Sequence[Collection[str]], seed: int
) -> np.ndarray:
    """For each item (n,) another photo, int64 (n,), drawn evenly among those that have none of its `true` texts.

    own: the photo of each item. texts: of each photo, two or more of them. Items of one photo get the same other one,
    unless it has a true text of theirs. Where TRIES draws find only photos that have one, the last is taken.

    What a model gets with a photo that neither text is about, it got from the language: negatives of training that
    read oddly teach to prefer the smoother sentence, whatever is seen.
    """
    photos = len(texts)
    if photos < 2:
        raise ValueError("another photo needs two or more")
    generator = np.random.default_rng((seed, photos))
    other = (own + generator.integers(1, photos, size=photos)[own]) % photos
    left = np.arange(len(own))
    for _ in range(TRIES):
        left = left[[not set(true[item]).isdisjoint(texts[other[item]]) for item in left.tolist()]]
        if not len(left):
            break
        other[left] = (own[left] + generator.integers(1, photos, size=len(left))) % photos
    return other
