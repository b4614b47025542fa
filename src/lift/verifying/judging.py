"""`lift verify`: descriptions of one photo, or a whole table of photos and descriptions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tyro.conf import Positional

from lift.console import note, progress_bar, say
from lift.data import BadImage, Dataset, is_dataset
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError, UsageError
from lift.model import Model, Rival, chosen_run, load
from lift.verifying.checking import Checked, Words, verify_table
from lift.verifying.tables import Columns, is_table
from lift.verifying.verifier import Verdict, Verifier
from lift.verifying.wording import REMARKS, SIGNS, WORDS, percent, promise_in_words, shown

BACKGROUND = 200
SHOWN = 300  # signs of a description that are repeated


@dataclass(frozen=True)
class VerifyConfig:
    """Do descriptions fit their photo: match, mismatch or ask a person, with promised errors (--calibration).

    Without a CALIBRATION the descriptions of one photo are only compared, and nothing is said of true and false.
    """

    image: Positional[Path]
    """one photo, with its descriptions behind it; or a table (CSV, TSV, JSONL, Excel) or a DATASET, with --out"""
    texts: Positional[tuple[str, ...]] = ()
    """one or several descriptions of the photo, each in quotes"""
    run: Path | None = None
    """folder of the model (default: the environment variable LIFT_RUN)"""
    calibration: Path | None = None
    """CALIBRATION folder, made by `lift calibrate` for this model"""
    false_share: float | None = None
    """how many of the descriptions you ask about are false, as 0.05, for the probability (default: as many as among
    the pairs calibrated on)"""
    out: Path | None = None
    """of a table: file to write, .xlsx (with small pictures) or .csv"""
    photos: Path | None = None
    """of a table: folder or DATASET with the photos (default: the table's own folder)"""
    split: str = "val"
    """of a DATASET: which photos"""
    language: Literal["auto", "en", "ja"] = "auto"
    """of a table: language of headings and verdicts; auto: that of the descriptions"""
    words: Words = "mismatch"
    """of a table: for which rows to look for suspicious words, where the CALIBRATION proved them; asked: mismatches and
    those that people are asked about, which takes some twenty times as long as the rest"""
    thumbnails: int = 5000
    """of a table: how many pictures to put into the Excel file at most"""
    image_column: str = ""
    """of a table: column with the photo's file name, when it is not found by its name"""
    text_column: str = ""
    """of a table: column with the description"""
    query_encoder: Path | None = None
    """folder of a light text encoder made by `lift distill-query`, in place of the model's own"""
    max_pixels: int = MAX_PIXELS
    """a photo with more pixels than this is refused before decoding"""
    json: bool = False
    """print one JSON object per description, for other programs"""


def verify(config: VerifyConfig) -> list[Verdict] | Checked:
    """Judge the descriptions of one photo, one Verdict each in their order; or check a table."""
    if config.image.is_dir() or is_table(config.image):
        return _verify_table(config)
    if not config.texts or not all(text.strip() for text in config.texts):
        raise UsageError(
            "no sentence was given", 'add one in quotes: `lift verify photo.jpg "a dog on grass"`'
        )
    if config.out is not None:
        raise UsageError("--out is for a table, and this is one photo", "leave it out, or add --json")
    if not config.image.is_file():
        raise LiftError(f"there is no photo {config.image}", "check the path")
    model = load(chosen_run(config.run), query_encoder=config.query_encoder)
    verifier = Verifier.load(model, config.calibration, false_share=config.false_share)
    try:
        pixels = model.prepare(config.image, max_pixels=config.max_pixels)
    except BadImage as error:
        raise LiftError(f"{config.image}: {error.reason}", error.remedy) from error
    photo = model.encode_pixels(np.stack([pixels]))[0]
    sentences = background_sentences(model, config.image, exclude=config.texts)
    background = model.encode_text(sentences) if sentences else None
    verdicts = verifier.judge(photo, config.texts, background=background)
    best = max(verdicts, key=lambda verdict: verdict.cosine)
    for verdict, is_cut in zip(verdicts, verifier.cut(config.texts), strict=True):
        line = _json(config.image, verdict, verdict is best) if config.json else _lines(verdict, is_cut)
        say(line)
    if not config.json:
        if len(verdicts) > 1:
            second = sorted(verdict.cosine for verdict in verdicts)[-2]
            say(f'fits best: "{best.text}" (ahead of the next by {best.cosine - second:.3f})')
        if verifier.calibration is not None:
            say(promise_in_words(verifier.calibration.promise))
        else:
            say("Uncalibrated: use these figures to compare sentences; no value of them means true or false.")
    return verdicts


def _verify_table(config: VerifyConfig) -> Checked:
    """Check the table or DATASET; tells counts and what could not be read."""
    if config.texts:
        raise UsageError(
            f"{config.image} is a table, and sentences were given as well",
            "name one photo and its sentences, or a table alone",
        )
    if config.image.is_dir() and not is_dataset(config.image):
        raise UsageError(
            f"{config.image} is a folder and no DATASET", "give a table, a DATASET, or one photo"
        )
    if config.out is None:
        raise UsageError("a checked table needs a file to be written to", "add --out checked.xlsx, or .csv")
    if config.calibration is None:
        raise LiftError(
            "a table cannot be checked by an uncalibrated model: its scores say nothing of true and false",
            f"calibrate once, `lift calibrate {config.run or 'RUN'} PAIRS --out CALIBRATION`, then add --calibration",
        )
    model = load(chosen_run(config.run), query_encoder=config.query_encoder)
    verifier = Verifier.load(model, config.calibration, false_share=config.false_share)
    with progress_bar("checking", None) as bar:
        checked = verify_table(
            verifier,
            config.image,
            config.out,
            photos=config.photos,
            split=config.split,
            language=None if config.language == "auto" else config.language,
            words=config.words,
            thumbnails=config.thumbnails,
            columns=Columns(config.image_column, config.text_column),
            max_pixels=config.max_pixels,
            progress=bar.advance,
        )
    for line in checked.lines():
        say(line)
    for line in checked.faults():
        note(line)
    return checked


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


def _lines(verdict: Verdict, is_cut: bool) -> str:
    text = verdict.text if len(verdict.text) <= SHOWN else f"{verdict.text[:SHOWN]}…"
    line = f'"{text}"'
    if is_cut:
        line += f"\n  {REMARKS['en']['cut']}"
    if verdict.decision is not None:
        line += f"\n  {SIGNS[verdict.decision]} {WORDS['en'][verdict.decision]}"
        if verdict.probability is not None:
            line += f", fits with a probability of {percent(shown(verdict.probability))}"
        if verdict.group is None:
            line += " (the CALIBRATION has no pairs of this length or language)"
    line += f"\n  cosine {verdict.cosine:.3f}"
    if verdict.background:
        line += f"; fits better than {verdict.beaten} of {verdict.background} sentences about other photos"
    if verdict.suspicious:
        line += "\n  least fitting: " + ", ".join(f'"{one.text}"' for one in verdict.suspicious[:3])
    return line


def _json(image: Path, verdict: Verdict, best: bool) -> str:
    fields: dict[str, Any] = {
        "image": str(image),
        "text": verdict.text,
        "cosine": round(verdict.cosine, 6),
        "fits_better_than": verdict.beaten,
        "background_sentences": verdict.background,
        "best": best,
        "calibrated": verdict.decision is not None,
    }
    if verdict.decision is not None:
        fields |= {
            "decision": verdict.decision,
            "probability": None if verdict.probability is None else round(verdict.probability, 4),
            "group": verdict.group,
            "suspicious": [one._asdict() for one in verdict.suspicious],
        }
    return json.dumps(fields, ensure_ascii=False)
