"""Texts of which it is known which words are false: captions changed by rule, and pairs of a true and a false text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from hashlib import blake2b
from typing import Final, NamedTuple

from lift.data import Pair, Row
from lift.negatives import changes_of
from lift.rewording.english.words import DETERMINERS

Span = tuple[int, int]
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
    matcher = SequenceMatcher(None, theirs, low, autojunk=False)
    found: list[tuple[int, int]] = []
    for what, _, _, first, last in matcher.get_opcodes():
        if what in ("replace", "insert"):
            found.append((first, last))
        elif what == "delete" and ours:
            found.append((max(0, first - 1), min(len(ours), first + 1)))
    real = [(a, b) for a, b in found if not set(low[a:b]) <= DETERMINERS]
    return tuple((ours[a].start(), ours[b - 1].end()) for a, b in real or found)


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
