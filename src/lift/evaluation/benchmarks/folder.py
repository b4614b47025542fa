"""The folder of a benchmark as its makers publish it: files and folders found, or told with where to get them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lift.data.reading import read_text
from lift.errors import LiftError
from lift.evaluation.benchmarks.sheets import Sheet
from lift.evaluation.results import Measurement


class Protocol(NamedTuple):
    """What exactly is done, in words, and the settings that the reader goes by."""

    words: str
    split: str = ""
    mode: str = ""


@dataclass(frozen=True)
class Benchmark:
    """A public benchmark: how its folder looks, where it comes from, on what terms, and how it is measured.

    `measure` takes the Bench and the Sheet that `read` gives. The first of `protocols` is the default; `parts` are
    what --only may choose from, takes_parts: they depend on the folder; takes_classes: --classes is of use.
    """

    title: str
    task: str
    read: Callable[[Folder], Sheet]
    measure: Callable[..., Measurement]
    protocols: Mapping[str, Protocol]
    layout: str
    home: str
    terms: str
    parts: tuple[str, ...] = ()
    takes_parts: bool = False
    takes_classes: bool = False

    @property
    def default(self) -> str:
        """Name of the protocol that is used when none is named."""
        return next(iter(self.protocols))


@dataclass(frozen=True)
class Folder:
    """A user's copy of a benchmark, and what is wanted of it. `files` collects what was read, for the data's id."""

    root: Path
    benchmark: Benchmark
    protocol: Protocol
    only: tuple[str, ...] = ()
    classes: Path | None = None
    seed: int = 0
    files: list[Path] = field(default_factory=list)

    def missing(self, what: str) -> LiftError:
        """The error that tells which file is missing, the layout, the source and the terms."""
        benchmark = self.benchmark
        return LiftError(
            f"{self.root} holds no {what}, which {benchmark.title} needs",
            f"expected there: {benchmark.layout}. Get it from {benchmark.home}. Terms: {benchmark.terms}",
        )

    def file(self, *names: str) -> Path:
        """The first of `names` that is a file here; LiftError when none is."""
        for name in names:
            path = self.root / name
            if path.is_file():
                if path not in self.files:
                    self.files.append(path)
                return path
        raise self.missing(" or ".join(names))

    def directory(self, *names: str) -> Path:
        """The first of `names` that is a folder here ("." is the folder itself); LiftError when none is."""
        for name in names:
            if (self.root / name).is_dir():
                return self.root / name
        raise self.missing("folder " + " or ".join(names))

    def wanted(self, parts: Iterable[str]) -> list[str]:
        """Those of `parts` that --only names, all without it; LiftError for an unknown one."""
        known = list(parts)
        strange = [name for name in self.only if name not in known]
        if strange:
            raise LiftError(
                f"{self.benchmark.title} has no part {strange[0]!r}", f"parts are: {', '.join(known)}"
            )
        return [name for name in known if not self.only or name in self.only]


def first_existing(places: Iterable[Path]) -> Path:
    """The first of `places` that exists, else the first: reading it then tells that it is missing."""
    listed = list(places)
    return next((place for place in listed if place.is_file()), listed[0])


def read_json(path: Path) -> Any:
    """Content of a JSON file; LiftError when it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LiftError(f"{path} is not JSON ({error})", "download it again") from error


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a JSON Lines file; LiftError names the first line that is none."""
    entries = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                entries.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise LiftError(
                    f"line {number} of {path} is not JSON ({error})", "download it again"
                ) from error
            if not isinstance(entries[-1], dict):
                raise LiftError(f"line {number} of {path} is no JSON object", "download it again")
    return entries


def read_text_lines(path: Path) -> list[str]:
    """Lines of a text file, gzipped or not, without their ends; an empty last one is left out."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = read_text(content, None, path.name)[0].replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines and lines[-1] == "" else lines


def value(entry: Any, name: str | int, path: Path, number: object, kind: type = str) -> Any:
    """entry[name] when it is there and of type `kind`; LiftError names file and entry otherwise."""
    try:
        found = entry[name]
    except (KeyError, IndexError, TypeError):
        found = None
    if kind is float and isinstance(found, int) and not isinstance(found, bool):
        found = float(found)
    if not isinstance(found, kind) or (kind is str and not str(found).strip()):
        what = {str: "a text", dict: "an object", list: "a list", int: "a whole number", float: "a number"}
        raise LiftError(
            f"entry {number} of {path} needs {name!r} to be {what.get(kind, kind.__name__)}",
            "check that this is the published file; docs/benchmarks.md gives its layout",
        )
    return found


def entries_of(content: Any, path: Path, kind: type = dict) -> list[tuple[object, Any]]:
    """(number or key, entry) of a JSON list or object of entries of type `kind`; LiftError when it is none."""
    if not isinstance(content, dict | list):
        raise LiftError(f"{path} is neither a list nor an object of entries", "download it again")
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    found: list[tuple[object, Any]] = list(pairs)
    for number, entry in found:
        if not isinstance(entry, kind):
            raise LiftError(
                f"entry {number} of {path} is not {'an object' if kind is dict else 'a list'}",
                "check that this is the published file; docs/benchmarks.md gives its layout",
            )
    return found
