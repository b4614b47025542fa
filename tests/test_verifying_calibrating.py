"""Labelled pairs to a CALIBRATION: reading, making, grouping, refusing; and what is bound to what."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lift.calibration import ASK, MATCH, MISMATCH, decide
from lift.data import Dataset, Row
from lift.errors import LiftError, UsageError
from lift.explaining import Proof, Share
from lift.explaining.words import METHOD
from lift.keeping import CheckConfig, check
from lift.model import load
from lift.verifying import CalibrateConfig, Calibration, Verifier, VerifyConfig, calibrate, verify
from lift.verifying.fitting import Promise, Scored, fit_groups
from lift.verifying.folder import group_of
from lift.verifying.labelled import OTHER_PHOTO, Labelled, mix_of, pairs_of_rows, read_pairs
from lift.verifying.photos import Photos
from lift.verifying.scoring import arrays_of, trained_on


def scored(photos: int, words: float = 10, *, seed: int = 0, shift: float = 2.0, first: int = 0) -> Scored:
    """A true and a false description of each photo, of normal scores `shift` apart."""
    generator = np.random.default_rng(seed)
    labels = np.tile([True, False], photos)
    return Scored(
        generator.normal(size=2 * photos) + shift * labels,
        labels,
        np.repeat(np.arange(first, first + photos), 2),
        np.full(2 * photos, words),
        np.zeros(2 * photos, bool),
    )


def both(a: Scored, b: Scored) -> Scored:
    """The pairs of two sets."""
    return Scored(*(np.concatenate(parts) for parts in zip(a, b, strict=True)))


def test_too_few_labels_are_refused_with_the_number_missing() -> None:
    with pytest.raises(LiftError) as error:
        fit_groups(scored(30), Promise(), lengths=[40], merge=True, seed=0)
    assert "15 photos with a true description and 15 photos with a false description missing" in str(
        error.value
    )
    with pytest.raises(
        LiftError, match=r"up to 40 words: 29 photos .* 29 photos .*; over 40 words: 35 photos"
    ):
        fit_groups(
            both(scored(30), scored(24, 60, first=30)),
            Promise(confidence=0.95),
            lengths=[40],
            merge=False,
            seed=0,
        )
    groups, _ = fit_groups(scored(45), Promise(), lengths=[40], merge=True, seed=0)
    assert groups[0].facts["missing"] == {"true": 0, "false": 0}
    # Of 45 no error is allowed: the thresholds are the lowest true and the highest false score, or their middle.
    pairs = scored(45)
    low, high = pairs.scores[pairs.labels].min(), pairs.scores[~pairs.labels].max()
    if low > high:
        low = high = (low + high) / 2
    assert groups[0].thresholds == pytest.approx((low - 1e-6, high + 1e-6), abs=1e-9)


def test_a_small_group_is_joined_or_left_to_people() -> None:
    pairs = both(scored(200), scored(10, 60, first=200))
    joined, notes = fit_groups(pairs, Promise(), lengths=[40], merge=True, seed=0)
    assert [group.name for group in joined] == ["all lengths"]
    assert "over 40 words has too few labels of its own (10 photos with a true, 10 with a false" in notes[0]
    apart, notes = fit_groups(pairs, Promise(), lengths=[40], merge=False, seed=0)
    assert [group.name for group in apart] == ["up to 40 words", "over 40 words"] and not notes
    assert apart[1].thresholds == (None, None) and apart[1].facts["missing"] == {"true": 35, "false": 35}
    assert apart[0].thresholds.low is not None
    long = " ".join(["word"] * 41)
    assert group_of(apart, long) is apart[1] and group_of(apart, "a dog") is apart[0]
    only_short, _ = fit_groups(scored(200), Promise(), lengths=[40], merge=True, seed=0)
    assert group_of(only_short, long) is None  # never seen: no group, a person is asked


def test_groups_have_thresholds_of_their_own() -> None:
    short, long = scored(400), scored(400, 60, seed=1, first=400)
    pairs = both(short, long._replace(scores=long.scores + 5))
    groups, _ = fit_groups(pairs, Promise(), lengths=[40, 20], merge=True, seed=0)
    assert [group.name for group in groups] == ["up to 20 words", "over 40 words"]
    lows = [group.thresholds.low for group in groups]
    assert lows[0] is not None and lows[1] is not None and 4 < lows[1] - lows[0] < 6


def test_doubtful_answers_serve_the_probability_only() -> None:
    sure, asked = scored(300), scored(300, first=300, seed=3)
    asked = asked._replace(doubtful=np.ones(600, bool))
    alone, _ = fit_groups(sure, Promise(), lengths=[40], merge=True, seed=0)
    more, _ = fit_groups(both(sure, asked), Promise(), lengths=[40], merge=True, seed=0)
    assert more[0].thresholds == alone[0].thresholds and more[0].probability != alone[0].probability
    assert more[0].facts["pairs"] == {"true": 300, "false": 300, "doubtful": 600}


def left_out(pairs: Scored) -> dict[str, int | None]:
    """What a group of all of them tells of photos left out."""
    groups, _ = fit_groups(pairs, Promise(), lengths=[40], merge=True, seed=0)
    return groups[0].facts["left_out"]


def test_what_is_measured_on_photos_left_out() -> None:
    seen = left_out(scored(500, shift=1.5))
    assert (seen["true"], seen["false"]) == (500, 500)
    # about 5 % of 500, strictly less on average
    assert 0 < seen["false_alarms"] <= 40 and 0 < seen["missed"] <= 40  # type: ignore[operator]
    assert seen["false_alarms"] < seen["true_decided"] < 500  # type: ignore[operator]


def test_photos_left_out_are_not_judged_by_thresholds_that_saw_them() -> None:
    """Each fold's thresholds are those of the other photos: with the extreme score left out they lie further in."""
    pairs = scored(60, shift=0.0)
    seen = left_out(pairs)
    # 60 photos allow no error, so that thresholds that saw all of them would err in none.
    groups, _ = fit_groups(pairs, Promise(), lengths=[40], merge=True, seed=0)
    low, high = groups[0].thresholds
    assert not (pairs.scores[pairs.labels] < low).any() and not (pairs.scores[~pairs.labels] > high).any()
    assert seen["false_alarms"] == 1 and seen["missed"] == 1


