"""English rules that change how a sentence is built: who does what to whom, and whether it is denied."""

from __future__ import annotations

from typing import Final

from lift.rewording.change import Draft, Phrase, Sentence, article_of, like
from lift.rewording.english_changes import _head_at
from lift.rewording.words import (
    ALIKE,
    ANIMATE,
    BE,
    DETERMINERS,
    DIRECTED,
    MATERIALS,
    NUMBER_OF,
    PEOPLE,
    PLAIN_VERBS,
    PLURALS,
    PRONOUNS,
    SINGULAR_OF,
    SIZES,
    SORTS,
    VERB_OF_GERUND,
    VERB_OF_THIRD,
)

_SWAPPED: Final = ("colour", "size")


def order(sentence: Sentence) -> list[Draft]:
    """Attributes or roles change places; the words stay exactly the same, but for capitals.

    "a red cup on a blue table" -> "a blue cup on a red table", "a dog chases a boy" -> "a boy chases a dog".
    """
    drafts = [*_swapped_attributes(sentence), *_swapped_roles(sentence)]
    return drafts


def _swapped_attributes(sentence: Sentence) -> list[Draft]:
    """Two colours, sizes or materials of two different things."""
    drafts = []
    for family in (ALIKE, SIZES, frozenset(MATERIALS)):
        places = [i for i, word in enumerate(sentence.low) if word in family and _owns(sentence, i)]
        for first, second in zip(places, places[1:], strict=False):
            one, other = sentence.low[first], sentence.low[second]
            heads = [sentence.low[_head_at(sentence, i)] for i in (first, second)]
            same_thing = SINGULAR_OF.get(heads[0], heads[0]) == SINGULAR_OF.get(heads[1], heads[1])
            alike = one in ALIKE.get(other, "").split() or SIZES.get(one) is not None and SIZES.get(other) == SIZES.get(one)
            if one == other or same_thing or alike or _head_at(sentence, first) >= second:
                continue
            drafts.append(_exchange(sentence, (first, first), (second, second)))
    return [draft for draft in drafts if draft]


def _owns(sentence: Sentence, i: int) -> bool:
    """Whether the attribute stands alone before a known noun: no "black and white", no "orange juice", no name."""
    if sentence.is_name(i) or sentence.at(i + 1) in SORTS or sentence.at(i + 1) in ("and", ",", "-", "/"):
        return False
    if sentence.at(i - 1) in ("dark", "light", "bright", "pale", "deep") or (sentence.at(i - 1) in ("and", ",") and sentence.at(i - 2) in ALIKE):
        return False
    at = _head_at(sentence, i)
    if not at or sentence.low[i] in MATERIALS and at != i + 1:
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


_SPATIAL: Final = frozenset("on under above below behind over inside underneath".split())
_SPATIAL_WORDS: Final = (
    ("in", "front", "of"), ("on", "top", "of"), ("to", "the", "left", "of"), ("to", "the", "right", "of"),
    ("on", "the", "left", "of"), ("on", "the", "right", "of"), ("left", "of"), ("right", "of"),
)  # fmt: skip
_POSTURES: Final = frozenset("sit sits sitting stand stands standing lie lies lying rest rests resting laying".split())
_AT: Final = frozenset("looking looks look jumping jumps leaping leaps barking barks pointing points waving waves staring stares".split())
_SOFT_HEADS: Final = frozenset("water snow grass sand dirt mud ice air sky ground street road beach field mountain hill".split())


def _swapped_roles(sentence: Sentence) -> list[Draft]:
    """The one who does it and the one it is done to, or the thing on top and the thing below."""
    if not PRONOUNS.isdisjoint(sentence.low):
        return []
    for i, word in enumerate(sentence.low):
        if i and not (word in DETERMINERS or word in NUMBER_OF) or sentence.at(i - 1) in ("of", "and", "with", "or", "by"):
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
        if _may_swap(sentence, first, second, needs):
            draft = _exchange(sentence, (first.first, first.last), (second.first, second.last))
            return [draft] if draft else []
    return []


