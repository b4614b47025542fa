"""What is asked of a text encoder about each phrase of a text: the text without it, it alone, its alternatives.

A long text is asked sentence by sentence, so that the cost grows with its length and not with the square of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lift.explaining.phrases import Phrase, phrases, without
from lift.rewording import edited, every_draft, language_of
from lift.sentences import split_sentences

PHRASES_A_PIECE = 24  # a sentence with more of them is asked in parts
MOST_ALTERNATIVES = 12  # of one phrase
#: What stands in a phrase's place and says nothing.
NEUTRAL: Final = {
    "en": {"noun": "something", "attribute": "", "number": "some", "verb": "", "relation": "and"},
    "ja": {"noun": "もの", "attribute": "", "number": "", "verb": "", "relation": "所"},
}


@dataclass(frozen=True)
class Probe:
    """One phrase of a text (places in characters of the whole text), and the texts that are compared about it.

    said: the sentence it stands in; out: that without it; neutral: with a word in its place that says nothing;
    alternatives: with other words in its place, as the rules of `lift.rewording` know them.
    """

    phrase: Phrase
    said: str
    out: str
    neutral: str
    alternatives: tuple[str, ...]

    @property
    def asked(self) -> dict[str, tuple[str, ...]]:
        """The texts by the measures that need them."""
        return {
            "said": (self.said,),
            "out": (self.out,),
            "neutral": (self.neutral,),
            "alone": (self.phrase.text,),
            "alternatives": self.alternatives,
        }


def probes(
    text: str, language: str | None = None, *, longest: int | None = None, alternatives: bool = False
) -> list[Probe]:
    """The phrases of a text in order with what is asked about each; `alternatives` only where they are wanted."""
    language = language or language_of(text)
    found: list[Probe] = []
    at = 0
    for sentence in split_sentences(text) or [text]:
        start = text.index(sentence, at)
        at = start + len(sentence)
        for piece_start, piece, inside in _parts(sentence, language, longest):
            found += _of_piece(piece, inside, language, start + piece_start, alternatives)
    return found


def _parts(sentence: str, language: str, longest: int | None) -> Iterator[tuple[int, str, list[Phrase]]]:
    """(start, text, its phrases) of a sentence, or of parts of one with very many phrases."""
    every = phrases(sentence, language) if longest is None else phrases(sentence, language, longest=longest)
    for first in range(0, len(every), PHRASES_A_PIECE):
        inside = every[first : first + PHRASES_A_PIECE]
        start = inside[0].start if first else 0
        end = inside[-1].end if first + PHRASES_A_PIECE < len(every) else len(sentence)
        moved = [one._replace(start=one.start - start, end=one.end - start) for one in inside]
        yield start, sentence[start:end], moved


def _of_piece(
    piece: str, inside: Sequence[Phrase], language: str, offset: int, alternatives: bool
) -> Iterator[Probe]:
    drafts = every_draft(piece, language=language) if alternatives else []
    for phrase in inside:
        others = [
            edited(piece, draft)[0]
            for _, draft in drafts
            if any(start < phrase.end and phrase.start < end for start, end, _ in draft)
            or any(start == end and phrase.start <= start <= phrase.end for start, end, _ in draft)
        ]
        moved = phrase._replace(start=phrase.start + offset, end=phrase.end + offset)
        yield Probe(
            moved,
            piece,
            _said(without(piece, phrase), language),
            _said(without(piece, phrase, NEUTRAL[language][phrase.kind]), language),
            tuple(dict.fromkeys(others))[:MOST_ALTERNATIVES],
        )


def _said(text: str, language: str) -> str:
    """The text, or the word for anything where nothing but marks is left."""
    return text if any(sign.isalnum() for sign in text) else NEUTRAL[language]["noun"]
