"""English rules that keep the meaning of a sentence."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.change import Draft, Phrase, Sentence, like
from lift.rewording.words import (
    ADJECTIVES,
    ALIKE,
    BE,
    DETERMINERS,
    GERUNDS,
    LINKS,
    NUMBER_OF,
    NUMBERS,
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
)

# Words that say the same in the description of a picture; several words are matched one by one.
_SYNONYMS: Final = (
    ("photo", "picture"), ("picture", "photo"), ("photograph", "picture"), ("photos", "pictures"), ("pictures", "photos"),
    ("image", "picture"), ("sofa", "couch"), ("couch", "sofa"), ("bike", "bicycle"), ("bicycle", "bike"), ("bikes", "bicycles"),
    ("bicycles", "bikes"), ("kid", "child"), ("kids", "children"), ("children", "kids"), ("child", "kid"), ("motorcycle", "motorbike"),
    ("motorbike", "motorcycle"), ("sidewalk", "pavement"), ("large", "big"), ("big", "large"), ("huge", "enormous"), ("tiny", "very small"),
    ("woods", "forest"), ("ocean", "sea"), ("someone", "somebody"), ("somebody", "someone"), ("towards", "toward"),
    ("toward", "towards"), ("beside", "next to"), ("next to", "beside"), ("near", "close to"), ("close to", "near"),
    ("underneath", "under"), ("beneath", "under"), ("whilst", "while"), ("gray", "grey"), ("grey", "gray"), ("colorful", "colourful"),
    ("color", "colour"), ("colour", "color"), ("colors", "colours"), ("cellphone", "mobile phone"), ("airplane", "plane"),
    ("television", "TV"), ("guy", "man"), ("guys", "men"), ("lady", "woman"), ("ladies", "women"), ("elderly", "old"),
    ("jumps", "leaps"), ("leaps", "jumps"), ("jumping", "leaping"), ("leaping", "jumping"), ("lots of", "many"), ("a lot of", "many"),
    ("middle-sized", "medium-sized"), ("medium-sized", "middle-sized"), ("to the left of", "on the left of"),
    ("on the left of", "to the left of"), ("to the right of", "on the right of"), ("on the right of", "to the right of"),
    ("left of", "to the left of"), ("right of", "to the right of"), ("outdoors", "outside"), ("automobile", "car"),
    ("higher up than", "above"), ("further down than", "below"), ("can be seen", "is visible"), ("you can see", "one can see"),
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
        return after not in ("rope", "jack", "jacks", "castle", "up", "and", "ramp", "on") and not sentence.is_noun(last + 1) and before not in ("long", "high", "show", "ski", "bungee", "rope", "for")
    if word in ("bike", "bikes"):
        return before not in ("dirt", "motor", "sports", "quad", "race", "racing") and sentence.is_boundary(last + 1) and after not in ("up", "down", "through", "along", "on") and before in (*DETERMINERS, *ADJECTIVES, *POSSESSIVES, *NUMBER_OF, "riding", "with", "of")
    if word in ("near", "close", "beside", "next"):
        return after in DETERMINERS or after in POSSESSIVES or after in ADJECTIVES or after in NUMBER_OF or after in SINGULAR_OF
    if word in ("store", "sea", "ocean", "woods", "picture", "photo", "image", "child", "kid", "lady", "guy"):
        return sentence.is_boundary(last + 1) or not after
    if word == "can":
        return before in ("", "and") or sentence.at(first - 1) in PLURALS
    return True


def coordination(sentence: Sentence) -> list[Draft]:
    """ "a man and a woman" -> "a woman and a man", "black and white" -> "white and black"."""
    drafts = []
    for i, word in enumerate(sentence.low):
        if word != "and":
            continue
        before, after = sentence.at(i - 1), sentence.at(i + 1)
        if before in ALIKE and after in ALIKE and before != after and sentence.at(i - 2) not in (",", "and", "light", "dark", "bright", "pale"):
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
    if following and following not in (".", "is", "are") and following not in VERB_OF_GERUND and following not in PLAIN_VERBS:
        return []
    for start in range(max(0, i - 4), i - 1):
        first = sentence.phrase(start)
        if first is None or first.last != i - 1 or not first.article:
            continue
        if following in ("is", "") and start > 0 and sentence.at(start - 1) not in ("is", "of", "with", "with", "shows"):
            return []
        if start > 0 and sentence.at(start - 1) not in ("with", "of", "is", "are", "shows", "between"):
            return []
        if following == "is" or sentence.words[start][0].isupper() and start > 0:
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
    at = subject.last + 1
    word, after = sentence.at(at), sentence.at(at + 1)
    rest = sentence.low[at + 1 :]
    if word in ("is", "are") and after in VERB_OF_GERUND and (word == "are") == subject.plural:
        if not any(a in ("and", ",", "or") and b in VERB_OF_GERUND for a, b in zip(rest[1:], rest[2:], strict=False)):
            verb = VERB_OF_GERUND[after]
            return [[(sentence.starts[at], sentence.ends[at + 1], verb if subject.plural else THIRD_PERSON[verb])]]
        return []
    verb = word if subject.plural and word in PLAIN_VERBS else "" if subject.plural else VERB_OF_THIRD.get(word, "")
    if not verb or not sentence.is_boundary(at + 1) and after not in (*DETERMINERS, *POSSESSIVES, *NUMBER_OF, *ADJECTIVES):
        return []
    if after in VERB_OF_GERUND or any(a in ("and", ",", "or", "then") and (b in VERB_OF_THIRD or b in PLAIN_VERBS) for a, b in zip(rest, rest[1:], strict=False)):
        return []
    return [[(sentence.starts[at], sentence.ends[at], f"{'are' if subject.plural else 'is'} {GERUNDS[verb]}")]]


def _subject(sentence: Sentence) -> Phrase | None:
    """The noun phrase that the sentence begins with, when it is someone or something counted."""
    subject = sentence.phrase(0)
    if subject is None or not subject.article and not subject.plural:
        return None
    head = sentence.low[subject.last]
    return subject if head in PLURALS or head in SINGULAR_OF else None


_PLACES: Final = frozenset(
    "park beach street snow field forest woods city pool ocean kitchen background desert yard backyard garden lake river "
    "rain grass foreground restaurant market".split()
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
    if sentence.at(at) == be and (sentence.at(at + 1) in VERB_OF_GERUND or sentence.at(at + 1) in ("on", "in", "near", "behind", "under")):
        return [[(sentence.starts[0], sentence.ends[at], there)]]
    finite = any(word in BE or word in VERB_OF_THIRD or word in ("has", "have") for word in low[at:])
    if sentence.at(at) in VERB_OF_GERUND and not finite:
        return [[(sentence.starts[0], sentence.ends[at - 1], there)]]
    return []


def fronting(sentence: Sentence) -> list[Draft]:
    """ "A dog runs in the park." -> "In the park, a dog runs.", and "On the table there is a cup." back."""
    low = sentence.low
    end = len(low) - 1 if low and low[-1] == "." else len(low)
    for there in range(2, min(len(low) - 2, 8)):  # "On the table there is a cup."
        if low[there] == "there" and low[there + 1] in ("is", "are") and low[0] in ("on", "in", "under", "behind", "near"):
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
    if low[0] == "there" and low[1:2] in (["is"], ["are"]) or _is_clause(sentence, at):
        where, said = sentence.text[sentence.starts[at] : sentence.ends[end - 1]], sentence.text[: sentence.ends[at - 1]]
        if sentence.words[0][0].isupper():
            where, said = where[0].upper() + where[1:], said[0].lower() + said[1:]
        return [[(0, sentence.ends[end - 1], f"{where}, {said}")]]
    return []


def _is_clause(sentence: Sentence, end: int) -> bool:
    """One subject and one verb before word `end`, the last word belonging to the verb's side."""
    subject = _subject(sentence)
    if subject is None or not LINKS.isdisjoint(sentence.low[subject.last : end]):
        return False
    word = sentence.at(subject.last + 1)
    finite = word in ("is", "are") and sentence.at(subject.last + 2) in VERB_OF_GERUND
    finite = finite or word in VERB_OF_THIRD and not subject.plural or word in PLAIN_VERBS and subject.plural
    return finite and sentence.at(end - 1) not in (",", "up", "out", "down")


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


