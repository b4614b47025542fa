"""English: other words for the same."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.change import Draft, like
from lift.rewording.english.sentence import Sentence
from lift.rewording.english.words import (
    ADJECTIVES,
    ANIMATE,
    DETERMINERS,
    NUMBER_OF,
    NUMBERS,
    PLURALS,
    POSSESSIVES,
    SINGULAR_OF,
    VERB_OF_GERUND,
    listed,
)

# Words that say the same in the description of a picture; several words are matched one by one.
_SYNONYMS: Final = (
    ("photo", "picture"), ("picture", "photo"), ("photograph", "picture"), ("photos", "pictures"),
    ("pictures", "photos"),
    ("image", "picture"), ("sofa", "couch"), ("couch", "sofa"), ("bike", "bicycle"), ("bicycle", "bike"),
    ("bikes", "bicycles"),
    ("bicycles", "bikes"), ("kid", "child"), ("kids", "children"), ("children", "kids"), ("child", "kid"),
    ("motorcycle", "motorbike"),
    ("motorbike", "motorcycle"), ("sidewalk", "pavement"), ("large", "big"), ("big", "large"),
    ("huge", "enormous"), ("tiny", "very small"),
    ("woods", "forest"), ("ocean", "sea"), ("someone", "somebody"), ("somebody", "someone"), ("towards", "toward"),
    ("toward", "towards"), ("beside", "next to"), ("next to", "beside"), ("near", "close to"), ("close to", "near"),
    ("underneath", "under"), ("beneath", "under"), ("whilst", "while"), ("gray", "grey"), ("grey", "gray"),
    ("colorful", "colourful"),
    ("color", "colour"), ("colour", "color"), ("colors", "colours"), ("cellphone", "mobile phone"),
    ("airplane", "plane"),
    ("television", "TV"), ("guy", "man"), ("guys", "men"), ("lady", "woman"), ("ladies", "women"), ("elderly", "old"),
    ("jumps", "leaps"), ("leaps", "jumps"), ("jumping", "leaping"), ("leaping", "jumping"), ("lots of", "many"),
    ("a lot of", "many"),
    ("middle-sized", "medium-sized"), ("medium-sized", "middle-sized"), ("to the left of", "on the left of"),
    ("on the left of", "to the left of"), ("to the right of", "on the right of"),
    ("on the right of", "to the right of"),
    ("left of", "to the left of"), ("right of", "to the right of"), ("outdoors", "outside"), ("automobile", "car"),
    ("higher up than", "above"), ("further down than", "below"), ("can be seen", "is visible"),
    ("you can see", "one can see"),
    ("exactly", "precisely"), ("store", "shop"), ("trousers", "pants"), ("sneakers", "trainers"),
)  # fmt: skip


_BY_WORD: Final[dict[str, list[tuple[list[str], str]]]] = {}


for _old, _new in sorted(_SYNONYMS, key=lambda row: -len(row[0])):
    _BY_WORD.setdefault(_old.split()[0], []).append((_old.split(), _new))


def synonym(sentence: Sentence) -> list[Draft]:
    """ "a bike next to a sofa" -> "a bicycle next to a sofa": one word from a list of true synonyms."""
    drafts = []
    for i, word in enumerate(sentence.low):
        for old, new in _BY_WORD.get(word, ()):
            last = i + len(old) - 1
            if sentence.low[i : last + 1] == old and _may_rename(sentence, i, last, new):
                drafts.append(sentence.replace(i, last, new))
                break
    return drafts


def _may_rename(sentence: Sentence, first: int, last: int, new: str) -> bool:
    word, before, after = sentence.low[first], sentence.at(first - 1), sentence.at(last + 1)
    if any(sentence.is_name(i) for i in range(first, last + 1)) or after in ("-", "/", "'"):
        return False
    if word == "left" or word == "right":  # "left of", but not "to the left of" twice
        return before not in ("the", "to", "on", "has", "his", "her", "is") or before == "is"
    if word in ("large", "big"):
        return after not in ("wheel", "air", "top", "ben", "bird", "toe") and before not in ("so", "very")
    if word in ("jumping", "leaping", "jumps", "leaps"):
        return (
            after not in ("rope", "jack", "jacks", "castle", "up", "and", "ramp", "on")
            and not sentence.is_noun(last + 1)
            and after not in DETERMINERS
            and after not in POSSESSIVES
            and before not in ("long", "high", "show", "ski", "bungee", "rope", "for")
        )
    if word in ("bike", "bikes"):
        return (
            before not in ("dirt", "motor", "sports", "quad", "race", "racing")
            and sentence.is_boundary(last + 1)
            and after not in ("up", "down", "through", "along", "on")
            and before in (*DETERMINERS, *ADJECTIVES, *POSSESSIVES, *NUMBER_OF, "riding", "with", "of")
        )
    if word in ("near", "close", "beside", "next"):
        return (
            after in DETERMINERS
            or after in POSSESSIVES
            or after in ADJECTIVES
            or after in NUMBER_OF
            or after in SINGULAR_OF
        )
    if word == "picture" and not {
        "paint",
        "paints",
        "painting",
        "drawing",
        "draws",
        "wall",
        "book",
        "draw",
        "coloring",
    }.isdisjoint(sentence.low):
        return sentence.at(first + 1) == "of" and first <= 1
    if word in ("store", "sea", "ocean", "woods", "picture", "photo", "image", "child", "kid", "lady", "guy"):
        return sentence.is_boundary(last + 1) or not after
    if word == "can":
        return before in ("", "and") or sentence.at(first - 1) in PLURALS
    return True


_GARMENTS: Final = frozenset(
    listed(
        "shirt jacket coat dress hat cap helmet sweater vest suit uniform costume skirt jeans shorts pants t-shirt "
        "hoodie sweatshirt swimsuit bikini outfit jersey"
    )
)


def wearing(sentence: Sentence) -> list[Draft]:
    """ "a man wearing a red hat" <-> "a man in a red hat"."""
    drafts = []
    for i, word in enumerate(sentence.low):
        before = sentence.at(i - 1)
        if word not in ("wearing", "in") or SINGULAR_OF.get(before, before) not in ANIMATE:
            continue
        garment = sentence.phrase(i + 1)
        if garment is None or garment.article == "the" or not (garment.article or garment.plural):
            continue
        worn = SINGULAR_OF.get(sentence.low[garment.last], sentence.low[garment.last]) in _GARMENTS
        if worn and not (
            sentence.at(garment.last + 1) == "and" and sentence.at(garment.last + 2) in VERB_OF_GERUND
        ):
            drafts.append(sentence.replace(i, i, "in" if word == "wearing" else "wearing"))
    return drafts


_SHORT: Final = {
    "is not": "isn't", "are not": "aren't", "does not": "doesn't", "do not": "don't", "cannot": "can't",
    "can not": "can't",
    "it is": "it's", "there is": "there's", "was not": "wasn't", "were not": "weren't", "that is": "that's",
}  # fmt: skip


_LONG: Final = {short: long for long, short in _SHORT.items() if short not in ("it's", "that's")} | {
    "can't": "cannot"
}


_CONTRACTION: Final = re.compile(rf"\b(?:{'|'.join([*_SHORT, *_LONG])})\b(?! not\b)", re.IGNORECASE)

_MARKS: Final = re.compile(
    r"['’]|\bnot\b|cannot|here is|t is", re.IGNORECASE
)  # without these there is nothing to find


def contraction(sentence: Sentence) -> list[Draft]:
    """ "is not" -> "isn't", "there's" -> "there is"."""
    drafts: list[Draft] = []
    if not _MARKS.search(sentence.text):
        return drafts
    for match in _CONTRACTION.finditer(sentence.text.replace("’", "'")):
        said = match[0].lower()
        rest = sentence.text[match.end() :].strip()
        if said in ("that is", "it is") or not rest or rest[0] in ".,?!":
            continue
        if said in ("there is", "there's") and rest.split()[0] in ("not", "no", "been"):
            continue
        drafts.append([(*match.span(), like(match[0], _SHORT.get(said) or _LONG[said]))])
    return drafts


def figure(sentence: Sentence) -> list[Draft]:
    """ "two dogs" -> "2 dogs", "3 items" -> "three items"; "one" only after "exactly" and the like."""
    drafts = []
    for i, word in enumerate(sentence.low):
        before, after = sentence.at(i - 1), sentence.at(i + 1)
        if (
            sentence.is_name(i)
            or after in ("-", "/", "of", "or", "to", ":", "%")
            or before in ("-", "/", "or", "to", "number", "no", "#", "$")
        ):
            continue
        counts = after in ADJECTIVES or after in SINGULAR_OF or after in PLURALS
        if (
            word in NUMBER_OF
            and counts
            and (
                NUMBER_OF[word] > 1 or (before in ("exactly", "least", "is", "only") and NUMBER_OF[word] == 1)
            )
        ):
            drafts.append([(sentence.starts[i], sentence.ends[i], str(NUMBER_OF[word]))])
        elif word.isdecimal() and word.isascii() and 1 <= int(word) <= 12 and word[0] != "0" and counts:
            drafts.append(
                [(sentence.starts[i], sentence.ends[i], like("A" if i == 0 else "a", NUMBERS[int(word)]))]
            )
    return drafts


_UNIT_NAMES: Final = {
    "mm": "millimetre", "cm": "centimetre", "m": "metre", "km": "kilometre", "mg": "milligram", "g": "gram",
    "kg": "kilogram", "ml": "millilitre", "l": "litre", "V": "volt", "kV": "kilovolt", "W": "watt", "kW": "kilowatt",
    "mA": "milliampere", "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "%": "percent", "°C": "degrees Celsius",
    "°F": "degrees Fahrenheit",
}  # fmt: skip


_SYMBOLS: Final = "|".join(sorted(map(re.escape, _UNIT_NAMES), key=len, reverse=True))
_SYMBOL: Final = re.compile(rf"(?<![\w.,/–~-])(\d+(?:[.,]\d+)*)( ?)({_SYMBOLS})(?![\w²³/'’-])")


def unit_name(sentence: Sentence) -> list[Draft]:
    """ "5 cm" -> "5 centimetres"."""
    drafts: list[Draft] = []
    if not any(word[0].isdigit() for word in sentence.low):
        return drafts
    for match in _SYMBOL.finditer(sentence.text):
        name = _UNIT_NAMES[match[3]]
        ending = (
            "" if match[1] == "1" or name.endswith(("hertz", "percent", "Celsius", "Fahrenheit")) else "s"
        )
        if match[1] == "1" and name.startswith("degrees"):
            name = name.replace("degrees", "degree")
        drafts.append([(*match.span(), f"{match[1]} {name}{ending}")])
    return drafts


def surface(sentence: Sentence) -> list[Draft]:
    """The full stop and nothing else: put where none is, and taken away where one is."""
    text = sentence.text.rstrip()
    if not text or text[-1] in "!?…":
        return []
    if text[-1] == ".":
        return [[(len(text[:-1].rstrip()), len(sentence.text), "")]]
    return [[(len(text), len(sentence.text), ".")]]
