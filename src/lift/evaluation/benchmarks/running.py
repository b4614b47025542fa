"""The verb `benchmark`: a public benchmark's folder, measured under a named protocol."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from lift.artefact import digest, sha256_file
from lift.console import note, say
from lift.errors import LiftError, UsageError
from lift.evaluation.benchmarks.bench import Bench, Encoder
from lift.evaluation.benchmarks.folder import Benchmark, Folder
from lift.evaluation.benchmarks.registry import find_benchmark, protocol_name
from lift.evaluation.benchmarks.sheets import Sheet
from lift.evaluation.home import results_home
from lift.evaluation.results import Measurement, finished_result, result_path, show_result, write_result
from lift.model import Model, Rival, load
from lift.text.encoder import counts_tokens

TOLD = 5  # unreadable photos that are named on the terminal; the result names more
KEPT = 1000


@dataclass(frozen=True)
class BenchmarkConfig:
    """Measure a RUN on a public benchmark that you downloaded; docs/benchmarks.md lists names, layouts, protocols."""

    run: Positional[Path]
    """RUN folder, made by `lift train`; or the folder or hub id of a published CLIP, SigLIP or the like"""
    name: Positional[str]
    """which benchmark, such as sugarcrepe; an unknown name lists the known ones"""
    data: Path
    """folder with the benchmark's files as its makers publish them"""
    protocol: str | None = None
    """what exactly is done; without it the first that docs/benchmarks.md lists for the benchmark"""
    only: tuple[str, ...] = ()
    """parts to measure: kinds of foils, languages; without it all"""
    classes: Path | None = None
    """names of class folders, for ImageNet and its relatives"""
    limit: int | None = None
    """only so many photos, drawn by the seed, for a quick look"""
    seed: int = 0
    """for the bootstrap, the shuffled words and the draw of --limit"""
    batch_size: int = 256
    """photos or texts encoded together"""
    device: str = "cpu"
    """where to encode: cpu, cuda, cuda:1, mps"""
    out: Path | None = None
    """folder for the results of a published model (default: rival-NAME); those of a RUN go into the RUN"""
    overwrite: bool = False
    """measure again also what is already there"""


def benchmark(config: BenchmarkConfig) -> dict[str, Any]:
    """Measure, write RUN/results/*.json, print a table; returns the JSON's content."""
    chosen = find_benchmark(config.name)
    protocol = protocol_name(chosen, config.protocol)
    folder = open_folder(config, chosen, protocol)
    sheet = chosen.read(folder)
    if sheet.size == 0:
        raise folder.missing("item that --protocol and --only ask for")
    model = load(config.run, device=config.device)
    home = results_home(config.run, model, config.out)
    data = data_id(folder, sheet, protocol)
    request = {
        "task": chosen.task,
        "benchmark": config.name,
        "protocol": protocol,
        "model": model.id,
        "data": data,
        "only": list(config.only),
        "limit": config.limit,
        "seed": config.seed,
        "classes": sha256_file(config.classes) if config.classes else None,
    }
    variant = "-".join([*config.only, *([f"drawn{config.limit}"] if config.limit else [])])
    path = result_path(home, chosen.task, f"{config.name}-{protocol}", variant)
    result = None if config.overwrite else finished_result(path, request)
    if result is None and path.is_file():
        note(f"{path} is replaced: it answers another request, or --overwrite is given")
    if result is not None:
        note(f"{config.name}: already done, {path}")
    else:
        note(f"{config.name}, {protocol}: measuring; terms of the data: {chosen.terms}")
        began = time.monotonic()
        measured, bench = measure_sheet(
            chosen, folder, sheet, model, limit=config.limit, batch_size=config.batch_size
        )
        facts = {
            "task": chosen.task,
            "dataset": {"name": config.name, "id": data, "split": protocol},
            "model": {
                "id": model.id,
                "method": model.method,
                "run": home.resolve().name,
                "fingerprint": model.fingerprint.asdict(),
            },
            "seed": config.seed,
            "seconds": round(time.monotonic() - began, 2),
            "request": request,
            "left_out": [failure._asdict() for failure in bench.failures[:KEPT]],
            "texts_cut": texts_cut(model, bench.texts),
        }
        measured = replace(measured, protocol=f"{protocol}: {measured.protocol}")
        result = write_result(path, measured, facts)
    show_result(result)
    say(f"  {path}")
    return result


