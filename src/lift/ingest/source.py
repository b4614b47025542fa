"""What kind of source a folder or file is: seen by itself, said aloud, overridable by --kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from lift.console import note
from lift.data.files import PICTURES, TABLES, walk
from lift.errors import LiftError
from lift.ingest.config import IngestConfig

FORMS = {
    "folder": "photos with a .txt of the same name",
    "table": "photos with a table of captions",
    "tar": "WebDataset shards (.tar)",
    "hf": "Hugging Face `save_to_disk` folder",
    "classes": "one folder of photos per class",
}


@dataclass
class Source:
    """A source under `root`: its kind, all `files` in it, and the `table` or shard if given directly.

    `facts` collects what was guessed, for the report.
    """

    root: Path
    kind: str
    files: list[str]
    table: Path | None = None
    shard: Path | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def tell(self, message: str) -> None:
        """Show a guess to the user."""
        note(f"ingest: {message}")

    def photos(self) -> list[str]:
        """All files that are named like pictures."""
        return [name for name in self.files if name.lower().endswith(PICTURES)]


def open_source(config: IngestConfig) -> Source:
    """Look at `config.source` and name its kind; LiftError when it is none of the five."""
    path = config.source
    if path.is_file():
        ending = path.suffix.lower()
        kind = "tar" if ending == ".tar" else "table" if ending in TABLES else None
        if kind is None:
            raise LiftError(f"{path} is neither a table nor a .tar shard", f"give one of: {_forms()}")
        files = [path.name] if kind == "tar" else walk(path.parent)
        table, shard = (path, None) if kind == "table" else (None, path)
        source = Source(path.parent, kind, files, table, shard)
    else:
        files = walk(path)
        kind = config.kind if config.kind != "auto" else "table" if config.table else _guess(path, files)
        source = Source(path, kind, files)
    guessed = path.is_file() or config.kind == "auto"
    source.facts = {"kind": source.kind, "kind_guessed": guessed}
    source.tell(f"{path} is read as: {FORMS[source.kind]}" + (" (another: --kind)" if guessed else ""))
    return source


def _guess(path: Path, files: list[str]) -> str:
    top = [name for name in files if "/" not in name]
    if "dataset_dict.json" in top or {"dataset_info.json", "state.json"} <= set(top):
        return "hf"
    photos = [name for name in files if name.lower().endswith(PICTURES)]
    texts = {str(PurePosixPath(name).with_suffix("")) for name in files if name.lower().endswith(".txt")}
    paired = sum(str(PurePosixPath(name).with_suffix("")) in texts for name in photos[:1000])
    if paired and 2 * paired >= len(photos[:1000]):
        return "folder"
    if any(name.lower().endswith(TABLES) for name in top):
        return "table"
    if any(name.lower().endswith(".tar") for name in files):
        return "tar"
    if paired:
        return "folder"
    if any("/" in name for name in photos):
        return "classes"
    problem = f"{path} holds {len(photos)} photos and no texts" if photos else f"{path} holds no photos"
    raise LiftError(problem, f"bring one of: {_forms()}")


def _forms() -> str:
    return "; ".join(FORMS.values())
