"""Any photo file -> upright 8-bit RGB, and RGB -> the stored training size.

`Image.verify()` passes truncated JPEGs, so every photo is fully decoded; a 20 kB PNG can ask for 850 MB, so
the number of pixels is read from the header first; and Pillow saturates 16-bit grey, so that is scaled here.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

RESIZE_MODES = ("squash", "shortest", "longest")
MAX_PIXELS = 100_000_000
MAX_BYTES = 1_000_000_000
GREY = (128, 128, 128)  # padding of "longest"

# Formats that decode without outside programs (EPS would start Ghostscript).
_WANTED = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA", "ICO", "DIB")
# What Pillow's readers raise on damaged files, as seen when flipping and cutting bytes of each format.
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError, KeyError, TypeError,
    AttributeError, OverflowError, ZeroDivisionError, NotImplementedError, MemoryError, RuntimeError,
)  # fmt: skip
_TELL_ORIENTATION = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type xmp")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImage(ValueError):
    """A photo that cannot be used: `reason` and `remedy` go to the ingest report."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


def decode_image(
    source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS, target: int | None = None
) -> Image.Image:
    """Decode a file or its bytes to an upright RGB picture (first frame; transparency on white).

    With `target`, a JPEG may come back 2, 4 or 8 times smaller, never under 2 x `target` pixels a side.
    Raises BadImage for anything missing, damaged, unsupported or over `max_pixels`.
    """
    content = source if isinstance(source, bytes) else read_photo(Path(source))
    if not content:
        raise BadImage("empty file (0 bytes)", "copy the photo again")
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of sizes under its own limit; ours is checked below.
        warnings.simplefilter("ignore")
        return _decode(content, max_pixels, target)


def _decode(content: bytes, max_pixels: int, target: int | None) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=_formats())
    except Image.DecompressionBombError as error:
        raise BadImage(f"oversized: {error}", "make the photo smaller") from error
    except Image.UnidentifiedImageError as error:
        raise _unknown(content) from error
    except _DAMAGE as error:
        raise BadImage(f"damaged file ({error})", "copy or export the photo again") from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise BadImage(
                f"oversized: {width} x {height} is more than {max_pixels:,} pixels",
                "make the photo smaller, or raise --max-pixels",
            )
        try:
            if target:
                image.draft(None, (2 * target, 2 * target))  # JPEG only; other formats ignore it
            image.load()
            return _upright(image, to_rgb(image))
        except _DAMAGE as error:
            word = "truncated" if "truncated" in str(error) or isinstance(error, EOFError) else "damaged"
            raise BadImage(f"{word} file ({error})", "copy or export the photo again") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded picture of any mode to 8-bit RGB; transparency is laid on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        picture = image.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return image.convert("RGB")


def upright_rgb(image: Image.Image) -> Image.Image:
    """An opened picture of any mode as upright 8-bit RGB, just as `decode_image` gives its file."""
    return _upright(image, to_rgb(image))


def resize_image(image: Image.Image, size: int, mode: str = "squash") -> np.ndarray:
    """Resize a picture to uint8 (size, size, 3), antialiased.

    squash: the whole picture into the square; shortest: centre square only; longest: whole, padded on grey.
    """
    if image.mode != "RGB":
        image = to_rgb(image)
    width, height = image.size
    if mode == "squash":
        return np.asarray(_resize(image, (size, size), (0, 0, width, height)))
    if mode == "shortest":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return np.asarray(_resize(image, (size, size), (left, top, left + side, top + side)))
    if mode == "longest":
        scale = size / max(width, height)
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = Image.new("RGB", (size, size), GREY)
        corner = ((size - small[0]) // 2, (size - small[1]) // 2)
        canvas.paste(_resize(image, small, (0, 0, width, height)), corner)
        return np.asarray(canvas)
    raise ValueError(f"resize mode must be one of {RESIZE_MODES}, got {mode!r}")


def _resize(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    return image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)


def _formats() -> tuple[str, ...]:
    Image.init()  # returns at once after the first time
    return tuple(name for name in _WANTED if name in Image.OPEN)


def read_photo(path: Path) -> bytes:
    """Read the bytes of a photo file; BadImage when it is missing, unreadable or absurdly large."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadImage(f"oversized: more than {MAX_BYTES:,} bytes", "make the photo smaller")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadImage("missing file", "add the photo, or take its row out of the table") from error
    except OSError as error:
        raise BadImage(f"unreadable file ({error.strerror})", "check the path and its permissions") from error


def _unknown(content: bytes) -> BadImage:
    if content[4:8] == b"ftyp" and content[8:11] in (b"hei", b"hev", b"mif"):
        return BadImage("unsupported format HEIC", "export the photo as JPEG")
    return BadImage("not a picture, or of an unsupported format", "export the photo as JPEG or PNG")


def _upright(image: Image.Image, rgb: Image.Image) -> Image.Image:
    """Turn `rgb` as the EXIF orientation of `image` says; a broken EXIF block turns nothing."""
    try:
        orientation = image.getexif().get(0x0112)
    except _DAMAGE:
        return rgb
    if orientation not in _UPRIGHT:
        return rgb
    turned = rgb.transpose(_UPRIGHT[orientation])
    turned.info = {name: value for name, value in turned.info.items() if name not in _TELL_ORIENTATION}
    return turned  # without its tags, or whoever looks at them would turn it again


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale integer or float grey values (H, W) to uint8: 16-bit by 65535, others by what they hold."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    grey = values.astype(np.float64)
    if not np.isfinite(grey).all():
        raise ValueError("pixel values are not finite")
    low, high = float(grey.min()), float(grey.max())
    if mode.startswith("F") and low >= 0 and high <= 1:
        grey = grey * 255
    elif mode.startswith("F") and low >= 0 and high <= 255:
        pass
    elif low >= 0 and high <= 65535:
        grey = grey / 257
    else:
        grey = (grey - low) * (255 / (high - low or 1))
    return np.round(grey).astype(np.uint8)
