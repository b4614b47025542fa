"""Closed lists of Japanese words, written for this package, and the patterns made of them."""

from __future__ import annotations

import re
from typing import Final

from lift.rewording.english.words import listed

KANJI: Final = "一-龯々〆"
KATAKANA: Final = "ァ-ヶー"
PEOPLE: Final = listed(
    "男の子 女の子 男の人 女の人 子ども 子供 男性 女性 少年 少女 赤ちゃん 作業者 作業員 検査員 担当者 "
    "店員 客 先生 学生 選手 医者 看護師 老人 父親 母親 兄 弟 姉 妹 人"
)
ANIMALS: Final = listed("犬 猫 馬 牛 鳥 象 羊 豚 猿 熊 兎 子犬 子猫 ウサギ ライオン トラ ゾウ クマ サル")
VEHICLES: Final = listed("車 自動車 トラック バス 自転車 バイク 電車 フォークリフト 台車 ロボット パトカー")
AGENTS: Final = (*PEOPLE, *ANIMALS, *VEHICLES)
# Things that may stand for one another; none of a row is another one of it.
SIMILAR: Final = (
    ("男性", "女性"), ("男の子", "女の子"), ("男の人", "女の人"), ("少年", "少女"), ("父親", "母親"),
    ("犬", "猫", "馬", "牛"), ("りんご", "みかん", "バナナ", "ぶどう"), ("リンゴ", "ミカン", "バナナ", "ブドウ"),
    ("ボルト", "ナット", "ワッシャー"), ("コネクタ", "スイッチ", "ヒューズ"), ("コネクター", "スイッチ", "ヒューズ"),
    ("抵抗器", "コンデンサ"), ("トラック", "バス"), ("自転車", "バイク"), ("机", "椅子"), ("箱", "袋"),
    ("皿", "コップ"),
    ("ギア", "ベアリング"), ("スプーン", "フォーク", "ナイフ"),
    ("シャツ", "ジャケット"), ("牛乳", "ジュース"), ("ハンマー", "ドライバー", "スパナ"), ("モーター", "ポンプ"),
    ("センサー", "カメラ"), ("三角形", "四角形"), ("ドア", "窓"), ("海", "山"),
)  # fmt: skip
COLOURS: Final = {
    "赤": "橙茶",
    "青": "緑紫",
    "白": "黄灰",
    "黒": "茶灰青",
    "黄": "橙白茶",
    "緑": "青黄",
    "茶": "赤黒黄",
}
OPPOSITES: Final = (
    ("大きい", "小さい"), ("大きな", "小さな"), ("長い", "短い"), ("太い", "細い"), ("厚い", "薄い"), ("高い", "低い"),
    ("重い", "軽い"), ("新しい", "古い"), ("深い", "浅い"), ("広い", "狭い"), ("明るい", "暗い"), ("硬い", "柔らかい"),
    ("熱い", "冷たい"), ("丸い", "四角い"), ("濡れた", "乾いた"), ("開いた", "閉じた"), ("汚れた", "きれいな"),
    ("若い", "年老いた"), ("粗い", "滑らかな"), ("多い", "少ない"), ("新品の", "中古の"),
)  # fmt: skip
MATERIALS: Final = ("木製", "金属製", "プラスチック製", "ガラス製", "紙製", "革製", "ゴム製")
MORE_MATERIALS: Final = {
    "鉄製": "金属製",
    "ステンレス製": "金属製",
    "アルミ製": "金属製",
    "樹脂製": "プラスチック製 ゴム製",
}
COUNTERS: Final = listed(
    "個 本 枚 台 人 匹 頭 羽 冊 箱 件 点 種類 か所 ヶ所 箇所 列 段 層 足 杯 袋 セット 缶 玉 軒 隻 つ 脚 着 組 パック"
)
DIGITS: Final = "一二三四五六七八九十"
# Before "する" and "した" as an auxiliary: a noun of two signs. "押した" and "見直した" are verbs of their own.
# A pattern looks back for it; "します" after such a verb is no "する".
NOUN_DONE: Final = rf"(?<=[{KANJI}{KATAKANA}]{{2}})" + "".join(
    f"(?<!{verb})" for verb in listed("見直 裏返 引出 取出 呼出 押出 貸出 引渡 差出 折返")
)
# How the patterns see a noun phrase: attributes of the lists, then nouns without hiragana or of the lists.
_ATTRIBUTE: Final = "|".join(
    sorted(
        [*(f"{c}い" for c in ("赤", "青", "白", "黒", "黄色", "茶色")), "緑の", *(f"{c}色の" for c in "緑赤青白黒黄")]
        + [word for row in OPPOSITES for word in row]
        + [f"{word}の" for word in (*MATERIALS, *MORE_MATERIALS)],
        key=len,
        reverse=True,
    )
)  # fmt: skip
_SPELLED: Final = "男の子|女の子|男の人|女の人|子ども|赤ちゃん|りんご|みかん|ぶどう|いす|ねじ"
NOUN: Final = rf"(?:{_SPELLED}|[{KANJI}{KATAKANA}]+[A-ZＡ-Ｚ]?)"
PHRASE: Final = rf"(?:(?:{_ATTRIBUTE})*{NOUN})"
ATTRIBUTE: Final = rf"(?:{_ATTRIBUTE})"
# A phrase begins here: at the start, after a mark, or after "は"; never in the middle of another.
OPENS: Final = r"(?:^|(?<=[。、「\n]))"
ENDS: Final = r"(?=\s*(?:[。！!]|$))"


def any_of(words: object) -> str:
    """A pattern of any of the words, the longest first."""
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]
