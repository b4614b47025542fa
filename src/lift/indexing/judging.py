"""`lift classify`: which class name fits a photo."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tyro.conf import Positional

from lift.console import note, progress_bar, say
from lift.data.decoding import MAX_PIXELS
from lift.data.reading import read_text
from lift.errors import LiftError, UsageError
from lift.indexing.photos import SetAside, from_files, photo_files
from lift.model import chosen_run, load
from lift.predict import DEFAULT_TEMPLATES, class_features, class_scores, spoken


@dataclass(frozen=True)
class ClassifyConfig:
    """Give photos one of your class names, untrained; scores are cosines (-1 to 1), no probabilities."""

    photos: Positional[tuple[Path, ...]]
    """photo files or folders of photos"""
    classes: str
    """class names, "cat,dog", or a text file with one name per line"""
    run: Path | None = None
    """folder of the model (default: the environment variable LIFT_RUN)"""
    query_encoder: Path | None = None
    """folder of a light text encoder made by `lift distill-query`, in place of the model's own"""
    template: tuple[str, ...] = DEFAULT_TEMPLATES
    """sentences the name is put into, in place of {}; their mean is taken"""
    top: int = 3
    """how many classes to show for each photo"""
    max_pixels: int = MAX_PIXELS
    """photos with more pixels than this are set aside before decoding"""
    json: bool = False
    """print one JSON object per photo, for other programs"""


@dataclass(frozen=True)
class Label:
    """The best classes of a photo, best first, each with its cosine."""

    path: Path
    classes: list[tuple[str, float]]


def class_names(given: str) -> list[str]:
    """Distinct names from "cat,dog" (Japanese commas too) or from a text file with one name per line."""
    if given.endswith(".txt"):
        path = Path(given)
        if not path.is_file():
            raise LiftError(f"there is no file {path}", 'check the path, or give names: --classes "cat,dog"')
        parts = read_text(path.read_bytes(), None, path.name)[0].splitlines()
    else:
        parts = re.split("[,、，]", given)
    names = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if len(names) < 2:
        raise LiftError(f"{len(names)} class names were given", 'give at least two: --classes "cat,dog"')
    return names


def classify(config: ClassifyConfig) -> list[Label]:
    """Print the best classes of every photo; returns them in the order of the photos."""
    if config.top < 1:
        raise UsageError(f"--top must be at least 1, not {config.top}", "leave it away for 3 classes")
    names, files = class_names(config.classes), photo_files(config.photos)
    bad = [template for template in config.template if "{}" not in template]
    if bad or not config.template:
        raise LiftError(
            f"the template {bad[0] if bad else ''!r} has no place for the name", 'write "a photo of {}"'
        )
    model = load(chosen_run(config.run), query_encoder=config.query_encoder)
    of_classes = class_features(model.encode_text, [spoken(name) for name in names], config.template)
    labels: list[Label] = []
    with progress_bar("classifying photos", len(files)) as bar:
        for batch in from_files(Path(), files, model, config.max_pixels):
            for item in batch.set_aside:
                _say_set_aside(item, config.json)
            scores = class_scores(model.encode_pixels(batch.pixels), of_classes)
            for entry, row in zip(batch.entries, scores, strict=True):
                best = np.argsort(-row, kind="stable")[: config.top]
                labels.append(Label(Path(entry.path), [(names[c], float(row[c])) for c in best]))
                say(_label_json(labels[-1]) if config.json else _label_line(labels[-1]))
            bar.advance(len(batch.entries) + len(batch.set_aside))
    if not labels:
        raise LiftError("none of the photos could be read", "see the reasons above")
    return labels


def _say_set_aside(item: SetAside, as_json: bool) -> None:
    if as_json:
        say(json.dumps({"path": item.file, "reason": item.reason, "remedy": item.remedy}, ensure_ascii=False))
    else:
        note(f"set aside: {item.file}: {item.reason} ({item.remedy})")


def _label_line(label: Label) -> str:
    return f"{label.path}  " + "  ".join(f"{name} {score:.3f}" for name, score in label.classes)


def _label_json(label: Label) -> str:
    classes = [{"name": name, "score": round(score, 6)} for name, score in label.classes]
    return json.dumps({"path": str(label.path), "classes": classes}, ensure_ascii=False)
