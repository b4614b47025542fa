"""What `lift calibrate` and `lift verify` print about a CALIBRATION and about rows that could not be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from lift.console import note, say, show_table
from lift.verifying.fitting import missing_in_words
from lift.verifying.folder import Calibration, Group
from lift.verifying.tables import Unread
from lift.verifying.wording import percent, promise_in_words

SHOWN = 10


def tell_calibration(calibration: Calibration) -> None:
    """Print the promise, a table with one line a group, and what a reader should know of it."""
    made = calibration.manifest
    counts = made["pairs"]
    show_table(
        f"{calibration.folder}: for {made['model']['id']}",
        [
            "length",
            "photos true/false",
            "mismatch below",
            "match above",
            "AUROC",
            "decided",
            "false alarms",
            "missed",
        ],
        [_line(group) for group in calibration.groups],
    )
    say(
        "decided, false alarms, missed: of pairs whose photos were left out in turn when the thresholds were set"
    )
    say(promise_in_words(calibration.promise))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in made["false_of_kind"].items())
    say(
        f"Learnt from {counts['true']:,} true and {counts['false']:,} false descriptions of {counts['photos']:,} "
        f"photos (false ones: {kinds}). Other kinds of mistakes, other photos or other ways of writing are not covered."
    )
    say(
        f"Probabilities hold where {percent(made['false_share'])} of the descriptions are false, as among these; say "
        "what you expect with `lift verify --false-share`."
    )
    for words in [*made["joined"], *filter(None, map(missing_in_words, calibration.groups))]:
        note(words)
    if made["source"].get("feedback"):
        doubtful = sum(group.facts["pairs"]["doubtful"] for group in calibration.groups)
        note(
            f"{made['source']['feedback']:,} answers of people: {doubtful:,} were asked about for being doubtful, "
            "which serves the probability; thresholds need pairs picked by lot"
        )


def _line(group: Group) -> list[str]:
    facts, limits = group.facts, group.thresholds
    seen = facts["left_out"]
    pairs = seen["true"] + seen["false"]
    decided = seen["true_decided"] + seen["false_decided"]
    return [
        group.name,
        f"{facts['photos']['true']:,}/{facts['photos']['false']:,}",
        "never" if limits.low is None else f"{limits.low:.3f}",
        "never" if limits.high is None else f"{limits.high:.3f}",
        "–" if facts["auroc"] is None else f"{facts['auroc']:.1f}",
        percent(decided / pairs) if pairs else "–",
        f"{seen['false_alarms']:,} of {seen['true']:,}",
        f"{seen['missed']:,} of {seen['false']:,}",
    ]


def tell_unread(unread: Sequence[Unread]) -> None:
    """List the first rows that could not be used, and count all by their reason."""
    for row in unread[:SHOWN]:
        note(f"not used: {f'row {row.number}: ' if row.number else ''}{row.reason} ({row.remedy})")
    if len(unread) > SHOWN:
        counts = Counter(re.split(r"[:(]", row.reason)[0].strip() for row in unread).most_common()
        note("not used in all: " + ", ".join(f"{count:,} x {reason}" for reason, count in counts))
