"""decode_image and resize_image on pictures whose right pixels are known."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from lift.data import BadImage, decode_image, resize_image


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def bomb_png(side: int) -> bytes:
    """The first bytes of a PNG that claims side x side pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixel(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def test_sixteen_bit_grey_is_scaled_not_saturated() -> None:
    values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    image = decode_image(encoded(Image.fromarray(values), "PNG"))
    assert image.mode == "RGB"
    assert [pixel(image, x)[0] for x in range(4)] == [0, 1, 128, 255]


def test_sixteen_bit_grey_of_a_tiff_and_floats() -> None:
    values = np.array([[0, 65535]], dtype=np.uint16)
    assert pixel(decode_image(encoded(Image.fromarray(values), "TIFF")), 1) == (255, 255, 255)
    floats = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    image = decode_image(encoded(floats, "TIFF"))
    assert [pixel(image, x)[0] for x in range(3)] == [0, 128, 255]


def test_transparency_is_laid_on_white() -> None:
    rgba = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert pixel(decode_image(encoded(rgba, "PNG"))) == (255, 255, 255)
    half = Image.new("LA", (4, 4), (0, 128))
    assert pixel(decode_image(encoded(half, "PNG"))) == (127, 127, 127)


def test_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    decoded = decode_image(encoded(image, "PNG", transparency=0))
    assert pixel(decoded, 0) == (255, 255, 255) and pixel(decoded, 1) == (200, 100, 50)


def test_grey_and_one_bit() -> None:
    assert pixel(decode_image(encoded(Image.new("L", (2, 2), 77), "PNG"))) == (77, 77, 77)
    assert pixel(decode_image(encoded(Image.new("1", (2, 2), 1), "PNG"))) == (255, 255, 255)


def test_cmyk_jpeg_keeps_its_colours() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # Pillow writes and reads Adobe's inverted values
    found = pixel(decode_image(encoded(red, "JPEG", quality=95)))
    assert np.abs(np.array(found) - (255, 0, 0)).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_gives_the_upright_picture(orientation: int) -> None:
    upright = np.zeros((16, 32, 3), dtype=np.uint8)
    upright[:8, :16] = 255  # white corner top left
    turn = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    stored = Image.fromarray(np.ascontiguousarray(turn[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(encoded(stored, "PNG", exif=exif))
    np.testing.assert_array_equal(np.asarray(decoded), upright)


def test_animated_gif_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(decode_image(content)) == (255, 0, 0)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_cut_file_is_found(format: str) -> None:
    content = encoded(noise(64, 64), format)
    with pytest.raises(BadImage):
        decode_image(content[: len(content) * 6 // 10])


def test_truncated_jpeg_says_so_and_no_global_switch_is_used() -> None:
    content = encoded(noise(64, 64), "JPEG")
    with pytest.raises(BadImage, match="truncated"):
        decode_image(content[: len(content) // 2])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_pixel_limit_is_checked_before_decoding() -> None:
    with pytest.raises(BadImage, match=r"oversized: 13000 x 13000"):
        decode_image(bomb_png(13_000))  # 169 million: under Pillow's error, over ours
    with pytest.raises(BadImage, match="oversized"):
        decode_image(bomb_png(60_000))  # Pillow's own DecompressionBombError
    with pytest.raises(BadImage, match="more than 99 pixels"):
        decode_image(encoded(noise(10, 10), "PNG"), max_pixels=99)
    assert decode_image(encoded(noise(10, 10), "PNG"), max_pixels=100).size == (10, 10)


def test_other_unusable_files(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="missing"):
        decode_image(tmp_path / "none.jpg")
    with pytest.raises(BadImage, match="unreadable"):
        decode_image(tmp_path)
    with pytest.raises(BadImage, match="0 bytes"):
        decode_image(b"")
    with pytest.raises(BadImage, match="not a picture"):
        decode_image(b"this is a text file")
    with pytest.raises(BadImage, match="HEIC"):
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0")


def test_flipped_bytes_never_raise_anything_but_bad_image() -> None:
    rng = np.random.default_rng(1)
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        content = encoded(noise(24, 24), format)
        for _ in range(150):
            damaged = bytearray(content)
            for place in rng.integers(0, len(damaged), 4):
                damaged[place] = rng.integers(256)
            try:
                assert decode_image(bytes(damaged), max_pixels=10_000).mode == "RGB"
            except BadImage as error:
                assert error.reason and error.remedy


def test_target_shrinks_large_jpegs_only_down_to_twice_the_target() -> None:
    content = encoded(Image.new("RGB", (1600, 800), (200, 30, 30)), "JPEG")
    assert decode_image(content, target=64).size == (400, 200)  # /8 would leave 100 < 128
    assert decode_image(content).size == (1600, 800)


def test_squash_shortest_longest() -> None:
    values = np.zeros((10, 30, 3), dtype=np.uint8)
    values[:, :10], values[:, 10:20], values[:, 20:] = 30, 60, 90
    image = Image.fromarray(values)
    assert resize_image(image, 30, "squash")[15, [2, 15, 27], 0].tolist() == [30, 60, 90]
    assert np.unique(resize_image(image, 10, "shortest")).tolist() == [60]
    padded = resize_image(image, 30, "longest")
    assert padded[0, 0, 0] == 128 and padded[15, [2, 15, 27], 0].tolist() == [30, 60, 90]
    assert padded.shape == (30, 30, 3) and padded.dtype == np.uint8
    with pytest.raises(ValueError, match="resize mode"):
        resize_image(image, 8, "stretch")


def test_resizing_is_antialiased() -> None:
    checker = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    small = resize_image(Image.fromarray(checker), 16)
    assert abs(int(small.min()) - 127) <= 3 and abs(int(small.max()) - 127) <= 3


def test_one_pixel_wide_pictures_survive() -> None:
    for mode in ("squash", "shortest", "longest"):
        assert resize_image(Image.new("RGB", (1, 500), "red"), 32, mode).shape == (32, 32, 3)
