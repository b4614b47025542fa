"""Evaluation of a published model, kept vectors, a killed evaluation, robustness and costs, on real tiny parts."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lift
from lift.data import Dataset
from lift.errors import LiftError
from lift.evaluation import EvaluateConfig, evaluate
from lift.evaluation.robustness import DAMAGES, damaged
from lift.evaluation.subject import Subject
from lift.metrics import recall_at_k
from lift.model import Model
from lift.report import CompareConfig, compare
from lift.rival import load_clip
from rivals_by_hand import save_rival


@pytest.fixture(scope="module")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("rivals") / "run"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    save_rival("clip", folder)
    return folder


def test_a_published_model_is_measured_and_compared(
    run: Path, clip: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "rival"
    (result,) = evaluate(EvaluateConfig(clip, dataset=tiny_dataset, task="retrieval", out=home))
    dataset, rival = Dataset(tiny_dataset), load_clip(clip)
    numbers = dataset.split("val")
    texts = rival.encode_text([text for n in numbers for text in dataset.rows[n].captions])
    images = rival.encode_image(dataset.pixels[numbers])
    for name, value in recall_at_k(images, texts, np.repeat(np.arange(12), 2)).items():
        assert result["metrics"][name]["value"] == pytest.approx(value, abs=1e-3)
    assert result["model"]["id"] == rival.id and result["model"]["method"] == "clip"
    shown = capsys.readouterr().out
    assert "worst of the queries" in shown and "photos among the first 10" in shown
    assert {one["rank"] for one in result["details"]["worst"]} and result["details"]["hubs"]["depth"] == 10

    assert lift.load(home).id == rival.id  # the folder of results stands for the model
    evaluate(EvaluateConfig(run, task="retrieval"))
    compared = compare(CompareConfig((run, home), out=tmp_path / "report"))
    assert [one["name"] for one in compared["runs"]] == [lift.load(run).name, "tiny-clip"]
    assert compared["groups"][0]["members"] == (0, 1)

    with pytest.raises(LiftError, match="--dataset"):
        evaluate(EvaluateConfig(clip))
    with pytest.raises(LiftError, match="go into the RUN"):
        evaluate(EvaluateConfig(run, out=home))
    other = tmp_path / "other"
    save_rival("clip", other, seed=1)
    with pytest.raises(LiftError, match="another model"):
        evaluate(EvaluateConfig(other, dataset=tiny_dataset, out=home))


def test_vectors_of_photos_are_kept_and_checked(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lift.evaluation.subject.IMAGES_AT_ONCE", 5)
    config = EvaluateConfig(run, task="retrieval", cache=tmp_path / "cache")
    first = Subject(config).image_features
    files = sorted((tmp_path / "cache").rglob("*.vectors"))
    assert len(files) == 3  # 12 photos
    encoded: list[int] = []
    encode = Model.encode_image

    def counted(self: Model, images: Any, **options: Any) -> np.ndarray:
        encoded.append(len(images))
        return encode(self, images, **options)

    monkeypatch.setattr(Model, "encode_image", counted)
    np.testing.assert_array_equal(Subject(config).image_features, first)
    assert not encoded
    files[0].unlink()  # killed before it was written
    damaged_file = bytearray(files[2].read_bytes())
    damaged_file[200] ^= 1
    files[2].write_bytes(damaged_file)
    np.testing.assert_array_equal(Subject(config).image_features, first)
    assert encoded == [5, 2]
    np.testing.assert_array_equal(
        Subject(EvaluateConfig(run, limit=7, cache=tmp_path / "cache")).image_features, first[:7]
    )
    assert encoded == [5, 2]


def test_pair_scores_are_exact(run: Path) -> None:
    subject = Subject(EvaluateConfig(run))
    texts = [f"number {n}" for n in range(40)] * 2
    positions = np.arange(80) % 12
    found = subject.scores(positions, texts)
    pairs = zip(subject.image_features[positions], subject.text_features(texts), strict=True)
    expected = [(image.astype(np.float64) * text.astype(np.float64)).sum() for image, text in pairs]
    np.testing.assert_array_equal(found, expected)


def test_robustness(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = evaluate(EvaluateConfig(run, task="robustness"))
    curves = result["details"]["robustness"]
    assert set(curves) == {"text_to_image/recall@10", "top1"}
    model, dataset = lift.load(run), Dataset(Path(lift.load(run).config["images"]))
    numbers = dataset.split("val")
    pixels = damaged(dataset.pixels[numbers], numbers, "jpeg", 5.0, 0)
    texts = model.encode_text([text for n in numbers for text in dataset.rows[n].captions])
    recall = recall_at_k(model.encode_image(pixels), texts, np.repeat(np.arange(12), 2), ks=(10,))
    worst = curves["text_to_image/recall@10"]["jpeg"][4]
    assert worst["strength"] == 5 and worst["value"] == pytest.approx(
        recall["text_to_image/recall@10"], abs=1e-3
    )
    clean = result["metrics"]["clean/text_to_image/recall@10"]["value"]
    assert worst["kept"] == pytest.approx(100 * worst["value"] / clean, abs=0.01)
    mean = np.mean([level["value"] for level in curves["top1"]["blur"]])
    assert result["metrics"]["blur/top1"]["value"] == pytest.approx(mean, abs=1e-3)
    assert len(result["metrics"]) == 2 * (1 + len(DAMAGES))
    assert "severe" in capsys.readouterr().out
    assert len(list((run / "cache").iterdir())) == 1  # the whole photos; those of damaged ones are gone


def test_costs_of_verification(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = {"cost_missed": 20.0, "cost_false_alarm": 5.0, "cost_minute": 0.8, "minutes": 2.0}
    plain = evaluate(EvaluateConfig(run, task="verification"))[0]
    (result,) = evaluate(EvaluateConfig(run, task="verification", **costs))  # type: ignore[arg-type]
    assert "cost" not in plain["details"]
    cost = result["details"]["cost"]
    assert cost["costs"] == {"missed": 20, "false_alarm": 5, "ask": 1.6}
    assert cost["always_ask"]["value"] == pytest.approx(1600)
    assert cost["model"]["low"] <= cost["model"]["value"] <= cost["model"]["high"]
    shown = capsys.readouterr().out
    assert "Asking a person about every one costs 1,600.00" in shown
    metrics = result["metrics"]
    assert {"accuracy", "selective/aurc", "selective/augrc", "selective/coverage@risk5"} <= set(metrics)
    assert json.dumps(result, allow_nan=False)
    curve = result["details"]["risk_coverage"]
    assert curve["coverage"][-1] == 100
    assert curve["risk"][-1] == pytest.approx(100 - metrics["accuracy"]["value"], abs=1e-2)
