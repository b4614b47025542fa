"""English: left and right, and where one thing is to another."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from lift.rewording.change import Draft, like
from lift.rewording.english.sentence import Sentence
from lift.rewording.english.words import (
    ADJECTIVES,
    DETERMINERS,
    LINKS,
    PLURALS,
    POSSESSIVES,
    PREPOSITIONS,
    SINGULAR_OF,
    listed,
)

_SIDE_NOUNS: Final = frozenset(
    listed(
        "hand arm leg foot side eye ear shoulder knee paw wing hip cheek corner half end edge lane wheel "
        "door glove shoe boot ankle wrist elbow sleeve part bank shoulder thigh front rear panel page "
        "column"
    )
)


_OTHER_SIDE: Final = {
    "left": "right", "right": "left", "leftmost": "rightmost", "rightmost": "leftmost", "left-hand": "right-hand",
    "right-hand": "left-hand", "left-handed": "right-handed", "right-handed": "left-handed", "leftward": "rightward",
    "rightward": "leftward",
}  # fmt: skip


_TURNS: Final = frozenset(
    listed("turn turns turning facing faces look looks looking points pointing leans leaning far")
)


def left_right(sentence: Sentence) -> list[Draft]:
    """Left becomes right and right left, at every place that speaks of a side; nothing if one may not."""
    places = [i for i, word in enumerate(sentence.low) if word in _OTHER_SIDE]
    if not places or not all(_is_side(sentence, i) for i in places):
        return []
    sides = {sentence.low[i][:4] for i in places}
    if len(sides) > 1:  # "one on the left and one on the right" would say the same again
        if any(word in ("one", "other", "another", "both", "each") for word in sentence.low):
            return []
        if any(
            b - a <= 3 and sentence.at(b - 1) != "to" and "and" in sentence.low[a:b]
            for a, b in pairwise(places)
        ):
            return []
    return [[edit for i in places for edit in sentence.replace(i, i, _OTHER_SIDE[sentence.low[i]])]]


def _is_side(sentence: Sentence, i: int) -> bool:
    """Whether "left" or "right" is a side here, not "has left", "all right", "right behind" or "the right size"."""
    word, before, after = sentence.low[i], sentence.at(i - 1), sentence.at(i + 1)
    if word not in ("left", "right"):
        return True
    if sentence.is_name(i) or after in ("away", "to"):
        return False
    closed = (
        not after
        or not after[0].isalnum()
        or after in PREPOSITIONS
        or after in LINKS
        or after in ("is", "are", "has", "looks")
    )
    if (
        before in ("the", "to", "on", "from", "top", "bottom", "upper", "lower")
        or before in POSSESSIVES
        or before in ("a", "'s", "’s")
        or before.endswith(("'s", "’s"))
    ):
        return after in _SIDE_NOUNS or (
            closed and before != "a" and (after != "of" or sentence.at(i + 2) != "way")
        )
    if after in _SIDE_NOUNS and before not in ("just", "all"):
        return True
    if after == "of" and sentence.at(i + 2) in DETERMINERS | POSSESSIVES | {"it", "them", "him"}:
        return True
    return before in _TURNS and closed


# Each way of saying where: its opposite, and what has to follow.
_NEXT: Final = (
    DETERMINERS
    | POSSESSIVES
    | frozenset({"it", "them", "him", "two", "three", "some", "another", "each", "several"})
)


_RELATIONS: Final = (
    ("in front of", "behind", "any"), ("on top of", "underneath", "any"), ("behind", "in front of", "object"),
    ("inside", "outside", "any"), ("outside", "inside", "any"), ("above", "below", "any"), ("below", "above", "any"),
    ("over", "under", "over"), ("under", "above", "any"), ("underneath", "on top of", "any"),
    ("on", "under", "surface"),
    ("next to", "far away from", "any"), ("beside", "far away from", "any"), ("near", "far from", "any"),
    ("close to", "far from", "any"), ("into", "out of", "container"), ("up", "down", "slope"), ("down", "up", "slope"),
    ("larger than", "smaller than", "any"), ("smaller than", "larger than", "any"),
    ("bigger than", "smaller than", "any"),
    ("taller than", "shorter than", "any"), ("longer than", "shorter than", "any"),
    ("shorter than", "longer than", "any"),
    ("higher than", "lower than", "any"), ("lower than", "higher than", "any"),
    ("higher up than", "lower down than", "any"),
    ("further down than", "higher up than", "any"), ("partly covering", "partly covered by", "any"),
    ("partly covered by", "partly covering", "any"), ("outside of", "inside of", "any"),
)  # fmt: skip


_BY_FIRST: Final = {
    first: [row for row in _RELATIONS if row[0].split()[0] == first]
    for first in {row[0].split()[0] for row in _RELATIONS}
}


_SURFACES: Final = frozenset(
    listed(
        "table bench bed couch sofa chair bridge shelf desk box block platform trampoline roof counter tray"
    )
)


_CONTAINERS: Final = frozenset(
    listed(
        "pool water lake ocean building room house box car tent bag river hole tunnel tube sea bucket "
        "basket truck store"
    )
)


_SLOPES: Final = frozenset(
    listed(
        "hill stairs steps staircase mountain ladder ramp cliff rope tree slope slide hillside stairway "
        "escalator mountainside dune"
    )
)


_CROSSED: Final = frozenset(
    listed(
        "hurdle fence wall bar pole log obstacle bench table rope bridge ramp gate barrel block cup plate "
        "bowl chair box net ledge railing star house tree car boat key umbrella heart moon cube ball "
        "bottle mushroom flower rocket pyramid"
    )
)


_OVER_VERBS: Final = frozenset(
    listed("jump jumps jumping leap leaps leaping fly flies flying hang hangs hanging is are")
)


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
    if (after not in _NEXT and not (after in SINGULAR_OF or after in ADJECTIVES)) or before in (
        "from",
        "the",
        "left",
        "way",
        "all",
        "far",
    ):
        return False
    if sentence.low[first] in ("inside", "outside") and {"window", "windows", "door"} & set(
        sentence.low[last + 1 : last + 5]
    ):
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
        return head in _SURFACES and before not in (
            "jumps",
            "jumping",
            "jump",
            "climbs",
            "climbing",
            "focused",
        )
    if needs == "container":
        return (
            head in _CONTAINERS
            and "from" not in sentence.low
            and before not in ("off", "looking", "looks", "look", "staring", "stares", "peers", "blowing")
        )
    if needs == "slope":
        return head in _SLOPES and before not in ("picks", "picking", "set", "sits")
    return head in _CROSSED and (
        before in _OVER_VERBS or before in PLURALS or before in SINGULAR_OF or before == ","
    )
