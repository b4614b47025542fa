"""Pairs made from the user's own captions: what is made, what is refused, and what is measured on them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lift
from lift.artefact import new_folder
from lift.data import Dataset, DatasetWriter, Row
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.evaluation.own_pairs import made_pairs
from lift.evaluation.pairs import other_photos
from lift.evaluation.subject import NotApplicable
from lift.negatives import SAME, TOLD, changes_of
from lift.report.pictures import galleries
from lift.report.reading import read_runs
from lift.rewording import Change, spelled, tells


def refusals(*texts: str, long: tuple[str, ...] = ()) -> dict[str, str]:
    """Kind -> why refused, of the changes of the first text of a photo with these texts."""
    row = Row("photo", list(texts), "val", list(long))
    return {change.kind: why for _, text, change, why in changes_of(row, 0) if text == texts[0]}


def test_what_another_text_of_the_photo_tells_is_refused() -> None:
    lone = refusals("A man holds a red cup .")
    assert lone == {"negation": "", "attribute": "", "object": ""}
    others = [
        "A woman holds a cup .",  # the object that is put in: man -> woman
        "Blue , green , yellow , black and white things beside orange , purple and pink ones .",
    ]
    told = refusals("A man holds a red cup .", *others)
    assert told["attribute"] == TOLD and told["negation"] == ""
    # In the plural, in a long text, and by a figure instead of the word.
    assert refusals("Two dogs .", long=("Many words and 3 birds .",))["number"] == TOLD
    assert refusals("A dog in his left hand .", "It is on the right .")["left_right"] == TOLD
    # The very sentence, or a paraphrase of it.
    assert SAME in refusals("Two dogs run .", "Three dogs run .").values()
    assert refusals("左側に傷がある。", "右側に穴がある。")["left_right"] == TOLD
    assert refusals("左側に傷がある。", "穴がある。")["left_right"] == ""


def test_words_by_hand() -> None:
    assert spelled("Two Cats, 2.5 cm.") == " two cat , 2.5 cm . "
    assert spelled("犬が2匹") == " 犬 が 2 匹 "
    change = Change("object", "a cat sits", "dog", "cat")
    assert tells([spelled("some cats")], "a dog sits", change)
    assert not tells([spelled("a cattle farm")], "a dog sits", change)
    swapped = Change("order", "a blue cup on a red table", "red … blue", "blue … red")
    assert not tells(
        [spelled("blue and red")], "a red cup on a blue table", swapped
    )  # it has both words itself


def rows_of(count: int) -> list[Row]:
    return [
        Row(
            f"p{n}",
            [f"a red cup and {n + 2} dogs"],
            "val",
            [f"On a long table there is a cup of {n + 5} cm ."],
        )
        for n in range(count)
    ]


def test_the_cap_is_per_kind_and_length_and_drawn_by_seed() -> None:
    rows = rows_of(30)
    made = made_pairs(rows, seed=0, most=10**6)
    assert made.found["number"] == 60 and made.found["unit"] == 30 and not made.refused
    assert [rows[position].key for position in made.positions] == [pair.image for pair in made.pairs]
    few = made_pairs(rows, seed=0, most=7)
    tally = [(pair.kind, pair.length) for pair in few.pairs]
    assert {tally.count(one) for one in tally} == {7} and ("number", "short") in tally
    assert few.found == made.found and few == made_pairs(rows, seed=0, most=7)
    assert few.pairs != made_pairs(rows, seed=1, most=7).pairs
    # The draw of a pair does not depend on the other photos: a larger split keeps most of a smaller one's.
    assert {p.image for p in few.pairs} > {f"p{n}" for n in range(20)} & {p.image for p in few.pairs}


def test_the_wrong_photo_is_never_the_own_nor_one_with_the_same_text() -> None:
    rows = [Row("a", ["a red cup"], "val"), Row("b", ["a red cup"], "val"), Row("c", ["a green hat"], "val")]
    made = made_pairs(rows, seed=0, most=100)
    for seed in range(20):
        other = other_photos(rows, np.array(made.positions), [pair.positive for pair in made.pairs], seed)
        for pair, place, position in zip(made.pairs, other, made.positions, strict=True):
            assert place != position and pair.positive not in rows[place].texts


@pytest.fixture(scope="module")
def captioned(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The val photos of the tiny DATASET, with captions but without pairs."""
    tiny = Dataset(tiny_dataset)
    out = tmp_path_factory.mktemp("own") / "dataset"
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name="own", image_size=32, resize_mode="squash")
        for number in tiny.split("val"):
            row = tiny.rows[number]
            writer.add(np.array(tiny.pixels[number]), replace(row, captions=[f"there is {row.captions[0]}"]))
        writer.close(request={}, report={}, source="test")
    return out


