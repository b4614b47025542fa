"""Japanese sentences changed by rule; the sentences are of the kind written on a work floor, expectations by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from lift.rewording import minimal_changes, paraphrases
from rewording_by_hand import texts_of

CHANGED = [
    ("order", "男の子が犬を追いかけている。", {"犬が男の子を追いかけている。"}),
    ("order", "作業員が検査員を手伝っている。", {"検査員が作業員を手伝っている。"}),
    ("order", "机の上に赤いコップがある。", {"赤いコップの上に机がある。"}),
    ("order", "ケーブルAはケーブルBより長い。", {"ケーブルBはケーブルAより長い。"}),
    ("order", "部品Aより部品Bの方が重い。", {"部品Bより部品Aの方が重い。"}),
    ("order", "赤いボルトと青いナットを使用する。", {"青いボルトと赤いナットを使用する。"}),
    ("order", "長いケーブルが短いパイプの下にあります。",
     {"短いパイプが長いケーブルの下にあります。", "短いケーブルが長いパイプの下にあります。"}),
    ("negation", "表面に傷があります。", {"表面に傷がありません。"}),
    ("negation", "表面にキズがない。", {"表面にキズがある。"}),
    ("negation", "検査結果は合格です。", {"検査結果は合格ではありません。"}),
    ("negation", "判定は不合格", {"判定は合格"}),
    ("negation", "外観に異常なし", {"外観に異常あり"}),
    ("negation", "ケーブルが接続されていません。", {"ケーブルが接続されています。"}),
    ("negation", "製品が梱包されていなかった。", {"製品が梱包されていた。"}),
    ("negation", "新しい部品に交換した。", {"新しい部品に交換しなかった。"}),
    ("negation", "このケーブルは太い。", {"このケーブルは太くない。"}),
    ("negation", "塗装しないでください。", {"塗装してください。"}),
    ("negation", "ネジを締めてください。", {"ネジを締めないでください。"}),
    ("negation", "寸法は規格内である。", {"寸法は規格内ではない。"}),
    ("negation", "トラックが駐車場にいる。", {"トラックが駐車場にいない。"}),
    ("negation", "ランプは消灯しました。", {"ランプは消灯しませんでした。"}),
    ("negation", "温度は80℃です。", {"温度は80℃ではありません。"}),
    ("number", "コネクタが2個あります。", {"コネクタが1個あります。", "コネクタが3個あります。"}),
    ("number", "写真に人が二人写っている。", {"写真に人が一人写っている。", "写真に人が三人写っている。"}),
    ("number", "箱が三つある。", {"箱が二つある。", "箱が四つある。"}),
    ("number", "棚に本が25冊ある。", {"棚に本が15冊ある。", "棚に本が35冊ある。"}),
    ("number", "幅は120mmです。", {"幅は220mmです。"}),
    ("number", "ボルトが４本ある。", {"ボルトが３本ある。", "ボルトが５本ある。"}),
    ("unit", "内容量は500gです。", {"内容量は500kgです。"}),
    ("unit", "長さは3メートルです。", {"長さは3センチメートルです。"}),
    ("unit", "重さは2キログラムです。", {"重さは2グラムです。"}),
    ("unit", "出力は5kWです。", {"出力は5Wです。"}),
    ("unit", "温度は80℃です。", {"温度は80℉です。"}),
    ("unit", "厚さ3ミリの板。", {"厚さ3センチの板。"}),
    ("part_number", "品番ABC-1234の部品です。", {f"品番ABC-{n}の部品です。" for n in (1324, 1243, 1239)}),
    ("part_number", "型番A-100Zのポンプ。", {"型番A-105Zのポンプ。"}),
    ("part_number", "品番 48213 を出荷した。", {f"品番 {n} を出荷した。" for n in (48123, 48231, 48218)}),
    ("part_number", "図面番号DW-0457-Bを参照する。",
     {f"図面番号DW-{n}-Bを参照する。" for n in ("0547", "0475", "0452")}),
    ("part_number", "部品番号はKX-5521です。", {f"部品番号はKX-{n}です。" for n in ("5251", "5512", "5526")}),
    ("left_right", "部品の左側に傷がある。", {"部品の右側に傷がある。"}),
    ("left_right", "右手で持っている。", {"左手で持っている。"}),
    ("left_right", "画像の右上に日付がある。", {"画像の左上に日付がある。"}),
    ("left_right", "レバーを左に回す。", {"レバーを右に回す。"}),
    ("left_right", "左の箱は赤く、右の箱は青い。", {"右の箱は赤く、左の箱は青い。"}),
    ("relation", "棚の下に箱がある。", {"棚の上に箱がある。"}),
    ("relation", "人が車の後ろに立っている。", {"人が車の前に立っている。"}),
    ("relation", "検査の前に清掃する。", {"検査の後に清掃する。"}),
    ("relation", "直径は10mm以上です。", {"直径は10mm未満です。"}),
    ("relation", "コネクタの外側にカバーがある。", {"コネクタの内側にカバーがある。"}),
    ("relation", "袋の中にネジが入っている。", {"袋の外にネジが入っている。"}),
    ("attribute", "赤ランプが点滅している。",
     {"緑ランプが点滅している。", "青ランプが点滅している。", "白ランプが点滅している。",
     "黒ランプが点滅している。", "黄ランプが点滅している。"}),
    ("attribute", "黒い服の人。", {"赤い服の人。", "白い服の人。"}),
    ("attribute", "大きな箱を運ぶ。", {"小さな箱を運ぶ。"}),
    ("attribute", "穴が深い。", {"穴が浅い。"}),
    ("attribute", "新しい部品。", {"古い部品。"}),
    ("object", "男性が立っている。", {"女性が立っている。"}),
    ("object", "ボルトを締める。", {"ナットを締める。", "ワッシャーを締める。"}),
    ("object", "トラックが止まっている。", {"バスが止まっている。"}),
    ("object", "机の横に椅子がある。", set()),
    ("object", "黒い犬がいる。", {"黒い猫がいる。", "黒い馬がいる。", "黒い牛がいる。"}),
    ("object", "窓が割れている。", {"ドアが割れている。"}),
    ("synonym", "部品の写真です。", {"部品の画像です。"}),
    ("synonym", "箱の左にある。", {"箱の左側にある。"}),
    ("synonym", "コネクタが外れた。", {"コネクターが外れた。"}),
    ("synonym", "女性が歩く。", {"女の人が歩く。"}),
    ("synonym", "大きい箱がある。", {"大きな箱がある。"}),
    ("coordination", "ボルトとナットがある。", {"ナットとボルトがある。"}),
    ("coordination", "赤い箱と青い袋を置く。", {"青い袋と赤い箱を置く。"}),
    ("coordination", "机の上に皿とコップがある。", {"机の上にコップと皿がある。"}),
    ("coordination", "犬と猫がいる。", {"猫と犬がいる。"}),
    ("coordination", "犬と犬がいる。", set()),
    ("frame", "2個のボルトがある。", {"ボルトが2個ある。"}),
    ("frame", "ボルトが2個ある。", {"2個のボルトがある。"}),
    ("frame", "箱が三つある。", {"三つの箱がある。"}),
    ("frame", "棚に本が25冊ある。", {"棚に25冊の本がある。"}),
    ("frame", "約10個の部品がある。", set()),
    ("figure", "2個ある。", {"二個ある。"}),
    ("figure", "二人いる。", {"2人いる。"}),
    ("figure", "ネジが十本ある。", {"ネジが10本ある。"}),
    ("figure", "2～3個を使う。", set()),
    ("figure", "1番目の穴。", set()),
    ("unit_name", "幅は5cmです。", {"幅は5センチメートルです。"}),
    ("unit_name", "幅は5センチメートルです。", {"幅は5cmです。"}),
    ("unit_name", "重さは2kg", {"重さは2キログラム"}),
    ("unit_name", "電圧は12V以上", {"電圧は12ボルト以上"}),
    ("unit_name", "80%に設定", {"80パーセントに設定"}),
    ("politeness", "傷があります。", {"傷がある。"}),
    ("politeness", "傷がある。", {"傷があります。"}),
    ("politeness", "良品です。", {"良品だ。"}),
    ("politeness", "犬が走っていません。", {"犬が走っていない。"}),
    ("politeness", "交換しました。", {"交換した。"}),
    ("surface", "青果売り場。", {"青果売り場"}),
    ("surface", "青果売り場", {"青果売り場。"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "expected"), CHANGED)
def test_japanese_by_hand(kind: str, text: str, expected: set[str]) -> None:
    assert texts_of(kind, text) == expected


UNCHANGED = [
    ("order", "犬が犬を追いかけている。"),
    ("order", "男性と女性が並んでいる。"),  # the same again
    ("order", "作業者が部品を運んでいる。"),
    ("order", "机の横に椅子がある。"),
    ("negation", "確認しなければならない。"),
    ("negation", "壊れるかもしれない。"),
    ("negation", "部品が2個あります。"),  # "2個ありません" says that two are missing
    ("number", "1番目の穴。"),
    ("number", "第3工程の説明。"),
    ("number", "約20個入り。"),
    ("number", "2～3個を使う。"),
    ("number", "10個程度入る。"),
    ("number", "2024年5月3日撮影。"),
    ("number", "一番大きい。"),
    ("number", "一般の商品。"),
    ("number", "一つ目の写真。"),
    ("number", "二つのコップのうち一つが割れている。"),
    ("negation", "ボタンを押した。"),  # "押しなかった" is no word
    ("negation", "設計を見直した。"),
    ("politeness", "ガラスが割れました。"),
    ("unit", "午後3時10分に開始。"),
    ("unit", "0mmに合わせる。"),
    ("part_number", "A4の紙。"),
    ("part_number", "ISO-9001を取得。"),
    ("left_right", "左右の長さは同じだ。"),
    ("left_right", "左利きの人です。"),
    ("left_right", "左と右に一つずつある。"),
    ("relation", "以上で説明を終わる。"),
    ("relation", "その上に置く。"),
    ("attribute", "面白い本を読む。"),
    ("attribute", "赤外線を使う。"),
    ("attribute", "青果売り場。"),
    ("attribute", "細長い板。"),
    ("object", "番犬を飼う。"),
    ("object", "自動車工場。"),
    ("object", "5ボルトをかける。"),
]


@pytest.mark.parametrize(("kind", "text"), UNCHANGED)
def test_japanese_left_alone(kind: str, text: str) -> None:
    assert texts_of(kind, text) == set()


def test_invariants() -> None:
    """A change differs from the text and from all its paraphrases; order keeps the characters."""
    texts = {text for _, text, _ in CHANGED} | {text for _, text in UNCHANGED}
    assert len(texts) > 100
    for text in texts:
        kept = {change.text for seed in range(10) for change in paraphrases(text, seed=seed)}
        assert text not in kept
        for seed in range(10):
            changes = minimal_changes(text, seed=seed)
            assert changes == minimal_changes(text, seed=seed)
            for change in changes:
                assert change.text != text and change.text not in kept, change
                assert change.kind != "order" or Counter(change.text) == Counter(text), change
