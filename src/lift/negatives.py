"""Hard negatives of a DATASET: for every caption of a photo, texts that differ in one point and are not true of it.

Written by rule (lift.rewording) and, when asked for, taken from the DATASET's own pairs. A pure function of the DATASET
and the kinds: `lift embed` and `lift train` find the same texts, each for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lift.data import Dataset, Row
from lift.errors import LiftError
from lift.rewording import KINDS, Change, bare, minimal_changes, same_meaning, spelled, tells

OWN_PAIRS = "pairs"  # the DATASET's own; never among the default kinds, as they are what evaluation asks for
HARD_KINDS = (*KINDS, OWN_PAIRS)
SAME, TOLD = "equal to another text of the photo, or a paraphrase of it", "with words another text of it uses"


class Negative(NamedTuple):
    """A text that is false of a photo, and the kind of change that made it so."""

    text: str
    kind: str


def hard_negatives(
    dataset: Dataset, numbers: Sequence[int], kinds: Sequence[str] = ()
) -> list[list[list[Negative]]]:
    """For each photo of `numbers`, for each of its texts: the hard negatives, at most one per kind made by rule.

    kinds: of HARD_KINDS; none means all that are made by rule. What equals a text of the same photo, or one paraphrase
    of such a text, but for case and full stop, is left out. Raises LiftError for an unknown kind.
    """
    check_kinds(kinds)
    ruled = [kind for kind in KINDS if kind in kinds] if kinds else list(KINDS)
    own = own_pairs(dataset) if OWN_PAIRS in kinds else {}
    return [_of_photo(dataset, number, ruled, own) for number in numbers]


def check_kinds(kinds: Sequence[str]) -> None:
    """LiftError unless all `kinds` are known."""
    if unknown := [kind for kind in kinds if kind not in HARD_KINDS]:
        raise LiftError(
            f"there are no hard negatives of the kind {unknown[0]!r}", f"known: {', '.join(HARD_KINDS)}"
        )


def own_pairs(dataset: Dataset) -> dict[str, list[tuple[str, str]]]:
    """(true text, false text) of the DATASET's pairs by the key of their photo."""
    found: dict[str, list[tuple[str, str]]] = {}
    for pair in dataset.pairs:
        found.setdefault(pair.image, []).append((pair.positive, pair.negative))
    return found


def _of_photo(
    dataset: Dataset, number: int, ruled: Sequence[str], own: dict[str, list[tuple[str, str]]]
) -> list[list[Negative]]:
    row = dataset.rows[number]
    true: set[str] = set().union(*(same_meaning(text) for text in row.texts))
    told, found = set(row.texts), []
    for text in row.texts:
        made = [Negative(change.text, change.kind) for change in minimal_changes(text, kinds=ruled)]
        # A pair whose true text is no caption belongs to the photo, and so to each of its texts.
        made += [
            Negative(false, OWN_PAIRS)
            for positive, false in own.get(row.key, [])
            if positive == text or positive not in told
        ]
        kept: dict[str, Negative] = {}
        for one in made:
            if bare(one.text) not in true:
                kept.setdefault(bare(one.text), one)
        found.append(list(kept.values()))
    return found


def texts_of(negatives: Sequence[Sequence[Sequence[Negative]]]) -> list[str]:
    """Every distinct text of `hard_negatives`, in order of first appearance."""
    return list(dict.fromkeys(one.text for photo in negatives for text in photo for one in text))


def count_kinds(negatives: Sequence[Sequence[Sequence[Negative]]]) -> dict[str, int]:
    """How many there are of each kind, in the order of HARD_KINDS."""
    counts = Counter(one.kind for photo in negatives for text in photo for one in text)
    return {kind: counts[kind] for kind in HARD_KINDS if counts[kind]}


def changes_of(row: Row, seed: int) -> Iterator[tuple[str, str, Change, str]]:
    """(length, text, change, why it is refused or "") for every change of the photo's texts; no change twice."""
    meanings = [same_meaning(text) for text in row.texts]
    told = [[spelled(phrase) for phrase in meaning] for meaning in meanings]
    taken: set[str] = set()
    for number, text in enumerate(row.texts):
        others = [phrase for place, phrases in enumerate(told) if place != number for phrase in phrases]
        for change in minimal_changes(text, seed=seed):
            if bare(change.text) in taken:
                continue
            taken.add(bare(change.text))
            why = refusal(text, change, meanings, others)
            yield "short" if number < len(row.captions) else "long", text, change, why


def refusal(text: str, change: Change, meanings: Sequence[set[str]], others: Sequence[str]) -> str:
    """Why the changed text may be true of the photo as well, "" when no rule says so.

    meanings: of each text of the photo, itself and what one paraphrase makes of it, as `bare` writes it. others: the
    same of its other texts, as `spelled` writes it.
    """
    if any(bare(change.text) in meaning for meaning in meanings):
        return SAME
    return TOLD if tells(others, text, change) else ""
