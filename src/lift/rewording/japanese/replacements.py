"""Japanese: one word in place of another.

All Japanese rules match words of closed lists at places where a particle, a mark or another script shows that
the word ends. They need no tokenizer, so they give the same whatever is installed.
"""

from __future__ import annotations

import re
from typing import Final

from lift.rewording import codes
from lift.rewording.change import Draft
from lift.rewording.english.words import listed
from lift.rewording.japanese.words import (
    COLOURS,
    COUNTERS,
    DIGITS,
    KANJI,
    KATAKANA,
    MATERIALS,
    MORE_MATERIALS,
    OPPOSITES,
    SIMILAR,
    any_of,
)

_VALUE: Final = rf"(?<![\d.,．第約{DIGITS}百千万A-Za-z~〜～\-])(\d{{1,4}}|[{DIGITS}])"


_NOT_EXACT: Final = (
    r"(?!目|以上|以下|未満|程度|ほど|くらい|ぐらい|前後|ずつ|ひとり|[~〜～\-]|"
    r"一|用|分|性|員|気|形|物|口|数)"
)  # fmt: skip


_COUNTED: Final = re.compile(rf"{_VALUE}({any_of(COUNTERS)}){_NOT_EXACT}")


_MEASURED: Final = re.compile(
    r"(?<![\d.,A-Za-z約~〜～\-])(\d{1,4})((?:\.\d+)?\s?(?:mm|cm|m|km|mg|g|kg|ml|mL|L|V|kV|W|kW|A|mA|Hz|kHz|°C|℃|%|％|度|ミリ|センチ|メートル|グラム|キロ|リットル|ボルト|ワット|インチ|円))(?!以上|以下|未満|程度|ほど|くらい|[A-Za-z²³/])"
)


def number(text: str) -> list[Draft]:
    """Another number of things or another value: "2個" -> "3個", "二人" -> "三人", "10mm" -> "20mm"."""
    drafts: list[Draft] = []
    counted = (
        () if "のうち" in text else _COUNTED.finditer(text)
    )  # "二つのうち一つ": one number bounds the other
    for match in counted:
        said = match[1]
        if match[2] == "つ" and ((said.isdigit() and int(said) > 9) or said == "十"):
            continue
        if said in DIGITS:
            value = DIGITS.index(said) + 1
            most = 9 if match[2] == "つ" else 10
            drafts += [
                [(*match.span(1), DIGITS[new - 1])] for new in (value - 1, value + 1) if 1 <= new <= most
            ]
        else:
            value = int(said)
            most = 9 if match[2] == "つ" else 10**6
            step = 1 if value < 20 else 10
            news = [new for new in (value - step, value + step) if 1 <= new <= most]
            drafts += [[(*match.span(1), _as_written(str(new), said))] for new in news if value]
    for match in _MEASURED.finditer(text):
        said = match[1]
        first = int(said[0])
        if int(said) and said not in ("100", "１００"):
            new = str(first + 1 if first < 9 else 7) + said[1:]
            drafts.append([(*match.span(1), _as_written(new, said))])
    return drafts


def _as_written(new: str, old: str) -> str:
    """Full-width figures where the old ones were."""
    return new if old.isascii() else new.translate({ord(str(i)): 0xFF10 + i for i in range(10)})


_UNITS: Final = {
    "ミリメートル": "センチメートル", "センチメートル": "ミリメートル", "キロメートル": "メートル",
    "メートル": "センチメートル", "ミリ": "センチ",
    "センチ": "ミリ", "ミリグラム": "グラム", "キログラム": "グラム", "グラム": "キログラム",
    "ミリリットル": "リットル", "リットル": "ミリリットル",
    "キロボルト": "ボルト", "ボルト": "キロボルト", "キロワット": "ワット", "ワット": "キロワット",
    "インチ": "センチ", "ヘルツ": "キロヘルツ", "秒": "分",
    "ミリアンペア": "アンペア", "アンペア": "ミリアンペア",
}  # fmt: skip


_UNIT: Final = re.compile(rf"(?<=[\d０-９])\s?({any_of(_UNITS)})(?![{KATAKANA}])")


def unit(text: str) -> list[Draft]:
    """Another unit of the same dimension: "5cm" -> "5mm", "3グラム" -> "3キログラム"."""
    drafts = codes.unit(text)
    for match in _UNIT.finditer(text):
        drafts.append([(*match.span(1), _UNITS[match[1]])])
    return drafts


_SIDE: Final = re.compile(r"[左右]")


_NO_SIDE: Final = re.compile(
    r"左右|右左|座右|右肩上がり|右往左往|左遷|左官|右翼|左翼|右派|左派|右に出る|証左|右記|左記|左利き|右利き|左と右|右と左|左・右|左／右"
)


def left_right(text: str) -> list[Draft]:
    """Left becomes right and right left throughout: "左側" -> "右側"; nothing where both are meant ("左右")."""
    places = [match.span() for match in _SIDE.finditer(text)]
    if not places or _NO_SIDE.search(text):
        return []
    if len({text[start] for start, _ in places}) > 1 and re.search(r"それぞれ|ずつ|両|とも|もう", text):
        return []
    return [[(start, end, "右" if text[start] == "左" else "左") for start, end in places]]


