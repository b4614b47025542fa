"""English: a sentence cut into noun phrases, verbs and relations, by the word lists of `lift.rewording`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lift.rewording.english.sentence import Sentence
from lift.rewording.english.words import (
    ADJECTIVES,
    BE,
    DETERMINERS,
    LINKS,
    NUMBER_OF,
    PLAIN_VERBS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    VERB_OF_GERUND,
    VERB_OF_THIRD,
    listed,
)

_OPENERS: Final = DETERMINERS | POSSESSIVES
#: Words that say nothing of a photo by themselves: they are in a phrase only beside one that does.
_EMPTY: Final = (
    PRONOUNS | LINKS | BE | _OPENERS
    | frozenset(listed("there be been being has have had do does this these i we you of than then so also very too"))
)  # fmt: skip
_NUMBERS: Final = frozenset(NUMBER_OF) | frozenset(
    listed("several many some few both all half dozen multiple numerous")
)
_DENIALS: Final = frozenset(listed("no not never without nobody nothing none"))
#: Relations of several words, the longest first.
_RELATIONS: Final = tuple(
    tuple(listed(text))
    for text in (
        "to the left of", "to the right of", "on the left of", "on the right of", "left of", "right of",
        "at the top of", "on top of", "in front of", "in back of", "in the middle of", "on the side of",
        "next to", "close to", "far from", "away from", "out of", "inside of", "outside of", "off of", "because of",
        "at the back of",
    )
)  # fmt: skip


class Run(NamedTuple):
    """Words first..last of a sentence and what they are; `parts` are the runs a longer one is made of."""

    kind: str
    first: int
    last: int
    parts: tuple[tuple[str, int, int], ...]


def runs(sentence: Sentence) -> list[Run]:
    """The phrases of a sentence in order; every word that is not empty is in one of them."""
    found: list[Run] = []
    at = 0
    while at < len(sentence.low):
        run = _relation(sentence, at) or _verb(sentence, at, found) or _noun(sentence, at)
        if run is None:
            at += 1
            continue
        found.append(run)
        at = run.last + 1
    return found


def _single(kind: str, first: int, last: int) -> Run:
    return Run(kind, first, last, ((kind, first, last),))


def _relation(sentence: Sentence, at: int) -> Run | None:
    for words in _RELATIONS:
        if tuple(sentence.low[at : at + len(words)]) == words:
            return _single("relation", at, at + len(words) - 1)
    word = sentence.at(at)
    if word in PREPOSITIONS and word not in _EMPTY:
        return _single("relation", at, at)
    return None


def _is_verb(sentence: Sentence, at: int, *, after_noun: bool) -> bool:
    """A known form of a known verb, or a gerund that no noun follows as its attribute ("a running dog")."""
    word = sentence.at(at)
    after_opener = sentence.at(at - 1) in _OPENERS or sentence.at(at - 1) in ADJECTIVES
    if word in VERB_OF_GERUND or (re.fullmatch(r"\w{3,}ing", word) and not sentence.is_noun(at)):
        return not after_opener and word not in ADJECTIVES
    if word in VERB_OF_THIRD or word in PLAIN_VERBS:
        before_it = sentence.at(at - 1)
        return (after_noun or before_it == "to" or before_it in _EMPTY - _OPENERS) and not after_opener
    return False


def _verb(sentence: Sentence, at: int, before: list[Run]) -> Run | None:
    """ "is not running", "runs", "can be seen" without what follows it."""
    end = at
    while sentence.at(end) in BE or sentence.at(end) in ("been", "being", "not", "never", "does", "do"):
        end += 1
    denied = any(sentence.at(i) in _DENIALS for i in range(at, end))
    if not denied and end > at:
        return None  # "is" alone says nothing; the verb behind it is found by itself
    after_noun = bool(before) and before[-1].kind == "noun" and before[-1].last == end - 1
    if _is_verb(sentence, end, after_noun=after_noun):
        return _single("verb", at, end)
    return _single("verb", at, end - 1) if denied else None


def _is_inside(sentence: Sentence, at: int) -> bool:
    """Whether the word may stand inside a noun phrase, behind its opener."""
    word = sentence.at(at)
    return bool(word) and word[0].isalnum() and word not in _EMPTY and word not in PREPOSITIONS


def _noun(sentence: Sentence, at: int) -> Run | None:
    """Opener, numbers, attributes, nouns; an unknown word counts as a noun."""
    first, parts = at, []
    while sentence.at(at) in _OPENERS or sentence.at(at) == "no":
        if sentence.at(at) == "no":
            parts.append(("number", at, at))
        at += 1
    while sentence.at(at) in _NUMBERS or sentence.at(at).replace(".", "").isdecimal():
        parts.append(("number", at, at))
        at += 1
    while sentence.at(at) in ADJECTIVES and not (
        sentence.is_noun(at) and not _noun_follows(sentence, at + 1)
    ):
        parts.append(("attribute", at, at))
        joined = sentence.at(at + 1) in ("and", ",") and sentence.at(at + 2) in ADJECTIVES
        at += 2 if joined else 1
    start = at
    while _is_inside(sentence, at) and not (at > start and _ends(sentence, at)):
        at += 1
    if at > start:
        parts.append(("noun", start, at - 1))
    if not parts:
        return None
    kind, _, last = parts[-1]
    return Run(kind, first, last, tuple(parts))


def _noun_follows(sentence: Sentence, at: int) -> bool:
    return sentence.is_noun(at) or sentence.at(at) in ADJECTIVES


def _ends(sentence: Sentence, at: int) -> bool:
    """Whether a noun phrase is over before this word."""
    return (
        _is_verb(sentence, at, after_noun=True)
        or sentence.at(at) in _NUMBERS
        or sentence.at(at) in _DENIALS
        or (sentence.at(at) in ADJECTIVES and not sentence.is_noun(at) and sentence.is_noun(at - 1))
    )
