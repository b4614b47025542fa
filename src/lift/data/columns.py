"""Names that people give to the columns of tables of photos and texts, English and Japanese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

IMAGE_NAMES = (
    "image", "images", "imagepath", "imagefile", "imagefilename", "imagename", "img", "imgpath", "imgfile",
    "imgname", "filename", "filepath", "file", "path", "photo", "photopath", "picture", "jpg", "png",
    "画像", "画像ファイル", "画像ファイル名", "画像名", "画像パス", "写真ファイル", "写真ファイル名",
    "商品画像", "商品写真", "写真", "ファイル名", "ファイル",
    "ファイルパス", "パス", "imageurl", "url",
)  # fmt: skip
TEXT_NAMES = (
    "caption", "captions", "text", "texts", "txt", "description", "descriptions", "title", "sentence",
    "sentences", "alttext", "alt", "shortcaption", "shortcaptions", "comment", "comments", "productname",
    "キャプション", "説明", "説明文", "商品説明", "商品説明文",
    "テキスト", "文", "文章", "タイトル", "題名", "商品名", "品名", "概要",
    "コメント",
)  # fmt: skip


def plain(name: str) -> str:
    """A column name for comparison: lower case, letters only (caption_1 -> caption)."""
    return re.sub(r"[\W_\d]+", "", unicodedata.normalize("NFKC", name).lower())


def by_name(header: Sequence[str], known: Sequence[str]) -> str | None:
    """The column whose name comes first in `known`; None where there is none of them."""
    found = [name for name in header if plain(name) in known]
    return min(found, key=lambda name: known.index(plain(name)), default=None)
