"""Sentences of long captions: where they end, and where they do not."""

from __future__ import annotations

import pytest

from lift.data import Row
from lift.sentences import runs_of_rows, sentence_runs, split_sentences, texts_of_runs

ENGLISH = [
    ("A dog runs. It is brown! Is it wet?", ["A dog runs.", "It is brown!", "Is it wet?"]),
    ("It is 3.5 cm wide. See example.com for more.", ["It is 3.5 cm wide.", "See example.com for more."]),
    ("Dr. Wu and J. R. Li, e.g. Here. They talk a lot.", ["Dr. Wu and J. R. Li, e.g. Here.", "They talk a lot."]),
    ("This is part No. 5 of the U.S. Army set. It is new.", ["This is part No. 5 of the U.S. Army set.", "It is new."]),
    ("There is no. The cup is gone now.", ["There is no.", "The cup is gone now."]),
    ("1. Open the red lid. 2. Take the cup out.", ["1. Open the red lid.", "2. Take the cup out."]),
    ("a dog runs on grass . a boy sits there .", ["a dog runs on grass .", "a boy sits there ."]),
    ('She says "Come here now." He does not come.', ['She says "Come here now."', "He does not come."]),
    ("He waits ... and waits. Then he goes home.", ["He waits ... and waits.", "Then he goes home."]),
    ("A heading\n\nThe text is below it", ["A heading\n\nThe text is below it"]),  # two words: too short
    ("The set of three\n\nOne cup for you", ["The set of three", "One cup for you"]),
    ("Yes. A man is here. Wow! It rains again.", ["Yes. A man is here. Wow!", "It rains again."]),
    ("One sentence, no end", ["One sentence, no end"]),
    ("  ", []),
    ("...", ["..."]),
]  # fmt: skip
JAPANESE = [
    ("犬が草の上を走る。隣に茶色い猫がいる。", ["犬が草の上を走る。", "隣に茶色い猫がいる。"]),
    ("「はい。」と女の人が言った。雨が降っている！", ["「はい。」と女の人が言った。", "雨が降っている！"]),
    ("幅は３．５センチである。色は赤い。", ["幅は３．５センチである。色は赤い。"]),  # four letters: too short
    ("重さは3.5kgです。箱の中に二つある。", ["重さは3.5kgです。", "箱の中に二つある。"]),
    ("白い皿（直径20cm。深め）がある。右に青い箸がある。", ["白い皿（直径20cm。深め）がある。", "右に青い箸がある。"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentences"), [*ENGLISH, *JAPANESE])
def test_sentences_by_hand(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_nothing_but_space_is_lost() -> None:
    for text, _ in [*ENGLISH, *JAPANESE]:
        assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_short_pieces_are_joined_in_japanese_too() -> None:
    assert split_sentences("犬が草の上を走る。茶色い。") == ["犬が草の上を走る。茶色い。"]


def test_runs_by_hand() -> None:
    text = "The first one is. The second one is. The third one is."
    one, two, three = split_sentences(text)
    assert sentence_runs(text) == [one, two, three]
    assert sentence_runs(text, 2) == [one, two, three, f"{one} {two}", f"{two} {three}"]
    assert sentence_runs(text, 9) == sentence_runs(text, 2)  # the whole text is no run of itself
    assert sentence_runs("Only one sentence here.") == []
    assert sentence_runs("It is red here. It is red here. It is big here.") == [
        "It is red here.",
        "It is big here.",
    ]
    assert sentence_runs("It is red.  It is big.\nIt is old.", 2)[3:] == [
        "It is red.  It is big.",
        "It is big.\nIt is old.",
    ]


def test_only_long_captions_have_runs() -> None:
    rows = [Row("a", ["It is red here. It is big here."], "train", ["A dog is there. A cat is there."])]
    assert runs_of_rows(rows, 1) == [[[], ["A dog is there.", "A cat is there."]]]
    assert texts_of_runs(runs_of_rows(rows * 2, 1)) == ["A dog is there.", "A cat is there."]
