"""What `lift exam` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, UseAppendAction

from lift.errors import LiftError
from lift.text import EncoderOptions


@dataclass(frozen=True)
class ExamConfig:
    """Examine frozen text encoders on your texts before any training: one page of traffic lights with remedies."""

    texts: Positional[Path]
    """A DATASET folder, a .txt file with one text a line, or a table (.csv, .tsv, .jsonl, .xlsx)."""
    out: Path = Path("exam")
    """Folder for exam.html and exam.json."""
    encoder: UseAppendAction[tuple[str, ...]] = ()
    """A known name (minilm), a model folder, a hub id, an endpoint, or a STORE (its encoder with prompt, pooling and
    conditioning); give the option again for several side by side. Default: minilm."""
    options: Annotated[EncoderOptions, OmitArgPrefixes] = field(default_factory=EncoderOptions)
    glossary: Path | None = None
    """Table (.csv, .tsv, .xlsx) with the columns term and confusable: words that must not be mixed up."""
    batch_size: int = 1024
    """Batch size of the planned training, for the false negatives that repeated texts would cause."""
    limit: int = 4000
    """Texts examined, drawn by a stable hash as whole items; more is slower and surer."""
    text_column: str | None = None
    """Column of the texts in a table; found by its name when not given."""
    item_column: str | None = None
    """Column that says which texts are about the same thing (photo, article number); found by its name."""
    seed: int = 0
    """Seed of the sample, of the changed sentences and of the intervals."""
    device: str = "cpu"
    """Where the encoders run: cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace what lies at --out."""

    def check(self) -> None:
        """Raise LiftError for values that cannot work."""
        if self.batch_size < 2:
            raise LiftError(
                f"--batch-size {self.batch_size} is no batch", "give that of the planned training"
            )
        if self.limit < 50:
            raise LiftError(
                f"--limit {self.limit} is too few to say anything", "use 1000 or more, or leave it out"
            )
