"""lift claims from end to end on tiny drawn scenes, the page, and going on after a kill."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lift.claims import ClaimsConfig, claims, judging, markdown, training
from lift.claims.child import end_with_parent
from lift.claims.claim import ARMS, CLAIMS
from lift.claims.judging import ArmRun, verdicts
from lift.claims.measures import Result
from lift.claims.page import render
from lift.claims.training import arm_config, schedule_of, train_arm
from lift.cli import main
from lift.data import Dataset
from lift.errors import LiftError
from lift.training import TrainConfig, train


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ClaimsConfig, dict[str, Any]]]:
    """The claims tested on 100 tiny scenes, by a process that was stopped in the second training and started again."""
    out = tmp_path_factory.mktemp("claims") / "out"
    config = ClaimsConfig(
        out=out, images=100, size=32, preset="smoke", epochs=1, seeds=(0,), most=2, recall=1, isolate=False
    )

    def stopped(made: TrainConfig, isolate: bool) -> None:
        if made.method == "clip":
            raise KeyboardInterrupt
        train_arm(made, isolate)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "train_arm", stopped)
        claims(config)
    assert [run.name for run in (out / "sets" / "scenes" / "runs").iterdir()] == ["lift-0"]
    assert not (out / "claims.json").exists()
    made = {file: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "FEWEST", 5)  # so that ten pictures are enough
        content = claims(config)
        assert made == {file: file.stat().st_mtime_ns for file in made}
        yield config, content


def test_every_claim_has_a_verdict(tested: tuple[ClaimsConfig, dict[str, Any]]) -> None:
    config, content = tested
    assert json.loads((config.out / "claims.json").read_text("utf-8")) == content
    (one,) = content["sets"]
    assert one["name"] == "scenes" and one["photos"] == {"train": 90, "measured": 10}
    rows = {row["number"]: row for row in one["claims"]}
    assert list(rows) == [claim.number for claim in CLAIMS]
    assert rows["1b"]["verdict"] == "not tested" and "class labels" in rows["1b"]["reason"]
    assert rows["5"]["verdict"] == "not tested" and "language model itself" in rows["5"]["reason"]
    assert rows["4a"]["verdict"] == "confirmed" and rows["4a"]["per_seed"][0] < 1
    assert rows["4e"]["verdict"] == "not tested"  # trained in one process
    for number in ("1a", "2", "3a", "3b", "6a", "6b", "6c"):
        row = rows[number]
        assert row["low"] <= row["difference"] <= row["high"] and row["p"] <= row["p_corrected"] <= 1
        assert row["per_seed"] == [row["difference"]]
        gap = row["scores"][row["subject"]] - row["scores"][row["reference"]]
        assert gap == pytest.approx(row["difference"], abs=0.002)
    # The number is that of the results: recall@1 both ways, halved.
    (result,) = (config.out / "sets/scenes/runs/lift-0/results").glob("retrieval--*.json")
    metrics = json.loads(result.read_text("utf-8"))["metrics"]
    both = [metrics[f"{way}/recall@1"]["value"] for way in ("text_to_image", "image_to_text")]
    assert rows["1a"]["scores"]["lift"] == pytest.approx(np.mean(both), abs=0.01)
    seen = {run.name: json.loads((run / "run.json").read_text("utf-8"))["samples_seen"]
            for run in (config.out / "sets/scenes/runs").iterdir()}  # fmt: skip
    assert set(seen) == {"lift-0", "clip-0", "lift-cosine-0"} and len(set(seen.values())) == 1


class Page(HTMLParser):
    """The words of a page, and every element that would load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [str(v) for name, v in attrs if name in ("src", "href") and not str(v).startswith("#")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_stands_by_itself(tested: tuple[ClaimsConfig, dict[str, Any]]) -> None:
    config, content = tested
    text = (config.out / "claims.html").read_text("utf-8")
    page = Page(text)
    said = " ".join(" ".join(page.words).split())
    assert page.loads == [] and "script" not in page.tags and page.tags.count("svg") == 2
    for claim in content["sets"][0]["claims"]:
        assert claim["claim"] in said and claim["reason"] in said
    for word in ("confirmed", "refuted", "undecided", "not tested"):
        assert f"{word}:" in said
    assert "lift train --images" in said and "±3 points" in said and "Holm" in said
    assert len(re.findall(r'<span class="verdict', text)) == 2 * len(CLAIMS)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert render(content) == text


def test_markdown_shows_what_the_json_holds(tested: tuple[ClaimsConfig, dict[str, Any]]) -> None:
    config, content = tested
    text = (config.out / "claims.md").read_text("utf-8")
    assert text == markdown(content)
    lines = text.splitlines()
    widths = {line.count("|") for line in lines if line.startswith("| ") and "difference" in line}
    assert widths == {10} and sum(line.startswith("| 4a ") for line in lines) == 2
    spoilt = json.loads(json.dumps(content))
    spoilt["sets"][0]["claims"][0] |= {
        "verdict": "refuted",
        "reason": "worse | <b>much</b>",
        "difference": -9,
    }
    assert "✗ refuted |" in markdown(spoilt) and r"worse \| <b>" in markdown(spoilt)
    better = json.loads(json.dumps(spoilt))
    better["sets"][0]["claims"][0]["difference"] = 9  # "on par" is refuted by being better, too
    assert "✗ refuted (better) |" in markdown(better) and "</span> (better)" in " ".join(
        render(better).split()
    )
    assert "&lt;b&gt;much" in render(spoilt)


def test_side_by_side_no_time_is_judged(
    tested: tuple[ClaimsConfig, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, content = tested
    dataset = config.out / "sets" / "scenes" / "dataset"
    two = replace(config, datasets=(dataset,), out=tmp_path / "two", isolate=True, at_once=2, seeds=(0,))
    begun: list[str] = []
    meet = threading.Barrier(2, timeout=60)  # passed only when two trainings are under way together

    def copied(made: TrainConfig, isolate: bool) -> None:
        if made.out.exists():
            return
        begun.append(made.out.name)
        if made.out.name != "lift-cosine-0":
            meet.wait()
        shutil.copytree(config.out / "sets" / "scenes" / "runs" / made.out.name, made.out)

    monkeypatch.setattr(training, "train_arm", copied)
    (one,) = claims(two)["sets"]
    rows = {row["number"]: row for row in one["claims"]}
    assert set(begun) == {"lift-0", "clip-0", "lift-cosine-0"} and one["side_by_side"]
    assert all("side by side" in rows[number]["reason"] for number in ("4c", "4d"))
    assert rows["4a"]["verdict"] == "confirmed" and rows["4e"]["verdict"] != "not tested"
    # What has been trained side by side stays so when it is only looked at again.
    assert claims(replace(two, at_once=1))["sets"][0]["side_by_side"]
    assert not content["sets"][0]["side_by_side"]
    with pytest.raises(LiftError, match="--at-once is 2 with --no-isolate"):
        replace(two, isolate=False).check()


def test_the_same_again_trains_nothing(
    tested: tuple[ClaimsConfig, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    config, content = tested
    weights = {p: p.stat().st_mtime_ns for p in config.out.rglob("*.safetensors")}
    assert claims(config) == content
    said = capsys.readouterr()
    assert said.out.count("already done") >= 4 and "What the method claims" in said.out
    assert "retrieval: measuring" not in said.err and "own-pairs: already done" in said.err
    assert weights == {p: p.stat().st_mtime_ns for p in config.out.rglob("*.safetensors")}
    with pytest.raises(LiftError, match=r"other options \(epochs\)"):
        claims(replace(config, epochs=2))


def test_a_process_of_its_own_trains_the_same_run(
    tiny_dataset: Path, tiny_store: Path, tmp_path: Path
) -> None:
    config = ClaimsConfig((tiny_dataset,), out=tmp_path / "out", preset="smoke", epochs=2)
    dataset = Dataset(tiny_dataset)
    schedule = schedule_of(config, dataset)
    assert (schedule.epochs, schedule.batch_size) == (2, 9) and schedule_of(config, dataset) == schedule
    made = arm_config(config, tiny_dataset, tiny_store, tmp_path / "run", "lift", 3, schedule)
    fields = {"images": str(made.images), "texts": str(made.texts), "out": str(made.out), "preset": "smoke"}
    fields |= {"epochs": 2, "batch_size": 9, "validations": 2, "seed": 3, "name": made.name}  # type: ignore[dict-item]
    done = subprocess.run(
        [sys.executable, "-m", "lift.claims.child", json.dumps(fields)], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    weights = (made.out / "checkpoint" / "image.safetensors").read_bytes()
    train(made)  # the child's run is the very run that was asked for: nothing is trained again
    assert (made.out / "checkpoint" / "image.safetensors").read_bytes() == weights


def test_a_child_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    # Training on in a folder that the rerun of a killed command will use would spoil both.
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        raise SystemExit

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit):
        end_with_parent(os.getppid() + 1)  # another process than the one that is there now
    assert codes == [1]


def test_mistakes_are_told(tmp_path: Path, tiny_dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "lies inside --out": {"datasets": (tmp_path / "out" / "data",)},
        "there is no file": {"sentences": (tmp_path / "none.jsonl",)},
        "were both given": {"budget": 1.0, "epochs": 1},
        "more than 0": {"budget": 0.0},
        "different numbers": {"seeds": (1, 1)},
        "--margin": {"margin": 0.0},
        "how fast cuda": {"device": "cuda"},
        "no preset": {"datasets": (tiny_dataset,), "preset": "giant"},
        "two DATASETs": {"datasets": (tiny_dataset, tiny_dataset)},
    }
    for words, changes in wrong.items():
        with pytest.raises(LiftError, match=words):
            claims(replace(ClaimsConfig(out=tmp_path / "out"), **changes))  # type: ignore[arg-type]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(LiftError, match=r"something else|will not delete"):
            claims(ClaimsConfig((tiny_dataset,), out=tmp_path / "other", overwrite=overwrite))
    with pytest.raises(SystemExit) as ended:
        main(["claims", "--budget", "1", "--epochs", "1", "--out", str(tmp_path / "out")])
    assert ended.value.code == 1 and "both given" in capsys.readouterr().err


def arm(values: dict[str, np.ndarray], controls: dict[str, float], seconds: float) -> ArmRun:
    """A run whose results hold these outcomes per photo."""
    photos = np.arange(60)
    results = []
    for task, names in {
        "retrieval": ("text_to_image/recall@10", "image_to_text/recall@10"),
        "pairs": ("pair_accuracy/all", "pair_accuracy/order"),
    }.items():
        arrays = {}
        for name in names:
            key = name.replace("/", "__")
            arrays |= {key: values[task], f"{key}__image": photos}
        metrics = {name: {"value": float(values[task].mean())} for name in names}
        which = "chance" if task == "retrieval" else "text_only"
        metrics |= {f"control/{which}/{name}": {"value": controls[task]} for name in names}
        request: dict[str, Any] = {"files": {}}
        results.append(Result({"task": task, "metrics": metrics, "request": request}, arrays))
    cost = {"flops_total": seconds, "seconds": seconds, "peak_memory_bytes": seconds, "offline_text": None}
    return ArmRun({"cost": cost}, results)


def test_verdicts_from_outcomes_by_hand() -> None:
    good, bad = np.repeat([100.0, 0.0], [54, 6]), np.repeat([100.0, 0.0], [30, 30])  # 90 and 50 of 100
    seen = {"retrieval": 10.0, "pairs": 50.0}
    arms = {
        "lift": [arm({"retrieval": good, "pairs": good}, seen, 8.0)] * 2,
        "clip": [arm({"retrieval": good, "pairs": bad}, seen, 10.0)] * 2,
        "lift-cosine": [arm({"retrieval": bad, "pairs": good}, seen, 8.0)] * 2,
    }
    assert set(arms) == set(ARMS)
    rows = {row["number"]: row for row in verdicts(arms, margin=3.0, recall=10, isolated=True)}
    found = {number: row["verdict"] for number, row in rows.items()}
    assert rows["1a"]["difference"] == 0 and found["1a"] == "confirmed"  # the very same outcomes
    assert rows["3a"]["difference"] == 40 and found["3a"] == "confirmed" and rows["3a"]["n"] == 60
    assert rows["3a"]["photos"] == 60 and rows["3a"]["per_seed"] == [40, 40]
    assert rows["6a"]["difference"] == -40 and found["6a"] == "refuted" and found["6c"] == "confirmed"
    assert (rows["4c"]["ratio"], found["4c"], found["4e"]) == (0.8, "confirmed", "confirmed")
    assert found["2"] == found["3b"] == found["3d"] == found["5"] == "not tested"
    # Four claims have a p, all of 2 / 4001: Holm multiplies each by four.
    assert {rows[n]["p_corrected"] for n in ("1a", "3a", "6a", "6c")} == {4 * 2 / 4001}

    blind = {"retrieval": 95.0, "pairs": 85.0}  # what a model gets without seeing
    arms["lift"] = [arm({"retrieval": good, "pairs": good}, blind, 8.0)] * 2
    rows = {row["number"]: row for row in verdicts(arms, margin=3.0, recall=10, isolated=True)}
    assert rows["1a"]["verdict"] == rows["3a"]["verdict"] == "undecided"
    assert "the right photo (85.0 of 100)" in rows["3a"]["reason"] and "guessing" in rows["1a"]["reason"]


def test_the_docs_page_is_generated(
    tested: tuple[ClaimsConfig, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(__file__).parents[1] / "docs" / "make_claims.py"
    spec = importlib.util.spec_from_file_location("make_claims", place)
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    monkeypatch.setattr("sys.argv", ["make_claims.py", "--check"])
    maker.main()  # the page is what the results say
    config, _ = tested
    said = "\n".join(maker.results([config.out / "claims.json"] * 2))
    assert said.count("\n### scenes\n") == 2 and "| claim | scenes | scenes |" in said
    assert maker.results([]) == ["No result has been computed for this page yet."]
