"""`lift classify` and `lift verify`: which class name, or which sentence, fits a photo."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from lift.console import note, progress_bar, say
from lift.data import BadImage, Dataset, decode_image
from lift.data.decoding import MAX_PIXELS
from lift.data.reading import read_text
from lift.errors import LiftError, UsageError
from lift.indexing.photos import SetAside, from_files, photo_files
from lift.model import Model, Rival, load
from lift.predict import DEFAULT_TEMPLATES, class_features, class_scores, count_beaten, spoken

RUN_VARIABLE = "LIFT_RUN"
BACKGROUND = 200


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
class VerifyConfig:
    """Score whether a sentence fits a photo, and which of several fits best (uncalibrated)."""

    image: Positional[Path]
    """one photo"""
    texts: Positional[tuple[str, ...]]
    """one or several sentences, each in quotes"""
    run: Path | None = None
    """folder of the model (default: the environment variable LIFT_RUN)"""
    query_encoder: Path | None = None
    """folder of a light text encoder made by `lift distill-query`, in place of the model's own"""
    max_pixels: int = MAX_PIXELS
    """a photo with more pixels than this is refused before decoding"""
    json: bool = False
    """print one JSON object per sentence, for other programs"""


@dataclass(frozen=True)
class Label:
    """The best classes of a photo, best first, each with its cosine."""

    path: Path
    classes: list[tuple[str, float]]


@dataclass(frozen=True)
class Verdict:
    """How one sentence fits a photo: its cosine, and how many of `background` other sentences fit worse.

    `beaten` and `background` are None when the model's validation captions are not at hand.
    """

    text: str
    cosine: float
    beaten: int | None
    background: int | None


def chosen_run(run: Path | None) -> Path:
    """The RUN folder given, or that of the environment variable LIFT_RUN."""
    if run is not None:
        return run
    if os.environ.get(RUN_VARIABLE):
        return Path(os.environ[RUN_VARIABLE])
    raise LiftError("no model was named", f"add --run RUN, or set the environment variable {RUN_VARIABLE}")


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


def verify(config: VerifyConfig) -> list[Verdict]:
    """Print how well each sentence fits the photo; returns one Verdict per sentence, in their order."""
    if not config.texts or not all(text.strip() for text in config.texts):
        raise UsageError(
            "no sentence was given", 'add one in quotes: `lift verify photo.jpg "a dog on grass"`'
        )
    model = load(chosen_run(config.run), query_encoder=config.query_encoder)
    try:
        photo = model.encode_image([decode_image(config.image, max_pixels=config.max_pixels)])
    except BadImage as error:
        raise LiftError(f"{config.image}: {error.reason}", error.remedy) from error
    background = background_sentences(model, config.image, exclude=config.texts)
    vectors = model.encode_text([*config.texts, *background])
    verdicts = judge(config.texts, photo[0], vectors[: len(config.texts)], vectors[len(config.texts) :])
    best = max(verdicts, key=lambda verdict: verdict.cosine)
    for verdict in verdicts:
        say(_verdict_json(config.image, verdict, verdict is best) if config.json else _verdict_lines(verdict))
    if not config.json:
        if len(verdicts) > 1:
            second = sorted(verdict.cosine for verdict in verdicts)[-2]
            say(f'fits best: "{best.text}" (ahead of the next by {best.cosine - second:.3f})')
        say("Uncalibrated: use these figures to compare sentences; no value of them means true or false.")
    return verdicts


def judge(
    texts: Sequence[str], photo: np.ndarray, text_features: np.ndarray, background_features: np.ndarray
) -> list[Verdict]:
    """Verdicts for unit vectors of a photo (D,), its sentences (T, D) and background sentences (N, D)."""
    cosines = class_scores(photo[None], text_features)[0]
    others = class_scores(photo[None], background_features)[0]
    verdicts = []
    for text, cosine in zip(texts, map(float, cosines), strict=True):
        beaten = count_beaten(cosine, others) if len(others) else None
        verdicts.append(Verdict(text, cosine, beaten, len(others) or None))
    return verdicts


def background_sentences(
    model: Model | Rival, image: Path, exclude: Sequence[str], count: int = BACKGROUND
) -> list[str]:
    """At most `count` validation captions of the model's DATASET, drawn with seed 0; none is in `exclude`.

    Captions of a photo with the file name of `image` are left out: they would not be about another photo.
    Empty, with a note, when the DATASET is not at hand.
    """
    folder = model.config.get("images")
    try:
        if folder is None:
            raise LiftError("the RUN names no DATASET", "train it with `lift train --images DATASET`")
        dataset = Dataset(folder)
        rows = [dataset.rows[number] for number in dataset.split("val")]
    except LiftError as error:
        note(f"no comparison with other sentences: {error.problem}")
        return []
    others = [row for row in rows if image.name not in (Path(row.key).name, Path(row.source or row.key).name)]
    captions = dict.fromkeys(text for row in others for text in row.captions)
    distinct = [text for text in captions if text not in exclude]
    random = np.random.default_rng(0)
    chosen = random.choice(len(distinct), min(count, len(distinct)), replace=False)
    return [distinct[number] for number in np.sort(chosen)]


def _verdict_lines(verdict: Verdict) -> str:
    line = f'"{verdict.text}"\n  cosine {verdict.cosine:.3f}'
    if verdict.background:
        line += f"; fits better than {verdict.beaten} of {verdict.background} sentences about other photos"
    return line


def _verdict_json(image: Path, verdict: Verdict, best: bool) -> str:
    fields: dict[str, Any] = {
        "image": str(image),
        "text": verdict.text,
        "cosine": round(verdict.cosine, 6),
        "fits_better_than": verdict.beaten,
        "background_sentences": verdict.background,
        "best": best,
        "calibrated": False,
    }
    return json.dumps(fields, ensure_ascii=False)