def _may_swap(sentence: Sentence, first: Phrase, second: Phrase, needs: str) -> bool:
    """Both with an article or both bare plurals, one number, truly different, and of a sort that can change places."""
    if not first.article and (not second.article or not first.plural) and first.first > 0:
        return False
    if bool(first.article) != bool(second.article) or first.plural != second.plural:
        return False
    heads = [SINGULAR_OF.get(sentence.low[p.last], sentence.low[p.last]) for p in (first, second)]
    if heads[0] == heads[1] and (not first.adjectives or not second.adjectives or first.adjectives == second.adjectives):
        return False
    if {first.article, second.article} & set(NUMBER_OF) and first.article != second.article and not first.plural:
        return False
    if needs == "animate":
        return all(head in ANIMATE for head in heads)
    if needs == "place":
        return not _SOFT_HEADS & set(heads) and all(head in PLURALS for head in heads)
    return False


def _link(sentence: Sentence, at: int, plural: bool) -> tuple[bool, int, str]:
    """What joins two noun phrases from word `at` on: (found, where the second begins, what both must be)."""
    if sentence.at(at) in BE:
        if (sentence.at(at) in ("is", "was")) == plural:
            return False, 0, ""
        at += 1
    word = sentence.at(at)
    verb = VERB_OF_GERUND.get(word) or VERB_OF_THIRD.get(word) or (word if plural and word in PLAIN_VERBS else "")
    if verb in DIRECTED:
        return True, at + 1, "animate"
    if word in _AT and sentence.at(at + 1) in ("at", "over"):
        return True, at + 2, "animate"
    if word in _POSTURES:
        at += 1
    for words in _SPATIAL_WORDS:
        if tuple(sentence.low[at : at + len(words)]) == words:
            return True, at + len(words), "place"
    if sentence.at(at) in _SPATIAL:
        return True, at + 1, "place"
    return False, 0, ""


_NOT_NEGATED: Final = frozenset("not n't never no only just also still all each every both".split())
_HABITS: Final = frozenset({("horse", "riding"), ("dog", "sledding"), ("bull", "riding"), ("bird", "watching"), ("people", "watching"), ("dog", "racing"), ("dog", "walking"), ("horse", "racing")})
_NO_WITHOUT: Final = frozenset("filled covered decorated together along up made painted dressed agrees lined adorned surrounded fills littered packed".split())
_GROUPS: Final = frozenset("group crowd couple team pair bunch".split())


def negation(sentence: Sentence) -> list[Draft]:
    """What is said is denied, and what is denied is said: "is sitting" -> "is not sitting", "without" -> "with"."""
    undone = _undone(sentence)
    if undone:
        return undone
    drafts = []
    main = _denied_verb(sentence)
    if main:
        drafts.append(main)
    for i, word in enumerate(sentence.low):
        if word == "with" and sentence.at(i + 1) in ("a", "an") and sentence.at(i - 1) not in _NO_WITHOUT and i > 0 and sentence.at(i + 2) not in ("lot", "few", "couple", "view", "group", "number"):
            drafts.append(sentence.replace(i, i, "without"))
            break
    return drafts


def _undone(sentence: Sentence) -> list[Draft]:
    """Sentences that deny something already: the first denial is taken out, in a form that stays correct."""
    low = sentence.low
    for i, word in enumerate(low):
        if word == "without" and sentence.at(i + 1) in ("a", "an", "any", "the"):
            last = i + 1 if sentence.at(i + 1) == "any" else i
            return [sentence.replace(i, last, "with")]
        if word in ("isn't", "aren't", "wasn't", "weren't"):
            return [sentence.replace(i, i, word[:-3])]
        if word == "not" and (low[i - 1] in BE if i else False):
            return [[(sentence.ends[i - 1], sentence.ends[i], "")]]
        if word == "no" and sentence.at(i - 1) in ("is", "are", "with", "has", "contains") and sentence.at(i + 1) not in ("one", "more", "longer"):
            head = _noun_after(sentence, i)
            if not head:
                return []
            plural = low[head] in SINGULAR_OF and low[head] not in PLURALS
            if (sentence.at(i - 1) == "is" and plural) or low[head] not in PLURALS and not plural:
                return []
            return [[(sentence.starts[i], sentence.ends[i], "some" if plural else article_of(low[i + 1]))]]
        if word in ("not", "never", "no", "nobody", "nothing", "none") or word.endswith("n't"):
            return []
    return []


def _noun_after(sentence: Sentence, i: int) -> int:
    phrase = sentence.phrase(i + 1)
    return phrase.last if phrase else 0