def open_folder(config: BenchmarkConfig, chosen: Benchmark, protocol: str) -> Folder:
    """The benchmark's folder as the config asks for it; LiftError or UsageError for what does not fit together."""
    if not config.data.is_dir():
        raise LiftError(
            f"there is no folder {config.data}",
            f"download {chosen.title} from {chosen.home}; expected there: {chosen.layout}. Terms: {chosen.terms}",
        )
    if config.only and not (chosen.parts or chosen.takes_parts):
        raise UsageError(f"{chosen.title} has no parts to choose from", "leave --only out")
    if config.classes is not None and not chosen.takes_classes:
        raise UsageError(f"{chosen.title} brings its own class names or has none", "leave --classes out")
    if config.classes is not None and not config.classes.is_file():
        raise LiftError(f"there is no file {config.classes}", "give --classes a file that exists")
    if config.limit is not None and config.limit < 2:
        raise UsageError(f"--limit {config.limit} leaves nothing to compare", "use 2 photos or more")
    if config.batch_size < 1 or config.seed < 0:
        raise UsageError("--batch-size must be 1 or more, --seed 0 or more", "leave them out")
    return Folder(
        root=config.data,
        benchmark=chosen,
        protocol=chosen.protocols[protocol],
        only=config.only,
        classes=config.classes,
        seed=config.seed,
    )


def measure_sheet(
    chosen: Benchmark,
    folder: Folder,
    sheet: Sheet,
    model: Encoder,
    *,
    limit: int | None = None,
    batch_size: int = 256,
) -> tuple[Measurement, Bench]:
    """Encode and measure `sheet`; photos that cannot be read are told, counted in n and named in the protocol."""
    skip = not_drawn(len(sheet.photos), limit, folder.seed)
    asked = sheet.without(skip) if skip else sheet
    bench = Bench(model, sheet.photos, skip=skip, batch_size=batch_size, seed=folder.seed)
    kept = asked.without(bench.unusable) if bench.failures else asked
    if kept.size == 0:
        first = bench.failures[0] if bench.failures else None
        what = f"{first.key}: {first.reason}" if first else "no item has all its photos in the draw"
        raise LiftError(
            f"nothing is left to measure of {chosen.title} ({what})",
            f"expected: {chosen.layout}. Get the pictures from {chosen.home}"
            if first
            else "use a larger --limit",
        )
    measured = chosen.measure(bench, kept)
    said, n = measured.protocol, measured.n
    if folder.only:
        said += f"; ONLY the parts {', '.join(folder.only)}"
    if skip:
        said += f"; ONLY {len(sheet.photos) - len(skip)} of {len(sheet.photos)} photos, drawn by the seed"
    if bench.failures:
        lost = asked.size - kept.size
        said += f"; INCOMPLETE: {len(bench.failures)} photos missing or damaged, {lost} of {asked.size} items left out"
        n = {**n, "photos_left_out": len(bench.failures), "items_left_out": lost}
        note(f"{len(bench.failures)} photos could not be read, {lost} of {asked.size} items are left out:")
        for failure in bench.failures[:TOLD]:
            note(f"  {failure.key}: {failure.reason}")
    words = "; ".join(filter(None, (folder.protocol.words, sheet.note, said)))
    return replace(measured, protocol=words, n=n), bench


def not_drawn(count: int, limit: int | None, seed: int) -> Collection[int]:
    """Numbers of the photos that a draw of `limit` out of `count` leaves out."""
    if limit is None or limit >= count:
        return ()
    return set(np.random.default_rng(seed).permutation(count)[limit:].tolist())


def texts_cut(model: Model | Rival, texts: list[str]) -> dict[str, int] | None:
    """How many of the distinct texts exceed the encoder's limit, told on the terminal; None where none is known to."""
    encoder = model if isinstance(model, Rival) else model.text_encoder
    if not counts_tokens(encoder):
        return None
    cut = int((encoder.token_counts(texts) > encoder.max_tokens).sum())
    if not cut:
        return None
    note(
        f"{cut} of {len(texts)} distinct texts are longer than {encoder.max_tokens} tokens: their ends were cut off"
    )
    return {"cut": cut, "texts": len(texts), "max_tokens": encoder.max_tokens}


def data_id(folder: Folder, sheet: Sheet, protocol: str) -> str:
    """16 hexadecimal digits over the files that were read, the photos' names and the protocol."""
    files = {str(path.relative_to(folder.root)): sha256_file(path) for path in folder.files}
    return digest({"files": files, "photos": [photo.key for photo in sheet.photos], "protocol": protocol})
