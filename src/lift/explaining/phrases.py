"""A text cut into phrases with their places in it: what may be true or false of a photo by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lift.explaining.english import Run, runs
from lift.explaining.japanese import pieces
from lift.rewording import language_of
from lift.rewording.english.sentence import Sentence

LONGEST = 1  # words that say something in a phrase; a longer one is cut into numbers, attributes and nouns
NAMES = 1  # words more than that in a row of nouns ("a hockey player"), which are one thing
_TIDY: Final = re.compile(r"\s+(?=[,.;:!?、。])|(?<=\s)\s+")


class Phrase(NamedTuple):
    """Characters start..end of a text. kind: noun, attribute, number, verb or relation."""

    start: int
    end: int
    text: str
    kind: str = "noun"


def phrases(text: str, language: str | None = None, *, longest: int = LONGEST) -> list[Phrase]:
    """The phrases of a text in order; none overlaps another, and every word that says something is in one.

    language: "en" or "ja", told by the script when None. longest: words that say something in one phrase (one
    more in a row of nouns, which often names one thing: "a hockey player").
    """
    if (language or language_of(text)) == "ja":
        return [Phrase(start, end, text[start:end], kind) for kind, start, end in pieces(text)]
    return list(_english(text, longest))


def _english(text: str, longest: int) -> Iterator[Phrase]:
    sentence = Sentence(text)
    for run in runs(sentence):
        words = sum(last - first + 1 for _, first, last in run.parts)
        whole = words <= longest or (len(run.parts) == 1 and words <= longest + NAMES)
        for kind, first, last in [(run.kind, run.first, run.last)] if whole else _cut(run, longest):
            start, end = sentence.starts[first], sentence.ends[last]
            yield Phrase(start, end, text[start:end], kind)


def _cut(run: Run, longest: int) -> Iterator[tuple[str, int, int]]:
    """The parts of a long phrase, a long row of nouns word by word."""
    for kind, first, last in run.parts:
        if kind == "noun" and last - first >= longest + NAMES:
            yield from ((kind, at, at) for at in range(first, last + 1))
        else:
            yield kind, first, last


def without(text: str, phrase: Phrase, new: str = "") -> str:
    """The text with `new` in place of the phrase, blanks tidied."""
    changed = f"{text[: phrase.start]}{new}{text[phrase.end :]}"
    return _TIDY.sub("", changed).strip()
