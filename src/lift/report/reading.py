"""Reading what `lift train` and `lift evaluate` left in RUN folders: manifests, training logs and results."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import read_manifest
from lift.data import is_dataset
from lift.errors import LiftError


@dataclass(frozen=True)
class Result:
    """One file of RUN/results: the metrics of one task on one split of one DATASET."""

    path: Path
    content: dict[str, Any]
    parts: tuple[Result, ...] = ()  # the same result of several seeds, where this one is their mean

    @property
    def task(self) -> str:
        """The task's name, such as retrieval."""
        return self.content["task"]

    @property
    def dataset(self) -> str:
        """The DATASET's name."""
        return self.content["dataset"]["name"]

    @property
    def split(self) -> str:
        """The DATASET's split."""
        return self.content["dataset"]["split"]

    @property
    def variant(self) -> str:
        """What the file name says after task, dataset and split; empty for the plain task."""
        return self.path.stem.removeprefix(f"{self.task}--{self.dataset}-{self.split}").strip("-")

    @property
    def protocol(self) -> str:
        """How the numbers were obtained, in one sentence."""
        return self.content.get("protocol", "")

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metric name -> value, low, high (95 % interval) and n."""
        return self.content["metrics"]

    @property
    def group(self) -> tuple[str, str, str, str]:
        """Results of different runs belong together when this is equal."""
        return self.task, self.dataset, self.split, self.variant

    def outcomes(self, metric: str) -> np.ndarray | None:
        """Outcome (n,) of every single query in `metric`, None when not kept."""
        return self.per_item.get(metric.replace("/", "__"))

    def clusters(self, metric: str) -> np.ndarray | None:
        """Photo (n,) of every single query in `metric`: queries of one photo are resampled together."""
        return self.per_item.get(metric.replace("/", "__") + "__image")

    def by_seed(self, metric: str) -> np.ndarray:
        """Outcomes (seeds, n) of every single query, one row for a result of one training."""
        return np.stack([part.per_item[metric.replace("/", "__")] for part in self.parts or (self,)])

    @cached_property
    def per_item(self) -> dict[str, np.ndarray]:
        """The arrays of the npz: outcomes per query and cluster ids; empty when the evaluation kept none.

        Of several seeds: the mean outcome, where all kept one.
        """
        if self.parts:
            shared = [
                key for key in self.parts[0].per_item if all(key in part.per_item for part in self.parts)
            ]
            first = self.parts[0].per_item
            return {
                key: first[key]
                if key.endswith("__image")
                else np.mean([p.per_item[key] for p in self.parts], axis=0)
                for key in shared
            }
        name = self.content.get("per_item")
        if not name or not (self.path.parent / name).is_file():
            return {}
        try:
            with np.load(self.path.parent / name, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise _damaged(self.path.parent / name, self.path.parent.parent, error) from error


@dataclass(frozen=True)
class Run:
    """A RUN folder with at least one result; `name` is unique within the comparison."""

    folder: Path
    name: str
    manifest: dict[str, Any]
    results: list[Result]
    log: list[dict[str, Any]]
    members: tuple[Run, ...] = ()  # the trainings of an arm of several seeds

    @property
    def is_published(self) -> bool:
        """True for a model that lift did not train."""
        return "source" in self.manifest

    @property
    def is_lift(self) -> bool:
        """True when the text encoder stayed fixed."""
        return self.manifest.get("method") == "lift"

    @property
    def has_words_for_labels(self) -> bool:
        """True when there is no text encoder at all."""
        return self.manifest.get("method") == "words"

    @property
    def pretrained(self) -> str:
        """Parts that had been trained before, in words; what that took is in none of the costs."""
        parts = []
        backbone = self.manifest.get("backbone")
        if backbone:
            parts.append(f"image tower ({backbone.get('source') or backbone.get('family')})")
        if self.is_lift:
            parts.append(
                f"text encoder ({(self.manifest.get('fingerprint') or {}).get('name', 'not recorded')})"
            )
        return " and ".join(parts) or "nothing"

    @property
    def samples_seen(self) -> int | None:
        """Photo-text pairs seen in training, None when not recorded."""
        return self.manifest.get("samples_seen")

    @property
    def cost(self) -> dict[str, Any]:
        """Seconds, FLOPs and memory of the training; empty when not recorded."""
        return self.manifest.get("cost") or {}

    def has_other_weights_than(self, result: Result) -> bool:
        """True when the run was trained again since `result`; a model id ends in the weights' id."""
        weights = (self.manifest.get("checkpoint") or {}).get("id")
        measured = str((result.content.get("model") or {}).get("id", "")).rpartition("@")[2]
        return bool(weights and measured) and not str(weights).startswith(measured)

    @property
    def images_folder(self) -> Path | str | None:
        """The DATASET (folder or URL) the run was trained on, where it can still be found on this machine."""
        named = (self.manifest.get("config") or {}).get("images")
        if not named:
            return None
        places = (named, self.folder.parent / Path(named).name)
        return next((place for place in places if is_dataset(place)), None)


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read RUN folders in the order given; LiftError when one has no results or is given twice."""
    if not folders:
        raise LiftError("no RUN was given", "name at least one: `lift compare RUN RUN… --out REPORT`")
    resolved = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, resolved, strict=True):
        if resolved.count(place) > 1:
            raise LiftError(f"{folder} was given twice", "name every RUN once")
    manifests = [
        read_manifest(folder, "rival" if (folder / "rival.json").is_file() else "run") for folder in folders
    ]
    names = _unique_names(folders, [str(manifest.get("name") or "") for manifest in manifests])
    return [
        Run(folder, name, manifest, _read_results(folder), _read_log(folder))
        for folder, name, manifest in zip(folders, names, manifests, strict=True)
    ]


def _unique_names(folders: Sequence[Path], names: list[str]) -> list[str]:
    """The runs' own names; folder names where two are called the same, numbered as a last resort."""
    own = [name or folder.resolve().name for name, folder in zip(names, folders, strict=True)]
    shown = [
        name if own.count(name) == 1 else folder.resolve().name
        for name, folder in zip(own, folders, strict=True)
    ]
    if len(set(shown)) == len(shown):
        return shown
    return [f"{name} ({number})" for number, name in enumerate(shown, 1)]


def _read_results(folder: Path) -> list[Result]:
    results = []
    for path in sorted((folder / "results").glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise _damaged(path, folder, error) from error
        if not isinstance(content, dict) or content.get("format") != 1:
            raise _damaged(path, folder, "not a result of format 1")
        missing = [key for key in ("task", "dataset", "metrics") if key not in content]
        if missing:
            raise _damaged(path, folder, f"without {', '.join(missing)}")
        results.append(Result(path, content))
    if not results:
        raise LiftError(
            f"{folder} has no results yet", f"measure it first with `lift evaluate {folder} --task all`"
        )
    return results


def _read_log(folder: Path) -> list[dict[str, Any]]:
    """Logged training steps; a last line cut off by a killed training is left out."""
    path = folder / "log.jsonl"
    if not path.is_file():
        return []
    steps: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            step = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(step, dict) and "step" in step:
            steps.append(step)
    return steps


def _damaged(path: Path, run: Path, why: object) -> LiftError:
    return LiftError(
        f"{path} is damaged ({why})", f"delete it and run `lift evaluate {run} --task all` again"
    )
