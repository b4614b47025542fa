"""The verb `exam`: read the texts, examine every encoder, compare, write exam.json and exam.html."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lift import __version__
from lift.artefact import (
    already_done,
    digest,
    new_folder,
    read_manifest,
    sha256_file,
    write_bytes,
    write_json,
)
from lift.auditing.changes import minimal_change
from lift.auditing.conclusion import conclude
from lift.auditing.config import ExamConfig
from lift.auditing.corpus import Corpus, read_corpus
from lift.auditing.examinee import Examinee
from lift.auditing.finding import duplicates, same_item
from lift.auditing.glossary import Term, read_glossary
from lift.auditing.length import fertility, truncation, unknown
from lift.auditing.light import Light, Measured, light_of
from lift.auditing.limits import LIMITS
from lift.auditing.page import render
from lift.auditing.scoring import WEIGHTS, Gap, Score, gaps, score_of
from lift.auditing.space import anisotropy, determinism, directions, hubness
from lift.auditing.terms import glossary
from lift.console import note, progress_bar, say, show_table
from lift.errors import LiftError
from lift.place import Place
from lift.store import EmbeddingStore
from lift.store.commits import FACTS
from lift.text import TextEncoder, load_text_encoder, rebuild_text_encoder
from lift.text.encoder import counts_tokens
from lift.text.endpoint import is_endpoint

# In the order of the page: what decides first comes first.
PARTS: dict[str, Callable[[Examinee], list[Measured]]] = {
    "same_item": same_item,
    "minimal_change": minimal_change,
    "glossary": glossary,
    "truncation": truncation,
    "fertility": fertility,
    "unknown": unknown,
    "effective_rank": directions,
    "anisotropy": anisotropy,
    "hubness": hubness,
    "duplicates": duplicates,
    "determinism": determinism,
}
ENCODING = (
    "minimal_change",
    "glossary",
    "unknown",
)  # these encode more texts, under progress bars of their own
SIGNS = {"green": "● good", "yellow": "▲ caution", "red": "■ problem", "grey": "○ not measured"}
UNIT = 1e-3  # vectors further from unit length than this are broken


@dataclass(frozen=True)
class Exam:
    """Lights and score of every encoder by its name, the best one, and its paired leads on the others."""

    lights: dict[str, list[Light]]
    scores: dict[str, Score]
    best: str | None
    leads: list[Gap]
    conclusion: list[str]

    def asdict(self) -> dict[str, Any]:
        """As written into exam.json."""
        return {
            "conclusion": self.conclusion,
            "best": self.best,
            "leads": [{**asdict(gap), "beyond_noise": gap.beyond_noise} for gap in self.leads],
            "encoders": [
                {
                    "name": name,
                    "score": self.scores[name].asdict(),
                    "lights": [light.asdict() for light in lights],
                }
                for name, lights in self.lights.items()
            ],
        }


def examine(
    encoders: Mapping[str, TextEncoder],
    corpus: Corpus,
    *,
    glossary: Sequence[Term] = (),
    batch_size: int = 1024,
    seed: int = 0,
) -> Exam:
    """Examine encoders, by their names, on a corpus; the same texts, changes and resamples for all."""
    measured: dict[str, list[Measured]] = {}
    for name, encoder in encoders.items():
        measured[name] = _measure(Examinee(name, encoder, corpus, glossary, batch_size, seed))
    lights = {name: [light_of(m) for m in found] for name, found in measured.items()}
    scores = {name: score_of(found, seed) for name, found in measured.items()}
    best, leads = gaps(scores)
    return Exam(lights, scores, best, leads, conclude(lights, scores, best, leads))


def _measure(examinee: Examinee) -> list[Measured]:
    features = examinee.text_features
    norms = np.linalg.norm(features, axis=1)
    broken = int((~(np.abs(norms - 1.0) < UNIT)).sum())
    if broken:
        why = f"{broken} of {len(norms)} vectors are not finite or not of unit length"
        lights = [Measured(name, skipped=why) for name in PARTS if name != "determinism"]
        return [
            *lights,
            Measured("determinism", value=np.inf, n=len(norms), meaning=f"{why[0].upper()}{why[1:]}."),
        ]
    found = {name: PARTS[name](examinee) for name in ENCODING}
    with progress_bar(f"{examinee.name}: measuring", len(PARTS) - len(ENCODING)) as bar:
        for name in (name for name in PARTS if name not in ENCODING):
            found[name] = PARTS[name](examinee)
            bar.advance()
    return [measured for name in PARTS for measured in found[name]]


def exam(config: ExamConfig) -> dict[str, Any]:
    """Write EXAM and print its lights; returns the content of exam.json.

    Raises LiftError for texts, a glossary or encoders that cannot be read.
    """
    config.check()
    corpus = read_corpus(
        config.texts,
        limit=config.limit,
        seed=config.seed,
        text_column=config.text_column,
        item_column=config.item_column,
    )
    terms = read_glossary(config.glossary) if config.glossary else []
    _tell_of_texts(corpus)
    encoders = _load(config)
    request = {
        "texts": digest([corpus.id, corpus.all_texts.tolist(), corpus.all_items.tolist()]),
        "encoders": {name: encoder.fingerprint.digest for name, encoder in encoders.items()},
        "glossary": digest([list(term) for term in terms]),
        "batch_size": config.batch_size,
        "limit": config.limit,
        "seed": config.seed,
    }
    if already_done(config.out, "exam", request, config.overwrite):
        content = read_manifest(config.out, "exam")
        _tell(content)
        say(f"{config.out}: already done")
        return content
    found = examine(encoders, corpus, glossary=terms, batch_size=config.batch_size, seed=config.seed)
    content = {
        "format": 1,
        "lift": __version__,
        "request": request,
        "texts": {"name": corpus.name, **corpus.facts},
    }
    content |= found.asdict()
    for facts, encoder in zip(content["encoders"], encoders.values(), strict=True):
        facts |= {
            "fingerprint": encoder.fingerprint.asdict(),
            "dim": encoder.dim,
            "max_tokens": encoder.max_tokens if counts_tokens(encoder) else None,
        }
    content |= {
        "limits": {name: {**limit._asdict(), "words": limit.words()} for name, limit in LIMITS.items()},
        "weights": WEIGHTS,
    }
    content = _plain(content)
    with new_folder(config.out) as folder:
        write_bytes(folder / "exam.html", render(content).encode())
        content["sha256"] = {"exam.html": sha256_file(folder / "exam.html")}
        write_json(folder / "exam.json", content)
    _tell(content)
    say(f"{config.out / 'exam.html'}")
    return content


def open_encoder(source: str, config: ExamConfig) -> TextEncoder:
    """The encoder of a name, folder, hub id or endpoint, or of a STORE: exactly as its vectors were made."""
    if is_endpoint(source) or not Place(source).exists(FACTS):
        return load_text_encoder(source, device=config.device, options=config.options)
    store = EmbeddingStore(source)
    given = [f"--{name.replace('_', '-')}" for name in config.options.changed()]
    if given:
        note(
            f"{', '.join(given)} is not for the STORE {source}: its encoder is taken as its vectors were made"
        )
    return rebuild_text_encoder(store.fingerprint, device=config.device, conditioning=store.conditioning)


def _load(config: ExamConfig) -> dict[str, TextEncoder]:
    """The encoders by names that tell them apart; one given twice is refused."""
    encoders: dict[str, TextEncoder] = {}
    digests: dict[str, str] = {}
    for source in config.encoder or ("minilm",):
        encoder = open_encoder(source, config)
        found = encoder.fingerprint
        if found.digest in digests:
            raise LiftError(
                f"--encoder {source} is the same encoder as {digests[found.digest]}", "give each encoder once"
            )
        name = (
            found.name if found.post_processing == "none" else f"{found.name}, {found.post_processing[:-17]}"
        )
        name = name if name not in encoders else f"{name} ({found.digest[:6]})"
        digests[found.digest] = source
        encoders[name] = encoder
    return encoders


def _tell_of_texts(corpus: Corpus) -> None:
    facts = corpus.facts
    say(
        f"{corpus.name}: {facts['distinct texts']:,} distinct texts of {facts['items']:,} items; "
        f"{facts['examined texts']:,} are examined"
    )
    if facts.get("text column"):
        item = facts["item column"]
        note(
            f"texts from column {facts['text column']!r}, "
            + (f"items by {item!r}" if item else "no column of items")
        )
    if facts["empty texts"]:
        note(f"{facts['empty texts']:,} empty texts were left out")
    if facts.get("unreadable lines"):
        note(f"{facts['unreadable lines']:,} lines of the table could not be read and were left out")
    if facts["texts with a replacement character"]:
        note(
            f"{facts['texts with a replacement character']:,} texts hold the sign \ufffd of a lost letter: they were "
            "damaged before; write the file again from its source"
        )


def _tell(content: dict[str, Any]) -> None:
    """The lights as a table on the terminal, and the conclusion."""
    encoders = content["encoders"]
    rows: dict[str, list[str]] = {}
    for place, one in enumerate(encoders):
        for light in one["lights"]:
            row = rows.setdefault(light["name"], [light["title"], *[""] * len(encoders)])
            value = "" if light["value"] is None else f" {light['value']:.3g}"
            unit = f" {light['unit']}" if light["unit"] and value else ""
            row[place + 1] = f"{SIGNS[light['colour']]}{value}{unit}"
    score = ["Score, 0 to 100"]
    for one in encoders:
        s = one["score"]
        value = "–" if s["value"] is None else f"{s['value']:.1f}"
        score.append(value if s["low"] is None else f"{value} ({s['low']:.1f} to {s['high']:.1f})")
    show_table("Exam", ["", *[one["name"] for one in encoders]], [*rows.values(), score])
    for sentence in content["conclusion"]:
        say(sentence)


def _plain(value: Any) -> Any:
    """JSON-able: numpy numbers become Python's, rounded to 6 digits; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.floating, float)):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
