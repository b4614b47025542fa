"""Evaluation: every task on a real tiny RUN, checked against the model itself."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lift
from lift.artefact import new_folder
from lift.cli import main
from lift.data import Dataset, DatasetWriter, Row
from lift.errors import LiftError
from lift.evaluation import TASKS, EvaluateConfig, evaluate
from lift.evaluation.results import finished_result
from lift.evaluation.subject import NotApplicable, Subject
from lift.metrics import recall_at_k


@pytest.fixture(scope="module")
def run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny RUN, so that results stay out of the shared one."""
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("evaluate") / "run"))


@pytest.fixture(scope="module")
def bare_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two val photos with two short captions each: no long texts, labels or pairs."""
    out = tmp_path_factory.mktemp("bare") / "dataset"
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name="bare", image_size=32, resize_mode="squash")
        for number, colour in enumerate(("red", "blue")):
            pixels = np.full((32, 32, 3), 200 * number, np.uint8)
            captions = [f"a {colour} wall", f"all is {colour} here."]
            writer.add(pixels, Row(key=f"{colour}.png", captions=captions, split="val"))
        writer.close(request={}, report={}, source="drawn by the tests")
    return out


def write_lines(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def test_retrieval_result(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = evaluate(EvaluateConfig(run, task="retrieval"))
    path = run / "results" / "retrieval--tiny-val.json"
    assert json.loads(path.read_text()) == result
    assert result["n"] == {"images": 12, "texts": 24}
    assert result["model"]["id"] == lift.load(run).id
    assert {"format", "protocol", "dataset", "seed", "seconds", "versions"} <= set(result)

    dataset, model = Dataset(Path(lift.load(run).config["images"])), lift.load(run)
    numbers = dataset.split("val")
    images = model.encode_image(dataset.pixels[numbers])
    texts = model.encode_text([text for n in numbers for text in dataset.rows[n].captions])
    expected = recall_at_k(images, texts, np.repeat(np.arange(12), 2))
    arrays = np.load(path.parent / result["per_item"])
    for name, value in expected.items():
        entry = result["metrics"][name]
        assert entry["value"] == pytest.approx(value, abs=1e-3)
        assert entry["low"] <= entry["value"] <= entry["high"]
        key = name.replace("/", "__")
        assert arrays[key].mean() == pytest.approx(value) and len(arrays[key]) == entry["n"]
    repeated = arrays["text_to_image__recall@1__image"]
    np.testing.assert_array_equal(repeated, np.repeat(numbers, 2))
    assert result["metrics"]["control/chance/text_to_image/recall@5"]["value"] == pytest.approx(
        500 / 12, abs=1e-3
    )

    assert len(result["examples"]) == 12
    for example in result["examples"]:
        assert example["query"] in dataset.rows[dataset.index_of[example["truth"]]].captions
        assert len(example["found"]) == 5 and example["scores"] == sorted(example["scores"], reverse=True)
    shown = capsys.readouterr().out
    assert "text_to_image/recall@10" in shown and "95 % interval" in shown and "chance" in shown


def test_a_result_is_measured_once(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = EvaluateConfig(run, task="retrieval", limit=6)
    path = run / "results" / "retrieval--tiny-val--first6.json"
    first = evaluate(config)
    written = path.stat().st_mtime_ns
    capsys.readouterr()
    assert evaluate(config) == first
    assert path.stat().st_mtime_ns == written
    caught = capsys.readouterr()
    assert "already done" in caught.err and "recall@10" in caught.out
    evaluate(replace(config, seed=1))  # another seed is another request
    assert json.loads(path.read_text())["seed"] == 1
    written = path.stat().st_mtime_ns
    evaluate(replace(config, seed=1, overwrite=True))
    assert path.stat().st_mtime_ns > written
    path.with_suffix(".npz").unlink()
    assert finished_result(path, json.loads(path.read_text())["request"]) is None


def test_all_tasks_on_lift_and_clip(run: Path, tiny_clip_run: Path, tiny_store: Path, tmp_path: Path) -> None:
    found = {result["task"]: result for result in evaluate(EvaluateConfig(run))}
    usual = [name for name, task in TASKS.items() if not task.asked_only and name != "own-pairs"]
    assert list(found) == usual  # the DATASET has pairs
    assert found["long-retrieval"]["n"] == {"images": 12, "texts": 12}
    assert "long caption given" in found["long-retrieval"]["protocol"]
    assert found["zero-shot"]["n"]["classes"] == 3 and "top5" not in found["zero-shot"]["metrics"]
    assert found["verification"]["n"]["true"] == 24
    clip = Path(shutil.copytree(tiny_clip_run, tmp_path / "clip"))
    assert len(evaluate(EvaluateConfig(clip))) == len(usual)
    stored = evaluate(EvaluateConfig(run, texts=tiny_store, overwrite=True, task="retrieval"))[0]["metrics"]
    for name, entry in found["retrieval"]["metrics"].items():
        assert stored[name]["value"] == pytest.approx(entry["value"], abs=9)  # float16 may flip a near tie


def test_all_leaves_out_what_does_not_apply(
    run: Path, bare_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = evaluate(EvaluateConfig(run, dataset=bare_dataset))
    assert [result["task"] for result in results] == [
        "retrieval",
        "long-retrieval",
        "own-pairs",
        "verification",
    ]
    assert "joined" in results[1]["protocol"]
    shown = capsys.readouterr().err
    assert "pairs: left out" in shown and "zero-shot: left out" in shown
    with pytest.raises(NotApplicable, match="no class labels"):
        evaluate(EvaluateConfig(run, dataset=bare_dataset, task="zero-shot"))


def test_pairs_of_the_dataset_and_of_a_file(run: Path, tmp_path: Path) -> None:
    (own,) = evaluate(EvaluateConfig(run, task="pairs"))
    assert own["n"] == {"images": 12, "pairs": 12}
    accuracy = {"pair_accuracy/all", "pair_accuracy/replace_attribute"}
    controls = {
        f"control/{c}/{name}"
        for c in ("text_only", "shuffled_words", "wrong_photo", "chance")
        for name in accuracy
    }
    assert set(own["metrics"]) == accuracy | controls

    swaps = [
        {"image": "images/40.png", "positive": "A red dog and a cat .", "negative": "A cat and a red dog ."},
        {
            "image": "./images/41.png",
            "positive": "one two three",
            "negative": "Three two one",
            "kind": "swap",
        },
        {"image": "images/01.png", "positive": "in the training split", "negative": "not counted"},
    ]
    file = write_lines(tmp_path / "swaps.jsonl", swaps)
    (given,) = evaluate(EvaluateConfig(run, task="pairs", pairs=file))
    assert given["n"]["pairs"] == 2 and "outside the split: 1" in given["protocol"]
    assert (run / "results" / "pairs--tiny-val--swaps.json").is_file()
    assert given["metrics"]["control/shuffled_words/pair_accuracy/all"]["value"] == 50
    assert given["metrics"]["pair_accuracy/swap"]["n"] == 1

    strangers = write_lines(tmp_path / "strangers.jsonl", [{**swaps[0], "image": "elsewhere.png"}])
    with pytest.raises(LiftError, match=r"elsewhere\.png"):
        evaluate(EvaluateConfig(run, task="pairs", pairs=strangers))


def test_verification_of_given_sentences(run: Path, tmp_path: Path) -> None:
    lines = [
        {"image": f"images/{n}.png", "sentence": f"a {colour} shape", "label": label}
        for n in (40, 41)
        for colour, label in (("red", True), ("blue", False), ("dark", False))
    ]
    file = write_lines(tmp_path / "statements.jsonl", lines)
    (result,) = evaluate(EvaluateConfig(run, task="verification", pairs=file))
    assert result["n"] == {"images": 2, "true": 2, "false": 4}
    assert result["metrics"]["control/chance/average_precision"]["value"] == pytest.approx(100 / 3, abs=1e-3)
    assert result["metrics"]["auroc_within_photo"]["n"] == 2
    for control in ("text_only", "shuffled_words", "wrong_photo"):
        assert 0 <= result["metrics"][f"control/{control}/auroc_within_photo"]["value"] <= 100
    arrays = np.load(run / "results" / result["per_item"])
    assert arrays["auroc"].mean() == pytest.approx(result["metrics"]["auroc"]["value"], abs=1e-3)
    assert "average_precision" not in arrays and "control__chance__auroc" not in arrays
    with pytest.raises(NotApplicable, match="single sentences"):
        evaluate(EvaluateConfig(run, task="pairs", pairs=file))


def test_user_mistakes_are_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(LiftError, match="there is no file"):
        evaluate(EvaluateConfig(run, pairs=tmp_path / "none.jsonl"))
    with pytest.raises(LiftError, match=r"no \{\}"):
        evaluate(EvaluateConfig(run, task="zero-shot", template=("a photo",)))
    with pytest.raises(LiftError, match="--limit 1"):
        evaluate(EvaluateConfig(run, limit=1))
    classes = tmp_path / "classes.txt"
    classes.write_text("dog\ncat\n")
    with pytest.raises(LiftError, match="no photo has a label"):
        evaluate(EvaluateConfig(run, task="zero-shot", classes=classes))
    lost = Path(shutil.copytree(run, tmp_path / "lost"))
    manifest = json.loads((lost / "run.json").read_text())
    manifest["config"]["images"] = str(tmp_path / "gone")
    (lost / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(LiftError, match="--dataset"):
        evaluate(EvaluateConfig(lost))


def test_command_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--task", "zero-shot", "--template", "a {}", "the {}", "--limit", "10"])
    assert ended.value.code == 0
    assert "mean_per_class" in capsys.readouterr().out
    result = json.loads((run / "results" / "zero-shot--tiny-val--first10.json").read_text())
    assert result["n"] == {"images": 10, "classes": 3, "templates": 2}


def test_blind_scores_use_the_mean_photo(run: Path) -> None:
    subject = Subject(EvaluateConfig(run))
    texts = ["a red circle", "a green square", "a red circle"]
    expected = [
        float(subject.image_features.mean(axis=0) @ vector) for vector in subject.text_features(texts)
    ]
    np.testing.assert_allclose(subject.blind_scores(texts), expected, atol=1e-6)
    assert subject.blind_scores(texts)[0] == subject.blind_scores(texts)[2]


def test_results_of_another_dataset_of_the_same_name_stay(
    tiny_run: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    run, twin = tmp_path / "run", tmp_path / "twin"
    shutil.copytree(tiny_run, run)
    shutil.copytree(tiny_dataset, twin)
    manifest = json.loads((twin / "dataset.json").read_text("utf-8"))
    (twin / "dataset.json").write_text(json.dumps({**manifest, "id": "0123456789abcdef"}), "utf-8")
    first = EvaluateConfig(run=run, dataset=tiny_dataset, task="retrieval")
    evaluate(first)
    kept = {file.name: file.read_bytes() for file in (run / "results").iterdir()}
    with pytest.raises(LiftError, match="another DATASET of the same name"):
        evaluate(EvaluateConfig(run=run, dataset=twin, task="retrieval"))
    assert kept == {file.name: file.read_bytes() for file in (run / "results").iterdir()}
    evaluate(EvaluateConfig(run=run, dataset=twin, task="retrieval", overwrite=True))
