"""Small real artefacts, made once per test session: a DATASET of drawn shapes, its STORE, a LIFT and a CLIP run."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook
from PIL import Image, ImageDraw

from pages_by_hand import browser, page_server, visit  # noqa: F401  (fixtures)

# Shapes named in the signatures of these modules are checked at every call made by the tests.
install_import_hook(["lift.losses", "lift.metrics", "lift.predict", "lift.image"], "beartype.beartype")

from lift.artefact import new_folder
from lift.data import DatasetWriter, Pair, Row

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell that starts tests in the background has it so
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 220), "yellow": (240, 220, 40)}
SHAPES = ("circle", "square", "triangle")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos, where the machine has it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real photos are not on this machine ({SHARED_DATA})")
    return SHARED_DATA


def write_photos(folder: Path, names: Sequence[str], cut: str) -> None:
    """Noise photos of 60 x 40 pixels under these names, one `cut` short as the last of them, and an empty file."""
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    (folder / cut).write_bytes((folder / names[-1]).read_bytes()[:900])
    (folder / "none.png").write_bytes(b"")


def draw_shape(colour: str, shape: str, size: int, shift: int) -> np.ndarray:
    """One coloured shape on grey: uint8 (size, size, 3)."""
    image = Image.new("RGB", (size, size), (128, 128, 128))
    pen = ImageDraw.Draw(image)
    low, high = size // 5 + shift, size - size // 5 + shift
    if shape == "circle":
        pen.ellipse((low, low, high, high), fill=COLOURS[colour])
    elif shape == "square":
        pen.rectangle((low, low, high, high), fill=COLOURS[colour])
    else:
        pen.polygon([(size // 2 + shift, low), (low, high), (high, high)], fill=COLOURS[colour])
    return np.asarray(image)


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 drawn shapes at 32 px (36 train, 12 val), two short captions and a long one each, and pairs."""
    out = tmp_path_factory.mktemp("tiny") / "dataset"
    with new_folder(out) as folder:
        writer = DatasetWriter(folder, name="tiny", image_size=32, resize_mode="squash")
        for number in range(48):
            colour = list(COLOURS)[number % 4]
            shape = SHAPES[number // 4 % 3]
            key = f"images/{number:02d}.png"
            row = Row(
                key=key,
                captions=[f"a {colour} {shape}", f"one {shape} drawn in {colour}, number {number}"],
                long_captions=[
                    f"On a plain grey background there is one large {shape}. It is painted in a bright and "
                    f"even {colour}, "
                    f"it has no border, and it is picture number {number} of a small series of drawings."
                ],
                split="val" if number >= 36 else "train",
                label=shape,
            )
            writer.add(draw_shape(colour, shape, 32, number // 12 - 2), row)
            other = list(COLOURS)[(number + 1) % 4]
            writer.add_pair(
                Pair(
                    key, f"a {colour} {shape}", f"a {other} {shape}", "replace_attribute", row.split, "short"
                )
            )
        writer.close(request={}, report={}, source="drawn by the tests")
    return out


@pytest.fixture(scope="session")
def tiny_store(tiny_dataset: Path) -> Path:
    """The STORE of the tiny DATASET, by the real default encoder."""
    from lift.embedding import EmbedConfig, embed

    out = tiny_dataset.parent / "store"
    embed(EmbedConfig(dataset=tiny_dataset, out=out))
    return out


def train_tiny(dataset: Path, store: Path, out: Path, method: str) -> Path:
    """A RUN of a few steps."""
    from lift.training import TrainConfig, train

    train(
        TrainConfig(
            images=dataset,
            texts=store,
            out=out,
            preset="smoke",
            method=method,  # type: ignore[arg-type]
            batch_size=12,
            epochs=2,
            validations=1,
            min_crop=0.9,
        )
    )
    return out


@pytest.fixture(scope="session")
def tiny_run(tiny_dataset: Path, tiny_store: Path) -> Path:
    """A LIFT run of six steps on the tiny DATASET."""
    return train_tiny(tiny_dataset, tiny_store, tiny_dataset.parent / "lift-run", "lift")


@pytest.fixture(scope="session")
def tiny_clip_run(tiny_dataset: Path, tiny_store: Path) -> Path:
    """A CLIP run of six steps on the tiny DATASET."""
    return train_tiny(tiny_dataset, tiny_store, tiny_dataset.parent / "clip-run", "clip")
