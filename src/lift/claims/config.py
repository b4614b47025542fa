"""What can be chosen for the test of the claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes, Positional

from lift.errors import LiftError
from lift.text import EncoderOptions

DEFAULT_MINUTES = 30.0


@dataclass(frozen=True)
class ClaimsConfig:
    """Test what the method claims: train LIFT, CLIP and LIFT with the cosine loss on equal terms, measure, judge.

    Every claim is confirmed, refuted, undecided or not tested, on each DATASET by itself. Run the same command again
    after a stop: what is done is skipped.
    """

    datasets: Positional[tuple[Path, ...]] = ()
    """DATASET folders, made by `lift ingest`."""
    scenes: bool = False
    """Test on the built-in drawn scenes too (alone, when no DATASET is given)."""
    out: Path = Path("claims")
    """Folder for everything that is made; claims.html is the page to read."""
    budget: float | None = None
    """Minutes of training for all arms and seeds of one DATASET together; decides the epochs (default: 30)."""
    epochs: int | None = None
    """Passes over the training photos, instead of --budget."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each arm is trained once with each of these; more can be added later."""
    preset: str = "demo"
    """Size of the model: smoke, demo, small, medium (see `lift train --help`)."""
    image_encoder: str | None = None
    """Another image tower than the preset's."""
    encoder: str = "minilm"
    """Frozen text encoder: a known name (minilm), a model folder, a hub id, or an endpoint."""
    options: Annotated[EncoderOptions, OmitArgPrefixes] = field(default_factory=EncoderOptions)
    sentences: tuple[Path, ...] = ()
    """JSONL files of pairs, or of {image, sentence, label: true or false}; each is used for the DATASET whose photos
    it names."""
    margin: float = 3.0
    """Points of 100 that count as no difference worth the name, for "on par" and "not worse"."""
    recall: Literal[1, 5, 10] = 10
    """Searches count as right when the right one is among the first so many."""
    most: int = 300
    """Pairs made from captions: at most so many of one kind and length."""
    images: int = 6000
    """Pictures to draw for --scenes."""
    size: int = 64
    """Side of the drawn pictures in pixels."""
    flip: bool = False
    """Mirror photos at random; leave it off where texts speak of left and right."""
    isolate: bool = True
    """Train each arm in a process of its own, so that its memory and time are its own."""
    at_once: int = 1
    """Trainings at a time; more than one finish sooner on a GPU or many cores, and then no time is judged."""
    device: str = "cpu"
    """Where to train and encode: cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Make everything anew."""

    def check(self) -> None:
        """Raise LiftError for what cannot work."""
        for folder in self.datasets:
            if folder.resolve().is_relative_to(self.out.resolve()):
                raise LiftError(f"{folder} lies inside --out {self.out}", "give another folder as --out")
        for file in self.sentences:
            if not file.is_file():
                raise LiftError(f"there is no file {file}", "give --sentences files that exist")
        if self.budget is not None and self.epochs is not None:
            raise LiftError("--budget and --epochs were both given", "give one of them")
        if self.epochs is None and self.device != "cpu":
            raise LiftError(f"how fast {self.device} trains is not known", "give --epochs")
        minutes = DEFAULT_MINUTES if self.budget is None else self.budget
        if not 0 < minutes < 100_000 or (self.epochs is not None and self.epochs < 1):
            raise LiftError("--budget and --epochs must be more than 0", "give minutes, or passes")
        if self.at_once < 1 or (self.at_once > 1 and not self.isolate):
            raise LiftError(
                f"--at-once is {self.at_once}" + (" with --no-isolate" if self.at_once > 1 else ""),
                "give 1 or more, and let each arm train in a process of its own (--isolate)",
            )
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise LiftError(
                "--seeds must be different numbers of 0 or more", "give for instance --seeds 0 1 2"
            )
        if not 0 < self.margin < 100 or self.most < 1:
            raise LiftError("--margin must be between 0 and 100, --most 1 or more", "leave them out")

    @property
    def wants_scenes(self) -> bool:
        """Whether pictures are drawn."""
        return self.scenes or not self.datasets

    def asked(self) -> dict[str, Any]:
        """What decides the runs, as kept in plan.json: a folder holds runs of one answer."""
        minutes = None if self.epochs is not None else DEFAULT_MINUTES if self.budget is None else self.budget
        names = ("epochs", "preset", "image_encoder", "encoder", "images", "size", "flip")
        return {
            "budget": minutes,
            **{name: getattr(self, name) for name in names},
            "options": self.options.changed(),
        }
