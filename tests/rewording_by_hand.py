"""All that a rewording rule makes of a text."""

from __future__ import annotations

from lift.rewording import KINDS, minimal_changes, paraphrases

SEEDS = range(80)


def texts_of(kind: str, text: str) -> set[str]:
    """All that the rule of a kind makes of the text, over many seeds."""
    if kind in KINDS:
        found = [change for seed in SEEDS for change in minimal_changes(text, kinds=[kind], seed=seed)]
    else:
        found = [change for seed in SEEDS for change in paraphrases(text, seed=seed)]
    return {change.text for change in found if change.kind == kind}
