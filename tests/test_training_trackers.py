"""Trackers: the real packages, offline, read back; a killed run goes on in the same tracker run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lift.errors import LiftError
from lift.training import TrainConfig, trackers, train
from lift.training.trackers import check_trackers, numbers_of


class Killed(Exception):
    """As kill -9, for a process that must live on."""


@pytest.fixture
def config(tiny_dataset: Path, tiny_store: Path, tmp_path: Path) -> TrainConfig:
    """Thirty steps."""
    return TrainConfig(
        images=tiny_dataset, texts=tiny_store, out=tmp_path / "run", preset="smoke", batch_size=12, epochs=10,
        validations=1, checkpoint_steps=15,
    )  # fmt: skip


def train_killed_once(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Train, killed at step 20 after the state of step 15, and go on; the log."""
    real = trackers.Trackers.log

    def log(self: trackers.Trackers, entry: dict[str, Any]) -> None:
        real(self, entry)
        if entry["step"] == 20:
            raise Killed

    monkeypatch.setattr(trackers.Trackers, "log", log)
    with pytest.raises(Killed):
        train(config)
    monkeypatch.setattr(trackers.Trackers, "log", real)
    train(config)
    return [json.loads(line) for line in (config.out / "log.jsonl").read_text().splitlines()]


def test_mlflow_has_one_run_with_every_number_once(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: pip install 'lift[mlflow]'")
    lines = train_killed_once(replace(config, tracker=("mlflow",)), monkeypatch)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=(config.out / "mlflow").resolve().as_uri())
    experiment = client.get_experiment_by_name("lift")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED" and run.info.run_name == "run"
    assert run.data.params["batch_size"] == "12" and run.data.params["loss"] == "contrastive"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [m.step for m in history] == [10, 20, 30]
    assert [m.value for m in history] == [line["loss"] for line in lines]
    recall = client.get_metric_history(run.info.run_id, "val/text_to_image/recall_at_10")
    assert recall[0].value == lines[-1]["val/text_to_image/recall@10"]
    assert run.data.metrics["run/steps"] == 30 and run.data.metrics["run/cost/flops_total"] > 0
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"loss.png", "run.json"}
    assert not (config.out / "tensorboard").exists()


def test_mlflow_keeps_what_was_said_of_a_run_that_stopped_before_its_first_state(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: pip install 'lift[mlflow]'")
    config = replace(config, tracker=("mlflow",))
    config.out.mkdir()
    trackers.Trackers(config, 0)
    again = trackers.Trackers(replace(config, on_spike="skip"), 0)  # as the stop has advised
    assert capsys.readouterr().err == "" and list(again.open) == ["mlflow"]


@pytest.mark.parametrize(("error", "status"), [(Killed, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_mlflow_does_not_show_a_stopped_run_as_running(
    config: TrainConfig, error: type[BaseException], status: str
) -> None:
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: pip install 'lift[mlflow]'")
    config = replace(config, tracker=("mlflow",))
    config.out.mkdir()
    with pytest.raises(error), trackers.Trackers(config, 0) as opened:
        run, client = opened.open["mlflow"].run, opened.open["mlflow"].client  # type: ignore[attr-defined]
        raise error
    assert client.get_run(run).info.status == status
    trackers.Trackers(config, 0)
    assert client.get_run(run).info.status == "RUNNING"


def records_of(file: Path) -> list[bytes]:
    """Records of a .wandb file: LevelDB's log, blocks of 32 kB, behind seven bytes of its own."""
    content, at, found, open_record = file.read_bytes(), 7, [], b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        open_record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part of one
            found.append(open_record)
            open_record = b""
    return found


def test_wandb_is_offline_and_keeps_its_id(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'lift[wandb]'")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    lines = train_killed_once(replace(config, tracker=("wandb",)), monkeypatch)
    import wandb
    from wandb.proto import wandb_internal_pb2

    wandb.teardown()  # its process writes a moment later than it says

    files = sorted((config.out / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2 and files[0].name == files[1].name  # one id; `wandb sync` joins them
    losses, summary = {}, {}
    for file in files:
        for data in records_of(file):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            row = {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
            if "train/loss" in row:
                losses[row.get("_step", record.history.step.num)] = row["train/loss"]
            for item in record.summary.update:
                summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    assert losses == {line["step"]: line["loss"] for line in lines}
    assert summary["run/steps"] == 30


def test_tensorboard_has_the_numbers_and_the_settings(config: TrainConfig) -> None:
    train(config)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(config.out / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("train/loss")] == [10, 20, 30]
    assert "val/text_to_image/recall@10" in board.Tags()["scalars"]
    assert {"config/text_summary", "run/text_summary"} <= set(board.Tags()["tensors"])
    assert not (config.out / trackers.IDS).exists()


def test_mistakes_are_named(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    for changes, message in (
        ({"tracker": ("clearml",)}, "known: tensorboard, mlflow, wandb, none"),
        ({"tracker": ("none", "tensorboard")}, "stands beside others"),
        ({"tracker_uri": "http://here"}, "says where MLflow writes"),
    ):
        with pytest.raises(LiftError, match=message):
            train(replace(config, **changes))  # type: ignore[arg-type]
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(LiftError, match=r"pip install 'lift\[wandb\]'"):
        check_trackers(("wandb",), None)


def test_a_tracker_that_fails_does_not_end_the_training(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: object, step: int, values: dict[str, float]) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(trackers.TensorBoard, "log", fail)
    train(config)
    assert capsys.readouterr().err.count("tensorboard is left out from here on: the disk is full") == 1
    assert (config.out / "run.json").is_file()


def test_no_tracker_is_imported_unless_chosen() -> None:
    found = "import sys, lift.training; print([n for n in ('tensorboard', 'mlflow', 'wandb') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_numbers_by_path() -> None:
    facts = {"a": {"b": 2, "c@1": 0.5, "d": True}, "e": "text", "config": {"lr": 1.0}, "f": 3}
    assert numbers_of(facts) == {"a/b": 2, "a/c_at_1": 0.5, "f": 3}


def test_the_loop_opens_them_by_option(config: TrainConfig) -> None:
    train(replace(config, tracker=("none",), epochs=1))
    assert {"log.jsonl", "run.json"} <= {path.name for path in config.out.iterdir()}
    assert not any((config.out / name).exists() for name in ("tensorboard", "mlflow", "wandb"))
