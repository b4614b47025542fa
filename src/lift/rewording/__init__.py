"""Sentences changed by rule, English and Japanese: what makes them false, and what keeps their meaning."""

from lift.rewording.change import Change, Draft, edited
from lift.rewording.making import (
    KINDS,
    PARAPHRASES,
    bare,
    every_draft,
    language_of,
    minimal_changes,
    paraphrases,
    same_meaning,
)
from lift.rewording.telling import spelled, tells

__all__ = [
    "KINDS",
    "PARAPHRASES",
    "Change",
    "Draft",
    "bare",
    "edited",
    "every_draft",
    "language_of",
    "minimal_changes",
    "paraphrases",
    "same_meaning",
    "spelled",
    "tells",
]
