"""Lights on tokens: truncation, pieces per word, words that the encoder cannot read."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from lift import metrics
from lift.auditing.examinee import Examinee
from lift.auditing.light import Measured
from lift.auditing.limits import LANGUAGES
from lift.rewording import language_of
from lift.text.encoder import counts_tokens

MOST_WORDS = 600
BROKEN = 4  # a term in more pieces is spelt, not known
STRANGE = "\U00013080"  # an Egyptian hieroglyph: [UNK] for encoders that have one, bytes for the others
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")
UNCOUNTED = "the endpoint does not tell how it cuts texts into tokens"
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def special_tokens(examinee: Examinee) -> int:
    """Tokens that the encoder adds to every text."""
    return int(examinee.encoder.token_counts([""])[0])


def truncation(examinee: Examinee) -> list[Measured]:
    """Percent of texts longer than the encoder reads, and of tokens that are lost."""
    if not counts_tokens(examinee.encoder):
        return [Measured("truncation", skipped=UNCOUNTED)]
    counts = examinee.encoder.token_counts(examinee.corpus.texts)
    limit = examinee.encoder.max_tokens
    cut = 100.0 * (counts > limit)
    lost = 100.0 * np.maximum(0, counts - limit) / max(1, counts.sum())
    low, high = metrics.bootstrap_interval(cut, examinee.corpus.item_of, examinee.seed)
    return [
        Measured(
            "truncation",
            float(cut.mean()),
            low,
            high,
            len(counts),
            "%",
            f"{cut.mean():.1f} of 100 texts are longer than {limit:,} tokens, and {lost.sum():.1f} of 100 tokens are "
            f"not read; the longest text has {counts.max():,}.",
            normalised=float(1.0 - lost.sum() / 100.0),
            details={
                "max_tokens": limit,
                "percent_of_tokens_lost": float(lost.sum()),
                "median_tokens": float(np.median(counts)),
                "longest": int(counts.max()),
            },
        )
    ]


def fertility(examinee: Examinee) -> list[Measured]:
    """Tokens per word, for Japanese tokens per character, and glossary terms in many pieces."""
    if not counts_tokens(examinee.encoder):
        return [Measured("fertility", skipped=UNCOUNTED)]
    languages: dict[str, list[int]] = {}
    for number, text in enumerate(examinee.corpus.texts):
        languages.setdefault(language_of(text), []).append(number)
    found = [key for key, numbers in languages.items() if len(numbers) >= 0.02 * len(examinee.corpus.texts)]
    special = special_tokens(examinee)
    terms = list(dict.fromkeys(name for pair in examinee.glossary for name in pair))
    pieces = examinee.encoder.token_counts(terms) - special if terms else np.zeros(0, np.int64)
    broken = sorted(
        ((int(n), term) for n, term in zip(pieces, terms, strict=True) if n > BROKEN), reverse=True
    )
    details: dict[str, Any] = {"terms": len(terms), "broken_terms": [[term, n] for n, term in broken]}
    measured = []
    for language in found:
        texts = [examinee.corpus.texts[number] for number in languages[language]]
        tokens = np.maximum(0, examinee.encoder.token_counts(texts) - special)
        per_character = language == "ja"
        units = np.array([_characters(text) if per_character else len(text.split()) for text in texts])
        clusters = examinee.corpus.item_of[languages[language]]
        value = float(tokens.sum() / max(1, units.sum()))
        low, high = metrics.statistic_interval(_ratio(tokens, units), clusters, examinee.seed)
        what = "character" if per_character else "word"
        said = f"A {what} takes {value:.2f} pieces on average"
        if terms:
            said += f"; {len(broken)} of {len(terms)} glossary terms are broken into more than {BROKEN}"
        measured.append(
            Measured(
                f"fertility/{language}" if len(found) > 1 else "fertility",
                value,
                low,
                high,
                int(units.sum()),
                f"pieces per {what}",
                f"{said}.",
                judged=2 * value if per_character else value,
                details={"language": LANGUAGES.get(language, language), **details},
            )
        )
    return measured


def _characters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)


def _ratio(tokens: np.ndarray, units: np.ndarray) -> metrics.Statistic:
    return lambda weights: (weights @ tokens) / np.maximum(1, weights @ units)


def unknown(examinee: Examinee) -> list[Measured]:
    """Percent of words in the texts that become the placeholder for unknown, found by its vector.

    A word that cannot be read gets the vector of any other such word. So this needs nothing of the tokenizer, and
    holds for encoders behind an endpoint too.
    """
    said: Counter[str] = Counter()
    for text in examinee.corpus.texts:
        said.update(words_of(text))
    terms = list(dict.fromkeys(w for pair in examinee.glossary for name in pair for w in words_of(name)))
    words = [word for word, _ in said.most_common(MOST_WORDS)]
    if not words:
        return [Measured("unknown", skipped="the texts hold no words, only figures and signs")]
    vectors = examinee.features([STRANGE, "dog", "on", *words, *terms], "words")
    strange = vectors[0]
    if np.abs(vectors[1] - strange).max() < 1e-4 or np.abs(vectors[2] - vectors[1]).max() < 1e-4:
        return [Measured("unknown", skipped="the encoder gives different words one vector")]
    lost = np.abs(vectors[3:] - strange).max(1) < 1e-4
    weights = np.array([said[word] for word in words], dtype=np.float64)
    of_words, of_terms = lost[: len(words)], lost[len(words) :]
    value = float(100.0 * (weights * of_words).sum() / weights.sum())
    unread = [word for word, gone in zip(words, of_words, strict=True) if gone]
    unread_terms = [word for word, gone in zip(terms, of_terms, strict=True) if gone]
    sentence = f"{value:.1f} of 100 words in the texts cannot be read"
    if unread:
        sentence += f", among them “{'”, “'.join(unread[:5])}”"
    if terms:
        sentence += f"; of the words of the glossary {len(unread_terms)} of {len(terms)}"
    return [
        Measured(
            "unknown",
            value,
            n=int(weights.sum()),
            unit="%",
            meaning=f"{sentence}.",
            details={
                "distinct_words": len(words),
                "unread": unread[:50],
                "unread_glossary_words": unread_terms,
            },
        )
    ]


def words_of(text: str) -> list[str]:
    """Words without figures; Japanese characters one by one."""
    words = []
    for word in WORD.findall(text):
        words += list(word) if JAPANESE.search(word) else [word]
    return words