def test_measured_on_a_real_run(
    tiny_run: Path, captioned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    config = EvaluateConfig(run, task="own-pairs", dataset=captioned)
    vectors: dict[str, np.ndarray] = {}
    (result,) = evaluate(config, vectors)
    metrics = result["metrics"]
    file = run / "results" / "own-pairs--own-val.jsonl"
    lines = [json.loads(line) for line in file.open(encoding="utf-8")]
    assert len(lines) == result["n"]["pairs"] == metrics["pair_accuracy/all"]["n"]
    assert {"pair_accuracy/attribute", "pair_accuracy/short/object", "pair_accuracy/long/all"} <= set(metrics)
    for control in ("text_only", "shuffled_words", "wrong_photo", "chance"):
        assert f"control/{control}/pair_accuracy/short/attribute" in metrics

    dataset, model = Dataset(captioned), lift.load(run)
    hits = []
    for line in lines:
        photo = model.encode_image(np.array(dataset.pixels[[dataset.index_of[line["image"]]]]))[0]
        true, false = model.encode_text([line["positive"], line["negative"]]) @ photo
        assert line["margin"] == pytest.approx(true - false, abs=1e-4)
        hits.append(100.0 * (true > false))
    assert metrics["pair_accuracy/all"]["value"] == pytest.approx(np.mean(hits), abs=0.01)
    assert {line["positive"] for line in lines} <= set(
        vectors
    ) and "refused as perhaps true" in capsys.readouterr().err

    best = [e for e in result["examples"] if e["kind"] == "attribute" and e["place"] == "best"]
    worst = [e for e in result["examples"] if e["kind"] == "attribute" and e["place"] == "worst"]
    assert len(best) == len(worst) == 3 and best[0]["margin"] >= best[2]["margin"] >= worst[2]["margin"]
    assert worst[0]["margin"] == min(line["margin"] for line in lines if line["kind"] == "attribute")

    # The file can be read through, sorted out, and used again as --pairs.
    (again,) = evaluate(EvaluateConfig(run, task="pairs", dataset=captioned, pairs=file))
    assert again["metrics"]["pair_accuracy/all"]["value"] == metrics["pair_accuracy/all"]["value"]
    evaluate(config)
    assert "already done" in capsys.readouterr().err
    (capped,) = evaluate(replace(config, most=2))
    assert capped["metrics"]["pair_accuracy/short/attribute"]["n"] == 2
    assert galleries(read_runs([run])) == []  # its examples are no searches


def test_left_to_pairs_that_somebody_made(
    tiny_run: Path, captioned: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    shutil.rmtree(run / "results", ignore_errors=True)
    tasks = [result["task"] for result in evaluate(EvaluateConfig(run, dataset=captioned, limit=4))]
    assert tasks == ["retrieval", "long-retrieval", "own-pairs", "zero-shot", "verification"]
    asked = EvaluateConfig(run, dataset=tiny_dataset, task="own-pairs", limit=4)  # by name: made all the same
    assert evaluate(asked)[0]["n"]["pairs"] > 4
    with pytest.raises(LiftError, match="--most must be 1"):
        evaluate(EvaluateConfig(run, dataset=captioned, most=0))


def test_texts_that_no_rule_changes(tiny_run: Path, tmp_path: Path) -> None:
    with new_folder(tmp_path / "dataset") as folder:
        writer = DatasetWriter(folder, name="odd", image_size=32, resize_mode="squash")
        for number in range(2):
            writer.add(np.zeros((32, 32, 3), np.uint8), Row(f"{number}", [f"xyz {'q' * number}"], "val"))
        writer.close(request={}, report={}, source="test")
    with pytest.raises(NotApplicable, match="no rule changes"):
        evaluate(EvaluateConfig(tiny_run, dataset=tmp_path / "dataset", task="own-pairs"))
