"""The public functions: minimal changes and paraphrases of one sentence, drawn by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, cast
from zlib import crc32

from lift.errors import LiftError
from lift.rewording import codes, english_changes, english_paraphrases, english_structure, japanese_changes, japanese_paraphrases
from lift.rewording.change import Change, Draft, Sentence, edited

Language = Literal["en", "ja"]
English = Callable[[Sentence], list[Draft]]
Japanese = Callable[[str], list[Draft]]


def _same_for_english(rule: Japanese) -> English:
    return lambda sentence: rule(sentence.text)


# What makes a sentence say another thing: kind -> (English rule, Japanese rule).
KINDS: Final[dict[str, tuple[English, Japanese]]] = {
    "order": (english_structure.order, japanese_changes.order),
    "negation": (english_structure.negation, japanese_changes.negation),
    "number": (english_changes.number, japanese_changes.number),
    "unit": (_same_for_english(codes.unit), japanese_changes.unit),
    "part_number": (_same_for_english(codes.part_number), codes.part_number),
    "left_right": (english_changes.left_right, japanese_changes.left_right),
    "relation": (english_changes.relation, japanese_changes.relation),
    "attribute": (english_changes.attribute, japanese_changes.attribute),
    "object": (english_changes.kind_of_thing, japanese_changes.kind_of_thing),
}
# What leaves its meaning: kind -> (English rules, Japanese rules). "surface" comes only where no other applies.
PARAPHRASES: Final[dict[str, tuple[English | None, Japanese | None]]] = {
    "synonym": (english_paraphrases.synonym, japanese_paraphrases.synonym),
    "coordination": (english_paraphrases.coordination, japanese_paraphrases.coordination),
    "aspect": (english_paraphrases.aspect, None),
    "frame": (english_paraphrases.frame, japanese_paraphrases.frame),
    "fronting": (english_paraphrases.fronting, None),
    "passive": (english_paraphrases.passive, None),
    "contraction": (english_paraphrases.contraction, None),
    "figure": (english_paraphrases.figure, japanese_paraphrases.figure),
    "unit_name": (english_paraphrases.unit_name, japanese_paraphrases.unit_name),
    "politeness": (None, japanese_paraphrases.politeness),
    "surface": (english_paraphrases.surface, japanese_paraphrases.surface),
}
_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f々〆]")


def language_of(text: str) -> Language:
    """ "ja" for a text with kana or Chinese characters, "en" for every other.

    By script alone. The rules know only words of their own lists, so a text in a third language gets no change,
    or only those of figures, units and part numbers. Give `language` where texts of both kinds mix.
    """
    return "ja" if _JAPANESE.search(text) else "en"


def minimal_changes(
    text: str, *, language: str | None = None, kinds: Sequence[str] | None = None, seed: int = 0
) -> list[Change]:
    """At most one changed sentence per kind of `KINDS`, each saying something else than `text`.

    Equal arguments give equal changes; another seed draws others where a rule has several. `kinds` limits the
    kinds; their order there does not matter. No change equals the text, another change or one of its paraphrases.

    Raises:
        LiftError: an unknown kind or language.
    """
    chosen = _known(kinds, KINDS, "kind") if kinds is not None else KINDS
    number = _number_of(language, text)
    subject = (Sentence(text), text)[number]
    changes: list[Change] = []
    taken = {_bare(text)}
    for kind in KINDS:
        if kind in chosen and (drafts := KINDS[kind][number](subject)):  # type: ignore[arg-type]
            for draft in _drawn(drafts, kind, text, seed):
                changed, old, new = edited(text, draft)
                if _bare(changed) not in taken:
                    taken.add(_bare(changed))
                    changes.append(Change(kind, changed, old, new))
                    break
    if changes:
        kept = {_bare(changed.text) for changed in _every_paraphrase(subject, text, number)}
        changes = [change for change in changes if _bare(change.text) not in kept]
    return changes


def paraphrases(text: str, *, language: str | None = None, seed: int = 0) -> list[Change]:
    """At most one reworded sentence per kind of `PARAPHRASES`, each saying the same as `text`.

    "surface" (a full stop, a capital) tells an encoder little, and is given only when no other rule applies.

    Raises:
        LiftError: an unknown language.
    """
    number = _number_of(language, text)
    subject = (Sentence(text), text)[number]
    changes: list[Change] = []
    taken = {text}
    for kind, rules in PARAPHRASES.items():
        rule = rules[number]
        if rule is None or (kind == "surface" and changes):
            continue
        if drafts := rule(subject):  # type: ignore[arg-type]
            for draft in _drawn(drafts, kind, text, seed):
                changed, old, new = edited(text, draft)
                if changed not in taken:
                    taken.add(changed)
                    changes.append(Change(kind, changed, old, new))
                    break
    return changes


def _every_paraphrase(subject: Sentence | str, text: str, number: int) -> Iterable[Change]:
    for kind, rules in PARAPHRASES.items():
        rule = rules[number]
        if rule is not None and kind != "surface":
            for draft in rule(subject):  # type: ignore[arg-type]
                yield Change(kind, *edited(text, draft))


def _drawn(drafts: list[Draft], kind: str, text: str, seed: int) -> list[Draft]:
    """The drafts, beginning with one drawn by kind, text and seed alone."""
    if len(drafts) == 1:
        return drafts
    first = crc32(f"{seed} {kind} {text}".encode()) % len(drafts)
    return drafts[first:] + drafts[:first]


def _bare(text: str) -> str:
    """What has to differ: the text without case and full stops."""
    return text.lower().rstrip(" .。")


def _number_of(language: str | None, text: str) -> int:
    """0 for English, 1 for Japanese: the place of a language's rule in the registries."""
    known = ("en", "ja")
    found = language_of(text) if language is None else language
    if found not in known:
        raise LiftError(
            f"There are no rules for the language {found!r}.", 'Give "en", "ja" or None (told by the script).'
        )
    return known.index(cast(Language, found))


def _known(names: Sequence[str], registry: dict[str, object] | dict, what: str) -> frozenset[str]:
    unknown = sorted(set(names) - set(registry))
    if unknown:
        raise LiftError(f"Unknown {what} {unknown[0]!r}.", f"Known are: {', '.join(registry)}.")
    return frozenset(names)
