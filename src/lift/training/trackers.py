"""Where a run's numbers go beside log.jsonl: TensorBoard, MLflow, Weights & Biases. Imported only when chosen.

None of them opens a network connection unless the user asks for it: MLflow writes into the RUN unless --tracker-uri
names a server, W&B is offline unless WANDB_MODE says otherwise, and neither reports on its own use.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lift.artefact import write_json
from lift.console import note
from lift.errors import LiftError
from lift.training.config import TrainConfig

IDS = "trackers.json"  # in the RUN: the trackers' own ids of it, so that a killed run goes on under the same one


class Tracker(Protocol):
    """One receiver of numbers; `failures` are what it raises when its server or disk fails."""

    failures: tuple[type[Exception], ...]

    def begin(self, settings: dict[str, Any]) -> None:
        """The configuration of a new run."""
        ...

    def log(self, step: int, values: dict[str, float]) -> None:
        """Numbers of one line of the log."""
        ...

    def end(self, facts: dict[str, Any], plot: Path) -> None:
        """Facts of run.json and the loss plot."""
        ...

    def close(self, stopped: str = "") -> None:
        """Write what is held back; `stopped` is "killed" (by the user) or "failed" where the run did not end."""
        ...


class TensorBoard:
    """Event files in RUN/tensorboard."""

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self, config: TrainConfig, ids: dict[str, str], first: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # five seconds of import

        self.writer = SummaryWriter(str(config.out / "tensorboard"), purge_step=first + 1)

    def begin(self, settings: dict[str, Any]) -> None:
        """As text, in a block of JSON."""
        self.writer.add_text("config", _block(settings), 0)

    def log(self, step: int, values: dict[str, float]) -> None:
        """One scalar each."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def end(self, facts: dict[str, Any], plot: Path) -> None:
        """As text; the plot would be the curves once more."""
        self.writer.add_text("run", _block(facts), 0)

    def close(self, stopped: str = "") -> None:
        """Flush."""
        self.writer.close()


