"""Verify: one photo and its descriptions, without a CALIBRATION and with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import write_photos
from lift.data import Dataset
from lift.errors import LiftError, UsageError
from lift.model import Model, load
from lift.verifying import Verifier, VerifyConfig, verify
from lift.verifying.judging import background_sentences

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


def test_an_uncalibrated_verifier_compares_and_decides_nothing(model: Model) -> None:
    photo = model.encode_text(["a red ball"])[0]  # any unit vector will do
    background = model.encode_text(["a red ball", "夕焼けの海", "a blue house"])
    verifier = Verifier.load(model, None)
    assert not verifier.calibrated and verifier.promises == {}
    near, far = verifier.judge(photo, ["a red ball", "夕焼けの海"], background=background)
    assert near.cosine == pytest.approx(1, abs=1e-5) and (near.beaten, near.background) == (2, 3)
    assert (near.decision, near.probability, near.group, near.suspicious, near.heatmap) == (
        None,
        None,
        None,
        [],
        None,
    )
    assert far.beaten in (0, 1)  # itself is no worse than itself
    alone = verifier.judge(photo, ["a red ball"], background=background[:0])[0]
    assert (alone.beaten, alone.background) == (None, None)
    with pytest.raises(UsageError, match="without a CALIBRATION"):
        Verifier.load(model, None, false_share=0.1)


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
