"""English: the same said by another construction."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from lift.rewording.change import Draft, like
from lift.rewording.english.sentence import Phrase, Sentence
from lift.rewording.english.words import (
    ADJECTIVES,
    ALIKE,
    BE,
    DETERMINERS,
    GERUNDS,
    LINKS,
    NUMBER_OF,
    PARTICIPLES,
    PLAIN_VERBS,
    PLURALS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    SINGULAR_OF,
    THIRD_PERSON,
    VERB_OF_GERUND,
    VERB_OF_THIRD,
    listed,
)


def coordination(sentence: Sentence) -> list[Draft]:
    """ "a man and a woman" -> "a woman and a man", "black and white" -> "white and black"."""
    drafts = []
    for i, word in enumerate(sentence.low):
        if word != "and":
            continue
        before, after = sentence.at(i - 1), sentence.at(i + 1)
        if (
            before in ALIKE
            and after in ALIKE
            and before != after
            and sentence.at(i - 2) not in (",", "and", "light", "dark", "bright", "pale")
        ):
            if not sentence.is_name(i - 1) and not sentence.is_name(i + 1):
                drafts.append(_turned(sentence, (i - 1, i - 1), (i + 1, i + 1)))
        elif before in PLURALS or before in SINGULAR_OF:
            drafts += _turned_phrases(sentence, i)
    return [draft for draft in drafts if draft]


def _turned_phrases(sentence: Sentence, i: int) -> list[Draft]:
    """Two phrases with an article around an "and" that begins no second clause and no list."""
    second = sentence.phrase(i + 1)
    if second is None or not second.article or not PRONOUNS.isdisjoint(sentence.low):
        return []
    following = sentence.at(second.last + 1)
    if (
        following
        and following not in (".", "is", "are")
        and following not in VERB_OF_GERUND
        and following not in PLAIN_VERBS
    ):
        return []
    for start in range(max(0, i - 4), i - 1):
        first = sentence.phrase(start)
        if first is None or first.last != i - 1 or not first.article:
            continue
        if (
            following in ("is", "")
            and start > 0
            and sentence.at(start - 1) not in ("is", "of", "with", "with", "shows")
        ):
            return []
        if start > 0 and sentence.at(start - 1) not in ("with", "of", "is", "are", "shows", "between"):
            return []
        if following == "is" or (sentence.words[start][0].isupper() and start > 0):
            return []
        return [_turned(sentence, (first.first, first.last), (second.first, second.last))]
    return []


def _turned(sentence: Sentence, first: tuple[int, int], second: tuple[int, int]) -> Draft:
    """Both stretches change places; an article in front of the first is made to fit the word that comes there."""
    one = sentence.text[sentence.starts[first[0]] : sentence.ends[first[1]]]
    other = sentence.text[sentence.starts[second[0]] : sentence.ends[second[1]]]
    if one[0].isupper() and not other[0].isupper():
        one, other = one[0].lower() + one[1:], other[0].upper() + other[1:]
    draft = sentence.replace(first[0], first[1], other)
    return [*draft, (sentence.starts[second[0]], sentence.ends[second[1]], one)]


def aspect(sentence: Sentence) -> list[Draft]:
    """ "a man rides a bike" -> "a man is riding a bike", and back: the same in the description of a picture."""
    subject = _subject(sentence)
    if subject is None:
        return []
    at = _verb_place(sentence, subject.last + 1)
    word, after = sentence.at(at), sentence.at(at + 1)
    rest = sentence.low[at + 1 :]
    if word in ("is", "are") and after in VERB_OF_GERUND and (word == "are") == subject.plural:
        if not any(a in ("and", ",", "or") and b in VERB_OF_GERUND for a, b in pairwise(rest[1:])):
            verb = VERB_OF_GERUND[after]
            return [
                [(sentence.starts[at], sentence.ends[at + 1], verb if subject.plural else THIRD_PERSON[verb])]
            ]
        return []
    verb = (
        word
        if subject.plural and word in PLAIN_VERBS
        else ""
        if subject.plural
        else VERB_OF_THIRD.get(word, "")
    )
    if not verb or (
        not sentence.is_boundary(at + 1)
        and after not in (*DETERMINERS, *POSSESSIVES, *NUMBER_OF, *ADJECTIVES)
    ):
        return []
    if after in VERB_OF_GERUND or any(
        a in ("and", ",", "or", "then") and (b in VERB_OF_THIRD or b in PLAIN_VERBS)
        for a, b in pairwise(rest)
    ):
        return []
    return [
        [(sentence.starts[at], sentence.ends[at], f"{'are' if subject.plural else 'is'} {GERUNDS[verb]}")]
    ]


def _verb_place(sentence: Sentence, start: int) -> int:
    """Where the verb of the first subject stands: at `start`, or at the first "is" when no other clause begins."""
    for at in range(start, len(sentence.low)):
        if sentence.low[at] in BE:
            return at
        if sentence.low[at] in LINKS or sentence.low[at] == ",":
            break
    return start


def _subject(sentence: Sentence) -> Phrase | None:
    """The noun phrase that the sentence begins with, when it is someone or something counted."""
    subject = sentence.phrase(0)
    if subject is None or (not subject.article and not subject.plural):
        return None
    head = sentence.low[subject.last]
    return subject if head in PLURALS or head in SINGULAR_OF else None


def _may_be_plain_verb(sentence: Sentence, i: int) -> bool:
    """Whether the word is a known plain verb, or an unknown word after a noun: "boys in jackets frolic"."""
    unknown = sentence.is_noun(i - 1) and not sentence.is_noun(i) and not sentence.is_boundary(i)
    return sentence.low[i] in PLAIN_VERBS or unknown


def _may_be_verb(sentence: Sentence, i: int) -> bool:
    """Whether the word is an unknown one in -s: "a boy wearing a shirt appears"."""
    word = sentence.low[i]
    return word[-1] == "s" and word[-2:] != "ss" and not sentence.is_noun(i) and word not in _NO_VERBS


_NO_VERBS: Final = frozenset(
    listed("as its his is this across towards upwards downwards outdoors indoors besides whilst")
)


_PLACES: Final = frozenset(
    listed(
        "park beach street snow field forest woods city pool ocean kitchen desert yard backyard garden "
        "lake river rain grass restaurant market"
    )
)


def frame(sentence: Sentence) -> list[Draft]:
    """ "A man is sitting" -> "There is a man sitting"; "there is a cup on" <-> "a cup is on"."""
    low = sentence.low
    if low[:2] in (["there", "is"], ["there", "are"]):
        phrase = sentence.phrase(2)
        if phrase is None or not phrase.article or sentence.at(phrase.last + 1) not in PREPOSITIONS - {"of"}:
            return []
        if sentence.at(phrase.last + 1) in ("with", "to", "for", "by", "from"):
            return []
        thing = like(sentence.words[0], sentence.span(phrase))
        return [[(sentence.starts[0], sentence.ends[phrase.last], f"{thing} {low[1]}")]]
    subject = _subject(sentence)
    if subject is None or subject.article in ("the",) or not subject.article:
        return []
    at = subject.last + 1
    be = "are" if subject.plural else "is"
    thing = sentence.span(subject)
    thing = thing[0].lower() + thing[1:]
    there = f"{like(sentence.words[0], 'there')} {be} {thing}"
    if sentence.at(at) == be and (
        sentence.at(at + 1) in VERB_OF_GERUND
        or sentence.at(at + 1) in ("on", "in", "near", "behind", "under")
    ):
        return [[(sentence.starts[0], sentence.ends[at], there)]]
    finite = any(word in BE or word in VERB_OF_THIRD or word in ("has", "have") for word in low[at:])
    told = sentence.at(at) in VERB_OF_GERUND
    finite = finite or any(
        _may_be_verb(sentence, i) and (not told or sentence.is_noun(i - 1)) for i in range(at, len(low))
    )
    if subject.plural:
        finite = finite or any(_may_be_plain_verb(sentence, i) for i in range(at, len(low)))
    if finite or any(word.endswith("ed") and sentence.is_noun(i - 1) for i, word in enumerate(low)):
        return []
    if told or sentence.at(at) in ("in", "on", "with", "near", "behind", "of"):
        return [[(sentence.starts[0], sentence.ends[at - 1], there)]]
    return []


def fronting(sentence: Sentence) -> list[Draft]:
    """ "A dog runs in the park." -> "In the park, a dog runs.", and "On the table there is a cup." back."""
    low = sentence.low
    end = len(low) - 1 if low and low[-1] == "." else len(low)
    for there in range(2, min(len(low) - 2, 8)):  # "On the table there is a cup."
        if (
            low[there] == "there"
            and low[there + 1] in ("is", "are")
            and low[0] in ("on", "in", "under", "behind", "near")
        ):
            place = sentence.phrase(1)
            if place is None or place.last + 1 + (sentence.at(place.last + 1) == ",") != there:
                return []
            tail = sentence.text[sentence.starts[there] : sentence.ends[end - 1]]
            where = sentence.text[sentence.starts[0] : sentence.ends[place.last]]
            where = where[0].lower() + where[1:]
            return [[(0, sentence.ends[end - 1], like(sentence.words[0], f"{tail} {where}"))]]
    at = end - 3
    if at < 2 or low[at] not in ("in", "at", "on") or low[at + 1] != "the" or low[end - 1] not in _PLACES:
        return []
    if (low[0] == "there" and low[1:2] in (["is"], ["are"])) or _is_clause(sentence, at):
        where, said = (
            sentence.text[sentence.starts[at] : sentence.ends[end - 1]],
            sentence.text[: sentence.ends[at - 1]],
        )
        if sentence.words[0][0].isupper():
            where, said = where[0].upper() + where[1:], said[0].lower() + said[1:]
        comma = " ," if sentence.text.endswith(" .") else ","
        return [[(0, sentence.ends[end - 1], f"{where}{comma} {said}")]]
    return []


def _is_clause(sentence: Sentence, end: int) -> bool:
    """One subject and one verb before word `end`, the last word belonging to the verb's side."""
    subject = _subject(sentence)
    if subject is None or not LINKS.isdisjoint(sentence.low[subject.last : end]):
        return False
    word = sentence.at(subject.last + 1)
    finite = word in ("is", "are") and sentence.at(subject.last + 2) in VERB_OF_GERUND
    finite = (
        finite or (word in VERB_OF_THIRD and not subject.plural) or (word in PLAIN_VERBS and subject.plural)
    )
    return (
        finite
        and "," not in sentence.low[:end]
        and sentence.at(end - 1)
        not in ("up", "out", "down", "looking", "looks", "look", "gazing", "pointing", "barking")
    )


def passive(sentence: Sentence) -> list[Draft]:
    """ "A man is holding a child." -> "A child is being held by a man.": a whole sentence of two phrases."""
    first = _subject(sentence)
    if first is None or sentence.at(first.last + 1) not in ("is", "are"):
        return []
    verb = VERB_OF_GERUND.get(sentence.at(first.last + 2), "")
    second = sentence.phrase(first.last + 3) if verb in PARTICIPLES else None
    if second is None or not second.article or sentence.at(second.last + 1) not in ("", "."):
        return []
    by, of = sentence.span(first), sentence.span(second)
    passive_voice = f"{'are' if second.plural else 'is'} being {PARTICIPLES[verb]} by"
    text = f"{like(by, of)} {passive_voice} {by[0].lower() + by[1:]}"
    return [[(sentence.starts[0], sentence.ends[second.last], text)]]