def test_too_few_photos_to_leave_some_out_tell_nothing_of_errors() -> None:
    seen = left_out(scored(46))  # 43 are left, and 45 are the least
    assert [seen[name] for name in ("false_alarms", "missed", "true_decided", "false_decided")] == [None] * 4
    assert seen["true"] == 46 and left_out(scored(48))["false_alarms"] is not None


def test_five_descriptions_of_a_photo_are_no_five_photos() -> None:
    pairs = Scored(*(np.repeat(part, 5) for part in scored(50, shift=1.0)))
    groups, _ = fit_groups(pairs, Promise(), lengths=[40], merge=True, seed=0)
    low, high = pairs.scores[pairs.labels].min(), pairs.scores[~pairs.labels].max()
    # 50 allow no error, 250 would allow seven.
    assert groups[0].thresholds == pytest.approx((low - 1e-6, high + 1e-6), abs=1e-9)
    assert groups[0].facts["photos"] == {"true": 50, "false": 50}


def test_copies_of_one_score_stay_on_its_side_whatever_is_rounded() -> None:
    pairs = scored(100, shift=0.0)
    true, false = np.flatnonzero(pairs.labels), np.flatnonzero(~pairs.labels)
    pairs.scores[true[np.argsort(pairs.scores[true])[:10]]] = -3.0  # one description ten times
    pairs.scores[false[np.argsort(-pairs.scores[false])[:10]]] = 3.0
    groups, _ = fit_groups(pairs, Promise(), lengths=[40], merge=True, seed=0)
    strayed = decide(np.array([-3.0 - 2e-7, 3.0 + 2e-7]), groups[0].thresholds)
    assert strayed.tolist() == [ASK, ASK]  # else ten in a hundred would be decided wrongly
    assert decide(np.array([-3.1, 3.1]), groups[0].thresholds).tolist() == [MISMATCH, MATCH]


def test_lengths_between_two_groups_without_a_pair_are_left_to_people() -> None:
    pairs = both(scored(200), scored(10, 60, first=200))
    groups, notes = fit_groups(pairs, Promise(), lengths=[20, 40], merge=True, seed=0)
    assert [group.name for group in groups] == ["up to 20 words", "over 40 words"] and not notes
    assert groups[1].thresholds == (None, None) and group_of(groups, " ".join(["word"] * 30)) is None


