"""Labelled pairs: descriptions that are known to be true or false of a photo; read from tables, or made of captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lift.data import BadImage, Row
from lift.errors import LiftError
from lift.negatives import changes_of
from lift.rewording import bare, same_meaning
from lift.verifying.photos import Photos
from lift.verifying.tables import Columns, Line, Unread, answer_of, lines_of, open_table, text_of

OTHER_PHOTO, BY_RULE, OWN, GIVEN = "other photo's caption", "changed by rule", "pairs of the DATASET", "given"
RANDOM = "random"  # what `chosen` says of an answer to a pair picked by lot, and not for being doubtful


class Labelled(NamedTuple):
    """A description of the photo `photo` (a key), whether it is true, and how it was made or where it is from."""

    photo: str
    text: str
    label: bool
    kind: str
    doubtful: bool = False


class ReadPairs(NamedTuple):
    """What a table held: the usable pairs and the rows that were not."""

    pairs: list[Labelled]
    unread: list[Unread]


def read_pairs(
    path: Path, photos: Photos, wanted: Columns | None = None, *, feedback: bool = False
) -> ReadPairs:
    """Labelled pairs of a table: {image, text, label}, or {image, positive, negative} for two at once.

    feedback: rows whose `chosen` is not "random" were asked about because they were doubtful, and are marked so.
    """
    both = _holds_both(path)
    columns, lines = open_table(path, wanted or (Columns("", "positive") if both else None), answers=not both)
    pairs: list[Labelled] = []
    unread: list[Unread] = []
    for line in lines:
        if isinstance(line, Unread):
            unread.append(line)
            continue
        try:
            photo = photos.find(text_of(line.cells.get(columns.image)))
            found = list(_told(line, columns))
        except BadImage as error:
            unread.append(Unread(line.number, error.reason, error.remedy))
            continue
        doubtful = feedback and str(line.cells.get("chosen") or "") != RANDOM
        kind = str(line.cells.get("kind") or GIVEN)
        pairs += [Labelled(photo, text, label, kind, doubtful) for text, label in found]
    return ReadPairs(distinct(pairs, unread), unread)


def _holds_both(path: Path) -> bool:
    """Whether rows name a true and a false text at once, as --pairs of ingest and evaluate do."""
    first = next((line for line in lines_of(path) if isinstance(line, Line)), None)
    return first is not None and {"positive", "negative"} <= first.cells.keys()


def _told(line: Line, columns: Columns) -> Iterator[tuple[str, bool]]:
    """The texts of a row with their labels; BadImage, with reason and remedy, where one is missing."""
    texts: Mapping[str, Any] = line.cells
    if columns.answer is None:
        told = [(text_of(texts.get("positive")), True), (text_of(texts.get("negative")), False)]
    else:
        answer = answer_of(texts.get(columns.answer))
        if answer is None:
            given = text_of(texts.get(columns.answer))[:40]
            raise BadImage(
                "no answer" if not given else f"unknown answer: {given}",
                "write yes or no (はい, いいえ; true, false; 1, 0)",
            )
        told = [(text_of(texts.get(columns.text)), answer)]
    if not all(text for text, _ in told):
        raise BadImage("no description in the row", "fill the cell, or take the row out")
    yield from told


def distinct(pairs: Sequence[Labelled], unread: list[Unread]) -> list[Labelled]:
    """Every pair once; a pair with both answers is taken out, and counted."""
    answers: dict[tuple[str, str], set[bool]] = {}
    for pair in pairs:
        answers.setdefault((pair.photo, pair.text), set()).add(pair.label)
    kept: dict[tuple[str, str], Labelled] = {}
    for pair in pairs:
        if len(answers[pair.photo, pair.text]) == 1:
            kept.setdefault((pair.photo, pair.text), pair)
    for (photo, text), given in answers.items():
        if len(given) == 2:
            unread.append(Unread(0, f"contradicting answers: {photo}: {text[:60]}", "keep the right one"))
    return list(kept.values())


def pairs_of_rows(
    rows: Sequence[Row], own: Mapping[str, Sequence[tuple[str, str]]], *, hard_share: float, seed: int
) -> list[Labelled]:
    """Each text of the photos as true, and one false one beside it.

    A false one is, with chance `hard_share`, the text with one fact changed by rule (lift.rewording; none that
    another text of the photo tells) or a false text of `own`, (true, false) by key; else, or where there is none, a
    text of another photo, short for short and long for long.
    """
    generator = np.random.default_rng(seed)
    pairs: list[Labelled] = []
    for position, row in enumerate(rows):
        hard = _hard_texts(row, own.get(row.key, ()), seed) if hard_share > 0 else []
        meanings: set[str] = set().union(*map(same_meaning, row.texts))
        for place, text in enumerate(row.texts):
            pairs.append(Labelled(row.key, text, True, "caption"))
            length = "short" if place < len(row.captions) else "long"
            fitting = [(false, kind) for false, kind, of in hard if of == length]
            if fitting and generator.random() < hard_share:
                false, kind = fitting[generator.integers(len(fitting))]
                hard.remove((false, kind, length))
                pairs.append(Labelled(row.key, false, False, kind))
            elif other := _foreign(rows, position, length, meanings, generator):
                pairs.append(Labelled(row.key, other, False, OTHER_PHOTO))
    return pairs


def _hard_texts(row: Row, own: Sequence[tuple[str, str]], seed: int) -> list[tuple[str, str, str]]:
    """False texts near those of the photo: text, kind, length."""
    found = {change.text: (BY_RULE, length) for length, _, change, why in changes_of(row, seed) if not why}
    for positive, negative in own:
        found.setdefault(negative, (OWN, "long" if positive in row.long_captions else "short"))
    return [(text, kind, length) for text, (kind, length) in found.items()]


def _foreign(
    rows: Sequence[Row], position: int, length: str, meanings: set[str], generator: np.random.Generator
) -> str | None:
    """A text of another photo drawn at random, of the length asked for; None after twenty that would not do."""
    for _ in range(20 if len(rows) > 1 else 0):
        other = rows[(position + int(generator.integers(1, len(rows)))) % len(rows)]
        texts = other.captions if length == "short" else other.long_captions
        if texts and bare(text := texts[generator.integers(len(texts))]) not in meanings:
            return text
    return None


def mix_of(pairs: Sequence[Labelled]) -> dict[str, int]:
    """How many false descriptions there are of each kind, the most frequent first."""
    return dict(Counter(pair.kind for pair in pairs if not pair.label).most_common())


def refuse_one_sided(pairs: Sequence[Labelled]) -> None:
    """LiftError unless there are true and false ones."""
    for label, word in ((True, "true"), (False, "false")):
        if not any(pair.label is label for pair in pairs):
            raise LiftError(
                f"none of the {len(pairs)} pairs is {word}",
                "thresholds need both: descriptions that fit their photo, and ones that do not",
            )
