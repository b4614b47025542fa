"""The public functions: minimal changes and paraphrases of one sentence, drawn by seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple
from zlib import crc32

from lift.errors import LiftError
from lift.rewording import codes
from lift.rewording.change import Change, Draft, edited
from lift.rewording.english import attributes, clauses, negation, numbers, order, places, synonyms
from lift.rewording.english.sentence import Sentence
from lift.rewording.japanese import paraphrases as reworded
from lift.rewording.japanese import replacements, structure

Language = Literal["en", "ja"]


class Rules(NamedTuple):
    """The rule of a kind for each language; None where a language has none. A rule lists all drafts it can make."""

    english: Callable[[Sentence], list[Draft]] | None
    japanese: Callable[[str], list[Draft]] | None


# What makes a sentence say something else.
KINDS: Final[dict[str, Rules]] = {
    "order": Rules(order.order, structure.order),
    "negation": Rules(negation.negation, structure.negation),
    "number": Rules(numbers.number, replacements.number),
    "unit": Rules(lambda sentence: codes.unit(sentence.text), replacements.unit),
    "part_number": Rules(lambda sentence: codes.part_number(sentence.text), codes.part_number),
    "left_right": Rules(places.left_right, replacements.left_right),
    "relation": Rules(places.relation, replacements.relation),
    "attribute": Rules(attributes.attribute, replacements.attribute),
    "object": Rules(attributes.kind_of_thing, replacements.kind_of_thing),
}
# What leaves the meaning. "surface" stands last: it is used only where no other applies.
PARAPHRASES: Final[dict[str, Rules]] = {
    "synonym": Rules(synonyms.synonym, reworded.synonym),
    "coordination": Rules(clauses.coordination, reworded.coordination),
    "aspect": Rules(clauses.aspect, None),
    "frame": Rules(clauses.frame, reworded.frame),
    "wearing": Rules(synonyms.wearing, None),
    "fronting": Rules(clauses.fronting, None),
    "passive": Rules(clauses.passive, None),
    "contraction": Rules(synonyms.contraction, None),
    "figure": Rules(synonyms.figure, reworded.figure),
    "unit_name": Rules(synonyms.unit_name, reworded.unit_name),
    "politeness": Rules(None, reworded.politeness),
    "surface": Rules(synonyms.surface, reworded.surface),
}
_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f々〆]")


def language_of(text: str) -> Language:
    """ "ja" for a text with kana or Chinese characters, "en" for every other.

    By script alone. The rules know only words of their own lists, so a text in a third language gets no change,
    or only those of figures, units and part numbers. Give `language` where the script misleads.
    """
    return "ja" if _JAPANESE.search(text) else "en"


def minimal_changes(
    text: str, *, language: str | None = None, kinds: Sequence[str] | None = None, seed: int = 0
) -> list[Change]:
    """At most one changed sentence per kind of `KINDS`, each saying something else than `text`.

    Equal arguments give equal changes; another seed draws others where a rule can make several. `kinds` limits
    the kinds. No change equals the text, another change or any paraphrase of the text, but for case and full stop.

    Raises:
        LiftError: an unknown kind or language.
    """
    if kinds is not None and (unknown := sorted(set(kinds) - set(KINDS))):
        raise LiftError(f"Unknown kind of change {unknown[0]!r}.", f"Known are: {', '.join(KINDS)}.")
    drafts_of = _drafts_of(text, language)
    changes: list[Change] = []
    taken = {bare(text)}
    for kind, rules in KINDS.items():
        if kinds is None or kind in kinds:
            for change in _drawn(drafts_of(rules), kind, text, seed):
                if bare(change.text) not in taken:
                    taken.add(bare(change.text))
                    changes.append(change)
                    break
    if not changes:
        return changes
    kept = _reworded(text, drafts_of)
    return [change for change in changes if bare(change.text) not in kept]


def every_draft(
    text: str, *, language: str | None = None, kinds: Sequence[str] | None = None
) -> list[tuple[str, Draft]]:
    """Every edit that a rule of `kinds` (all of `KINDS` when None) can make of the text, with its kind.

    Raises:
        LiftError: an unknown kind or language.
    """
    if kinds is not None and (unknown := sorted(set(kinds) - set(KINDS))):
        raise LiftError(f"Unknown kind of change {unknown[0]!r}.", f"Known are: {', '.join(KINDS)}.")
    drafts_of = _drafts_of(text, language)
    return [
        (kind, draft)
        for kind, rules in KINDS.items()
        if kinds is None or kind in kinds
        for draft in drafts_of(rules)
    ]


def same_meaning(text: str, *, language: str | None = None) -> set[str]:
    """The text and everything that one paraphrase makes of it, each as `bare` writes it."""
    return {bare(text)} | _reworded(text, _drafts_of(text, language))


def _reworded(text: str, drafts_of: Callable[[Rules], list[Draft]]) -> set[str]:
    return {
        bare(edited(text, draft)[0])
        for kind, rules in PARAPHRASES.items()
        if kind != "surface"
        for draft in drafts_of(rules)
    }


def paraphrases(text: str, *, language: str | None = None, seed: int = 0) -> list[Change]:
    """At most one reworded sentence per kind of `PARAPHRASES`, each saying the same as `text`.

    "surface" (a full stop more or less) tells nothing of an encoder, and is given only when no other rule applies.

    Raises:
        LiftError: an unknown language.
    """
    drafts_of = _drafts_of(text, language)
    changes: list[Change] = []
    taken = {text}
    for kind, rules in PARAPHRASES.items():
        if kind == "surface" and changes:
            break
        for change in _drawn(drafts_of(rules), kind, text, seed):
            if change.text not in taken:
                taken.add(change.text)
                changes.append(change)
                break
    return changes


def _drafts_of(text: str, language: str | None) -> Callable[[Rules], list[Draft]]:
    """Asks the rule of the text's language; an English text is cut into words once for all of them."""
    found = language_of(text) if language is None else language
    if found == "en":
        sentence = Sentence(text)
        return lambda rules: rules.english(sentence) if rules.english else []
    if found == "ja":
        return lambda rules: rules.japanese(text) if rules.japanese else []
    raise LiftError(
        f"There are no rules for the language {found!r}.", 'Give "en", "ja" or None (told by the script).'
    )


def _drawn(drafts: list[Draft], kind: str, text: str, seed: int) -> Iterator[Change]:
    """The drafts as changes, from one on that is drawn by kind, text and seed alone."""
    first = crc32(f"{seed} {kind} {text}".encode()) % len(drafts) if len(drafts) > 1 else 0
    for draft in drafts[first:] + drafts[:first]:
        yield Change(kind, *edited(text, draft))


def bare(text: str) -> str:
    """What has to differ: the text without case and full stop."""
    return text.lower().rstrip(" .。")