_SHORT: Final = {
    "is not": "isn't", "are not": "aren't", "does not": "doesn't", "do not": "don't", "cannot": "can't", "can not": "can't",
    "it is": "it's", "there is": "there's", "was not": "wasn't", "were not": "weren't", "that is": "that's",
}  # fmt: skip
_LONG: Final = {short: long for long, short in _SHORT.items() if short not in ("it's", "that's")} | {"can't": "cannot"}
_CONTRACTION: Final = re.compile(rf"\b(?:{'|'.join([*_SHORT, *_LONG])})\b(?! not\b)", re.IGNORECASE)


def contraction(sentence: Sentence) -> list[Draft]:
    """ "is not" -> "isn't", "there's" -> "there is"."""
    drafts: list[Draft] = []
    if "is" not in sentence.text and "n" not in sentence.text:
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
        if sentence.is_name(i) or after in ("-", "/", "of", ":", "%") or before in ("-", "/", "number", "no", "#", "$"):
            continue
        counts = after in ADJECTIVES or after in SINGULAR_OF or after in PLURALS
        if word in NUMBER_OF and counts and (NUMBER_OF[word] > 1 or before in ("exactly", "least", "is", "only") and NUMBER_OF[word] == 1):
            drafts.append([(sentence.starts[i], sentence.ends[i], str(NUMBER_OF[word]))])
        elif word.isdecimal() and word.isascii() and 1 <= int(word) <= 12 and word[0] != "0" and counts:
            drafts.append([(sentence.starts[i], sentence.ends[i], like("A" if i == 0 else "a", NUMBERS[int(word)]))])
    return drafts


_UNIT_NAMES: Final = {
    "mm": "millimetre", "cm": "centimetre", "m": "metre", "km": "kilometre", "mg": "milligram", "g": "gram",
    "kg": "kilogram", "ml": "millilitre", "l": "litre", "V": "volt", "kV": "kilovolt", "W": "watt", "kW": "kilowatt",
    "mA": "milliampere", "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "%": "percent", "°C": "degrees Celsius",
    "°F": "degrees Fahrenheit",
}  # fmt: skip
_SYMBOL: Final = re.compile(rf"(?<![\w.,/–~-])(\d+(?:[.,]\d+)*)( ?)({'|'.join(sorted(map(re.escape, _UNIT_NAMES), key=len, reverse=True))})(?![\w²³/'’-])")  # fmt: skip


def unit_name(sentence: Sentence) -> list[Draft]:
    """ "5 cm" -> "5 centimetres"."""
    drafts: list[Draft] = []
    if not any(word[0].isdigit() for word in sentence.low):
        return drafts
    for match in _SYMBOL.finditer(sentence.text):
        name = _UNIT_NAMES[match[3]]
        ending = "" if match[1] == "1" or name.endswith(("hertz", "percent", "Celsius", "Fahrenheit")) else "s"
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


