"""Phrases with their places, and which of them do not fit, with an encoder that counts words: all worked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lift.errors import LiftError
from lift.explaining import judged, phrases, prepare, suspicions
from lift.explaining.probes import probes

VOCABULARY = ("dog", "cat", "grass", "red", "犬", "猫", "机")


def encode(texts: list[str]) -> np.ndarray:
    """One number for each word of VOCABULARY that is there, and one that is small and always there; unit length."""
    rows = np.array([[*(word in text.lower() for word in VOCABULARY), 1e-6] for text in texts], np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def cut(text: str, **options: int) -> list[tuple[str, str]]:
    found = phrases(text, **options)  # type: ignore[arg-type]
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    return [(one.text, one.kind[0]) for one in found]


def test_english_phrases() -> None:
    assert cut("Two brown dogs are not running through the snow.") == [
        ("Two", "n"), ("brown", "a"), ("dogs", "n"), ("are not running", "v"), ("through", "r"), ("the snow", "n"),
    ]  # fmt: skip
    assert cut("A man on top of a red car tries to kick it", longest=2) == [
        ("A man", "n"), ("on top of", "r"), ("a red car", "n"), ("tries", "v"), ("to", "r"), ("kick", "v"),
    ]  # fmt: skip
    assert cut("a red car") == [("red", "a"), ("car", "n")]
    assert cut("a medium sized fluffy dog")[0] == (
        "medium",
        "n",
    )  # a long row of unknown words, one by one
    assert cut("there is no cat") == [("no", "n"), ("cat", "n")]
    assert cut("a hockey player") == [("a hockey player", "n")]
    assert cut("a 2.5 mm gap")[0] == ("2.5", "n")


def test_japanese_phrases() -> None:
    assert cut("赤いりんごが机の上に2個ある") == [
        ("赤い", "a"), ("りんご", "n"), ("机", "n"), ("上", "r"), ("2個", "n"), ("ある", "v"),
    ]  # fmt: skip
    assert cut("犬が男の子を追いかけている。") == [("犬", "n"), ("男の子", "n"), ("追いかけている", "v")]
    assert cut("傷がない") == [("傷", "n"), ("ない", "v")]
    assert cut("作業者がヘルメットをかぶっている") == [
        ("作業者", "n"),
        ("ヘルメット", "n"),
        ("かぶっている", "v"),
    ]


def test_empty_and_one_word() -> None:
    assert cut("") == cut("...") == cut("、。") == cut("it is") == []
    assert cut("dog") == [("dog", "n")]
    assert suspicions(encode(["dog"])[0], "", encode) == []
    (only,) = suspicions(encode(["dog"])[0], "cat", encode, method="alone")
    assert (only.start, only.end, only.text) == (0, 3, "cat")
    assert only.score == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "text", ["A dog sees a quick brown fox near 3 old mills, jumping!", "白い猫と黒い犬が机の下で寝ている"]
)
def test_every_word_that_says_something_is_in_a_phrase(text: str) -> None:
    covered = "".join(one.text for one in phrases(text))
    for word in (
        "dog",
        "sees",
        "quick",
        "brown",
        "fox",
        "near",
        "3",
        "old",
        "mills",
        "jumping",
        "白い",
        "猫",
        "黒い",
        "犬",
        "机",
        "下",
        "寝ている",
    ):
        assert word not in text or word in covered


def test_scores_by_hand() -> None:
    """The photo shows dog and grass. "dog cat grass" has a cosine of 2 / sqrt(6), without "cat" it is 1."""
    photo, text = encode(["dog grass"])[0], "a dog and a cat on grass"
    found = suspicions(photo, text, encode, method="out")
    assert [one.text for one in found] == ["a cat", "on", "a dog", "grass"]
    said = 2 / np.sqrt(6)
    assert [one.score for one in found] == pytest.approx([1 - said, 0, 0.5 - said, 0.5 - said], abs=1e-5)
    assert (found[0].start, found[0].end) == (10, 15)
    alone = {one.text: one.score for one in suspicions(photo, text, encode, method="alone")}
    assert alone["a cat"] == pytest.approx(0, abs=1e-5)
    assert alone["a dog"] == pytest.approx(-1 / np.sqrt(2), abs=1e-5)
    both = {one.text: one.score for one in suspicions(photo, text, encode, method="out+alone")}
    assert both["a dog"] == pytest.approx(0.5 - said - 1 / np.sqrt(2), abs=1e-5)


def test_what_a_phrase_does_to_every_photo_does_not_count() -> None:
    """Over photos of dog and of cat, leaving "a cat" out changes the cosine by -1/sqrt(2) and 1 - 1/sqrt(2)."""
    photo, text = encode(["dog"])[0], "a dog and a cat"
    others = encode(["dog", "cat"])
    found = {one.text: one.score for one in suspicions(photo, text, encode, others, method="out")}
    gain, loss = 1 - 1 / np.sqrt(2), -1 / np.sqrt(2)
    assert found["a cat"] == pytest.approx(gain - (gain + loss) / 2, abs=1e-5)
    assert found["a dog"] == pytest.approx(loss - (gain + loss) / 2, abs=1e-5)


def test_alternatives_and_japanese() -> None:
    photo = encode(["猫 机"])[0]
    found = suspicions(photo, "犬が机の上にいる", encode, method="alternatives")
    assert found[0].text == "犬"
    assert found[0].score == pytest.approx(1 - 0.5, abs=1e-5)  # "猫が机の上にいる" fits
    assert suspicions(photo, "犬が机の上にいる", encode)[0].text == "犬"


def test_stored_captions_are_encoded_once_and_judged_alike() -> None:
    asked: list[list[str]] = []

    def counting(texts: list[str]) -> np.ndarray:
        asked.append(texts)
        return encode(texts)

    texts = ["a dog and a cat", "a dog and a cat", "a red cat", ""]
    kept = prepare(texts, counting)
    assert len(asked) == 1 and len(set(asked[0])) == len(asked[0])
    photo = encode(["dog"])[0]
    assert [judged(photo, one) for one in kept] == [suspicions(photo, text, encode) for text in texts]


def test_long_texts_cost_no_more_than_their_length() -> None:
    long = " ".join(["the red dog runs over a green field and"] * 60)  # 540 words and no full stop
    for text in (long, long.replace("and", "and.")):
        found = probes(text)
        encoded = {one for probe in found for some in probe.asked.values() for one in some}
        assert len(found) <= 500 and len(encoded) <= 1500
        assert max(len(one.split()) for one in encoded) <= 60
        assert all(text[one.phrase.start : one.phrase.end] == one.phrase.text for one in found)


def test_unknown_measures_are_named() -> None:
    with pytest.raises(LiftError, match="no measure 'guess'"):
        suspicions(encode(["dog"])[0], "a dog", encode, method="out+guess")