class MLflow:
    """A local folder in MLflow's own layout (RUN/mlflow), or the tracking server or database at --tracker-uri."""

    def __init__(self, config: TrainConfig, ids: dict[str, str], first: int) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        local = (config.out / "mlflow").resolve().as_uri()
        self.uri = config.tracker_uri or local
        if "://" not in self.uri or self.uri.startswith(
            "file:"
        ):  # a database needs a package that skinny lacks
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self.failures: tuple[type[Exception], ...] = (MlflowException, OSError)
        try:
            self.client = MlflowClient(tracking_uri=self.uri)
            if "mlflow" in ids:
                self.run: str = ids["mlflow"]
                self.client.update_run(self.run, status="RUNNING")
            else:
                named = self.client.get_experiment_by_name("lift")
                experiment = named.experiment_id if named else self.client.create_experiment("lift")
                self.run = self.client.create_run(experiment, run_name=config.name).info.run_id
            history = self.client.get_metric_history(self.run, "train/epoch")
        except self.failures as error:
            raise LiftError(
                f"MLflow cannot use {self.uri}: {_first_line(error)}",
                "check --tracker-uri (a database as sqlite:///… needs `pip install mlflow`), or leave it away",
            ) from error
        ids["mlflow"] = self.run
        self.known = max(
            (metric.step for metric in history), default=0
        )  # a kill forgot these steps, MLflow did not

    def begin(self, settings: dict[str, Any]) -> None:
        """One parameter each. Those of a run that stopped before its first saved state stay: none can change."""
        from mlflow.entities import Param

        known = self.client.get_run(self.run).data.params
        new = {name: value for name, value in settings.items() if name not in known}
        self.client.log_batch(
            self.run, params=[Param(name, str(value)[:5000]) for name, value in new.items()]
        )

    def log(self, step: int, values: dict[str, float]) -> None:
        """One metric each; a step that is taken again after a kill is not logged twice."""
        from mlflow.entities import Metric

        if step > self.known:
            now = int(time.time() * 1000)
            named = [
                Metric(name.replace("@", "_at_"), float(value), now, step) for name, value in values.items()
            ]
            self.client.log_batch(self.run, metrics=named)

    def end(self, facts: dict[str, Any], plot: Path) -> None:
        """run.json and the plot as artefacts, its main numbers as metrics."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = [Metric(f"run/{name}", float(value), now, 0) for name, value in numbers_of(facts).items()]
        self.client.log_batch(self.run, metrics=numbers)
        self.client.log_dict(self.run, facts, "run.json")
        self.client.log_artifact(self.run, str(plot))
        self.client.set_terminated(self.run)

    def close(self, stopped: str = "") -> None:
        """Nothing is held back; a run that stopped must not be shown as running."""
        if stopped:
            self.client.set_terminated(self.run, status=stopped.upper())


class WandB:
    """RUN/wandb, to be sent with `wandb sync`; online only where the user has set WANDB_MODE."""

    def __init__(self, config: TrainConfig, ids: dict[str, str], first: int) -> None:
        os.environ.setdefault("WANDB_MODE", "offline")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        self.failures: tuple[type[Exception], ...] = (wandb.Error, OSError)
        self.wandb = wandb
        name = ids.setdefault("wandb", os.urandom(4).hex())
        try:
            self.run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "lift"),
                id=name,
                name=config.name,
                resume="allow" if os.environ["WANDB_MODE"] == "online" else None,
                dir=config.out,
                settings=wandb.Settings(
                    console="off", disable_git=True, save_code=False, silent=True, x_disable_stats=True
                ),
            )
        except self.failures as error:
            raise LiftError(
                f"W&B does not begin: {_first_line(error)}", "set WANDB_MODE=offline, or leave it away"
            ) from error

    def begin(self, settings: dict[str, Any]) -> None:
        """Its config."""
        self.run.config.update(settings, allow_val_change=True)

    def log(self, step: int, values: dict[str, float]) -> None:
        """One row of its history."""
        self.run.log(values, step=step)

    def end(self, facts: dict[str, Any], plot: Path) -> None:
        """Its summary, and the plot as a picture."""
        self.run.log({"loss plot": self.wandb.Image(str(plot))})
        self.run.summary.update({f"run/{name}": value for name, value in numbers_of(facts).items()})

    def close(self, stopped: str = "") -> None:
        """Write what is held back."""
        self.run.finish(exit_code=1 if stopped else 0)


class Kind(NamedTuple):
    """How a tracker is made, the module it needs, and how that is installed."""

    make: Callable[[TrainConfig, dict[str, str], int], Tracker]
    module: str
    install: str


TRACKERS: dict[str, Kind] = {
    "tensorboard": Kind(TensorBoard, "tensorboard", "pip install tensorboard"),
    "mlflow": Kind(MLflow, "mlflow", "pip install 'lift[mlflow]'"),
    "wandb": Kind(WandB, "wandb", "pip install 'lift[wandb]'"),
}


def check_trackers(chosen: Sequence[str], uri: str | None) -> None:
    """LiftError for names nobody knows, packages that lack, and a --tracker-uri that nobody reads."""
    for name in chosen:
        if name != "none" and name not in TRACKERS:
            raise LiftError(f"there is no tracker {name!r}", f"known: {', '.join(TRACKERS)}, none")
        if name != "none" and find_spec(TRACKERS[name].module) is None:
            raise LiftError(
                f"--tracker {name} needs the package {TRACKERS[name].module}", TRACKERS[name].install
            )
    if "none" in chosen and len(chosen) > 1:
        raise LiftError("--tracker none stands beside others", "name trackers, or none alone")
    if uri is not None and "mlflow" not in chosen:
        raise LiftError("--tracker-uri says where MLflow writes", "add --tracker mlflow, or leave it away")


class Trackers:
    """All chosen trackers as one. A tracker that fails while a run goes on is told of once and left out."""

    def __init__(self, config: TrainConfig, first: int) -> None:
        """Open them; a run that goes on at step `first` goes on under the same ids."""
        file = config.out / IDS
        ids: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        new = [name for name in dict.fromkeys(config.tracker) if name != "none"]
        self.open: dict[str, Tracker] = {name: TRACKERS[name].make(config, ids, first) for name in new}
        if ids and new:
            write_json(file, ids)
        if not first:
            settings = {name: _simple(value) for name, value in vars(config).items()}
            self._all("begin", settings)

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        """Close them when the block ends by an error; else `end` does, when the RUN is finished."""
        if kind is not None:
            self._all("close", "killed" if kind is KeyboardInterrupt else "failed")

    def log(self, entry: dict[str, Any]) -> None:
        """One line of the log: what has no group of its own stands under train/."""
        values = {n if "/" in n else f"train/{n}": value for n, value in entry.items() if n != "step"}
        self._all("log", entry["step"], values)

    def end(self, manifest: dict[str, Any], plot: Path) -> None:
        """What run.json will hold, and the loss plot; then close."""
        self._all("end", manifest, plot)
        self._all("close")

    def _all(self, what: str, *arguments: Any) -> None:
        for name, tracker in list(self.open.items()):
            try:
                getattr(tracker, what)(*arguments)
            except tracker.failures as error:
                note(f"{name} is left out from here on: {_first_line(error)}")
                del self.open[name]


def numbers_of(facts: dict[str, Any], before: str = "") -> dict[str, float]:
    """The numbers in nested dicts, by path; those of the configuration are known already."""
    found: dict[str, float] = {}
    for name, value in facts.items():
        if isinstance(value, dict) and name != "config":
            found |= numbers_of(value, f"{before}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{before}{name}".replace("@", "_at_")] = value
    return found


def _simple(value: Any) -> Any:
    """A value as JSON knows it."""
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _block(value: dict[str, Any]) -> str:
    return "    " + json.dumps(value, indent=1, ensure_ascii=False).replace("\n", "\n    ")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
