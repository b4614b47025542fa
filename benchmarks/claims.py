"""The claims on four data sets: ingest, `lift claims`, and the JSON that docs/claims.md is made of.

    python benchmarks/claims.py flickr8k --data ../shared/data --work /tmp/claims --budget 6 --seeds 0
    python benchmarks/claims.py scenes --work /tmp/claims --budget 6 --seeds 0

Writes benchmarks/results/claims_<set>.json. Runs stay in --work; a stopped benchmark goes on.

NLVR: half of the drawings come with a false sentence only. Where their structure is published (which boxes hold which
shapes), it is written out as a long text; true sentences are short captions; a drawing with neither is set aside. The
human sentences of drawings that are measured, true and false, are the test of claim 3d.
Grocery: the second caption of a photo is a long product text.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import tyro
from tyro.conf import Positional

from lift.claims import ClaimsConfig, claims
from lift.ingest import IngestConfig, ingest

RESULTS = Path(__file__).parent / "results"
COLOURS = {"#0099ff": "blue", "yellow": "yellow", "black": "black"}
PLACES = ("first", "middle", "last")


@dataclass(frozen=True)
class BenchmarkConfig:
    """Test the claims on one data set."""

    set: Positional[Literal["flickr8k", "scenes", "nlvr", "grocery"]]
    """Which data set."""
    work: Path = Path("claims-work")
    """Folder for DATASETs, STOREs and RUNs."""
    data: Path = Path("../shared/data")
    """Folder that holds flickr8k, nlvr and grocery."""
    budget: float | None = None
    """Minutes of training for all arms and seeds together."""
    epochs: int | None = None
    """Passes over the photos, instead of --budget."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each arm."""
    preset: str = "demo"
    """Size of the model."""
    image_encoder: str | None = None
    """Another image tower than the preset's."""
    images: int = 6000
    """Pictures to draw for scenes."""
    size: int = 64
    """Pixels."""
    device: str = "cpu"
    """Where to train."""
    at_once: int = 1
    """Trainings at a time; with more than one no time is judged."""
    trial: bool = False
    """Keep the result out of benchmarks/results."""


def main(config: BenchmarkConfig) -> None:
    """Ingest, test, keep the JSON."""
    work = config.work / config.set
    work.mkdir(parents=True, exist_ok=True)
    datasets, sentences = PREPARE[config.set](config, work)
    out = work / "claims"
    claims(
        ClaimsConfig(
            datasets=datasets,
            scenes=not datasets,
            out=out,
            budget=config.budget,
            epochs=config.epochs,
            seeds=config.seeds,
            preset=config.preset,
            image_encoder=config.image_encoder,
            sentences=sentences,
            images=config.images,
            size=config.size,
            flip=config.set == "grocery",
            device=config.device,
            at_once=config.at_once,
        )
    )
    if not config.trial:
        shutil.copyfile(out / "claims.json", RESULTS / f"claims_{config.set}.json")


Prepared = tuple[tuple[Path, ...], tuple[Path, ...]]


def no_data(config: BenchmarkConfig, work: Path) -> Prepared:
    """The scenes are drawn by `lift claims` itself."""
    return (), ()


def flickr8k(config: BenchmarkConfig, work: Path) -> Prepared:
    """Photos with five captions, and pairs of changed word order."""
    source, out = config.data / "flickr8k", work / "flickr8k"
    pairs = (source / "order_swap.jsonl",)
    ingest(IngestConfig(source, out, table="captions.jsonl", pairs=pairs, size=config.size, name="flickr8k"))
    return (out,), ()


def grocery(config: BenchmarkConfig, work: Path) -> Prepared:
    """Photos of 81 classes with a short text and a long product text, which is long whatever its words."""
    source, table = config.data / "grocery", []
    for row in lines_of(source / "captions.jsonl"):
        short, *long = row["captions"]
        table.append({"image": row["image"], "caption": short, "long": " ".join(long), "class": row["class"],
                      "split": row["split"]})  # fmt: skip
    return (made_of(table, source, work, "grocery", config.size),), ()


def nlvr(config: BenchmarkConfig, work: Path) -> Prepared:
    """Drawings with a long text from their structure, true human sentences, and all sentences as a test."""
    source, table, tested = config.data / "nlvr", [], []
    for row in lines_of(source / "examples.jsonl"):
        split = (
            "val" if crc32(row["group"].encode()) % 5 == 0 else "train"
        )  # whole groups: they share a sentence
        captions = [row["sentence"]] if row["label"] else []
        table.append({"image": row["image"], "captions": captions, "split": split,
                      "long": structure(row.get("structured_rep") or [])})  # fmt: skip
        if split == "val":
            tested.append({key: row[key] for key in ("image", "sentence", "label")})
    sentences = write_lines(work / "sentences.jsonl", tested)
    return (made_of(table, source, work, "nlvr", config.size),), (sentences,)


def structure(boxes: list[list[dict[str, Any]]]) -> str:
    """A drawing in words: "The first box holds 2 black squares and 1 yellow circle. …"; "" if not told."""
    sentences = []
    for place, items in zip(PLACES, boxes, strict=False):
        counts = Counter((COLOURS[item["color"].lower()], item["type"]) for item in items)
        parts = [
            f"{n} {colour} {shape}{'s' if n > 1 else ''}" for (colour, shape), n in sorted(counts.items())
        ]
        told = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nothing"
        sentences.append(f"The {place} box holds {told}.")
    return " ".join(sentences)


def made_of(table: list[dict[str, Any]], source: Path, work: Path, name: str, size: int) -> Path:
    """The DATASET of a table whose photos lie in `source`."""
    folder = work / "source"
    folder.mkdir(exist_ok=True)
    if not (folder / "images").is_symlink():
        (folder / "images").symlink_to((source / "images").resolve())
    write_lines(folder / "texts.jsonl", table)
    ingest(IngestConfig(folder, work / name, table="texts.jsonl", long_column="long", size=size, name=name))
    return work / name


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Objects of a JSONL file."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def write_lines(file: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a JSONL file; one that says the same stays, with its time, by which `lift ingest` knows it again."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if not file.is_file() or file.read_text("utf-8") != text:
        file.write_text(text, "utf-8")
    return file


PREPARE = {"flickr8k": flickr8k, "scenes": no_data, "nlvr": nlvr, "grocery": grocery}

if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig))
