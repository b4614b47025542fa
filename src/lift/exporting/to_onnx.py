"""An image encoder as one ONNX file."""

from __future__ import annotations

import itertools
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lift.errors import LiftError
from lift.image import ImageEncoder

#: protobuf cannot hold more than 2 GiB: weights of larger models go into a file beside model.onnx.
ONE_FILE_BYTES = 1_900_000_000


class FromPixels(nn.Module):
    """Pixels as they are at hand -> unit vectors; scaling and normalisation are inside."""

    def __init__(self, encoder: ImageEncoder, pixels: str) -> None:
        super().__init__()
        self.encoder, self.pixels = encoder, pixels

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 (B, S, S, 3), or float (B, 3, S, S) in 0..1, as chosen."""
        images = pixels.permute(0, 3, 1, 2).float() / 255 if self.pixels == "uint8" else pixels
        return self.encoder(images)


def write_onnx(encoder: ImageEncoder, file: Path, pixels: str) -> None:
    """Write model.onnx with input `pixels` and output `image_features`; the number of photos stays open."""
    try:
        import onnx  # noqa: F401 - told here, before torch fails somewhere inside
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise LiftError(
            "--to onnx needs the packages onnx and onnxscript", "pip install 'lift[onnx]'"
        ) from error
    size = encoder.image_size
    example = (
        torch.zeros(2, size, size, 3, dtype=torch.uint8)
        if pixels == "uint8"
        else torch.zeros(2, 3, size, size)
    )
    weight = sum(value.numel() * value.element_size() for value in encoder.state_dict().values())
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # it speaks of torchvision, which lift does without
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                FromPixels(encoder, pixels).eval(),
                (example,),
                str(file),
                input_names=["pixels"],
                output_names=["image_features"],
                dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
                dynamo=True,
                verbose=False,
                external_data=weight > ONE_FILE_BYTES,
            )
    finally:
        quiet.setLevel(level)


def run_onnx(file: Path, pixels: np.ndarray, kind: str) -> np.ndarray:
    """Vectors float32 (n, D) of uint8 (n, S, S, 3) by onnxruntime, in batches of several sizes."""
    try:
        import onnxruntime
    except ImportError as error:
        raise LiftError("checking the ONNX file needs onnxruntime", "pip install 'lift[onnx]'") from error
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    if kind == "float":
        pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / 255
    cuts = [0, 1, 1 + len(pixels) // 3, len(pixels)]
    parts = [pixels[a:b] for a, b in itertools.pairwise(cuts) if b > a]
    return np.concatenate([session.run(["image_features"], {"pixels": part})[0] for part in parts])
