"""Model: photos and sentences into one space. `lift.load(run)` gives one, for every method alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer

from lift.artefact import read_manifest, sha256_file
from lift.checkpoint import load_tensors
from lift.conditioning import Conditioning
from lift.console import progress_bar
from lift.data import Dataset, decode_image, resize_image, upright_rgb
from lift.data.decoding import MAX_PIXELS
from lift.device import check_device
from lift.errors import LiftError
from lift.fingerprint import Fingerprint
from lift.image import ImageEncoder
from lift.query_encoder import QueryEncoder
from lift.rival import Rival, is_rival, load_clip
from lift.store import EmbeddingStore
from lift.text import TextEncoder, TextTower, WordBag, encode_sorted, rebuild_text_encoder

Photo = Path | str | bytes | Image.Image
RUN_VARIABLE = "LIFT_RUN"


def load(
    run: Path | str,
    *,
    device: str = "cpu",
    text_encoder: str | None = None,
    query_encoder: Path | str | None = None,
) -> Model | Rival:
    """The trained model of a RUN folder, ready to encode photos and sentences; or a published one (lift.rival).

    text_encoder: where its text encoder is now, when its folder was moved; the fingerprint must be the same.
    query_encoder: folder of a light encoder, made by `lift distill-query`, that stands in for it.
    """
    model: Model | Rival
    if is_rival(run):
        model = load_clip(run, device=device)
    else:
        model = Model.load(run, device=device, text_encoder=text_encoder)
    if query_encoder is not None:
        model.stand_in(query_encoder)
    return model


def chosen_run(run: Path | None) -> Path:
    """The RUN folder given, or that of the environment variable LIFT_RUN."""
    if run is not None:
        return run
    if os.environ.get(RUN_VARIABLE):
        return Path(os.environ[RUN_VARIABLE])
    raise LiftError("no model was named", f"add --run RUN, or set the environment variable {RUN_VARIABLE}")


def resizing_note(model: Model | Rival, dataset: Dataset) -> str | None:
    """A sentence where the photos of `dataset` were not resized as `model` would have them, else None."""
    if isinstance(model, Rival):
        if dataset.image_size >= model.image_size:
            return None
        return (
            f"{dataset.folder} holds photos of {dataset.image_size} px, {model.name} sees {model.image_size} px: "
            "ingest them again with a larger --size to see what it can do"
        )
    if dataset.resize_mode == model.resize_mode:
        return None
    return (
        f"{dataset.folder} holds photos resized by {dataset.resize_mode!r}, the model was trained on "
        f"{model.resize_mode!r}; expect lower numbers than with an equal ingest"
    )


class Model:
    """A trained image encoder and its text encoder; the text encoder is loaded when first needed."""

    def __init__(
        self,
        image_encoder: ImageEncoder,
        *,
        name: str,
        method: str,
        weights: str,
        fingerprint: Fingerprint,
        resize_mode: str,
        logit_scale: float,
        tower: TextTower | None = None,
        conditioning: Conditioning | None = None,
        device: str = "cpu",
    ) -> None:
        self.image_encoder = image_encoder.eval().requires_grad_(False).to(device)
        self.name, self.method, self.fingerprint, self.resize_mode = name, method, fingerprint, resize_mode
        self.id = f"{name}@{weights[:16]}"
        self.logit_scale, self.device, self.conditioning = logit_scale, device, conditioning
        self.run: Path | None = None
        self.text_source: str | None = None
        self.stands_in: Path | None = None
        self.config: dict[str, Any] = {}
        if tower is not None:
            self.text_encoder = tower.eval().requires_grad_(False).to(device)

    @classmethod
    def load(cls, run: Path | str, *, device: str = "cpu", text_encoder: str | None = None) -> Model:
        """Read a finished RUN; LiftError when it is none, or its weights are damaged."""
        manifest = read_manifest(run, "run")
        check_device(device)
        groups, settings = load_tensors(Path(run) / "checkpoint")
        found = {
            **settings["sha256"],
            "checkpoint.json": sha256_file(Path(run) / "checkpoint" / "checkpoint.json"),
        }
        if any(found.get(name) != value for name, value in manifest["checkpoint"]["sha256"].items()):
            raise LiftError(
                f"the checkpoint in {run} is not the one that run.json tells of",
                "restore it from a copy, or train again",
            )
        encoder = ImageEncoder.from_settings(settings["image_encoder"])
        encoder.load_state_dict(groups["image"])
        tower = None
        if manifest["method"] in ("clip", "lit"):
            tower = TextTower(Tokenizer.from_str(settings["tokenizer"]), **settings["text_tower"])
            tower.load_state_dict(groups["text"])
        fingerprint, conditioning = Fingerprint.from_dict(manifest["fingerprint"]), None
        if "conditioning" in groups:
            numbers = {name: value.numpy() for name, value in groups["conditioning"].items()}
            conditioning = Conditioning.restore(**numbers, name=fingerprint.post_processing)
        model = cls(
            encoder,
            name=manifest["name"],
            method=manifest["method"],
            weights=manifest["checkpoint"]["id"],
            fingerprint=fingerprint,
            resize_mode=settings["resize_mode"],
            logit_scale=float(settings["logit_scale"]),
            tower=tower,
            conditioning=conditioning,
            device=device,
        )
        if manifest["method"] == "words":
            model.text_encoder = WordBag.from_settings(settings)
        model.run, model.config = Path(run), manifest["config"]
        model.text_source = text_encoder
        return model

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.image_encoder.dim

    @property
    def image_size(self) -> int:
        """Side in pixels at which photos are seen."""
        return self.image_encoder.image_size

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """The frozen encoder the model was trained on, with its prompt, pooling, length limit and number type.

        LiftError when the one found here gives other vectors.
        """
        return rebuild_text_encoder(
            self.fingerprint, device=self.device, source=self.text_source, conditioning=self.conditioning
        )

    def stand_in(self, folder: Path | str) -> None:
        """Encode sentences with the query encoder in `folder`; LiftError unless it serves this model's encoder."""
        encoder = QueryEncoder(folder, device=self.device)
        encoder.check_serves(self.fingerprint)
        self.text_encoder, self.stands_in = encoder, encoder.folder

    def encode_image(
        self, images: np.ndarray | Sequence[Photo], *, batch_size: int = 256, progress: bool = False
    ) -> np.ndarray:
        """Unit vectors float32 (n, D) of photos.

        images: uint8 (n, S, S, 3), or paths, bytes of files and PIL images in any mix. Raises data.BadImage for one
        that cannot be read.
        """
        out = np.empty((len(images), self.dim), np.float32)
        with progress_bar("encoding photos", len(images)) if progress else _no_bar() as bar:
            for start in range(0, len(images), batch_size):
                pixels = self.pixels(images[start : start + batch_size])
                out[start : start + len(pixels)] = self.encode_pixels(pixels)
                if bar is not None:
                    bar.advance(len(pixels))
        return out

    def pixels(self, images: np.ndarray | Sequence[Photo]) -> np.ndarray:
        """Photos at the size the model sees: uint8 (n, S, S, 3)."""
        size = self.image_size
        if isinstance(images, np.ndarray):
            if images.shape[1:] == (size, size, 3):
                return np.array(images)  # a copy: memory-mapped pixels are read-only
            images = [Image.fromarray(image) for image in images]
        rows = [self.prepare(image) for image in images]
        return np.stack(rows) if rows else np.zeros((0, size, size, 3), np.uint8)

    def prepare(self, photo: Photo, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """One photo as the model sees it: uint8 (S, S, 3). Raises data.BadImage for an unreadable file."""
        if isinstance(photo, Image.Image):
            picture = upright_rgb(photo)
        else:
            picture = decode_image(photo, max_pixels=max_pixels, target=self.image_size)
        return resize_image(picture, self.image_size, self.resize_mode)

    @torch.inference_mode()
    def encode_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Unit vectors float32 (n, D) of one batch of uint8 (n, S, S, 3)."""
        tensor = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        return self.image_encoder(tensor).cpu().numpy()

    def encode_text(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 64,
        progress: bool = False,
        store: EmbeddingStore | None = None,
    ) -> np.ndarray:
        """Unit vectors float32 (n, D) of sentences, each distinct one encoded once.

        store: vectors found there are not computed again; LiftError when another encoder made it, or a query encoder
        stands in: its vectors are near those of the STORE, and half of each would measure neither.
        """
        distinct = list(dict.fromkeys(texts))
        row = {text: number for number, text in enumerate(distinct)}
        vectors = np.empty((len(distinct), self.dim), np.float32)
        known = np.zeros(len(distinct), bool)
        if store is not None:
            if self.stands_in is not None:
                raise LiftError(
                    f"the vectors of the STORE {store.folder} are not those of the query encoder {self.stands_in}",
                    "leave one of them away",
                )
            if not store.fingerprint.matches(self.fingerprint):
                raise LiftError(
                    f"the STORE {store.folder} was made by {store.fingerprint}, the model needs {self.fingerprint}",
                    "leave the STORE away, or give the one the model was trained on",
                )
            known = store.contains(distinct)
            vectors[known] = store.vectors([t for t, k in zip(distinct, known, strict=True) if k])
        missing = np.flatnonzero(~known)
        step = max(batch_size * 16, 1)  # sorted by length inside a step, so that the bar still moves
        with progress_bar("encoding texts", len(missing)) if progress else _no_bar() as bar:
            for start in range(0, len(missing), step):
                part = missing[start : start + step]
                vectors[part] = encode_sorted(
                    self.text_encoder, [distinct[i] for i in part], batch_size=batch_size
                )
                if bar is not None:
                    bar.advance(len(part))
        return vectors[[row[text] for text in texts]].reshape(len(texts), self.dim)


def _no_bar() -> Any:
    from contextlib import nullcontext

    return nullcontext()
