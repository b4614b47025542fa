"""English: the same words in another order, so that another sentence is said."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from lift.rewording.change import Draft
from lift.rewording.english.sentence import Phrase, Sentence, article_of, head_place, verb_at
from lift.rewording.english.words import (
    ALIKE,
    ANIMATE,
    BE,
    DIRECTED,
    MATERIALS,
    NUMBER_OF,
    PEOPLE,
    PLAIN_VERBS,
    PLURALS,
    PRONOUNS,
    SINGULAR_OF,
    SIZES,
    SMALL,
    SORTS,
    VERB_OF_GERUND,
    VERB_OF_THIRD,
    listed,
)


def order(sentence: Sentence) -> list[Draft]:
    """Attributes or roles change places; the words stay exactly the same, but for capitals.

    "a red cup on a blue table" -> "a blue cup on a red table", "a dog chases a boy" -> "a boy chases a dog".
    """
    drafts = [*_swapped_attributes(sentence), *_swapped_roles(sentence), *_swapped_clauses(sentence)]
    return drafts


def _swapped_attributes(sentence: Sentence) -> list[Draft]:
    """Two colours, sizes or materials of two different things."""
    drafts = []
    for family in (ALIKE, SIZES, frozenset(MATERIALS)):
        places = [i for i, word in enumerate(sentence.low) if word in family and _owns(sentence, i)]
        for first, second in pairwise(places):
            one, other = sentence.low[first], sentence.low[second]
            heads = [sentence.low[head_place(sentence, i)] for i in (first, second)]
            same_thing = SINGULAR_OF.get(heads[0], heads[0]) == SINGULAR_OF.get(heads[1], heads[1])
            alike = one in ALIKE.get(other, "").split() or (
                one in SIZES and (one in SMALL) == (other in SMALL)
            )
            if one == other or same_thing or alike or head_place(sentence, first) >= second:
                continue
            drafts.append(_exchange(sentence, (first, first), (second, second)))
    return [draft for draft in drafts if draft]


def _owns(sentence: Sentence, i: int) -> bool:
    """Whether the attribute stands alone before a known noun: no "black and white", no "orange juice", no name."""
    if sentence.is_name(i) or sentence.at(i + 1) in SORTS or sentence.at(i + 1) in ("and", ",", "-", "/"):
        return False
    if sentence.at(i - 1) in ("another", "other", "navy", "dark", "light", "bright", "pale", "deep") or (
        sentence.at(i - 1) in ("and", ",") and sentence.at(i - 2) in ALIKE
    ):
        return False
    at = head_place(sentence, i)
    if not at or (sentence.low[i] in MATERIALS and at != i + 1):
        return False
    person = sentence.low[at] in PEOPLE or SINGULAR_OF.get(sentence.low[at]) in PEOPLE
    return not person and not sentence.is_name(at)


def _exchange(sentence: Sentence, first: tuple[int, int], second: tuple[int, int]) -> Draft:
    """Two stretches of words change places; [] where an "a" would have to become an "an"."""
    texts = [sentence.text[sentence.starts[a] : sentence.ends[b]] for a, b in (first, second)]
    for (start, _), (other, _) in ((first, second), (second, first)):
        article = sentence.at(start - 1)
        if article in ("a", "an") and article_of(sentence.low[other]) != article:
            return []
    begins, follows = texts
    if sentence.words[first[0]][0].isupper() and not sentence.words[second[0]][0].isupper():
        begins, follows = begins[0].lower() + begins[1:], follows[0].upper() + follows[1:]
    return [
        (sentence.starts[first[0]], sentence.ends[first[1]], follows),
        (sentence.starts[second[0]], sentence.ends[second[1]], begins),
    ]


_SPATIAL: Final = frozenset(listed("on under above below behind over inside underneath"))


_SPATIAL_WORDS: Final = (
    ("in", "front", "of"), ("on", "top", "of"), ("to", "the", "left", "of"), ("to", "the", "right", "of"),
    ("on", "the", "left", "of"), ("on", "the", "right", "of"), ("left", "of"), ("right", "of"),
)  # fmt: skip


_POSTURES: Final = frozenset(
    listed("sit sits sitting stand stands standing lie lies lying rest rests resting laying")
)


_AT: Final = frozenset(
    listed(
        "looking looks look jumping jumps leaping leaps barking barks pointing points waving waves "
        "staring stares"
    )
)


_SOFT_HEADS: Final = frozenset(
    listed(
        "water snow grass sand dirt mud ice air sky ground street road beach field mountain hill sidewalk "
        "path trail court dock park pool lake river ocean sea room city playground wave floor ceiling "
        "lawn yard garden pier platform stage corner track background"
    )
)


def _swapped_roles(sentence: Sentence) -> list[Draft]:
    """The one who does it and the one it is done to, or the thing on top and the thing below."""
    if not PRONOUNS.isdisjoint(sentence.low):
        return []
    for i in range(len(sentence.low)):
        if i and not _opens(sentence, i):
            continue
        first = sentence.phrase(i)
        if first is None or sentence.at(first.last + 1) in ("of", "and", "or", ","):
            continue
        between, at, needs = _link(sentence, first.last + 1, first.plural)
        if not between:
            continue
        second = sentence.phrase(at)
        if second is None or sentence.at(second.last + 1) in ("of", "and", "or", "'s"):
            continue
        if sentence.at(i - 1) in ("is", "are") and second.article == "the":
            return []  # "there is the table on a key"
        if _may_swap(sentence, first, second, needs):
            draft = _exchange(sentence, (first.first, first.last), (second.first, second.last))
            return [draft] if draft else []
    return []


def _opens(sentence: Sentence, i: int) -> bool:
    """Whether a noun phrase that begins here is the first of its clause, so that nothing before refers to it."""
    before = sentence.at(i - 1)
    if before in ("is", "are"):
        return sentence.at(i - 2) == "there"
    if before == "of":
        return sentence.at(i - 2) in ("picture", "drawing", "photo", "image")
    if before == "with":
        return i <= 6 and sentence.at(i - 2) in ("picture", "image", "box", "tower")
    return before in ("shows", "see", "while", "whilst", "as", "has", "where", ".") or (
        before in ("exactly", "least") and i < 6
    )


def _may_swap(sentence: Sentence, first: Phrase, second: Phrase, needs: str) -> bool:
    """Both with an article or both bare plurals, one number, truly different, and of a sort that can change places."""
    if not first.article and (not second.article or not first.plural) and first.first > 0:
        return False
    if bool(first.article) != bool(second.article) or first.plural != second.plural:
        return False
    heads = [SINGULAR_OF.get(sentence.low[p.last], sentence.low[p.last]) for p in (first, second)]
    if heads[0] == heads[1] and (
        not first.adjectives or not second.adjectives or first.adjectives == second.adjectives
    ):
        return False
    if (
        {first.article, second.article} & set(NUMBER_OF)
        and first.article != second.article
        and not first.plural
    ):
        return False
    if needs != "animate":
        following = sentence.at(second.last + 1)
        if following and following not in (
            ".",
            ",",
            "in",
            "on",
            "at",
            "against",
            "near",
            "with",
            "can",
            "before",
        ):
            return False
        if any(_acts(sentence, i) for i in range(second.last + 1, len(sentence.low))):
            return False
        if needs == "sits" and (heads[0] in ANIMATE) != (heads[1] in ANIMATE):
            return False
        return not _SOFT_HEADS & set(heads) and all(head in PLURALS for head in heads)
    return all(head in ANIMATE for head in heads)


def _acts(sentence: Sentence, i: int) -> bool:
    """Whether the word is a verb of the one who stands first, who would be another one after the change."""
    word = sentence.low[i]
    return word in BE or word in VERB_OF_GERUND or word in VERB_OF_THIRD


def _swapped_clauses(sentence: Sentence) -> list[Draft]:
    """ "a boy runs while a man sits" -> "a man runs while a boy sits": two who do different things."""
    if not PRONOUNS.isdisjoint(sentence.low):
        return []
    for i, word in enumerate(sentence.low):
        if word in ("while", "whilst", "as") and i > 2:
            first, second = sentence.phrase(0), sentence.phrase(i + 1)
            if first is None or second is None or first.plural != second.plural:
                return []
            if any(sentence.low.count(sentence.low[p.last]) > 1 for p in (first, second)):
                return []
            heads = [SINGULAR_OF.get(sentence.low[p.last], sentence.low[p.last]) for p in (first, second)]
            verbs = [verb_at(sentence, p.last + 1) for p in (first, second)]
            if (
                heads[0] == heads[1]
                or not all(head in ANIMATE for head in heads)
                or not all(verbs)
                or verbs[0] == verbs[1]
            ):
                return []
            if bool(first.article) != bool(second.article) or any(
                word in ("and", "with") for word in sentence.low[:i]
            ):
                return []
            draft = _exchange(sentence, (first.first, first.last), (second.first, second.last))
            return [draft] if draft else []
    return []


def _link(sentence: Sentence, at: int, plural: bool) -> tuple[bool, int, str]:
    """What joins two noun phrases from word `at` on: (found, where the second begins, what both must be)."""
    if sentence.at(at) in BE:
        if (sentence.at(at) in ("is", "was")) == plural:
            return False, 0, ""
        at += 1
    word = sentence.at(at)
    verb = (
        VERB_OF_GERUND.get(word)
        or VERB_OF_THIRD.get(word)
        or (word if plural and word in PLAIN_VERBS else "")
    )
    if verb in DIRECTED:
        return True, at + 1, "animate"
    if word in _AT and sentence.at(at + 1) in ("at", "over"):
        return True, at + 2, "animate"
    sort = "sits" if word in _POSTURES else "place"
    if word in _POSTURES:
        at += 1
    if sentence.at(at) == "," and sort == "place":
        at += 1
    for words in _SPATIAL_WORDS:
        if tuple(sentence.low[at : at + len(words)]) == words:
            return True, at + len(words), sort
    if sentence.at(at) in _SPATIAL:
        return True, at + 1, sort
    return False, 0, ""
