"""`lift calibrate`: labelled pairs scored by a model, and what its scores mean from now on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tyro.conf import Positional

from lift.artefact import already_done, digest, sha256_file
from lift.console import note, say
from lift.data import Dataset, Row, is_dataset
from lift.data.decoding import MAX_PIXELS
from lift.errors import LiftError, UsageError
from lift.explaining import Proof, proof
from lift.model import Model, Rival, load
from lift.negatives import own_pairs
from lift.rewording import language_of
from lift.verifying.fitting import LENGTHS, Promise, fit_groups
from lift.verifying.folder import Calibration, encoder_id, write_calibration
from lift.verifying.labelled import Labelled, distinct, mix_of, pairs_of_rows, read_pairs, refuse_one_sided
from lift.verifying.photos import Photos
from lift.verifying.scoring import arrays_of, score_pairs, trained_on
from lift.verifying.tables import Columns, Unread
from lift.verifying.telling import tell_calibration, tell_photos, tell_unread

OTHERS = 300  # photos kept as a background for suspicious words
EXPLAINED = 300  # photos on which it is proved that words and places may be shown


@dataclass(frozen=True)
class CalibrateConfig:
    """Learn from labelled pairs what a model's scores mean: match, mismatch, or ask a person, with promised errors."""

    run: Positional[Path]
    """folder of the model"""
    pairs: Positional[Path]
    """table of {image, text, answer} (CSV, TSV, JSONL, Excel), or a DATASET: then false descriptions are made of its
    captions"""
    out: Path
    """folder of the CALIBRATION to write"""
    photos: Path | None = None
    """folder or DATASET with the photos that the table names (default: the table's own folder)"""
    feedback: tuple[Path, ...] = ()
    """JSONL files of people's answers, as `lift serve` writes them; see docs/verdicts.md for what they are good for"""
    false_alarm: float = 0.05
    """promise: at most this share of the true descriptions is called a mismatch"""
    missed: float = 0.05
    """promise: at most this share of the false descriptions is called a match"""
    confidence: float = 0.9
    """how sure each promise is"""
    lengths: tuple[float, ...] = LENGTHS
    """ends of the groups by length, in words (Japanese: two characters count as a word)"""
    merge: bool = True
    """join a group that has too few labels with its neighbour; without it such a group is left to people"""
    split: str = "val"
    """of a DATASET, which photos: they must not have been trained on"""
    hard_share: float = 0.5
    """of a DATASET: share of the false descriptions that differ from a true one in one fact; the rest are captions of
    other photos"""
    explain: bool = True
    """also prove on these photos whether suspicious words and places beat chance; without it they are not shown"""
    image_column: str = ""
    """column with the photo's file name, when it is not found by its name"""
    text_column: str = ""
    """column with the description"""
    answer_column: str = ""
    """column with the answer: yes or no, true or false, 1 or 0, match or mismatch, はい or いいえ"""
    query_encoder: Path | None = None
    """folder of a light text encoder made by `lift distill-query`; the CALIBRATION is then for that one"""
    max_pixels: int = MAX_PIXELS
    """photos with more pixels than this are set aside before decoding"""
    seed: int = 0
    """seed of all that is drawn"""
    overwrite: bool = False
    """replace what is in --out"""

    @property
    def promise(self) -> Promise:
        """The promise; UsageError for shares that are none."""
        for name in ("false_alarm", "missed"):
            if not 0 < getattr(self, name) < 0.5:
                raise UsageError(
                    f"--{name.replace('_', '-')} {getattr(self, name):g} is no share of errors",
                    "give a number between 0 and 0.5, as 0.05",
                )
        if not 0.5 <= self.confidence < 1:
            raise UsageError(
                f"--confidence {self.confidence:g} promises nothing", "give 0.5 to 0.999, as 0.9"
            )
        if any(length <= 0 for length in self.lengths):
            raise UsageError("--lengths are numbers of words", "give numbers above 0, as 15 40")
        return Promise(self.false_alarm, self.missed, self.confidence)


class Gathered(NamedTuple):
    """The pairs to calibrate on, where their photos are, and what could not be read."""

    pairs: list[Labelled]
    photos: Photos
    unread: list[Unread]
    source: dict[str, Any]


