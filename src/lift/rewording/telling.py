"""Whether another text of the same photo already tells what a change puts in: then the change is not surely false."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lift.rewording.change import Change
from lift.rewording.english.words import SINGULAR_OF

_WORD: Final = re.compile(r"[a-z0-9]+(?:[.,'-][a-z0-9]+)*|[^\sa-z0-9]")


def spelled(text: str) -> str:
    """The text as words in lower case and singular, one blank around each; a Japanese one character by character."""
    words = _WORD.findall(text.lower())
    return f" {' '.join(SINGULAR_OF.get(word, word) for word in words)} "


def tells(others: Iterable[str], text: str, change: Change) -> bool:
    """Whether one of `others`, each written by `spelled`, has words that `change` puts into `text` and it lacks.

    Words that the text has itself prove nothing. A change of order puts in none.
    """
    own = spelled(text)
    new = [spelled(part) for part in change.new.split(" … ")]
    foreign = [part for part in new if part.strip() and part not in own]
    return any(part in other for other in others for part in foreign)