_EVENTS: Final = listed(
    "検査 使用 作業 開始 出荷 組立 取付 測定 交換 塗装 洗浄 食事 試験 仕事 運転 確認 終了 加工 乾燥 "
    "起動 停止 会議 授業 点検 修理 調整 購入"
)


_RELATIONS: Final = {
    "の上に": "の下に", "の下に": "の上に", "の上で": "の下で", "の下で": "の上で", "の上の": "の下の",
    "の下の": "の上の",
    "の前に": "の後ろに", "の後ろに": "の前に", "の前で": "の後ろで", "の後ろで": "の前で",
    "の前の": "の後ろの", "の後ろの": "の前の",
    "の中に": "の外に", "の外に": "の中に", "の中で": "の外で", "の外で": "の中で", "内側": "外側",
    "外側": "内側", "表面に": "裏面に",
    "裏面に": "表面に", "上部": "下部", "下部": "上部", "上面": "下面", "下面": "上面", "上側": "下側",
    "下側": "上側", "手前に": "奥に",
    "奥に": "手前に", "上段": "下段", "下段": "上段", "より大きい": "より小さい", "より小さい": "より大きい",
    "より長い": "より短い", "より短い": "より長い",
    "より高い": "より低い", "より低い": "より高い", "より重い": "より軽い", "より軽い": "より重い",
    "の近くに": "から離れた所に", "以上": "未満", "未満": "以上",
    "の隣に": "から離れた所に", "の横に": "から離れた所に", "前面": "背面", "背面": "前面", "屋内": "屋外",
    "屋外": "屋内",
}  # fmt: skip


_RELATION: Final = re.compile(any_of(_RELATIONS))


def relation(text: str) -> list[Draft]:
    """The opposite place or comparison: "机の上に" -> "机の下に", "内側" -> "外側", "以上" -> "未満"."""
    drafts: list[Draft] = []
    for match in _RELATION.finditer(text):
        old, new = match[0], _RELATIONS[match[0]]
        before = text[: match.start()]
        if before.endswith(tuple(_EVENTS)) and "前" in old:
            new = "の後" + new[3:]
        if old in ("以上", "未満") and not re.search(r"[\d０-９a-zA-Z%％℃個本枚台人点]$", before):
            continue
        if (old.startswith("の") and (not before or before.endswith(("そ", "こ", "あ")))) or before.endswith(
            ("左", "右")
        ):
            continue
        drafts.append([(*match.span(), new)])
    return drafts


_THINGS_WITH_COLOUR: Final = listed(
    "ランプ ラベル インク テープ 線 ケーブル マーク 旗 シール リボン ペン ボタン 文字"
)


_COLOUR: Final = re.compile(
    rf"(?<![{KANJI}])(?:([赤青白黒])(?=[いく](?!合))|([黄茶])(?=色い)|([{''.join(COLOURS)}])(?=色(?!い|素|彩))|([赤青黄緑白黒])(?=(?:{any_of(_THINGS_WITH_COLOUR)})(?![{KANJI}]))|(緑)(?=の))"
)


_OPPOSITE: Final = {a: b for row in OPPOSITES for a, b in (row, row[::-1])}


_ATTRIBUTES: Final = re.compile(rf"(?<![{KANJI}])(?<!より)(?:{any_of(_OPPOSITE)})(?!もの|者|ほど|順)")


_MATERIAL: Final = re.compile(rf"(?<![{KANJI}{KATAKANA}])(?:{any_of([*MATERIALS, *MORE_MATERIALS])})")


def attribute(text: str) -> list[Draft]:
    """Another colour or material or the opposite: "赤い" -> "青い", "木製" -> "金属製", "長い" -> "短い"."""
    drafts: list[Draft] = []
    for match in _COLOUR.finditer(text):
        old = match[0]
        shut = set(COLOURS.get(old, "")) | {old} | {colour for colour in COLOURS if colour in text}
        if match[1]:
            known = "赤青白黒"
        elif match[2]:
            known = "黄茶"
        elif match[4]:
            known = "赤青黄緑白黒"
        else:
            known = "".join(COLOURS) if match[3] else ""
        drafts += [[(*match.span(), new)] for new in known if new not in shut]
        if match[5]:
            drafts += [[(*match.span(), new)] for new in ("紫", "ピンク", "赤") if new not in text]
    for match in _ATTRIBUTES.finditer(text):
        if _OPPOSITE[match[0]] not in text:
            drafts.append([(*match.span(), _OPPOSITE[match[0]])])
    for match in _MATERIAL.finditer(text):
        alike = [match[0], *MORE_MATERIALS.get(match[0], "").split()]
        drafts += [[(*match.span(), new)] for new in MATERIALS if new not in alike and new not in text]
    return drafts


_OTHERS: Final = {word: [other for other in row if other != word] for row in SIMILAR for word in row}


_THING: Final = re.compile(
    rf"(?<![{KANJI}{KATAKANA}\d０-９ぁ-ん])({any_of(_OTHERS)})(?![{KANJI}{KATAKANA}])|(?<=[いなのとがはに])({any_of(_OTHERS)})(?=[がをはにのとでも、。]|$)"
)


def kind_of_thing(text: str) -> list[Draft]:
    """Another person, animal or thing of the same sort: "犬がいる" -> "猫がいる"."""
    drafts: list[Draft] = []
    for match in _THING.finditer(text):
        drafts += [[(*match.span(), other)] for other in _OTHERS[match[0]] if other not in text]
    return drafts
