"""Japanese: a sentence cut where the script changes and at particles, without a dictionary of its own."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.english.words import listed
from lift.rewording.japanese.words import ATTRIBUTE, COUNTERS, DIGITS, KANJI, KATAKANA, any_of

_PLACES: Final = listed("左側 右側 上側 下側 内側 外側 手前 後ろ 周り 近く 上 下 左 右 前 中 奥 横 隣 間")
_PARTICLES: Final = (
    any_of(listed("の は が を に で と も へ や から より まで では には とは にも でも です でした だ"))
    + "|な(?![いか])"
)
_SPELLED: Final = any_of(listed("男の子 女の子 男の人 女の人 子ども 赤ちゃん りんご みかん ぶどう いす ねじ"))
_SIGN: Final = rf"{KANJI}{KATAKANA}A-Za-zＡ-Ｚａ-ｚ0-9０-９"
_NUMBER: Final = rf"(?:[0-9０-９][0-9０-９.,]*|[{DIGITS}])(?:{any_of(COUNTERS)}|[A-Za-z℃%％]+)?"
#: What stands at a place: particles between phrases, then one of the kinds.
_TOKEN: Final = re.compile(
    rf"(?P<number>{_NUMBER})(?![{KANJI}])"
    rf"|(?P<attribute>{ATTRIBUTE}|[{KANJI}]色(?:の|い))"
    rf"|(?P<spelled>{_SPELLED})"
    rf"|(?<=の)(?P<relation>{any_of(_PLACES)})(?=[にでのはをへ、。]|$)"
    rf"|(?P<noun>[{_SIGN}]+)(?P<tail>(?:(?!{_SPELLED})[ぁ-ん])*)"
    rf"|(?P<kana>(?:(?!{_SPELLED})[ぁ-ん])+)"
)
_LEADING: Final = re.compile(rf"(?:{_PARTICLES})+")
_TRAILING: Final = re.compile(r"(?:の|は|が|を|に|も|から|より|まで)+$")


def pieces(text: str) -> list[tuple[str, int, int]]:
    """(kind, start, end) of the phrases in order; what is between them is particles and marks."""
    found: list[tuple[str, int, int]] = []
    at = 0
    while match := _TOKEN.search(text, at):
        kind, start, end = str(match.lastgroup), match.start(), match.end()
        if kind == "tail":
            kind, end = _noun_or_verb(match)
        elif kind == "kana":
            start, end = _kana(match)
            kind = "verb"
        if end > start:
            found.append(("noun" if kind == "spelled" else kind, start, end))
        at = max(end, match.start() + 1) if kind != "verb" or end > start else match.end()
    return found


def _noun_or_verb(match: re.Match[str]) -> tuple[str, int]:
    """Chinese characters before a particle are a noun; before other kana they are a verb or an adjective with it."""
    tail = match["tail"]
    if not tail or _LEADING.match(tail):
        return "noun", match.end("noun")
    cut = _TRAILING.search(tail)
    return "verb", match.start("tail") + (cut.start() if cut and cut.start() else len(tail))


def _kana(match: re.Match[str]) -> tuple[int, int]:
    """A run of kana without the particles before and behind it; empty when nothing is left."""
    start, end = match.span()
    lead = _LEADING.match(match[0])
    start += lead.end() if lead else 0
    rest = match.string[start:end]
    cut = _TRAILING.search(rest)
    end = start + cut.start() if cut and cut.start() else end
    return (start, end) if end - start > 1 else (end, end)
