"""Pictures as the server gives them out: decoded and written anew, so that no byte of an upload is ever served."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from lift.artefact import write_bytes

KEPT_SIDE = 1024


def as_jpeg(picture: Image.Image, side: int) -> bytes:
    """JPEG of a picture, its longest side at most `side`; without any metadata."""
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    out = io.BytesIO()
    Image.fromarray(np.asarray(picture.convert("RGB"))).save(out, "JPEG", quality=88)
    return out.getvalue()


def as_overlay(heat: np.ndarray, size: tuple[int, int], mode: str, side: int = 256) -> bytes:
    """PNG RGBA of a heatmap (h, w) in 0..1, in the shape of the photo of (width, height) `size`.

    `mode` is how the photo was brought to the square that the model saw (lift.data.RESIZE_MODES).
    """
    width, height = size
    scale = side / max(width, height)
    out = (max(1, round(width * scale)), max(1, round(height * scale)))
    values = np.clip(np.nan_to_num(heat.astype(np.float64)), 0, 1)
    square = Image.fromarray((values * 255).astype(np.uint8))
    alpha = Image.new("L", out, 0)
    if mode == "shortest":  # the square was the middle of the photo
        edge = min(out)
        corner = ((out[0] - edge) // 2, (out[1] - edge) // 2)
        alpha.paste(square.resize((edge, edge), Image.Resampling.BICUBIC), corner)
    elif mode == "longest":  # the photo was the middle of the square
        edge = max(out)
        corner = ((out[0] - edge) // 2, (out[1] - edge) // 2)
        alpha.paste(square.resize((edge, edge), Image.Resampling.BICUBIC), corner)
    else:
        alpha = square.resize(out, Image.Resampling.BICUBIC)
    alpha = alpha.point([round(value * 0.75) for value in range(256)])
    overlay = Image.new("RGBA", out, (255, 64, 0, 255))
    overlay.putalpha(alpha)
    png = io.BytesIO()
    overlay.save(png, "PNG")
    return png.getvalue()


class Pictures:
    """Small copies of photos that people are asked about, named by their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, picture: Image.Image) -> str:
        """Write a copy, durable when this returns; the digest that names it."""
        content = as_jpeg(picture, KEPT_SIDE)
        name = hashlib.sha256(content).hexdigest()
        path = self.path(name)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content)
        return name

    def name(self, digest: str) -> str:
        """The file of a copy below the folder."""
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError("a copy is named by 64 hexadecimal digits")
        return f"{digest[:2]}/{digest}.jpg"

    def path(self, digest: str) -> Path:
        """Where a copy is."""
        return self.folder / self.name(digest)
