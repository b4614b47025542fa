"""English rules that put one word in place of another: number, left and right, attribute, object, relation."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.change import Draft, Sentence, article_of, like
from lift.rewording.words import (
    ADJECTIVES,
    AGED,
    AGED_HEADS,
    ALIKE,
    ANIMALS,
    COLOURS,
    COUNTERPARTS,
    DETERMINERS,
    LINKS,
    MADE_ANEW,
    MATERIALS,
    MATERIALS_ALIKE,
    NUMBER_OF,
    NUMBERS,
    OPPOSITE_HEADS,
    OPPOSITES,
    PEOPLE,
    PLURALS,
    POSSESSIVES,
    PREPOSITIONS,
    SIMILAR_OBJECTS,
    SINGULAR_OF,
    SIZES,
    SORTS,
)

# Not exact numbers: "about five" may still be true when it becomes "about six".
_VAGUE: Final = frozenset("about around almost nearly over under than least most up or to over approximately some roughly no".split())
_COUNTING: Final = frozenset("one both other another either neither former latter".split())
_MONTHS: Final = frozenset("january february march april may june july august september october november december".split())
_FIGURE: Final = re.compile(r"\d{1,3}(?:[.]\d+)?")
_MEASURED: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)[ ]?(?:mm|cm|m|km|g|kg|mg|ml|l|L|V|kV|W|kW|A|mA|Hz|kHz|MHz|°C|°F|%|inches|feet)(?![\w/])")


def number(sentence: Sentence) -> list[Draft]:
    """ "two dogs" -> "three dogs", "12 bolts" -> "13 bolts", "5 cm" -> "6 cm", "exactly one tower" -> "exactly two towers"."""
    drafts = []
    contrasted = any(word in _COUNTING for word in sentence.low)
    for i, word in enumerate(sentence.low):
        if word in NUMBER_OF:
            value = NUMBER_OF[word]
            if value == 1:
                drafts += _one(sentence, i)
            elif value > 1 and not contrasted and _counts(sentence, i):
                drafts += [sentence.replace(i, i, NUMBERS[new]) for new in (value - 1, value + 1) if 2 <= new <= 12]
        elif word[0].isdigit() and not contrasted and _FIGURE.fullmatch(word) and _counts(sentence, i) and "." not in word:
            value = int(word)
            news = (value - 1, value + 1) if value < 20 else (value - 10, value + 10)
            drafts += [sentence.replace(i, i, str(new)) for new in news if new >= 2 and value >= 2]
    if any(word[0].isdigit() for word in sentence.low):
        drafts += _measures(sentence)
    return drafts


def _measures(sentence: Sentence) -> list[Draft]:
    """Values with a unit: the first figure of a value is another."""
    drafts = []
    for match in _MEASURED.finditer(sentence.text):
        before = sentence.text[: match.start()].rstrip()
        if before[-1:].isalnum() and before.split()[-1].lower() in _VAGUE or sentence.text[: match.start()][-1:] in tuple("-–/.,~x×"):
            continue
        if match.start() and sentence.text[match.start() - 1].isalnum() or float(match[1]) == 0 or match[1] == "100":
            continue
        first = int(match[1][0])
        new = str(first + 1 if first < 9 else 7)
        drafts.append([(match.start(1), match.end(1), new + match[1][1:])])
    return drafts


def _counts(sentence: Sentence, i: int) -> bool:
    """Whether the number counts things: a known plural follows, and it is no date, name, range or estimate."""
    before, after = sentence.at(i - 1), sentence.at(i + 1)
    if before in _VAGUE or before in NUMBER_OF or before in _MONTHS or before in "-–/#$€£" and before:
        return False
    if sentence.is_name(i - 1) or sentence.is_name(i) or after in ("-", "/", "of", "or", "to", ":", "and") or before in ("number", "no", "the", "these", "those", "all"):
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
    if any(word in ("is", "has", "that", "which", "who", "it", "its", "and", "his", "her", "other", "another") for word in rest):
        return []
    draft = sentence.replace(i, i, "two") + sentence.replace(phrase.last, phrase.last, PLURALS[sentence.low[phrase.last]])
    if lead == "is":
        verb = i - 2 if exact else i - 1
        if sentence.at(verb - 1) != "there":
            return []
        draft = sentence.replace(verb, verb, "are") + draft
    return [draft]


_SIDE_NOUNS: Final = frozenset(
    "hand arm leg foot side eye ear shoulder knee paw wing hip cheek corner half end edge lane wheel door glove shoe boot "
    "ankle wrist elbow sleeve part bank shoulder thigh front rear panel page column".split()
)
_OTHER_SIDE: Final = {
    "left": "right", "right": "left", "leftmost": "rightmost", "rightmost": "leftmost", "left-hand": "right-hand",
    "right-hand": "left-hand", "left-handed": "right-handed", "right-handed": "left-handed", "leftward": "rightward",
    "rightward": "leftward",
}  # fmt: skip
_TURNS: Final = frozenset("turn turns turning facing faces look looks looking points pointing leans leaning far".split())


def left_right(sentence: Sentence) -> list[Draft]:
    """Left becomes right and right left, at every place that speaks of a side; nothing if one may not."""
    places = [i for i, word in enumerate(sentence.low) if word in _OTHER_SIDE]
    if not places or not all(_is_side(sentence, i) for i in places):
        return []
    sides = {sentence.low[i][:4] for i in places}
    if len(sides) > 1:  # "one on the left and one on the right" would say the same again
        if any(word in ("one", "other", "another", "both", "each") for word in sentence.low):
            return []
        if any(b - a <= 3 and sentence.at(b - 1) != "to" and "and" in sentence.low[a:b] for a, b in zip(places, places[1:], strict=False)):
            return []
    return [[edit for i in places for edit in sentence.replace(i, i, _OTHER_SIDE[sentence.low[i]])]]


def _is_side(sentence: Sentence, i: int) -> bool:
    """Whether "left" or "right" is a side here, not "has left", "all right", "right behind" or "the right size"."""
    word, before, after = sentence.low[i], sentence.at(i - 1), sentence.at(i + 1)
    if word not in ("left", "right"):
        return True
    if sentence.is_name(i) or after == "away":
        return False
    closed = not after or not after[0].isalnum() or after in PREPOSITIONS or after in LINKS or after in ("is", "are", "has")
    if before in ("the", "to", "on", "from", "top", "bottom", "upper", "lower") or before in POSSESSIVES or before in ("a", "'s", "’s") or before.endswith(("'s", "’s")):
        return after in _SIDE_NOUNS or (closed and before != "a" and (after != "of" or sentence.at(i + 2) != "way"))
    if after in _SIDE_NOUNS and before not in ("just", "all"):
        return True
    if after == "of" and sentence.at(i + 2) in DETERMINERS | POSSESSIVES | {"it", "them", "him"}:
        return True
    return before in _TURNS and closed


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
    head, after = _head(sentence, i), sentence.at(i + 1)
    if not head or sentence.is_name(i + 1):
        return []
    if word in AGED:
        return [AGED[word]] if head in AGED_HEADS and AGED[word] not in said else []
    if head in PEOPLE or SINGULAR_OF.get(head) in PEOPLE:
        if word in SIZES or word not in OPPOSITE_HEADS:
            return []
    if word in SIZES:
        return [SIZES[word]] if not said & {SIZES[word], "little", "bit"} - {word} and after not in ("top", "air") else []
    if word in MATERIALS:
        fits = i + 1 == _head_at(sentence, i) and head not in ("wall", "rock", "stone", "road", "path", "plane", "duck", "fire")
        alike = [word, *MATERIALS_ALIKE.get(word, "").split()]
        return [new for new in MADE_ANEW if new not in alike and new not in said] if fits else []
    if word in OPPOSITES:
        heads = OPPOSITE_HEADS.get(word, "").split()
        if (word not in OPPOSITE_HEADS or head in heads or SINGULAR_OF.get(head) in heads) and OPPOSITES[word] not in said:
            return [OPPOSITES[word]]
    return []


def _other_colours(sentence: Sentence, i: int, word: str, said: frozenset[str]) -> list[str]:
    """Colours that this one is not, where it is a colour: "red hat", "is red", "in red"; not "orange juice"."""
    before, after = sentence.at(i - 1), sentence.at(i + 1)
    if after in SORTS or after in ("-", "/", "&") or sentence.is_name(i + 1) or before in ("-", "/", "&"):
        return []
    head = _head(sentence, i)
    if head:
        if head in PEOPLE or SINGULAR_OF.get(head) in PEOPLE or head in ("snow", "water", "grass", "sky", "hair"):
            return []
    elif not (sentence.is_boundary(i + 1) and before in ("is", "are", "in", "and", "all", "dressed") and word not in ("gold", "silver")):
        return []
    elif before == "and" and sentence.at(i - 2) not in ALIKE:
        return []
    shut = set(ALIKE[word].split()) | said
    if before in ("dark", "light", "bright", "pale", "deep"):
        shut |= {"black", "white", "grey"}
    return [new for new in COLOURS if new != word and new not in shut]


def _head_at(sentence: Sentence, i: int) -> int:
    """Where the noun is that the adjective at `i` belongs to: 0 when it is unknown."""
    at = i + 1
    while sentence.at(at) in ADJECTIVES and not (sentence.is_noun(at) and not sentence.is_noun(at + 1)) or sentence.at(at) in ("and", ","):
        if sentence.at(at) in ("and", ",") and sentence.at(at + 1) not in ADJECTIVES:
            return 0
        at += 1
    if not sentence.is_noun(at):
        return 0
    while sentence.is_noun(at + 1):
        at += 1
    return at if sentence.is_boundary(at + 1) else 0


def _head(sentence: Sentence, i: int) -> str:
    at = _head_at(sentence, i)
    return sentence.low[at] if at else ""


_GENDERED: Final = frozenset("he she his her him hers himself herself".split())


def _others() -> dict[str, tuple[str, ...]]:
    rows = {word: (other,) for word, other in COUNTERPARTS.items()}
    for row in (tuple(ANIMALS), *SIMILAR_OBJECTS):
        rows.update({word: tuple(other for other in row if other != word) for word in row})
    return rows


OTHERS: Final = _others()


def kind_of_thing(sentence: Sentence) -> list[Draft]:
    """Another person, animal or thing of the same sort: "a dog runs" -> "a cat runs"."""
    drafts = []
    said = frozenset(sentence.low)
    gendered = not said.isdisjoint(_GENDERED)
    for i, word in enumerate(sentence.low):
        single = SINGULAR_OF.get(word, word)
        if single not in OTHERS or sentence.is_name(i) or (gendered and single in COUNTERPARTS):
            continue
        before = sentence.at(i - 1)
        led = not before or before in ADJECTIVES or before in DETERMINERS or before in NUMBER_OF or before in POSSESSIVES
        if before in MATERIALS or before in SORTS - ADJECTIVES or not led or not sentence.is_boundary(i + 1) or sentence.at(i + 1) == "of":
            continue
        plural = word != single
        if word in ("fish", "sheep", "deer") or (before in ("soccer", "tennis", "stuffed", "toy", "golden", "bald", "male", "female", "striped")):
            continue
        for other in OTHERS[single]:
            new = PLURALS[other] if plural else other
            if other in said or PLURALS[other] in said or other in ("sheep", "deer", "fish") and before in ("a", "an", "one"):
                continue
            drafts.append(_renamed(sentence, i, new))
    return drafts


def _renamed(sentence: Sentence, i: int, new: str) -> Draft:
    return sentence.replace(i, i, new)


# Each way of saying where: its opposite, and what has to follow.
_NEXT: Final = DETERMINERS | POSSESSIVES | frozenset({"it", "them", "him", "two", "three", "some", "another", "each", "several"})
_RELATIONS: Final = (
    ("in front of", "behind", "any"), ("on top of", "underneath", "any"), ("behind", "in front of", "object"),
    ("inside", "outside", "any"), ("outside", "inside", "any"), ("above", "below", "any"), ("below", "above", "any"),
    ("over", "under", "over"), ("under", "above", "any"), ("underneath", "on top of", "any"), ("on", "under", "surface"),
    ("next to", "far away from", "any"), ("beside", "far away from", "any"), ("near", "far from", "any"),
    ("close to", "far from", "any"), ("into", "out of", "container"), ("up", "down", "slope"), ("down", "up", "slope"),
    ("larger than", "smaller than", "any"), ("smaller than", "larger than", "any"), ("bigger than", "smaller than", "any"),
    ("taller than", "shorter than", "any"), ("longer than", "shorter than", "any"), ("shorter than", "longer than", "any"),
    ("higher than", "lower than", "any"), ("lower than", "higher than", "any"), ("higher up than", "lower down than", "any"),
    ("further down than", "higher up than", "any"), ("partly covering", "partly covered by", "any"),
    ("partly covered by", "partly covering", "any"), ("outside of", "inside of", "any"),
)  # fmt: skip
_BY_FIRST: Final = {first: [row for row in _RELATIONS if row[0].split()[0] == first] for first in {row[0].split()[0] for row in _RELATIONS}}
_SURFACES: Final = frozenset("table bench bed couch sofa chair bridge shelf desk box block platform trampoline roof counter tray".split())
_CONTAINERS: Final = frozenset("pool water lake ocean building room house box car tent bag river hole tunnel tube sea bucket basket truck store".split())
_SLOPES: Final = frozenset("hill stairs steps staircase mountain ladder ramp cliff rope tree slope slide hillside stairway escalator mountainside dune".split())
_OVER_VERBS: Final = frozenset("jump jumps jumping leap leaps leaping fly flies flying hang hangs hanging is are".split())


def relation(sentence: Sentence) -> list[Draft]:
    """ "behind a fence" -> "in front of a fence", "near" -> "far from", "up the stairs" -> "down the stairs"."""
    drafts = []
    for i, word in enumerate(sentence.low):
        for old, new, needs in _BY_FIRST.get(word, ()):
            last = i + old.count(" ")
            if sentence.low[i : last + 1] == old.split() and _holds(sentence, i, last, needs):
                drafts.append([(sentence.starts[i], sentence.ends[last], like(sentence.words[i], new))])
                break
    return drafts


def _holds(sentence: Sentence, first: int, last: int, needs: str) -> bool:
    before, after = sentence.at(first - 1), sentence.at(last + 1)
    if after not in _NEXT and not (after in SINGULAR_OF or after in ADJECTIVES) or before in ("from", "the", "left", "way", "all", "far"):
        return False
    if sentence.at(last + 2) == "other" and needs != "any":
        return False
    if needs in ("any", "object"):
        return not (needs == "object" and before in ("looks", "looking", "look", "runs"))
    at = last + 1
    while sentence.at(at) in _NEXT or sentence.at(at) in ADJECTIVES:
        at += 1
    head = SINGULAR_OF.get(sentence.at(at), sentence.at(at))
    if not sentence.is_boundary(at + 1):
        return False
    if needs == "surface":
        return head in _SURFACES and before not in ("jumps", "jumping", "jump", "climbs", "climbing", "focused")
    if needs == "container":
        return head in _CONTAINERS and before not in ("looking", "looks", "look", "staring", "stares", "peers", "blowing")
    if needs == "slope":
        return head in _SLOPES and before not in ("picks", "picking", "set", "sits")
    return before in _OVER_VERBS and sentence.is_noun(at) and head not in ("head", "shoulder")


__all__ = ["article_of", "attribute", "kind_of_thing", "left_right", "number", "relation"]
