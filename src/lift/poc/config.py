"""What can be chosen for the proof of concept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional

from lift.text import EncoderOptions


@dataclass(frozen=True)
class PocConfig:
    """Proof of concept in one folder: ingest, exam, embed, train LIFT and CLIP equally, evaluate, compare, index.

    Without SOURCE it draws its own pictures. Run the same command again after a stop: what is done is skipped.
    """

    source: Positional[Path | None] = None
    """Photos with texts, in any form that `lift ingest` reads; nothing: the built-in drawn scenes."""
    out: Path = Path("poc")
    """Folder for everything that is made."""
    minutes: float = 7.5
    """Time for training both models together; decides the number of epochs."""
    images: int = 6000
    """Pictures to draw when there is no SOURCE."""
    size: int = 64
    """Side of the stored photos in pixels."""
    preset: str = "demo"
    """Size of the model: smoke, demo, small, medium (see `lift train --help`)."""
    encoder: str = "minilm"
    """Text encoder: a known name (minilm), a model folder, a hub id, or an endpoint."""
    options: Annotated[EncoderOptions, OmitArgPrefixes] = field(default_factory=EncoderOptions)
    table: str | None = None
    """Table to read when SOURCE holds several (see `lift ingest --help`)."""
    pairs: tuple[Path, ...] = ()
    """JSONL files of {image, positive, negative, kind}: true and minimally different false texts."""
    flip: bool = False
    """Mirror photos at random; leave it off where texts speak of left and right."""
    seed: int = 0
    """Decides the drawn pictures, the weights and the order of training."""
    overwrite: bool = False
    """Make everything anew."""
