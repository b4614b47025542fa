"""Long captions cut into sentences, English and Japanese, and the runs of sentences that may stand for a caption.

Splitting is a few rules without a model, so a pure function of the text: `lift embed` and `lift train` find the same
runs, each for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from lift.data import Row

LEAST_WORDS, LEAST_LETTERS = (
    3,
    6,
)  # a shorter piece says too little of a photo; letters: where Japanese is written

#: Never the end of a sentence when a text goes on behind them.
_TITLES: Final = frozenset((
    "mr", "mrs", "ms", "dr", "prof", "st", "mt", "sgt", "capt", "lt", "col", "gen", "rev",
    "vs", "e.g", "i.e", "cf", "viz", "approx", "ca",
))  # fmt: skip
#: Not the end when a figure follows ("No. 5", "fig. 2").
_BEFORE_FIGURES: Final = frozenset((
    "no", "nos", "fig", "figs", "vol", "p", "pp", "ch", "sec", "art", "max", "min",
))  # fmt: skip
_END: Final = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？．]+[」』）\"”’)\]]*|\n\s*\n")
_OPEN, _CLOSE = "「『（", "」』）"
_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f々〆]")
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
LONG_WORDS = 40  # a text of more words is a long one, where nothing else is said


def count_words(text: str) -> float:
    """Length of a text in words; Chinese and Japanese characters count half a word each."""
    characters = len(_CJK.findall(text))
    return characters / 2 + len(_CJK.sub(" ", text).split())


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, in order, each as it is written there without the space around it.

    A sentence ends
    - at . ! ? … and closing quotes before a space, unless a small letter follows (but for a mark that stands alone,
      " . ", as tokenised captions have it), the word is a title or such ("Dr.", "e.g."), one letter ("J. Smith",
      "U.S."), "No." or "fig." before a figure, or a figure that begins the sentence ("2. Open the lid.");
    - at 。 ！ ？ ．, but not within 「 」, 『 』 or （ ）, nor ． between figures;
    - at an empty line.
    A point without a space behind it (3.5, example.com) ends nothing. Pieces of fewer than 3 words (6 characters, where
    Japanese is written) are joined to the sentence before them, the first to the one behind.
    """
    pieces, start = [], 0
    for match in _END.finditer(text):
        if _ends(text, start, match):
            pieces.append((start, match.end()))
            start = match.end()
    pieces.append((start, len(text)))
    return [text[a:b].strip() for a, b in _joined(text, [p for p in pieces if text[p[0] : p[1]].strip()])]


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the mark found ends the sentence that began at `start`."""
    mark, before, after = match[0], text[start : match.start()], text[match.end() :].lstrip()
    if mark[0] == "\n":
        return True
    if mark[0] in "。！？．":
        if mark[0] == "．" and before[-1:].isdigit() and after[:1].isdigit():
            return False
        return sum(map(before.count, _OPEN)) <= sum(map(before.count, _CLOSE))
    if not before.strip() or not after:
        return False
    if before[-1].isspace() and mark[0] != "…":
        return True
    if after.lstrip("\"'“‘([")[:1].islower():
        return False
    if mark[0] != "." or mark[:2] == "..":
        return True
    word = before.split()[-1].lstrip("\"'“‘([").lower()
    if word in _TITLES or (word in _BEFORE_FIGURES and after[:1].isdigit()):
        return False
    if len(word) == 1 and word.isalpha():
        return False
    return not (before.split() == [before.strip()] and word.isdigit())


def _joined(text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pieces, those that are too short joined to their neighbour."""
    found: list[tuple[int, int]] = []
    for a, b in pieces:
        if found and (_short(text[a:b]) or (len(found) == 1 and _short(text[found[0][0] : found[0][1]]))):
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found


def _short(piece: str) -> bool:
    if _JAPANESE.search(piece):
        return sum(letter.isalnum() for letter in piece) < LEAST_LETTERS
    return sum(any(letter.isalnum() for letter in word) for word in piece.split()) < LEAST_WORDS


def sentence_runs(text: str, most: int = 1) -> list[str]:
    """Every run of 1 to `most` consecutive sentences of a text but the whole of it, the single ones first.

    Sentences of a run keep what the text has between them. None for a text of one sentence.
    """
    sentences = split_sentences(text)
    places, at = [], 0
    for sentence in sentences:
        at = text.index(sentence, at)
        places.append((at, at + len(sentence)))
        at += len(sentence)
    runs = [
        text[places[first][0] : places[first + length - 1][1]]
        for length in range(1, min(most, len(places) - 1) + 1)
        for first in range(len(places) - length + 1)
    ]
    return list(dict.fromkeys(runs))


def runs_of_rows(rows: Iterable[Row], most: int) -> list[list[list[str]]]:
    """For each photo, for each of its texts: its runs of sentences; none for short captions."""
    return [
        [[] for _ in row.captions] + [sentence_runs(text, most) for text in row.long_captions] for row in rows
    ]


def texts_of_runs(runs: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    """Every distinct text of `runs_of_rows`, in order of first appearance."""
    return list(dict.fromkeys(run for photo in runs for text in photo for run in text))
