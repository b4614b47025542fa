"""Texts of which it is known which words are false: captions changed by rule, and pairs of a true and a false text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from hashlib import blake2b
from random import Random
from typing import Final, NamedTuple

from lift.data import Pair, Row
from lift.explaining.phrases import phrases
from lift.negatives import changes_of
from lift.rewording import language_of, spelled
from lift.rewording.change import like
from lift.rewording.english.words import BE, DETERMINERS, POSSESSIVES

TRIES = 20  # to draw a phrase that the photo's texts do not tell
Span = tuple[int, int]
_LITTLE: Final = DETERMINERS | BE | POSSESSIVES
#: A word, or one sign where Japanese is written.
_TOKEN: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f々〆]|[\w.,:/'’-]*\w|[^\w\s]")


class Foil(NamedTuple):
    """A text that is false of photo number `photo`, the places (characters) of its false words, and its true twin."""

    photo: int
    text: str
    spans: tuple[Span, ...]
    kind: str
    true: str


def changed_spans(true: str, false: str) -> tuple[Span, ...]:
    """Places (start, end) in `false` of the words that differ from `true`.

    Where words are missing it is the words on both sides of the gap. A changed "a" or "an" counts only alone.
    """
    theirs = [match[0].lower() for match in _TOKEN.finditer(true)]
    ours = list(_TOKEN.finditer(false))
    low = [match[0].lower() for match in ours]
    found = _differences(theirs, low)
    if len(theirs) == len(low):  # words that change places: a search for the longest equal run may miss them
        single = [(n, n + 1) for n, (one, other) in enumerate(zip(theirs, low, strict=True)) if one != other]
        found = min(single, found, key=lambda places: sum(b - a for a, b in places))
    real = [(a, b) for a, b in found if not set(low[a:b]) <= DETERMINERS]
    return tuple((ours[a].start(), ours[b - 1].end()) for a, b in real or found)


def _differences(theirs: Sequence[str], ours: Sequence[str]) -> list[tuple[int, int]]:
    """Runs (first, behind the last) of words in `ours` that are not in `theirs`, or that lie around a gap."""
    found: list[tuple[int, int]] = []
    for what, _, _, first, last in SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes():
        if what in ("replace", "insert"):
            found.append((first, last))
        elif what == "delete" and ours:
            found.append((max(0, first - 1), min(len(ours), first + 1)))
    return found


def foils_of_rows(rows: Sequence[Row], *, seed: int = 0, most: int = 100) -> list[Foil]:
    """Captions of `rows` changed by rule in a fact that no other text of the photo tells, at most `most` of a kind."""
    every = (
        Foil(number, change.text, changed_spans(text, change.text), change.kind, text)
        for number, row in enumerate(rows)
        for _, text, change, why in changes_of(row, seed)
        if not why
    )
    return drawn(every, seed=seed, most=most)


def foils_of_pairs(
    pairs: Iterable[Pair], rows: Sequence[Row], *, seed: int = 0, most: int = 100
) -> list[Foil]:
    """The false texts of a DATASET's pairs about the photos of `rows`, at most `most` of a kind."""
    number = {row.key: place for place, row in enumerate(rows)}
    every = (
        Foil(
            number[pair.image],
            pair.negative,
            changed_spans(pair.positive, pair.negative),
            pair.kind,
            pair.positive,
        )
        for pair in pairs
        if pair.image in number
    )
    return drawn(every, seed=seed, most=most)


def foils_by_borrowing(rows: Sequence[Row], *, seed: int = 0, most: int = 100) -> list[Foil]:
    """One caption a photo with one phrase in place of which stands one of the same kind from another photo's caption.

    The phrase is drawn at random, whether or not a rule knows it, so a method that knows the rules has no advantage.
    Left out is what puts in words that any text of the photo has; another name for the same thing may slip in.
    """
    bank: dict[str, list[str]] = {}
    for row in rows:
        for text in row.captions:
            for phrase in phrases(text):
                bank.setdefault(phrase.kind, []).append(phrase.text)
    found = (_borrowed(number, row, bank, seed) for number, row in enumerate(rows) if row.captions)
    return drawn((foil for foil in found if foil is not None), seed=seed, most=most)


def _borrowed(number: int, row: Row, bank: dict[str, list[str]], seed: int) -> Foil | None:
    lots = Random(f"{seed} {row.key}")
    text = lots.choice(row.captions)
    inside = phrases(text)
    if not inside:
        return None
    phrase, told = lots.choice(inside), [spelled(one) for one in row.texts]
    for _ in range(TRIES):
        new = like(phrase.text, lots.choice(bank[phrase.kind]))
        if phrase.text[0].islower():
            new = new[0].lower() + new[1:]
        if _is_new(new, told):
            span = (phrase.start, phrase.start + len(new))
            false = text[: phrase.start] + new + text[phrase.end :]
            return Foil(number, false, (span,), f"borrowed_{phrase.kind}", text)
    return None


def _is_new(phrase: str, told: Sequence[str]) -> bool:
    """Whether no word of the phrase is in what is told, written by `spelled`; in Japanese, the phrase as a whole."""
    words = [phrase] if language_of(phrase) == "ja" else spelled(phrase).split()
    real = [spelled(word) for word in words if word not in _LITTLE]
    return bool(real) and not any(word in text for word in real for text in told)


def drawn(foils: Iterable[Foil], *, seed: int, most: int) -> list[Foil]:
    """At most `most` of each kind, drawn by `seed`, in the order of their photos; none without a changed word."""
    by_kind: dict[str, list[Foil]] = {}
    for foil in foils:
        if foil.spans:
            by_kind.setdefault(foil.kind, []).append(foil)
    kept = [
        one for group in by_kind.values() for one in sorted(group, key=lambda foil: _lot(seed, foil))[:most]
    ]
    return sorted(kept, key=lambda foil: foil.photo)


def _lot(seed: int, foil: Foil) -> bytes:
    words = f"{seed}|{foil.photo}|{foil.true}|{foil.text}"
    return blake2b(words.encode(errors="surrogatepass"), digest_size=8).digest()
