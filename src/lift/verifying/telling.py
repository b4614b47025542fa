"""What `lift calibrate` and `lift verify` print about a CALIBRATION and about rows that could not be read."""

from __future__ import annotations

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
    proved = calibration.proved
    if proved is not None and proved.words is not None:
        words = proved.words
        say(
            f"Suspicious words are {'shown' if proved.words_shown else 'not shown'}: of {words.n:,} descriptions with "
            f"one false phrase {percent(words.rate)} were marked rightly, by chance {percent(words.control)}"
        )
    for line in [*made["joined"], *filter(None, map(missing_in_words, calibration.groups))]:
        note(line)
    if made["source"].get("feedback"):
        doubtful = sum(group.facts["pairs"]["doubtful"] for group in calibration.groups)
        note(
            f"{made['source']['feedback']:,} answers of people: {doubtful:,} were asked about for being doubtful, "
            "which serves the probability; thresholds need pairs picked by lot"
        )


def tell_photos(named: int, distinct: int, trained: int) -> None:
    """Note copies of photos, and photos that the model was trained on."""
    if named > distinct:
        note(f"{named - distinct:,} photos are copies of others under another name: copies count once")
    if trained:
        note(
            f"{trained:,} of {named:,} photos were trained on: the model knows them better than it will know new ones, "
            "so that the promise does not hold for new ones; calibrate on others (of a DATASET: --split val)"
        )


def _line(group: Group) -> list[str]:
    facts, limits = group.facts, group.thresholds
    seen = facts["left_out"]
    pairs = seen["true"] + seen["false"]
    told = pairs and seen["true_decided"] is not None
    return [
        group.name,
        f"{facts['photos']['true']:,}/{facts['photos']['false']:,}",
        "never" if limits.low is None else f"{limits.low:.3f}",
        "never" if limits.high is None else f"{limits.high:.3f}",
        "–" if facts["auroc"] is None else f"{facts['auroc']:.1f}",
        percent((seen["true_decided"] + seen["false_decided"]) / pairs) if told else "–",
        _errors(seen["false_alarms"], seen["true"]),
        _errors(seen["missed"], seen["false"]),
    ]


def _errors(errors: int | None, pairs: int) -> str:
    return "too few to tell" if errors is None else f"{errors:,} of {pairs:,}"


def tell_unread(unread: Sequence[Unread]) -> None:
    """List the first rows that could not be used, and count all by their reason."""
    for row in unread[:SHOWN]:
        note(f"not used: {f'row {row.number}: ' if row.number else ''}{row.reason} ({row.remedy})")
    if len(unread) > SHOWN:
        counts = Counter(row.kind for row in unread).most_common()
        note("not used in all: " + ", ".join(f"{count:,} x {reason}" for reason, count in counts))
