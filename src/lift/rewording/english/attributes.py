"""English: another attribute, another thing of the same sort."""

from __future__ import annotations

from typing import Final

from lift.rewording.change import Draft
from lift.rewording.english.sentence import Sentence, head_place, head_word
from lift.rewording.english.words import (
    ADJECTIVES,
    AGED,
    AGED_HEADS,
    ALIKE,
    ANIMALS,
    COLOURS,
    COUNTERPARTS,
    DETERMINERS,
    MADE_ANEW,
    MADE_OF_ANYTHING,
    MATERIALS,
    MATERIALS_ALIKE,
    NUMBER_OF,
    OPPOSITE_HEADS,
    OPPOSITES,
    PEOPLE,
    PLURALS,
    POSSESSIVES,
    SIMILAR_OBJECTS,
    SINGULAR_OF,
    SIZES,
    SORTS,
    listed,
)


def attribute(sentence: Sentence) -> list[Draft]:
    """Another colour, size, age, material or the opposite: "a red apple" -> "a green apple"."""
    drafts = []
    said = frozenset(sentence.low)
    for i, word in enumerate(sentence.low):
        if word in ADJECTIVES and not sentence.is_name(i):
            drafts += [sentence.replace(i, i, new) for new in _other_attributes(sentence, i, word, said)]
    return drafts


def _other_attributes(sentence: Sentence, i: int, word: str, said: frozenset[str]) -> list[str]:
    if word in ALIKE:
        return _other_colours(sentence, i, word, said)
    head, after = head_word(sentence, i), sentence.at(i + 1)
    if not head or sentence.is_name(i + 1):
        return []
    if word in AGED:
        return [AGED[word]] if head in AGED_HEADS and AGED[word] not in said else []
    person = head in PEOPLE or SINGULAR_OF.get(head) in PEOPLE
    if person and (word in SIZES or word not in OPPOSITE_HEADS):
        return []
    if word in SIZES:
        return (
            [SIZES[word]]
            if not said & {SIZES[word], "little", "bit"} - {word} and after not in ("top", "air")
            else []
        )
    if word in MATERIALS:
        fits = i + 1 == head_place(sentence, i) and SINGULAR_OF.get(head, head) in MADE_OF_ANYTHING
        alike = [word, *MATERIALS_ALIKE.get(word, "").split()]
        return [new for new in MADE_ANEW if new not in alike and new not in said] if fits else []
    if word in OPPOSITES:
        heads = OPPOSITE_HEADS.get(word, "").split()
        if (word not in OPPOSITE_HEADS or head in heads or SINGULAR_OF.get(head) in heads) and OPPOSITES[
            word
        ] not in said:
            return [OPPOSITES[word]]
    return []


def _other_colours(sentence: Sentence, i: int, word: str, said: frozenset[str]) -> list[str]:
    """Colours that this one is not, where it is a colour: "red hat", "is red", "in red"; not "orange juice"."""
    before, after = sentence.at(i - 1), sentence.at(i + 1)
    if (
        before.endswith(("ish", "navy"))
        or after in SORTS
        or after in ("-", "/", "&")
        or sentence.is_name(i + 1)
        or before in ("-", "/", "&")
    ):
        return []
    head = head_word(sentence, i)
    if head:
        if (
            head in PEOPLE
            or SINGULAR_OF.get(head) in PEOPLE
            or head in ("snow", "water", "grass", "sky", "hair")
        ):
            return []
    elif not (
        sentence.is_boundary(i + 1)
        and before in ("is", "are", "in", "and", "all", "dressed")
        and word not in ("gold", "silver")
        and (before != "and" or sentence.at(i - 2) in ALIKE)
    ):
        return []
    shut = set(ALIKE[word].split()) | said
    if before in ("dark", "light", "bright", "pale", "deep", "navy"):
        shut |= {"black", "white", "grey"}
    return [new for new in COLOURS if new != word and new not in shut]


_GENDERED: Final = frozenset(listed("he she his her him hers himself herself"))


def _others() -> dict[str, tuple[str, ...]]:
    rows: dict[str, tuple[str, ...]] = {word: (other,) for word, other in COUNTERPARTS.items()}
    for row in (tuple(ANIMALS), *SIMILAR_OBJECTS):
        rows.update({word: tuple(other for other in row if other != word) for word in row})
    return rows


OTHERS: Final = _others()


def kind_of_thing(sentence: Sentence) -> list[Draft]:
    """Another person, animal or thing of the same sort: "a dog runs" -> "a cat runs"."""
    drafts = []
    said = frozenset(sentence.low)
    gendered = not said.isdisjoint(_GENDERED)
    contrasted = not said.isdisjoint(("another", "other", "others"))
    for i, word in enumerate(sentence.low):
        single = SINGULAR_OF.get(word, word)
        if single not in OTHERS or sentence.is_name(i) or (gendered and single in COUNTERPARTS):
            continue
        if contrasted and (sentence.low.count(word) > 1 or single in COUNTERPARTS):
            continue
        before = sentence.at(i - 1)
        led = (
            not before
            or before in ADJECTIVES
            or before in DETERMINERS
            or before in NUMBER_OF
            or before in POSSESSIVES
        )
        if (
            before in MATERIALS
            or before in SORTS - ADJECTIVES
            or not led
            or not sentence.is_boundary(i + 1)
            or sentence.at(i + 1) == "of"
        ):
            continue
        plural = word != single
        if word in ("fish", "sheep", "deer") or (
            before
            in ("hot", "soccer", "tennis", "stuffed", "toy", "golden", "bald", "male", "female", "striped")
        ):
            continue
        if sentence.at(i - 2) in (
            "at",
            "by",
        ):  # "at a table", "hanging by a rope": not at or by any other thing
            continue
        for other in OTHERS[single]:
            new = PLURALS[other] if plural else other
            if (
                other in said
                or PLURALS[other] in said
                or (other in ("sheep", "deer", "fish") and before in ("a", "an", "one"))
            ):
                continue
            drafts.append(sentence.replace(i, i, new))
    return drafts
