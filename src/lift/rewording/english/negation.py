"""English: what is said is denied, and what is denied is said."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from lift.rewording.change import Draft
from lift.rewording.english.sentence import Sentence, article_of
from lift.rewording.english.words import (
    ANIMATE,
    BE,
    DETERMINERS,
    NUMBER_OF,
    PLAIN_VERBS,
    PLURALS,
    SINGULAR_OF,
    VERB_OF_GERUND,
    VERB_OF_THIRD,
    listed,
    third_person,
)

_NOT_NEGATED: Final = frozenset(
    listed("not n't never no only just also still all each every both some most any few many")
)


_HABITS: Final = frozenset(
    {
        ("horse", "riding"),
        ("dog", "sledding"),
        ("bull", "riding"),
        ("bird", "watching"),
        ("people", "watching"),
        ("dog", "racing"),
        ("dog", "walking"),
        ("horse", "racing"),
    }
)


_NO_WITHOUT: Final = frozenset(
    listed(
        "filled covered decorated together along up made painted dressed agrees lined adorned surrounded "
        "fills littered packed"
    )
)


_GROUPS: Final = frozenset(listed("group crowd couple team pair bunch"))


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
        if (
            word == "with"
            and sentence.at(i + 1) in ("a", "an")
            and sentence.at(i - 1) not in _NO_WITHOUT
            and i > 0
            and sentence.at(i + 2) not in ("lot", "few", "couple", "view", "group", "number")
            and not _lists(sentence, i + 1)
        ):
            drafts.append(sentence.replace(i, i, "without"))
            break
    return drafts


def _lists(sentence: Sentence, i: int) -> bool:
    """Whether several things follow, so that "without" might be read as denying only the first."""
    for at in range(i + 1, min(i + 8, len(sentence.low))):
        if sentence.low[at] in ("a", "an", "one", "two", "three") and sentence.low[at - 1] in (",", "and"):
            return True
    return False


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
        if (
            word == "no"
            and sentence.at(i - 1) in ("is", "are", "with", "has", "contains")
            and sentence.at(i + 1) not in ("one", "more", "longer")
        ):
            head = _noun_after(sentence, i)
            if not head:
                return []
            plural = low[head] in SINGULAR_OF and low[head] not in PLURALS
            if (sentence.at(i - 1) == "is" and plural) or (low[head] not in PLURALS and not plural):
                return []
            return [[(sentence.starts[i], sentence.ends[i], "some" if plural else article_of(low[i + 1]))]]
        if word == "not" and sentence.at(i - 1) in ("does", "do") and sentence.at(i + 1).isalpha():
            return [[(sentence.starts[i - 1], sentence.ends[i + 1], _affirmed(sentence, i))]]
        if word in ("not", "never", "no", "nobody", "nothing", "none") or word.endswith("n't"):
            return []
    return []


def _affirmed(sentence: Sentence, i: int) -> str:
    """ "does not run" -> "runs", "do not run" -> "run": the verb after the "not" at word i."""
    verb = sentence.low[i + 1]
    if sentence.low[i - 1] == "do":
        return verb
    return {"have": "has", "go": "goes", "do": "does"}.get(verb) or third_person(verb)


def _noun_after(sentence: Sentence, i: int) -> int:
    phrase = sentence.phrase(i + 1)
    return phrase.last if phrase else 0


def _denied_verb(sentence: Sentence) -> Draft:
    """The main verb denied; [] where it is not found for sure."""
    low = sentence.low
    if not _NOT_NEGATED.isdisjoint(low) or any(word.endswith("n't") for word in low):
        return []
    for i, word in enumerate(low):
        if (
            word in ("while", "whilst", "as", "who", "that", "which", "when", "where", "if", "because")
            and i > 0
        ):
            return []
        if word == "can" and sentence.at(i + 1) in ("be", "see"):
            return [(sentence.starts[i], sentence.ends[i], "cannot")]
        if word in BE:
            return _denied_be(sentence, i)
        if word in ("and", "or") and _opens_clause(sentence, i):
            return []
        if word in VERB_OF_GERUND and _may_deny_gerund(sentence, i):
            if (
                any(other in BE or other in ("does", "do") for other in low[i:])
                and "while" not in low
                and "as" not in low
            ):
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
    if i == 0 or not after or after in ("n't", "there", "it") or not after[0].isalnum() or "least" in low[:i]:
        return []
    if low[i - 1] == "there":
        if "and" in rest and any(word in BE for word in rest):
            return []
        what = sentence.phrase(i + 2 if after in ("exactly",) else i + 1)
        if (what and sentence.at(what.last + 1) in (",", "and", "as")) or (
            "as" in rest[:-1] and "well" in rest
        ):
            return []
        if after in ("a", "an") and low[i] in ("is", "was"):
            return [(sentence.starts[i + 1], sentence.ends[i + 1], "no")]
        if (
            after == "at"
            and sentence.at(i + 2) == "least"
            and (sentence.at(i + 3) in NUMBER_OF or sentence.at(i + 3).isdigit())
        ):
            single = sentence.at(i + 3) in ("one", "1")
            last = i + 3 if single else i + 2
            return [(sentence.starts[i + 1], sentence.ends[last], "no" if single else "fewer than")]
        if after in ("exactly", "one") or after in NUMBER_OF:
            return [(sentence.ends[i], sentence.ends[i], " not")]
        return []
    if ("and" in rest and any(word in BE for word in rest)) or low[i - 1] in ("and", "what"):
        return []
    if low[0] == "there" and i > 1:
        return []
    return [(sentence.ends[i], sentence.ends[i], " not")]


def _may_deny_gerund(sentence: Sentence, i: int) -> bool:
    """ "a man riding" -> "a man not riding": a verb after someone, not "horse riding" or "a walking stick"."""
    before = sentence.at(i - 1)
    single = SINGULAR_OF.get(before, before)
    if (
        single not in ANIMATE
        or (before, sentence.low[i]) in _HABITS
        or sentence.is_noun(i - 2)
        or sentence.is_name(i)
    ):
        return False
    return not (sentence.at(i - 2) == "and" or sentence.at(i + 1) in ("man", "dog"))


def _denied_finite(sentence: Sentence, i: int) -> Draft:
    """ "a dog runs" -> "a dog does not run", "two dogs run" -> "two dogs do not run"."""
    low = sentence.low
    before = sentence.at(i - 1)
    if (
        i == 0
        or not sentence.is_noun(i - 1)
        or sentence.is_noun(i - 2)
        or (
            not sentence.is_boundary(i + 1)
            and sentence.at(i + 1) not in (*DETERMINERS, "his", "her", "its", "their", *NUMBER_OF)
        )
    ):
        return []
    rest = low[i + 1 :]
    joined = any(
        a in ("and", "or", ",", "then") and (b in VERB_OF_THIRD or b in PLAIN_VERBS or b in BE or b == "has")
        for a, b in pairwise(rest)
    )
    if joined:
        return []
    subject = sentence.phrase(0)
    if subject is None or "and" in low[:i]:
        return []
    head = low[subject.last]
    several = head in _GROUPS or head not in PLURALS
    if (
        low[i] in VERB_OF_THIRD
        and not several
        and (before in PLURALS and (i - 1 == subject.last or before not in ANIMATE))
    ):
        return [(sentence.starts[i], sentence.ends[i], f"does not {VERB_OF_THIRD[low[i]]}")]
    if low[i] in PLAIN_VERBS and head in SINGULAR_OF and head not in PLURALS and i - 1 == subject.last:
        return [(sentence.starts[i], sentence.ends[i], f"do not {low[i]}")]
    return []
