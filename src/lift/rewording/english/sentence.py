"""An English sentence cut into words, and the noun phrases in it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lift.rewording.change import Draft, like
from lift.rewording.english.words import (
    ADJECTIVES,
    BE,
    DETERMINERS,
    LINKS,
    MASS,
    NO_PLURAL,
    NUMBER_OF,
    PEOPLE,
    PLAIN_VERBS,
    PLURALS,
    PREPOSITIONS,
    SINGULAR_OF,
    THIRD_PERSON,
    VERB_OF_GERUND,
    VERB_OF_THIRD,
    listed,
)

_WORD: Final = re.compile(r"\w+(?:[-'’./:,]\w+)*|[^\w\s]")


_VOWEL_SOUND: Final = re.compile(r"(?:[aeio]|u(?!ni|se|te|kul|su)|hour|honest)", re.IGNORECASE)


class Phrase(NamedTuple):
    """A noun phrase: the numbers of its first and last word, and what is known of it."""

    first: int
    last: int  # the head: the last noun
    plural: bool
    article: str  # "a", "an", "the", a number word, or ""
    adjectives: tuple[str, ...]


class Sentence:
    """An English text as words: `words` as written, `low` in lower case, `starts` and `ends` in characters."""

    __slots__ = ("ends", "low", "starts", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        found = [(match[0], *match.span()) for match in _WORD.finditer(text)]
        self.words = [word for word, _, _ in found]
        self.starts = [start for _, start, _ in found]
        self.ends = [end for _, _, end in found]
        self.low = [word.lower() for word in self.words]

    def at(self, index: int) -> str:
        """The lower-case word at `index`; "" before the first and after the last."""
        return self.low[index] if 0 <= index < len(self.low) else ""

    def is_name(self, index: int) -> bool:
        """Whether the word has a capital that no beginning of a sentence explains."""
        if not (0 <= index < len(self.words)) or not self.words[index][0].isupper():
            return False
        return index > 0 and self.low[index - 1] not in (".", '"', "!", "?", ":")

    def is_noun(self, index: int) -> bool:
        """Whether the word is a known noun."""
        word = self.at(index)
        return word in PLURALS or word in SINGULAR_OF or word in _MASS

    def is_boundary(self, index: int) -> bool:
        """Whether a noun phrase that ends before this word is complete: no unknown word may prolong it."""
        word = self.at(index)
        if not word or not word[0].isalnum():
            return word not in ("-", "/", "'", "’", "&")
        return (
            word in PREPOSITIONS or word in LINKS or word in BE or word in VERB_OF_GERUND
            or word in VERB_OF_THIRD or word in THIRD_PERSON or word in _AFTER_NOUNS
        )  # fmt: skip

    def replace(self, first: int, last: int, new: str) -> Draft:
        """Words first..last become `new`; an "a" or "an" in front of it is made to fit."""
        draft: Draft = [(self.starts[first], self.ends[last], like(self.words[first], new))]
        if new and (article := self.at(first - 1)) in ("a", "an"):
            fitting = article_of(new)
            if fitting != article:
                draft.insert(
                    0, (self.starts[first - 1], self.ends[first - 1], like(self.words[first - 1], fitting))
                )
        return draft

    def phrase(self, index: int) -> Phrase | None:
        """The noun phrase that begins at the word, or None: unknown words, names and doubtful ends."""
        at, article = index, ""
        if self.at(at) in DETERMINERS or self.at(at) in NUMBER_OF or self.at(at).isdecimal():
            article, at = self.low[at], at + 1
        adjectives = []
        while self.at(at) in ADJECTIVES and (self.at(at) not in _NOUNS_TOO or self.is_noun(at + 1)):
            adjectives.append(self.low[at])
            joined = self.at(at + 1) in ("and", ",") and self.at(at + 2) in ADJECTIVES
            at += 2 if joined else 1
        first_noun = at
        while self.is_noun(at):
            at += 1
        if at == first_noun or not self.is_boundary(at):
            return None
        if any(self.is_name(i) for i in range(index + 1, at)) or any(
            self.low[i] in PEOPLE for i in range(first_noun, at - 1)
        ):
            return None
        head = self.low[at - 1]
        plural = head in SINGULAR_OF and (
            head not in PLURALS or (bool(article) and article not in ("a", "an", "one", "1", "the"))
        )
        plural = plural or head in _PLURAL_ONLY
        single = article in ("a", "an", "one", "1")
        if (plural and single) or (
            not plural and not single and (article in NUMBER_OF or article.isdecimal())
        ):
            return None
        return Phrase(index, at - 1, plural, article, tuple(adjectives))

    def span(self, phrase: Phrase) -> str:
        """The phrase as written."""
        return self.text[self.starts[phrase.first] : self.ends[phrase.last]]


def article_of(word: str) -> str:
    """ "a" or "an" before the word."""
    return "an" if _VOWEL_SOUND.match(word) else "a"


_MASS: Final = frozenset(MASS)


_PLURAL_ONLY: Final = _MASS - NO_PLURAL - frozenset({"coffee", "tea", "cheese", "beer", "wine"})


_NOUNS_TOO: Final = frozenset(word for word in ADJECTIVES if word in PLURALS or word in _MASS)


_AFTER_NOUNS: Final = frozenset(
    listed(
        "has have does do not isn't aren't wearing there together outside outdoors nearby dressed covered "
        "made surrounded filled seen held being very doing taking trying getting making going can will "
        "could together looks"
    )
)


def head_place(sentence: Sentence, i: int) -> int:
    """Where the noun is that the adjective at `i` belongs to: 0 when it is unknown."""
    at = i + 1
    while (
        sentence.at(at) in ADJECTIVES and not (sentence.is_noun(at) and not sentence.is_noun(at + 1))
    ) or sentence.at(at) in ("and", ","):
        if sentence.at(at) in ("and", ",") and sentence.at(at + 1) not in ADJECTIVES:
            return 0
        at += 1
    if not sentence.is_noun(at):
        return 0
    while sentence.is_noun(at + 1):
        at += 1
    return at if sentence.is_boundary(at + 1) else 0


def head_word(sentence: Sentence, i: int) -> str:
    at = head_place(sentence, i)
    return sentence.low[at] if at else ""


def verb_at(sentence: Sentence, at: int) -> str:
    if sentence.at(at) in BE:
        return VERB_OF_GERUND.get(sentence.at(at + 1), "")
    word = sentence.at(at)
    return VERB_OF_GERUND.get(word) or VERB_OF_THIRD.get(word) or (word if word in PLAIN_VERBS else "")
