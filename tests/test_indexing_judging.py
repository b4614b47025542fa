"""Classify and verify: class names and sentences against photos, by hand and by plain encoding."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lift.data import Dataset
from lift.errors import LiftError
from lift.indexing import ClassifyConfig, VerifyConfig, classify, verify
from lift.indexing.judging import background_sentences, chosen_run, class_names, judge
from lift.model import Model, load

JAPANESE = "海辺/夕焼け の写真.jpg"
NAMES = ["a.png", JAPANESE]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two photos and two broken ones."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    (folder / "cut.jpg").write_bytes((folder / JAPANESE).read_bytes()[:900])
    (folder / "none.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Model:
    return load(tiny_run)


def test_class_names_come_from_commas_or_a_file(tmp_path: Path) -> None:
    assert class_names("cat, dog,cat") == ["cat", "dog"]
    assert class_names("猫、犬，鳥") == ["猫", "犬", "鳥"]
    (tmp_path / "names.txt").write_text("\ufeffcat\n\n a big, old dog \n", encoding="utf-8")
    assert class_names(str(tmp_path / "names.txt")) == ["cat", "a big, old dog"]
    with pytest.raises(LiftError, match="1 class names"):
        class_names("cat,")
    with pytest.raises(LiftError, match="no file"):
        class_names(str(tmp_path / "missing.txt"))


def test_classify_orders_classes_by_cosine_and_prints_json(
    photos: Path, tiny_run: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ClassifyConfig((photos,), "cat,dog,鳥", run=tiny_run, template=("a {}",), top=2, json=True)
    labels = classify(config)
    assert [label.path for label in labels] == [photos / name for name in NAMES]
    scores = model.encode_image([photos / NAMES[0]]) @ model.encode_text(["a cat", "a dog", "a 鳥"]).T
    order = np.argsort(-scores[0])[:2]
    assert [name for name, _ in labels[0].classes] == [["cat", "dog", "鳥"][c] for c in order]
    np.testing.assert_allclose([score for _, score in labels[0].classes], scores[0][order], atol=1e-5)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["path"] for line in lines if "reason" in line] == [
        str(photos / "cut.jpg"),
        str(photos / "none.png"),
    ]
    assert [line["classes"][0]["name"] for line in lines if "classes" in line] == [
        label.classes[0][0] for label in labels
    ]


def test_classify_refuses_a_template_without_a_place_and_missing_photos(photos: Path, tiny_run: Path) -> None:
    with pytest.raises(LiftError, match="no place"):
        classify(ClassifyConfig((photos,), "cat,dog", run=tiny_run, template=("a photo",)))
    with pytest.raises(LiftError, match="no file or folder"):
        classify(ClassifyConfig((photos / "nowhere.jpg",), "cat,dog", run=tiny_run))


def test_verdicts_by_hand() -> None:
    photo = np.array([1, 0], np.float32)
    texts = np.array([[0.6, 0.8], [0.8, 0.6]], np.float32)
    background = np.array(
        [[0, 1], [0.6, 0.8], [0.707, 0.707], [1, 0]], np.float32
    )  # cosines 0, 0.6, 0.707, 1
    first, second = judge(["far", "near"], photo, texts, background)
    assert (first.text, first.beaten, first.background) == ("far", 1, 4)
    assert (second.text, second.beaten, second.background) == ("near", 3, 4)
    assert (first.cosine, second.cosine) == pytest.approx((0.6, 0.8))
    alone = judge(["far"], photo, texts[:1], background[:0])[0]
    assert (alone.beaten, alone.background) == (None, None)


def test_background_is_drawn_from_validation_captions_of_other_photos(
    tiny_dataset: Path, model: Model
) -> None:
    dataset = Dataset(tiny_dataset)
    rows = [dataset.rows[number] for number in dataset.split("val")]
    captions = {text for row in rows for text in row.captions}
    asked = rows[0].captions[0]
    everything = background_sentences(model, Path("x.jpg"), exclude=[asked], count=10_000)
    assert set(everything) == captions - {asked}
    some = background_sentences(model, Path("x.jpg"), exclude=[], count=5)
    assert len(set(some)) == 5 and some == background_sentences(model, Path("x.jpg"), exclude=[], count=5)
    own = {text for row in rows[1:] for text in row.captions}
    assert set(background_sentences(model, Path(rows[0].key), exclude=[], count=10_000)) == own


def test_verify_compares_with_other_sentences_and_promises_no_truth(
    photos: Path, tiny_run: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ("a red ball", "夕焼けの海")
    verdicts = verify(VerifyConfig(photos / JAPANESE, texts, run=tiny_run))
    cosines = model.encode_text(texts) @ model.encode_image([photos / JAPANESE])[0]
    np.testing.assert_allclose([verdict.cosine for verdict in verdicts], cosines, atol=1e-5)
    background = background_sentences(model, photos / JAPANESE, texts)
    others = model.encode_text(background) @ model.encode_image([photos / JAPANESE])[0]
    assert [verdict.beaten for verdict in verdicts] == [int((others < cosine).sum()) for cosine in cosines]
    shown = capsys.readouterr().out
    assert f"fits better than {verdicts[0].beaten} of {len(background)} sentences about other photos" in shown
    assert f'fits best: "{texts[int(np.argmax(cosines))]}"' in shown
    assert "Uncalibrated" in shown and "%" not in shown and "probab" not in shown
    verify(VerifyConfig(photos / JAPANESE, texts, run=tiny_run, json=True))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == list(texts)
    assert [line["best"] for line in lines].count(True) == 1
    assert all(
        line["calibrated"] is False and line["background_sentences"] == len(background) for line in lines
    )


def test_verify_works_without_background_sentences(
    tmp_path: Path, photos: Path, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    manifest = json.loads((copy / "run.json").read_text(encoding="utf-8"))
    manifest["config"]["images"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    verdicts = verify(VerifyConfig(photos / "a.png", ("a dog",), run=copy))
    shown = capsys.readouterr()
    assert verdicts[0].background is None and "fits better" not in shown.out
    assert "no comparison with other sentences" in shown.err


def test_verify_tells_a_bad_photo(photos: Path, tiny_run: Path) -> None:
    with pytest.raises(LiftError, match=r"none\.png: empty file"):
        verify(VerifyConfig(photos / "none.png", ("a dog",), run=tiny_run))


def test_the_run_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFT_RUN", raising=False)
    with pytest.raises(LiftError, match="no model was named"):
        chosen_run(None)
    monkeypatch.setenv("LIFT_RUN", "runs/x")
    assert chosen_run(None) == Path("runs/x")
    assert chosen_run(Path("runs/y")) == Path("runs/y")
