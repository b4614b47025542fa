"""Japanese rules that keep the meaning of a sentence."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.change import Draft
from lift.rewording.japanese.words import (
    COUNTERS,
    DIGITS,
    ENDS,
    KANJI,
    KATAKANA,
    NOUN,
    NOUN_DONE,
    OPENS,
    PHRASE,
    any_of,
)

# Spellings and words that say the same: (pattern, replacement).
_SYNONYMS: Final = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (rf"(?<![{KANJI}])写真(?![{KANJI}])", "画像"), (rf"(?<![{KANJI}])画像(?![{KANJI}])", "写真"),
        (rf"(?<![{KANJI}])男性(?![{KANJI}])", "男の人"), (rf"(?<![{KANJI}])女性(?![{KANJI}])", "女の人"),
        ("男の人", "男性"), ("女の人", "女性"), ("子ども", "子供"), ("子供(?!用|服)", "子ども"), ("椅子", "いす"),
        ("りんご", "リンゴ"), ("リンゴ", "りんご"), ("みかん", "ミカン"), ("ミカン", "みかん"),
        (rf"(?<![{KANJI}])傷(?![{KANJI}つ])", "キズ"), ("キズ", "傷"), (r"ネジ", "ねじ"),
        (rf"コネクタ(?![{KATAKANA}])", "コネクター"), ("コネクター", "コネクタ"),
        (rf"センサ(?![{KATAKANA}])", "センサー"),
        ("センサー", "センサ"), (rf"モータ(?![{KATAKANA}])", "モーター"), ("モーター", "モータ"),
        (rf"(?<![{KANJI}])中央(?=に|の|が|を)", "真ん中"),
        ("真ん中", "中央"), ("の左側に", "の左に"), ("の右側に", "の右に"), ("の左に", "の左側に"),
        ("の右に", "の右側に"),
        ("の近くに", "のそばに"), ("のそばに", "の近くに"), ("下さい", "ください"),
        ("大きい(?=[^で。])", "大きな"), ("小さい(?=[^で。])", "小さな"),
        (rf"大きな(?=[{KANJI}{KATAKANA}])", "大きい"), (rf"小さな(?=[{KANJI}{KATAKANA}])", "小さい"),
        ("黄色い", "黄色の"), ("茶色い", "茶色の"),
        ("の隣に", "の横に"), ("破損", "損傷"), (r"ラベルが貼られている", "ラベルが貼ってある"),
        ("全て", "すべて"), ("すべて", "全て"),
        ("良い", "よい"), (r"(?<=[にが])無い", "ない"), (r"(?<=が)有る", "ある"), ("取り付け", "取付け"),
        ("直ぐ", "すぐ"), ("自動車", "車"),
    )
)  # fmt: skip


def synonym(text: str) -> list[Draft]:
    """Another word or spelling: "写真" -> "画像", "の左に" -> "の左側に", "コネクタ" -> "コネクター"."""
    return [[(*match.span(), new)] for pattern, new in _SYNONYMS for match in pattern.finditer(text)]


_AND: Final = re.compile(rf"(?:{OPENS}|(?<=[にはで]))({PHRASE})と({PHRASE})(?=[がをの])")


def coordination(text: str) -> list[Draft]:
    """ "ボルトとナットがある" -> "ナットとボルトがある"."""
    drafts: list[Draft] = []
    for match in _AND.finditer(text):
        if match[1] != match[2] and text[match.end()] in "がを":
            drafts.append([(*match.span(1), match[2]), (*match.span(2), match[1])])
    return drafts


_FLOATING: Final = re.compile(
    rf"(?<![約各\d{DIGITS}第百千万.])((?:\d+|[{DIGITS}])(?:{any_of(COUNTERS)}))の({NOUN})が(?=あ|い|並|置|見|入)"
)
_FIXED: Final = re.compile(
    rf"(?:{OPENS}|(?<=[にはで]))({NOUN})が((?:\d+|[{DIGITS}])(?:{any_of(COUNTERS)}))(?=あ|い|並|置|見|入)"
)


def frame(text: str) -> list[Draft]:
    """ "2個のボルトがある" <-> "ボルトが2個ある"."""
    drafts: list[Draft] = [[(*match.span(), f"{match[2]}が{match[1]}")] for match in _FLOATING.finditer(text)]
    return drafts + [[(*match.span(), f"{match[2]}の{match[1]}が")] for match in _FIXED.finditer(text)]


# Polite and plain ends that say the same, both ways.
_ENDS_PLAIN: Final = {
    "ではありませんでした": "ではなかった", "ではありません": "ではない", "ていません": "ていない",
    "でいません": "でいない", "がありません": "がない",
    "がいません": "がいない", "はありません": "はない", "ています": "ている", "でいます": "でいる",
    "があります": "がある", "がいます": "がいる", "にあります": "にある",
    "にいます": "にいる", "されます": "される", "されました": "された", "しました": "した",
    "できます": "できる", "できません": "できない",
    "ていました": "ていた", "でいました": "でいた", "がありました": "があった", "個あります": "個ある",
    "本あります": "本ある", "枚あります": "枚ある",
    "台あります": "台ある", "人います": "人いる", "匹います": "匹いる",
}  # fmt: skip
_ENDS_POLITE: Final = {plain: polite for polite, plain in _ENDS_PLAIN.items()} | {"である": "です"}
del _ENDS_POLITE["した"]  # only the one of "確認した", not that of "でした" and "割れました"
_ENDINGS: Final = re.compile(rf"(?:{any_of([*_ENDS_PLAIN, *_ENDS_POLITE])}){ENDS}")
_DONE: Final = re.compile(rf"(?<=[{KANJI}{KATAKANA}])した{ENDS}")
_DOES: Final = re.compile(rf"{NOUN_DONE}(?:する|します){ENDS}")
_COPULA: Final = re.compile(rf"(?<=[{KANJI}{KATAKANA}A-Za-z0-9℃%％²³])(です|だ){ENDS}")
_ADJECTIVE: Final = re.compile(rf"(?<=[{KANJI}きさしるか]い)です{ENDS}")


def politeness(text: str) -> list[Draft]:
    """ "傷があります" <-> "傷がある", "良品です" <-> "良品だ": every sentence of the text that has such an end."""
    draft: Draft = []
    for match in _ENDINGS.finditer(text):
        draft.append((*match.span(), _ENDS_PLAIN.get(match[0]) or _ENDS_POLITE[match[0]]))
    draft += [(*match.span(), "しました") for match in _DONE.finditer(text)]
    draft += [(*match.span(), "します" if match[0] == "する" else "する") for match in _DOES.finditer(text)]
    for match in _COPULA.finditer(text):
        if not any(start <= match.start() < end for start, end, _ in draft):
            draft.append((*match.span(1), "だ" if match[1] == "です" else "です"))
    for match in _ADJECTIVE.finditer(text):
        draft.append((*match.span(), ""))
    return [sorted(draft)] if draft else []


_COUNTED: Final = re.compile(
    rf"(?<![\d.,．～〜~第{DIGITS}百千万A-Za-z])(\d{{1,2}}|[{DIGITS}])(?=(?:{any_of(COUNTERS)})(?!目|一|分|用))"
)


def figure(text: str) -> list[Draft]:
    """ "2個" -> "二個", "三人" -> "3人"."""
    drafts: list[Draft] = []
    for match in _COUNTED.finditer(text):
        if match[1] in DIGITS:
            drafts.append([(*match.span(), str(DIGITS.index(match[1]) + 1))])
        elif 1 <= int(match[1]) <= 10:
            drafts.append([(*match.span(), DIGITS[int(match[1]) - 1])])
    return drafts


_UNIT_NAMES: Final = {
    "mm": "ミリメートル", "cm": "センチメートル", "km": "キロメートル", "m": "メートル", "mg": "ミリグラム",
    "kg": "キログラム", "g": "グラム",
    "ml": "ミリリットル", "mL": "ミリリットル", "L": "リットル", "V": "ボルト", "kV": "キロボルト",
    "W": "ワット", "kW": "キロワット",
    "mA": "ミリアンペア", "Hz": "ヘルツ", "℃": "度", "°C": "度", "%": "パーセント", "％": "パーセント",
}  # fmt: skip
_NAMES: Final = {
    name: symbol for symbol, name in _UNIT_NAMES.items() if symbol not in ("℃", "°C", "％", "%", "mL")
}
_UNIT: Final = re.compile(
    rf"(?<=\d)({any_of(_UNIT_NAMES)})(?![A-Za-z0-9²³/])|(?<=\d)({any_of(_NAMES)})(?![{KATAKANA}])"
)


def unit_name(text: str) -> list[Draft]:
    """ "5cm" <-> "5センチメートル"."""
    drafts: list[Draft] = []
    for match in _UNIT.finditer(text):
        drafts.append([(*match.span(), _UNIT_NAMES[match[1]] if match[1] else _NAMES[match[2]])])
    return drafts


def surface(text: str) -> list[Draft]:
    """The full stop and nothing else: put where none is, and taken away where one is."""
    said = text.rstrip()
    if not said or said[-1] in "！？!?…":
        return []
    return [[(len(said) - 1, len(text), "")]] if said[-1] == "。" else [[(len(said), len(text), "。")]]