def _denied_verb(sentence: Sentence) -> Draft:
    """The main verb denied; [] where it is not found for sure."""
    low = sentence.low
    if not _NOT_NEGATED.isdisjoint(low) or any(word.endswith("n't") for word in low):
        return []
    for i, word in enumerate(low):
        if word in ("while", "whilst", "as", "who", "that", "which", "when", "where", "if", "because") and i > 0:
            return []
        if word in BE:
            return _denied_be(sentence, i)
        if word in ("and", "or") and _opens_clause(sentence, i):
            return []
        if word in VERB_OF_GERUND and _may_deny_gerund(sentence, i):
            if any(other in BE or other in ("does", "do") for other in low[i:]) and "while" not in low and "as" not in low:
                return []
            return [(sentence.starts[i], sentence.starts[i], "not ")]
        if word in VERB_OF_GERUND or word in ("has", "have"):
            return []
        denied = _denied_finite(sentence, i)
        if denied:
            return denied
    return []


def _opens_clause(sentence: Sentence, i: int) -> bool:
    return sentence.at(i + 1) in VERB_OF_THIRD or sentence.at(i + 1) in VERB_OF_GERUND


def _denied_be(sentence: Sentence, i: int) -> Draft:
    """ "There is a" -> "There is no", "there is at least one" -> "there is no", "is" -> "is not"."""
    low = sentence.low
    after, rest = sentence.at(i + 1), low[i + 1 :]
    if i == 0 or not after or after in ("n't", "there", "it") or not after[0].isalnum():
        return []
    if low[i - 1] == "there":
        if after in ("a", "an"):
            return [(sentence.starts[i + 1], sentence.ends[i + 1], "no")]
        if after == "at" and sentence.at(i + 2) == "least" and (sentence.at(i + 3) in NUMBER_OF or sentence.at(i + 3).isdigit()):
            single = sentence.at(i + 3) in ("one", "1")
            last = i + 3 if single else i + 2
            return [(sentence.starts[i + 1], sentence.ends[last], "no" if single else "fewer than")]
        if after in ("exactly", "one") or after in NUMBER_OF:
            return [(sentence.ends[i], sentence.ends[i], " not")]
        return []
    if "and" in rest and any(word in BE for word in rest) or low[i - 1] in ("and", "what"):
        return []
    if low[0] == "there" and i > 1:
        return []
    return [(sentence.ends[i], sentence.ends[i], " not")]


def _may_deny_gerund(sentence: Sentence, i: int) -> bool:
    """ "a man riding" -> "a man not riding": a verb after someone, not "horse riding" or "a walking stick"."""
    before = sentence.at(i - 1)
    single = SINGULAR_OF.get(before, before)
    if single not in ANIMATE or (before, sentence.low[i]) in _HABITS or sentence.is_noun(i - 2) or sentence.is_name(i):
        return False
    return not (sentence.at(i - 2) == "and" or sentence.at(i + 1) in ("man", "dog"))


def _denied_finite(sentence: Sentence, i: int) -> Draft:
    """ "a dog runs" -> "a dog does not run", "two dogs run" -> "two dogs do not run"."""
    low = sentence.low
    before = sentence.at(i - 1)
    if i == 0 or not sentence.is_noun(i - 1) or sentence.is_noun(i - 2) or not sentence.is_boundary(i + 1) and sentence.at(i + 1) not in (*DETERMINERS, "his", "her", "its", "their", *NUMBER_OF):
        return []
    rest = low[i + 1 :]
    joined = any(a in ("and", "or", ",", "then") and (b in VERB_OF_THIRD or b in PLAIN_VERBS or b in BE or b == "has") for a, b in zip(rest, rest[1:], strict=False))
    if joined:
        return []
    subject = sentence.phrase(0)
    if subject is None or "and" in low[:i]:
        return []
    head = low[subject.last]
    several = head in _GROUPS or head not in PLURALS
    if low[i] in VERB_OF_THIRD and not several and (before in PLURALS and (i - 1 == subject.last or before not in ANIMATE)):
        return [(sentence.starts[i], sentence.ends[i], f"does not {VERB_OF_THIRD[low[i]]}")]
    if low[i] in PLAIN_VERBS and head in SINGULAR_OF and head not in PLURALS and i - 1 == subject.last:
        return [(sentence.starts[i], sentence.ends[i], f"do not {low[i]}")]
    return []


__all__ = ["like", "negation", "order"]
