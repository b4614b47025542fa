"""A picture grid of search results: the query on top, rank and score below each photo."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lift.artefact import write_bytes
from lift.console import note

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

TILE, GAP, COLUMNS = 200, 12, 5
TITLE_SIZE, CAPTION_SIZE = 22, 16
TITLE_LINE, CAPTION_LINE = 30, 24
INK, PAPER, BLANK = "#202124", "#ffffff", "#dadce0"
GREEN, FRAME = "#188038", 6  # colour and thickness of the frame around a right photo

#: Fonts with Japanese letters on Linux, macOS and Windows; Pillow looks in the system's font folders.
JAPANESE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "NotoSansJP-Regular.ttf",
    "NotoSansJP-Regular.otf",
    "ipagp.ttf",
    "ipag.ttf",
    "TakaoPGothic.ttf",
    "VL-PGothic-Regular.ttf",
    "DroidSansFallbackFull.ttf",
    "wqy-zenhei.ttc",
    "ヒラギノ角ゴシック W3.ttc",
    "YuGothM.ttc",
    "meiryo.ttc",
    "msgothic.ttc",
)
LATIN_FONTS = ("DejaVuSans.ttf",)


@dataclass(frozen=True)
class Section:
    """The photos of one query, best first; a photo that could not be read is None.

    `right` says which photos get a green frame (none when it is empty).
    """

    title: str
    photos: Sequence[Image.Image | None]
    captions: Sequence[str]
    right: Sequence[bool] = ()


def write_grid(sections: Sequence[Section], out: Path, legend: str = "") -> tuple[int, int]:
    """Write the sections below one another as PNG, five photos a line; returns (width, height) in pixels.

    The legend, if any, stands on top, behind a green frame that shows what it speaks of.
    """
    japanese = any(ord(letter) > 0x2E7F for section in sections for letter in section.title)
    title_font, caption_font = find_font(TITLE_SIZE, japanese), find_font(CAPTION_SIZE, False)
    columns = max(1, min(COLUMNS, max(len(section.photos) for section in sections)))
    width = GAP + columns * (TILE + GAP)
    titles = [wrap(section.title, title_font, width - 2 * GAP) for section in sections]
    heights = [
        _height(len(lines), len(section.photos), columns)
        for lines, section in zip(titles, sections, strict=True)
    ]
    box = CAPTION_SIZE + 2 * FRAME  # the frame that stands before the legend
    words = wrap(legend, caption_font, width - 3 * GAP - box) if legend else []
    top = GAP + max(box, len(words) * CAPTION_LINE) if words else 0
    canvas = Image.new("RGB", (width, top + sum(heights) + GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    if words:
        draw.rectangle((GAP, GAP, GAP + box - 1, GAP + box - 1), outline=GREEN, width=FRAME)
    for number, line in enumerate(words):
        draw.text((2 * GAP + box, GAP + number * CAPTION_LINE), line, INK, caption_font)
    for section, lines, height in zip(sections, titles, heights, strict=True):
        for number, line in enumerate(lines):
            draw.text((GAP, top + GAP + number * TITLE_LINE), line, INK, title_font)
        first = top + 2 * GAP + len(lines) * TITLE_LINE
        for number, (photo, caption) in enumerate(zip(section.photos, section.captions, strict=True)):
            left = GAP + number % columns * (TILE + GAP)
            upper = first + number // columns * (TILE + CAPTION_LINE + GAP)
            _draw_tile(canvas, draw, (left, upper), photo, caption_font)
            right = number < len(section.right) and section.right[number]
            if right:
                corners = (left, upper, left + TILE - 1, upper + TILE - 1)
                draw.rectangle(corners, outline=GREEN, width=FRAME)
            draw.text((left, upper + TILE + 2), caption, GREEN if right else INK, caption_font)
        top += height
    content = io.BytesIO()
    canvas.save(content, "PNG")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(out, content.getvalue())
    return canvas.size


def _height(title_lines: int, photos: int, columns: int) -> int:
    """Pixels one section takes, without the margin at the foot of the picture."""
    return 2 * GAP + title_lines * TITLE_LINE + -(-photos // columns) * (TILE + CAPTION_LINE + GAP)


def _draw_tile(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    photo: Image.Image | None,
    font: Font,
) -> None:
    """The photo, whole and centred in its square; a grey square with a word when there is none."""
    left, top = corner
    if photo is None:
        draw.rectangle((left, top, left + TILE - 1, top + TILE - 1), fill=BLANK)
        draw.text((left + GAP, top + TILE // 2 - GAP), "photo not found", INK, font)
        return
    scale = TILE / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    small = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    canvas.paste(small, (left + (TILE - size[0]) // 2, top + (TILE - size[1]) // 2))


def find_font(size: int, japanese: bool) -> Font:
    """A font of `size` pixels: with Japanese letters if asked for and there, else DejaVu or Pillow's own."""
    font = _first_installed(JAPANESE_FONTS, size) if japanese else None
    if font is None and japanese:
        note("no font with Japanese letters was found; install one (such as fonts-noto-cjk) to see them")
    return font or _first_installed(LATIN_FONTS, size) or ImageFont.load_default(size)


def _first_installed(names: Sequence[str], size: int) -> Font | None:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:  # Pillow's way of saying that no font folder has it
            continue
    return None


def wrap(text: str, font: Font, width: float) -> list[str]:
    """Cut `text` into lines of at most `width` pixels, at spaces where there are any."""
    lines, line = [], ""
    for letter in " ".join(text.split()):
        if line and font.getlength((line + letter).rstrip()) > width:
            cut = line.rfind(" ") + 1 or len(line)
            lines.append(line[:cut].rstrip())
            line = line[cut:]
        line += letter
    return [*lines, line.rstrip()]
