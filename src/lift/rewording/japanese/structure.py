"""Japanese: who does what to whom, what is where, and whether it is denied."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from lift.rewording.change import Draft
from lift.rewording.english.words import listed
from lift.rewording.japanese.words import (
    ANIMALS,
    ATTRIBUTE,
    COLOURS,
    ENDS,
    KANJI,
    KATAKANA,
    NOUN,
    NOUN_DONE,
    OPENS,
    OPPOSITES,
    PEOPLE,
    PHRASE,
    VEHICLES,
    any_of,
)

_DONE_TO: Final = listed(
    "追いかけ 追いこ 追い越 抱い 抱え 押し 引っ張 引い 見て 見つめ 見上げ 運ん 運び 蹴っ 噛ん 舐め 持ち上げ "
    "連れ 助け 撮影 叩い 待っ 呼ん 指さ 指導 撫で 手伝 洗っ 乗せ 率い けん引 牽引 案内"
)


_ROLES: Final = re.compile(rf"{OPENS}({PHRASE})(が|は)({PHRASE})を(?={any_of(_DONE_TO)})")


_PLACED: Final = re.compile(
    rf"{OPENS}({PHRASE})の(?:上|下|左|右|左側|右側|前|後ろ|中|奥|手前)に(?:は)?({PHRASE})が(?=あ|い|置|乗|載|見|な)"
)


_PLACED_TOPIC: Final = re.compile(
    rf"{OPENS}({PHRASE})[はが]({PHRASE})の(?:上|下|左|右|左側|右側|前|後ろ|中|奥|手前)に(?=あ|い|置|乗|載|見|な)"
)


_COMPARED: Final = re.compile(rf"{OPENS}({PHRASE})は({PHRASE})より(?=も?(?:{ATTRIBUTE}))")


_COMPARED_FIRST: Final = re.compile(rf"{OPENS}({PHRASE})より({PHRASE})の(?:方|ほう)が")


_OWNED: Final = re.compile(rf"({ATTRIBUTE})({NOUN})")


_HEAD: Final = re.compile(rf"{NOUN}$")


def order(text: str) -> list[Draft]:
    """Who does it and to whom it is done, what is where, or the attributes of two things, change places.

    The characters stay the same: "犬が男の子を追いかけている" -> "男の子が犬を追いかけている".
    """
    drafts: list[Draft] = []
    for match in _ROLES.finditer(text):
        heads = [_HEAD.search(match[group]) for group in (1, 3)]
        sorts = [_sort(head[0]) if head else "" for head in heads]
        if all(sorts) and sorts[0] == sorts[1] and match[1] != match[3]:
            drafts.append([(*match.span(1), match[3]), (*match.span(3), match[1])])
    for pattern in (_PLACED, _PLACED_TOPIC, _COMPARED, _COMPARED_FIRST):
        for match in pattern.finditer(text):
            if match[1] != match[2]:
                drafts.append([(*match.span(1), match[2]), (*match.span(2), match[1])])
    owned = [match for match in _OWNED.finditer(text) if not _inside_word(text, match.start(), match.group())]
    for one, other in pairwise(owned):
        same_family = _family(one[1]) == _family(other[1]) != ""
        if same_family and one[1] != other[1] and one[2] != other[2] and one[1][-1] == other[1][-1]:
            drafts.append([(*one.span(1), other[1]), (*other.span(1), one[1])])
    return drafts


def _sort(noun: str) -> str:
    if noun in PEOPLE or noun in ANIMALS:
        return "alive"
    return "vehicle" if noun in VEHICLES else "alive" if noun.endswith(("作業者", "作業員")) else ""


def _family(attribute: str) -> str:
    if attribute[0] in COLOURS:
        return "colour"
    for row in OPPOSITES:
        if attribute in row:
            return row[0][0] + row[1][0] if row[0][:1] not in "大小" else "size"
    return "material" if "製" in attribute else ""


def _inside_word(text: str, start: int, found: str) -> bool:
    """Whether the match is the tail of a longer word: "面白い", "細長い"."""
    return start > 0 and bool(re.match(f"[{KANJI}]", text[start - 1])) and bool(re.match(f"[{KANJI}]", found))


# Sentence ends: what stands there, and what denies it. Tried in this order; the first that fits is taken.
_DENIALS: Final = (
    ("ではありませんでした", "でした"), ("ではありません", "です"), ("じゃありません", "です"),
    ("ていません", "ています"), ("でいません", "でいます"),
    ("がありません", "があります"), ("はありません", "があります"), ("がいません", "がいます"),
    ("しないでください", "してください"),
    ("できません", "できます"), ("ませんでした", "ました"), ("しません", "します"), ("れません", "れます"),
    ("ではない", "である"), ("ていない", "ている"), ("でいない", "でいる"), ("がない", "がある"),
    ("がいない", "がいる"), ("はない", "がある"),
    ("できない", "できる"), ("しない", "する"), ("れない", "れる"), ("不合格", "合格"), ("不良品", "良品"),
    ("異常なし", "異常あり"), ("なし", "あり"),
    ("無し", "有り"), ("不可", "可"), ("ていなかった", "ていた"), ("でいなかった", "でいた"),
    ("しなかった", "した"), ("がなかった", "があった"),
    ("されなかった", "された"), ("られなかった", "られた"), ("ではなかった", "だった"),
    ("ありました", "ありませんでした"), ("いました", "いませんでした"), ("ました", "ませんでした"),
    ("でした", "ではありませんでした"),
    ("ています", "ていません"), ("でいます", "でいません"), ("ます", "ません"),
    ("てください", "ないでください"), ("である", "ではない"), ("ている", "ていない"), ("でいる", "でいない"),
    ("がある", "がない"), ("がいる", "がいない"),
    ("にある", "にない"), ("にいる", "にいない"), ("ていた", "ていなかった"), ("でいた", "でいなかった"),
    ("があった", "がなかった"), ("がいた", "がいなかった"), ("できる", "できない"),
    ("される", "されない"), ("られる", "られない"), ("された", "されなかった"), ("する", "しない"),
    ("異常あり", "異常なし"), ("あり", "なし"), ("有り", "無し"), ("不合格", "合格"), ("合格", "不合格"),
    ("良品", "不良品"),
)  # fmt: skip


_DENIED: Final = dict(reversed(_DENIALS))


_DENIABLE: Final = re.compile(
    rf"(?<![個本枚台人匹頭羽冊点件つ箇]あり)(?<![個本枚台人匹頭羽冊点件つ箇][あい])(?<![個本枚台人匹頭羽冊点件つ箇]い)(?:{any_of(_DENIED)}){ENDS}"
)


_DONE: Final = re.compile(rf"{NOUN_DONE}した{ENDS}")
_COPULA: Final = re.compile(rf"(?<=[{KANJI}{KATAKANA}A-Za-z0-9℃%％²³])(です|だ){ENDS}")


_ADJECTIVE: Final = re.compile(
    rf"(?<![{KANJI}])(赤|青|白|黒|大き|小さ|長|短|太|細|厚|薄|高|低|重|軽|新し|古|深|浅|広|狭|明る|暗|硬|柔らか|熱|冷た|丸|多|少な)い(です)?{ENDS}"
)


_MUST: Final = re.compile(
    r"(?:ならない|いけない|しれない|しかない|なりません|いけません|しれません|すぎない|すぎません|そういない)"
)


_PLEASE_NOT: Final = re.compile(rf"[{KANJI}{KATAKANA}](し|[えけせねめれげぜべ]|(?<=見))てください{ENDS}")


def negation(text: str) -> list[Draft]:
    """The end of a sentence is denied, or its denial taken back: "傷がある" -> "傷がない", "合格" -> "不合格"."""
    if _MUST.search(text):
        return []
    drafts: list[Draft] = []
    for match in _PLEASE_NOT.finditer(text):
        drafts.append([(match.end(1), match.end(), "ないでください")])
    for match in _DENIABLE.finditer(text):
        if match[0] in ("てください",):
            continue
        if match[0] == "可" and match.start() and text[match.start() - 1] == "不":
            continue
        drafts.append([(*match.span(), _DENIED[match[0]])])
    for match in _DONE.finditer(text):
        drafts.append([(*match.span(), "しなかった")])
    for match in _COPULA.finditer(text):
        drafts.append([(*match.span(1), "ではありません" if match[1] == "です" else "ではない")])
    for match in _ADJECTIVE.finditer(text):
        drafts.append([(match.end(1), match.end(), "くない" + (match[2] or ""))])
    return drafts
