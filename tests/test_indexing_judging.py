"""Classify: class names against photos, by hand and by plain encoding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import write_photos
from lift.errors import LiftError
from lift.indexing import ClassifyConfig, classify
from lift.indexing.judging import class_names
from lift.model import Model, chosen_run, load

JAPANESE = "海辺/夕焼け の写真.jpg"
NAMES = ["a.png", JAPANESE]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two photos and two broken ones."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder, NAMES, cut="cut.jpg")
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


def test_the_run_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFT_RUN", raising=False)
    with pytest.raises(LiftError, match="no model was named"):
        chosen_run(None)
    monkeypatch.setenv("LIFT_RUN", "runs/x")
    assert chosen_run(None) == Path("runs/x")
    assert chosen_run(Path("runs/y")) == Path("runs/y")