def test_copies_of_a_photo_count_once() -> None:
    pairs = [Labelled(f"{n}.png", text, text == "x", "given") for n in range(3) for text in ("x", "y")]
    scores = {(pair.photo, pair.text): 0.0 for pair in pairs}
    arrays = arrays_of(pairs, scores, {"0.png": b"a", "1.png": b"b", "2.png": b"a"})
    assert arrays.photos.tolist() == [0, 0, 1, 1, 0, 0]


ROWS = [
    Row(
        "a.png",
        ["Two dogs run on the grass.", "Dogs are running."],
        "val",
        ["Two dogs run on the green grass. They play."],
    ),
    Row(
        "b.png",
        ["A man in a red shirt rides a bike."],
        "val",
        ["A man in a red shirt rides a bike. It is sunny."],
    ),
    Row("c.png", ["Dogs are running.", "Three cats sleep."], "val", []),
]


def test_false_descriptions_are_made_of_captions() -> None:
    pairs = pairs_of_rows(ROWS, {}, hard_share=0, seed=0)
    assert [pair.text for pair in pairs if pair.label] == [text for row in ROWS for text in row.texts]
    false = [pair for pair in pairs if not pair.label]
    assert mix_of(pairs) == {OTHER_PHOTO: len(false)}
    captions = {row.key: row.texts for row in ROWS}
    assert all(pair.text not in captions[pair.photo] for pair in false)  # "Dogs are running." belongs to two
    long = {text for row in ROWS for text in row.long_captions}
    assert [pair.text in long for pair in false].count(True) == 2
    hard = pairs_of_rows(
        ROWS, {"b.png": [(ROWS[1].captions[0], "A shirt in a red man rides a bike.")]}, hard_share=1, seed=0
    )
    kinds = mix_of(hard)
    assert kinds["changed by rule"] >= 3 and sum(kinds.values()) == sum(mix_of(pairs).values())
    assert hard == pairs_of_rows(
        ROWS, {"b.png": [(ROWS[1].captions[0], "A shirt in a red man rides a bike.")]}, hard_share=1, seed=0
    )


def test_what_another_text_of_the_photo_tells_is_no_false_description() -> None:
    row = Row("a.png", ["Two dogs run on the grass.", "Three dogs run on the grass."], "val")
    made = {
        pair.text
        for seed in range(10)
        for pair in pairs_of_rows([row], {}, hard_share=1, seed=seed)
        if not pair.label
    }
    assert len(made) > 5 and not made & set(row.texts)  # a rule makes three of two


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos."""
    for name in ("a.png", "写真/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), "red").save(tmp_path / name)
    return tmp_path


def test_answers_in_many_words_and_rows_that_cannot_be_used(folder: Path) -> None:
    lines = [
        "image,text,answer", "a.png,a red wall,yes", "a.png,a blue wall,FALSE",
        "写真/b.jpg,赤い壁,はい", "b.jpg,青い壁,不一致",
        "a.png,a wall,○", "a.png,no wall,×", "a.png,perhaps,maybe", "a.png,,yes", "a.png,no answer,", "gone.png,x,1",
        "../x.png,x,1", "http://e.org/x.png,x,1", "a.png,both,1", "a.png,both,0", "a.png,a red wall,1",
        "a.png,one,two,three",
    ]  # fmt: skip
    (folder / "pairs.csv").write_text("\n".join(lines), encoding="cp932")
    pairs, unread = read_pairs(folder / "pairs.csv", Photos(folder))
    assert [(pair.photo, pair.text, pair.label) for pair in pairs] == [
        ("a.png", "a red wall", True),
        ("a.png", "a blue wall", False),
        ("写真/b.jpg", "赤い壁", True),
        ("写真/b.jpg", "青い壁", False),
        ("a.png", "a wall", True),
        ("a.png", "no wall", False),
    ]
    assert [(row.number, row.reason.split(":")[0]) for row in unread] == [
        (7, "unknown answer"),
        (8, "no description in the row"),
        (9, "no answer"),
        (10, "missing file"),
        (11, "outside the source folder"),
        (12, "web address"),
        (16, "unreadable row (4 cells for 3 columns)"),
        (0, "contradicting answers"),
    ]
    assert all(row.remedy for row in unread)


def test_pairs_of_two_texts_and_feedback(folder: Path) -> None:
    rows = [{"image": "a.png", "positive": "a red wall", "negative": "a blue wall", "kind": "colour"}]
    (folder / "both.jsonl").write_text(
        "\n".join(map(json.dumps, rows)) + "\n{broken\n[1]\n", encoding="utf-8"
    )
    pairs, unread = read_pairs(folder / "both.jsonl", Photos(folder))
    assert [(pair.text, pair.label, pair.kind) for pair in pairs] == [
        ("a red wall", True, "colour"),
        ("a blue wall", False, "colour"),
    ]
    assert [row.number for row in unread] == [2, 3]
    told = [
        {"image": "a.png", "text": "wall", "answer": "yes", "chosen": "random"},
        {"image": "a.png", "text": "sea", "answer": "no", "chosen": "asked"},
        {"image": "a.png", "text": "sky", "answer": "no"},
    ]
    (folder / "feedback.jsonl").write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    answers = read_pairs(folder / "feedback.jsonl", Photos(folder), feedback=True).pairs
    assert [(pair.label, pair.doubtful) for pair in answers] == [(True, False), (False, True), (False, True)]
    (folder / "none.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(LiftError, match=r"no column looks like the image .*a, b"):
        read_pairs(folder / "none.csv", Photos(folder))


def config(run: Path, pairs: Path, out: Path, **changes: object) -> CalibrateConfig:
    """A promise that a dozen photos can keep: 5 without an error show 30 % at 80 %."""
    loose = {"false_alarm": 0.3, "missed": 0.3, "confidence": 0.8, "explain": False}
    return CalibrateConfig(run, pairs, out, **{**loose, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calibration(tiny_run: Path, tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CALIBRATION of the tiny RUN on its 12 val photos."""
    out = tmp_path_factory.mktemp("calibration") / "made"
    calibrate(config(tiny_run, tiny_dataset, out))
    return out