def calibrate(config: CalibrateConfig) -> Calibration:
    """Make the CALIBRATION, tell what it promises, and open it."""
    promise = config.promise
    if not 0 <= config.hard_share <= 1:
        raise UsageError(f"--hard-share {config.hard_share:g} is no share", "give a number from 0 to 1")
    model = load(config.run, query_encoder=config.query_encoder)
    request = _request(config, model)
    if already_done(config.out, "calibration", request, config.overwrite):
        say(f"already done: {config.out}")
        opened = Calibration(config.out)
        tell_calibration(opened)
        return opened
    gathered = gather(config)
    refuse_one_sided(gathered.pairs)
    scores, features, same, lost = score_pairs(model, gathered.pairs, gathered.photos)
    tell_unread([*gathered.unread, *lost])
    pairs = [pair for pair in gathered.pairs if pair.photo in features]
    refuse_one_sided(pairs)
    scored = arrays_of(pairs, scores, same)
    trained = trained_on(model, list(features), gathered.photos)
    tell_photos(len(features), len(set(same.values())), len(trained))
    groups, joined = fit_groups(scored, promise, lengths=config.lengths, merge=config.merge, seed=config.seed)
    keys = sorted(features)
    drawn = np.random.default_rng(config.seed).permutation(len(keys))[:OTHERS]
    others = np.stack([features[keys[number]] for number in drawn])
    proved = prove(model, pairs, features, gathered.photos, others, config.seed) if config.explain else None
    facts = {
        "pairs": {
            "true": int(scored.labels.sum()),
            "false": int((~scored.labels).sum()),
            "photos": len(set(same.values())),
        },
        "languages": dict(Counter(language_of(pair.text) for pair in pairs)),
        "trained_on": len(trained),
        "false_of_kind": mix_of(pairs),
        "false_share": round(float(np.mean(~scored.labels)), 4),
        "joined": joined,
        "set_aside": len(gathered.unread) + len(lost),
        "source": gathered.source,
        "explaining": proved.asdict() if proved else None,
    }
    rows = (
        (digest(pair.photo), f"{words:g}", int(pair.label), pair.kind, int(pair.doubtful), repr(float(score)))
        for pair, words, score in zip(pairs, scored.words, scored.scores, strict=True)
    )
    write_calibration(config.out, model, vars(promise), groups, rows, others, facts | {"request": request})
    opened = Calibration(config.out)
    tell_calibration(opened)
    return opened


def _request(config: CalibrateConfig, model: Model | Rival) -> dict[str, Any]:
    left_out = ("run", "pairs", "out", "photos", "feedback", "query_encoder", "overwrite")
    options = {name: value for name, value in vars(config).items() if name not in left_out}
    if is_dataset(config.pairs):
        source = Dataset(config.pairs).id
    elif config.pairs.is_file():
        source = sha256_file(config.pairs)
    else:
        raise LiftError(f"{config.pairs} is neither a table nor a DATASET", "give a file of labelled pairs")
    for file in config.feedback:
        if not file.is_file():
            raise LiftError(f"there is no feedback file {file}", "check the path given with --feedback")
    return {
        **{name: list(value) if isinstance(value, tuple) else value for name, value in options.items()},
        "model": model.id,
        "encoder": encoder_id(model),
        "pairs": source,
        "photos": str(config.photos.resolve()) if config.photos else None,
        "feedback": [sha256_file(file) for file in config.feedback],
    }


def gather(config: CalibrateConfig) -> Gathered:
    """Read or make all pairs."""
    unread: list[Unread] = []
    pairs: list[Labelled]
    source: dict[str, Any] = {"name": config.pairs.name, "kind": "table"}
    if is_dataset(config.pairs):
        dataset = Dataset(config.pairs)
        if config.split in ("train", "all"):
            note(
                "photos of this split were trained on: the promise does not hold for new ones; use --split val"
            )
        rows = [dataset.rows[number] for number in dataset.split(config.split)]
        pairs = pairs_of_rows(rows, own_pairs(dataset), hard_share=config.hard_share, seed=config.seed)
        photos = Photos(config.photos or config.pairs, max_pixels=config.max_pixels)
        source = {"name": dataset.name, "kind": "dataset", "id": dataset.id, "split": config.split}
    else:
        photos = Photos(config.photos or config.pairs.parent, max_pixels=config.max_pixels)
        wanted = Columns(config.image_column, config.text_column, config.answer_column)
        pairs, found = read_pairs(config.pairs, photos, wanted)
        unread += found
    answers = 0
    for file in config.feedback:
        told = read_pairs(file, photos, feedback=True)
        pairs, unread = pairs + told.pairs, unread + told.unread
        answers += len(told.pairs)
    pairs = distinct(pairs, unread)  # what a table and a person say of the same pair may differ
    if not pairs:
        tell_unread(unread)
        raise LiftError(f"no row of {config.pairs} can be used", "see the reasons above")
    return Gathered(pairs, photos, unread, source | {"feedback": answers})


def prove(
    model: Model | Rival,
    pairs: list[Labelled],
    features: dict[str, np.ndarray],
    photos: Photos,
    others: np.ndarray,
    seed: int,
) -> Proof:
    """Whether suspicious words and hot places beat chance on the true descriptions of these photos."""
    texts: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.label:
            texts.setdefault(pair.photo, []).append(pair.text)
    keys = sorted(texts)
    chosen = np.sort(np.random.default_rng((seed, 1)).permutation(len(keys))[:EXPLAINED])
    rows = [Row(keys[number], texts[keys[number]], "val") for number in chosen]
    encoder = model.image_encoder if isinstance(model, Model) else None
    note("proving whether suspicious words and places beat chance (--no-explain leaves this out)")
    return proof(
        rows,
        np.stack([features[row.key] for row in rows]),
        model.encode_text,
        others=others,
        image_encoder=encoder,
        pixels=np.stack([photos.see(row.key, model).pixels for row in rows]) if encoder is not None else None,
        seed=seed,
    )
