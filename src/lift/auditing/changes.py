"""Lights on minimal changes: is a sentence nearer to its paraphrase than to itself with one fact changed?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from lift import metrics
from lift.auditing.examinee import Examinee
from lift.auditing.light import Measured
from lift.auditing.limits import LANGUAGES, kind_words
from lift.console import track
from lift.rewording import language_of, minimal_changes, paraphrases

PER_KIND = 150  # texts for each kind of change: an AUROC of 75 is then known to some 5 points
FEWEST = 20
PARAPHRASES = 2  # for each text
TRIVIAL = "surface"  # a full stop more or less: no paraphrase worth the name
SHOWN = 3  # examples on the page


class Trial(NamedTuple):
    """A text of the corpus, its paraphrases, and itself with one fact changed."""

    number: int  # of the text in the corpus
    text: str
    language: str
    kind: str
    changed: str
    paraphrases: tuple[str, ...]


@lru_cache(maxsize=4)  # the encoders of one exam share them
def trials_of(texts: tuple[str, ...], seed: int) -> tuple[Trial, ...]:
    """One trial per text and kind, at most PER_KIND per kind and language, from the first texts that offer them."""
    found: dict[tuple[str, str], int] = {}
    trials = []
    for number, text in enumerate(track(texts, "changing texts", len(texts))):
        language = language_of(text)
        first: dict[str, str] = {}
        for change in minimal_changes(text, seed=seed):
            if found.get((language, change.kind), 0) < PER_KIND and change.text != text:
                first.setdefault(change.kind, change.text)
        if not first:
            continue
        same = [change.text for change in paraphrases(text, seed=seed) if change.kind != TRIVIAL]
        if not same:
            continue
        same = (
            same[number % len(same) :] + same[: number % len(same)]
        )  # every kind of paraphrase gets its turn
        for kind, changed in first.items():
            found[language, kind] = found.get((language, kind), 0) + 1
            trials.append(Trial(number, text, language, kind, changed, tuple(same[:PARAPHRASES])))
    return tuple(trials)


class Outcome(NamedTuple):
    """Of the trials of one kind: AUROC placements with the text each belongs to; percent nearer per trial."""

    placements: np.ndarray
    texts: np.ndarray
    nearer: np.ndarray
    same: list[np.ndarray]  # cosine to each paraphrase, per trial
    changed: np.ndarray  # cosine to the change, per trial


def compare_trials(same: Sequence[np.ndarray], changed: np.ndarray, texts: np.ndarray) -> Outcome:
    """Outcome for cosines to the paraphrases (some per trial) and to the change (one per trial)."""
    counts = np.array([len(values) for values in same])
    flat = np.round(np.concatenate(same).astype(np.float64), 6)
    low = np.round(changed.astype(np.float64), 6)
    labels = np.r_[np.ones(len(flat), bool), np.zeros(len(low), bool)]
    placements = metrics.auroc_placements(np.r_[flat, low], labels)
    of_pair = metrics.pair_outcomes(flat, np.repeat(low, counts))
    trial = np.repeat(np.arange(len(low)), counts)
    nearer = np.bincount(trial, weights=of_pair, minlength=len(low)) / counts
    return Outcome(placements, np.r_[np.repeat(texts, counts), texts], nearer, list(same), changed)


def minimal_change(examinee: Examinee) -> list[Measured]:
    """A light over all kinds and one for each kind: AUROC, and the share of texts whose paraphrase is nearer."""
    trials = trials_of(tuple(examinee.corpus.texts), examinee.seed)
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.language, trial.kind), []).append(trial)
    enough = {key: group for key, group in groups.items() if len(group) >= FEWEST}
    if not enough:
        return [Measured("minimal_change", skipped="the rules found too few facts to change in these texts")]
    wanted = [t for group in enough.values() for t in group]
    examinee.features(
        [text for t in wanted for text in (t.text, t.changed, *t.paraphrases)], "changed sentences"
    )
    several = len({language for language, _ in enough}) > 1
    outcomes = {key: _outcome(examinee, group) for key, group in enough.items()}
    lights = [_overall(outcomes, examinee.seed)]
    for (language, kind), group in sorted(groups.items()):
        name = f"minimal_change/{language}/{kind}" if several else f"minimal_change/{kind}"
        if (language, kind) in outcomes:
            lights.append(_of_kind(name, kind, language, group, outcomes[language, kind], examinee.seed))
        else:
            lights.append(Measured(name, skipped=f"only {len(group)} texts offer it ({FEWEST} are needed)"))
    return lights


def _outcome(examinee: Examinee, group: list[Trial]) -> Outcome:
    itself = examinee.features([t.text for t in group])
    changed = (itself * examinee.features([t.changed for t in group])).sum(1)
    same = [examinee.features(t.paraphrases) @ row for t, row in zip(group, itself, strict=True)]
    return compare_trials(same, changed, np.array([t.number for t in group]))


def _overall(outcomes: dict[tuple[str, str], Outcome], seed: int) -> Measured:
    """The mean AUROC over the kinds, each counting the same; interval by text."""
    kinds = np.concatenate([np.full(len(o.placements), i) for i, o in enumerate(outcomes.values())])
    values = metrics.mean_per_class(np.concatenate([o.placements for o in outcomes.values()]), kinds)
    texts = np.concatenate([o.texts for o in outcomes.values()])
    nearer = float(np.mean([o.nearer.mean() for o in outcomes.values()]))
    value = float(values.mean())
    low, high = metrics.bootstrap_interval(values, texts, seed)
    return Measured(
        "minimal_change",
        value,
        low,
        high,
        len(np.unique(texts)),
        "%",
        f"Over {len(outcomes)} kinds of change a paraphrase scores above a changed meaning with a chance of "
        f"{value:.0f} of 100 (50: no difference); for {nearer:.0f} of 100 texts their own paraphrase is nearer.",
        normalised=float(np.clip(value / 100.0, 0.0, 1.0)),
        outcomes=(values, texts),
        details={"kinds": len(outcomes), "paraphrase_nearer": nearer},
    )


def _of_kind(
    name: str, kind: str, language: str, group: list[Trial], outcome: Outcome, seed: int
) -> Measured:
    value, nearer = float(outcome.placements.mean()), float(outcome.nearer.mean())
    low, high = metrics.bootstrap_interval(outcome.placements, outcome.texts, seed)
    of_changed, of_same = float(outcome.changed.mean()), float(np.concatenate(outcome.same).mean())
    bounds = metrics.bootstrap_interval(outcome.nearer, np.array([t.number for t in group]), seed)
    return Measured(
        name,
        value,
        low,
        high,
        len(group),
        "%",
        f"With {kind_words(kind)} changed, the paraphrase is nearer for {nearer:.0f} of 100 texts; the changed "
        f"sentence keeps a cosine of {of_changed:.3f}, paraphrases {of_same:.3f}.",
        details={
            "language": LANGUAGES.get(language, language),
            "auroc": [value, low, high],
            "paraphrase_nearer": [nearer, *bounds],
            "cosine_of_changed": of_changed,
            "cosine_of_paraphrases": of_same,
            "examples": _examples(group, outcome),
        },
    )


def _examples(group: list[Trial], outcome: Outcome) -> list[dict[str, Any]]:
    """The texts at which the change came out nearest compared with the paraphrase, and the cosines."""
    margin = np.array([values.mean() for values in outcome.same]) - outcome.changed
    return [
        {
            "text": group[i].text,
            "paraphrase": group[i].paraphrases[0],
            "changed": group[i].changed,
            "cosine_paraphrase": float(outcome.same[i][0]),
            "cosine_changed": float(outcome.changed[i]),
        }
        for i in np.argsort(margin, kind="stable")[:SHOWN]
    ]
