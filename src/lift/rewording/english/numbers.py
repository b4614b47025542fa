"""English: another number of things, another value."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.change import Draft
from lift.rewording.english.sentence import Sentence
from lift.rewording.english.words import (
    ADJECTIVES,
    NUMBER_OF,
    NUMBERS,
    PLURALS,
    SINGULAR_OF,
    listed,
)

# Not exact numbers: "about five" may still be true when it becomes "about six".
_VAGUE: Final = frozenset(
    listed(
        "about around almost nearly over under than least most up or to over approximately some roughly no"
    )
)


_COUNTING: Final = frozenset(listed("one both other another either neither former latter"))


_MONTHS: Final = frozenset(
    listed("january february march april may june july august september october november december")
)


_FIGURE: Final = re.compile(r"\d{1,3}(?:[.]\d+)?")


_MEASURED: Final = re.compile(
    r"(\d{1,3}(?:\.\d+)?)[ ]?(?:mm|cm|m|km|g|kg|mg|ml|l|L|V|kV|W|kW|A|mA|Hz|kHz|MHz|°C|°F|%|inches|feet)(?![\w/])"
)


# Goods that come by number: "12 pcs", "pack of 6". Not "6 servings", which is an estimate.
_GOODS: Final = re.compile(
    r"(?<![\w.,/#×-])(?:(?<=pack of )|(?<=set of )|(?<=box of ))(\d{1,3})(?![\w.,/×-]*\d|[-/])|"
    r"(?<![\w.,/#×x-])(?<!about )(?<!to )(?<![x×] )(\d{1,3})"
    r"(?= (?:pcs|pieces|rolls|packs|sheets|tablets|capsules|bottles|bags)\b)",
    re.IGNORECASE,
)


def number(sentence: Sentence) -> list[Draft]:
    """ "two dogs" -> "three dogs", "12 bolts" -> "13 bolts", "5 cm" -> "6 cm",
    "exactly one tower" -> "exactly two towers"."""
    drafts = []
    contrasted = any(word in _COUNTING for word in sentence.low)
    for i, word in enumerate(sentence.low):
        if word in NUMBER_OF:
            value = NUMBER_OF[word]
            if value == 1:
                drafts += _one(sentence, i)
            elif value > 1 and not contrasted and _counts(sentence, i):
                drafts += [
                    sentence.replace(i, i, NUMBERS[new]) for new in (value - 1, value + 1) if 2 <= new <= 12
                ]
        elif (
            word[0].isdigit()
            and not contrasted
            and _FIGURE.fullmatch(word)
            and _counts(sentence, i)
            and "." not in word
        ):
            value = int(word)
            news = (value - 1, value + 1) if value < 20 else (value - 10, value + 10)
            drafts += [sentence.replace(i, i, str(new)) for new in news if new >= 2 and value >= 2]
    if any(word[0].isdigit() for word in sentence.low):
        drafts += _measures(sentence)
        drafts += _goods(sentence, {edit[0] for draft in drafts for edit in draft})
    return drafts


def _goods(sentence: Sentence, known: set[int]) -> list[Draft]:
    """ "pack of 6" -> "pack of 7", "12 pcs" -> "11 pcs", where no other rule has the number already."""
    drafts: list[Draft] = []
    for match in _GOODS.finditer(sentence.text):
        start, end = match.span(1) if match[1] else match.span(2)
        value = int(sentence.text[start:end])
        if start in known or value < 2:
            continue
        step = 1 if value < 20 else 10
        drafts += [[(start, end, str(new))] for new in (value - step, value + step) if new >= 2]
    return drafts


def _measures(sentence: Sentence) -> list[Draft]:
    """Values with a unit: the first figure of a value is another."""
    drafts = []
    for match in _MEASURED.finditer(sentence.text):
        before = sentence.text[: match.start()].rstrip()
        if (before[-1:].isalnum() and before.split()[-1].lower() in _VAGUE) or sentence.text[: match.start()][
            -1:
        ] in tuple("-–/.,~x×"):
            continue
        if (
            (match.start() and sentence.text[match.start() - 1].isalnum())
            or float(match[1]) == 0
            or match[1] == "100"
        ):
            continue
        first = int(match[1][0])
        new = str(first + 1 if first < 9 else 7)
        drafts.append([(match.start(1), match.end(1), new + match[1][1:])])
    return drafts


def _counts(sentence: Sentence, i: int) -> bool:
    """Whether the number counts things: a known plural follows, and it is no date, name, range or estimate."""
    before, after = sentence.at(i - 1), sentence.at(i + 1)
    if before in _VAGUE or before in NUMBER_OF or before in _MONTHS or (before in "-–/#$€£" and before):
        return False
    if (
        sentence.is_name(i - 1)
        or sentence.is_name(i)
        or after in ("-", "/", "of", "or", "to", ":", "and")
        or before in ("number", "no", "the", "these", "those", "all")
    ):
        return False
    at = i + 1
    while sentence.at(at) in ADJECTIVES or sentence.at(at) in ("different", "more"):
        at += 2 if sentence.at(at + 1) in ("and", ",") and sentence.at(at + 2) in ADJECTIVES else 1
    while sentence.is_noun(at) and sentence.at(at) not in SINGULAR_OF:
        at += 1
    return sentence.at(at) in SINGULAR_OF and not sentence.is_name(at)


def _one(sentence: Sentence, i: int) -> list[Draft]:
    """ "exactly one red block" -> "exactly two red blocks", where no verb has to agree afterwards."""
    before = sentence.at(i - 1)
    exact = before in ("exactly", "only")
    lead = sentence.at(i - 2) if exact else before
    if lead not in ("is", "contains", "has", "with", "shows") or sentence.low.count("one") > 1:
        return []
    phrase = sentence.phrase(i)
    if phrase is None or phrase.last == i or sentence.low[phrase.last] not in PLURALS:
        return []
    rest = sentence.low[phrase.last + 1 :]
    if any(
        word in ("is", "has", "that", "which", "who", "it", "its", "and", "his", "her", "other", "another")
        for word in rest
    ):
        return []
    draft = sentence.replace(i, i, "two") + sentence.replace(
        phrase.last, phrase.last, PLURALS[sentence.low[phrase.last]]
    )
    if lead == "is":
        verb = i - 2 if exact else i - 1
        if sentence.at(verb - 1) != "there":
            return []
        draft = sentence.replace(verb, verb, "are") + draft
    return [draft]
