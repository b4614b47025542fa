"""Verdicts and promises in the words a person reads, English and Japanese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Decision = Literal["match", "mismatch", "ask"]
Language = Literal["en", "ja"]
#: Word and sign of each verdict; a sign beside the colour is for those who see no colours.
WORDS: dict[Language, dict[str, str]] = {
    "en": {"match": "match", "mismatch": "mismatch", "ask": "ask a person", "unread": "not checked"},
    "ja": {"match": "一致", "mismatch": "不一致", "ask": "人が確認", "unread": "未確認"},
}
SIGNS = {"match": "✓", "mismatch": "✗", "ask": "?", "unread": "–"}


def promise_in_words(promise: Mapping[str, float], language: Language = "en") -> str:
    """What is promised, in one sentence or two."""
    alarm, missed, sure = (percent(promise[name]) for name in ("false_alarm", "missed", "confidence"))
    if language == "ja":
        return (
            f"正しい説明を誤って「不一致」とする割合は {alarm} 以下、誤った説明を「一致」とする割合は {missed} 以下です"
            f"（それぞれ信頼度 {sure}。校正に使った写真と説明に似たものに限ります）。"
        )
    return (
        f"At most {alarm} of the true descriptions are called a mismatch, and at most {missed} of the false ones a "
        f"match (each with {sure} confidence, for photos and descriptions like those calibrated on)."
    )


def percent(share: float) -> str:
    """0.05 as "5 %"."""
    return f"{100 * share:.3g} %"


def shown(probability: float) -> float:
    """A probability as it is written, in whole percent; never 0 or 1, which no number of pairs proves."""
    return min(0.99, max(0.01, round(probability, 2)))


#: Why a row was left to a person, or what else is to be known of its verdict.
REMARKS: dict[Language, dict[str, str]] = {
    "en": {
        "unknown": "not calibrated for texts of this length or language",
        "cut": "only the beginning of the description was read: it is too long",
    },
    "ja": {
        "unknown": "この長さまたは言語の説明では校正されていません",
        "cut": "説明が長いため、初めの部分だけで判定しました",
    },
}
COLUMNS: dict[Language, tuple[str, ...]] = {
    "en": (
        "picture", "sign", "verdict", "chance that it fits", "words that fit least", "photo", "description", "remark",
    ),
    "ja": ("写真", "記号", "判定", "一致する確率", "特に合わない語句", "写真ファイル", "説明", "備考"),
}  # fmt: skip


def column_names(language: Language) -> tuple[str, ...]:
    """Headings of a checked table; the first is that of the picture, which a CSV file lacks."""
    return COLUMNS[language]
