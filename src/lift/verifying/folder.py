"""CALIBRATION: what the scores of one model mean, by length of the description.

calibration.json   manifest: model, fingerprint, promise, groups with thresholds and probability, where the pairs are
                   from, SHA-256 of the next two files
pairs.csv          photo (as a digest), words, label, kind and cosine of every pair, without its text
others.npy         float16 (at most 300, D): unit vectors of photos, against which suspicious words are found
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lift.artefact import digest, new_folder, read_manifest, sha256_file, write_bytes, write_json
from lift.calibration import ProbabilityMap, Thresholds
from lift.errors import LiftError
from lift.explaining import Proof
from lift.model import Model, Rival
from lift.sentences import count_words


@dataclass(frozen=True)
class Group:
    """Descriptions of more than `over` and at most `up_to` words (None: any number), and what their scores mean.

    facts: numbers of pairs and photos, labels missing, what was measured on photos left out.
    """

    name: str
    over: float
    up_to: float | None
    thresholds: Thresholds
    probability: ProbabilityMap | None
    facts: dict[str, Any] = field(default_factory=dict)

    def holds(self, words: float) -> bool:
        """Whether a description of so many words belongs here."""
        return self.over < words and (self.up_to is None or words <= self.up_to)

    def asdict(self) -> dict[str, Any]:
        """For calibration.json."""
        return {
            "name": self.name,
            "over": self.over,
            "up_to": self.up_to,
            "mismatch_below": self.thresholds.low,
            "match_above": self.thresholds.high,
            "probability": self.probability.asdict() if self.probability else None,
            **self.facts,
        }

    @classmethod
    def restore(cls, stored: dict[str, Any]) -> Group:
        """From what `asdict` gave."""
        rest = dict(stored)
        name, over, up_to = rest.pop("name"), rest.pop("over"), rest.pop("up_to")
        limits = Thresholds(_finite(rest.pop("mismatch_below")), _finite(rest.pop("match_above")))
        known = rest.pop("probability")
        return cls(name, over, up_to, limits, ProbabilityMap.restore(known) if known else None, rest)


def _finite(number: float | None) -> float | None:
    """The number itself; ValueError for one that no score can be compared with."""
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{number} is no threshold")
    return number


def name_of(over: float, up_to: float | None) -> str:
    """What a group is called: by its words."""
    if up_to is None:
        return "all lengths" if over <= 0 else f"over {over:g} words"
    return f"up to {up_to:g} words" if over <= 0 else f"{over:g} to {up_to:g} words"


def group_of(groups: Sequence[Group], text: str) -> Group | None:
    """The group that a description belongs to; None where there were no pairs of its length."""
    words = count_words(text)
    return next((group for group in groups if group.holds(words)), None)


def encoder_id(model: Model | Rival) -> str:
    """What decides the vectors of sentences: the text encoder, or the light one that stands in for it."""
    if model.stands_in is None:
        return model.fingerprint.digest
    return f"{model.fingerprint.digest}/{digest(read_manifest(model.stands_in, 'query')['sha256'])}"


class Calibration:
    """A CALIBRATION opened: `groups`, `promise` (false_alarm, missed, confidence), and the manifest.

    proved: whether suspicious words and places beat chance; None where that was not asked.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open and check `folder`; LiftError when it is no CALIBRATION or was changed."""
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder, "calibration")
        told = {name: value for name, value in self.manifest.items() if name != "sum"}
        if self.manifest.get("sum", digest(told)) != digest(told):  # none in those of the first days
            raise self._damaged("calibration.json has changed")
        for name, expected in self.manifest["sha256"].items():
            if not (self.folder / name).is_file() or sha256_file(self.folder / name) != expected:
                raise self._damaged(f"{name} is missing or has changed")
        try:
            self.groups = [Group.restore(group) for group in self.manifest["groups"]]
            self.promise = {
                n: float(self.manifest["promise"][n]) for n in ("false_alarm", "missed", "confidence")
            }
            self.made_for: tuple[str, str] = self.manifest["model"]["id"], self.manifest["encoder"]
            proved = self.manifest.get("explaining")
            self.proved: Proof | None = Proof.from_dict(proved) if proved else None
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(str(error)) from error

    def others(self) -> np.ndarray:
        """Unit vectors float32 (n, D) of some photos."""
        return np.load(self.folder / "others.npy", allow_pickle=False).astype(np.float32)

    def _damaged(self, what: str) -> LiftError:
        return LiftError(
            f"the CALIBRATION {self.folder} is damaged: {what}",
            "bring back a copy, or run `lift calibrate` again",
        )

    def check_model(self, model: Model | Rival) -> None:
        """LiftError, naming both, unless it was made for this model and text encoder."""
        made_for, encoder = self.made_for
        if model.id == made_for and encoder_id(model) == encoder:
            return
        raise LiftError(
            f"the CALIBRATION {self.folder} is for {made_for} (text encoder {encoder}), not for {model.id} (text "
            f"encoder {encoder_id(model)}); scores of one model mean nothing for another",
            f"calibrate this model: `lift calibrate {model.run or 'RUN'} PAIRS --out CALIBRATION`",
        )


def write_calibration(
    out: Path,
    model: Model | Rival,
    promise: Mapping[str, float],
    groups: list[Group],
    pairs: Iterable[Sequence[Any]],
    others: np.ndarray,
    facts: dict[str, Any],
) -> None:
    """Write the folder, whole or not at all. pairs: rows of pairs.csv; facts: whatever else the manifest tells."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["photo", "words", "label", "kind", "doubtful", "cosine"])
    writer.writerows(pairs)
    with new_folder(out) as folder:
        write_bytes(folder / "pairs.csv", table.getvalue().encode())
        np.save(folder / "others.npy", others.astype(np.float16))
        manifest = {
            "format": 1,
            "model": {"id": model.id, "name": model.name, "method": model.method},
            "run": str(model.run.resolve()) if model.run else None,
            "fingerprint": model.fingerprint.asdict(),
            "encoder": encoder_id(model),
            "promise": dict(promise),
            "method": "learn then test, fixed sequence, exact binomial, one description a photo (arXiv 2110.01052)",
            "groups": [group.asdict() for group in groups],
            **facts,
            "sha256": {name: sha256_file(folder / name) for name in ("pairs.csv", "others.npy")},
        }
        write_json(folder / "calibration.json", {**manifest, "sum": digest(manifest)})