def test_a_calibration_of_a_dataset(
    calibration: Path, tiny_run: Path, tiny_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Calibration(calibration)
    made = opened.manifest
    assert made["pairs"] == {"true": 36, "false": 36, "photos": 12}
    assert sum(made["false_of_kind"].values()) == 36
    assert made["model"]["id"] == load(tiny_run).id and made["source"]["split"] == "val"
    assert len((calibration / "pairs.csv").read_text(encoding="utf-8").splitlines()) == 73
    assert "a red circle" not in (calibration / "pairs.csv").read_text(encoding="utf-8")  # nobody's texts
    calibrate(config(tiny_run, tiny_dataset, calibration))
    said = capsys.readouterr().out
    assert "already done" in said
    assert (
        "At most 30 % of the true descriptions are called a mismatch" in said
        and "with 80 % confidence" in said
    )
    with pytest.raises(LiftError, match="other settings"):
        calibrate(config(tiny_run, tiny_dataset, calibration, missed=0.2))
    check(CheckConfig(str(calibration)))


def test_a_calibration_is_bound_to_its_model(calibration: Path, tiny_run: Path, tiny_clip_run: Path) -> None:
    verifier = Verifier.load(load(tiny_run), calibration)
    assert verifier.calibrated and verifier.promises["false_alarm"] == 0.3
    assert "80 %" in verifier.promises["words"]["ja"]
    with pytest.raises(LiftError, match="scores of one model mean nothing for another"):
        Verifier.load(load(tiny_clip_run), calibration)


def test_a_calibration_is_bound_to_its_text_encoder(
    calibration: Path, tiny_run: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(calibration, copy)
    manifest = json.loads((copy / "calibration.json").read_text(encoding="utf-8"))
    del manifest["sum"]
    manifest["encoder"] += "/light"  # as made with --query-encoder
    (copy / "calibration.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(LiftError, match="scores of one model mean nothing for another"):
        Verifier.load(load(tiny_run), copy)


def test_a_changed_calibration_is_refused(calibration: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(calibration, copy)
    with (copy / "pairs.csv").open("a", encoding="utf-8") as file:
        file.write("x")
    with pytest.raises(LiftError, match=r"pairs\.csv is missing or has changed"):
        Calibration(copy)
    with pytest.raises(LiftError, match="1 faults"):
        check(CheckConfig(str(copy)))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"mismatch_below": 0.9}, "calibration.json has changed"),
        ({"sum": None, "mismatch_below": float("nan")}, "nan is no threshold"),
        ({"sum": None, "match_above": "a"}, "is damaged"),
        ({"sum": None, "probability": {"method": "platt", "points": [], "false_share": 0.5}}, "without its curve"),
        ({"sum": None, "encoder": None}, "'encoder'"),
    ],
)  # fmt: skip
def test_changed_numbers_are_refused_before_they_judge(
    calibration: Path, tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(calibration, copy)
    manifest = json.loads((copy / "calibration.json").read_text(encoding="utf-8"))
    for name, value in changed.items():
        if name in manifest:
            del manifest[name]
        else:
            manifest["groups"][0][name] = value
    (copy / "calibration.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(LiftError, match=told):
        Calibration(copy)


def test_the_models_own_verdicts_are_no_labels(folder: Path) -> None:
    head, row = "sign,verdict,chance that it fits,photo,description", "✓,match,0.9,a.png,a red wall"
    (folder / "checked.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    with pytest.raises(LiftError, match="verdicts are the model's own"):
        read_pairs(folder / "checked.csv", Photos(folder))
    (folder / "judged.csv").write_text(f"{head},answer\n{row},no\n", encoding="utf-8")
    assert [pair.label for pair in read_pairs(folder / "judged.csv", Photos(folder)).pairs] == [False]


def test_photos_trained_on_are_told(
    tiny_run: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, model = Dataset(tiny_dataset), load(tiny_run)
    train, val = ([dataset.rows[number].key for number in dataset.split(name)] for name in ("train", "val"))
    assert trained_on(model, [*train[:3], *val], Photos(tiny_dataset)) == train[:3]
    name = Path(dataset.rows[dataset.index_of[train[0]]].source or train[0]).name
    other = Image.new("RGB", (dataset.image_size, dataset.image_size), "red")
    (tmp_path / "photos").mkdir()
    other.save(tmp_path / "photos" / name)  # the name of a photo trained on, but another photo
    assert trained_on(model, [name], Photos(tmp_path / "photos")) == []
    lines = [
        "image,text,answer",
        *(f"{key},{text}" for key in [*val, train[0]] for text in ("a,yes", "b,no")),
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(lines), encoding="utf-8")
    made = calibrate(config(tiny_run, tmp_path / "pairs.csv", tmp_path / "out", photos=tiny_dataset))
    assert made.manifest["trained_on"] == 1
    assert "1 of 13 photos were trained on" in capsys.readouterr().err


def test_a_language_without_pairs_is_left_to_people(calibration: Path, tiny_run: Path) -> None:
    assert Calibration(calibration).manifest["languages"] == {"en": 72}
    verifier = Verifier.load(load(tiny_run), calibration)
    told, unknown = verifier.verdict("a red circle", -1.0), verifier.verdict("赤い丸", -1.0)
    assert told.decision == "mismatch" and told.probability is not None
    assert (unknown.decision, unknown.probability, unknown.group) == ("ask", None, None)


def test_calibrated_verdicts(
    calibration: Path, tiny_run: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, model = Dataset(tiny_dataset), load(tiny_run)
    row = int(dataset.split("val")[0])
    photo = model.encode_image(np.asarray(dataset.pixels[row])[None])[0]
    texts = ["a red circle", "a blue square"]
    group = Calibration(calibration).groups[0]
    assert (
        group.thresholds.low is not None
        and group.thresholds.high is not None
        and group.probability is not None
    )
    verdicts = Verifier.load(model, calibration).judge(photo, texts)
    for verdict in verdicts:
        expected = (
            "mismatch" if verdict.cosine < group.thresholds.low
            else "match" if verdict.cosine > group.thresholds.high else "ask"
        )  # fmt: skip
        assert verdict.decision == expected and verdict.group == group.name
        assert verdict.probability == pytest.approx(group.probability(np.array([verdict.cosine]))[0])
    rare = Verifier.load(model, calibration, false_share=0.01).judge(photo, texts)
    assert all(a.probability > b.probability for a, b in zip(rare, verdicts, strict=True))  # type: ignore[operator]
    Image.fromarray(np.asarray(dataset.pixels[row])).save(tmp_path / "x.png")
    capsys.readouterr()
    verify(VerifyConfig(tmp_path / "x.png", tuple(texts), run=tiny_run, calibration=calibration))
    said = capsys.readouterr().out
    assert "fits with a probability of" in said and "At most 30 %" in said and "Uncalibrated" not in said
    verify(VerifyConfig(tmp_path / "x.png", tuple(texts), run=tiny_run, calibration=calibration, json=True))
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert line["calibrated"] and line["decision"] == verdicts[0].decision


def test_suspicious_words_only_where_they_were_proved(
    calibration: Path, tiny_run: Path, tmp_path: Path
) -> None:
    model = load(tiny_run)
    photo = model.encode_text(["a red circle"])[0]
    assert Verifier.load(model, calibration).judge(photo, ["a blue square"])[0].suspicious == []
    copy = tmp_path / "copy"
    shutil.copytree(calibration, copy)
    manifest = json.loads((copy / "calibration.json").read_text(encoding="utf-8"))
    sure = Share(rate=0.9, control=0.2, low=0.5, high=0.8, n=100, photos=100)
    unsure = replace(sure, low=-0.1)
    manifest["explaining"] = Proof(METHOD, words=sure, places=unsure, middle=unsure, kinds={}).asdict()
    del manifest["sum"]  # as of a file that was not changed
    (copy / "calibration.json").write_text(json.dumps(manifest), encoding="utf-8")
    verifier = Verifier.load(model, copy)
    far = -photo  # a photo that nothing fits
    found = verifier.judge(far, ["a blue square"], places=True, pixels=np.zeros((32, 32, 3), np.uint8))[0]
    assert found.decision == "mismatch" and found.suspicious and found.heatmap is None
    text = "a blue square"
    assert all(text[one.start : one.end] == one.text for one in found.suspicious)
    assert verifier.judge(far, [text], words=False)[0].suspicious == []


def test_calibrating_from_a_table_with_feedback(
    tiny_run: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = Dataset(tiny_dataset)
    keys = [dataset.rows[number].key for number in dataset.split("val")]
    lines = ["image\ttext\tlabel"]
    for number, key in enumerate(keys):
        lines += [f"{key}\ta picture of shape {number}\tmatch", f"{key}\tthe sea at night\tmismatch"]
    (tmp_path / "pairs.tsv").write_text("\n".join([*lines, "gone.png\tx\tmatch"]), encoding="utf-8")
    answers = [{"image": keys[0], "text": f"thing {n}", "answer": "no", "chosen": "asked"} for n in range(3)]
    answers.append({"image": keys[1], "text": "the sea at night", "answer": "yes", "chosen": "random"})
    (tmp_path / "f.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    made = calibrate(
        config(
            tiny_run,
            tmp_path / "pairs.tsv",
            tmp_path / "out",
            photos=tiny_dataset,
            feedback=(tmp_path / "f.jsonl",),
        )
    )
    assert made.groups[0].facts["pairs"] == {"true": 12, "false": 11, "doubtful": 3}
    assert made.manifest["set_aside"] == 2
    said = capsys.readouterr()
    assert "not used: row 25: no photo of the DATASET is called gone.png" in said.err
    assert f"not used: contradicting answers: {keys[1]}: the sea at night" in said.err
    assert "4 answers of people: 3 were asked about for being doubtful" in said.err


def test_mistakes_in_options_are_told(tiny_run: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    for changes, told in (
        ({"false_alarm": 0.0}, "--false-alarm 0 is no share"),
        ({"missed": 0.7}, "--missed 0.7 is no share"),
        ({"confidence": 1.0}, "--confidence 1 promises nothing"),
        ({"hard_share": 2.0}, "--hard-share 2 is no share"),
        ({"lengths": (0.0, 40.0)}, "--lengths are numbers of words"),
    ):
        with pytest.raises(UsageError, match=told):
            calibrate(config(tiny_run, tiny_dataset, tmp_path / "out", **changes))
    with pytest.raises(LiftError, match="neither a table nor a DATASET"):
        calibrate(config(tiny_run, tmp_path / "gone.csv", tmp_path / "out"))
    (tmp_path / "one.csv").write_text("image,text,answer\nimages/00.png,x,yes\n", encoding="utf-8")
    with pytest.raises(LiftError, match="none of the 1 pairs is false"):
        calibrate(config(tiny_run, tmp_path / "one.csv", tmp_path / "out", photos=tiny_dataset))
    assert not (tmp_path / "out").exists()
