"""Zips that somebody sent: what leads outside, explodes or is no photo."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from lift.serve.config import Limits
from lift.serve.refusing import Refused
from lift.serve.zips import check_workbook, safe_name, unpack_photos


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(out, "JPEG")
    return out.getvalue()


def packed(place: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    file = place / "photos.zip"
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.jpg", "a.jpg"),
        ("海/夕 焼け.JPG", "海/夕 焼け.JPG"),
        ("a\\b.png", "a/b.png"),
        ("../a.jpg", None),
        ("a/../../b.jpg", None),
        ("..\\..\\b.jpg", None),
        ("/etc/passwd.jpg", None),
        ("C:\\x.jpg", None),
        ("c:x.jpg", None),
        ("a//b.jpg", None),
        ("a/./b.jpg", None),
        (".hidden.jpg", None),
        ("a/.ssh/k.jpg", None),
        ("__MACOSX/a.jpg", None),
        ("a.jpg\0.exe", None),
        ("a\n.jpg", None),
        ("a.exe", None),
        ("a.svg", None),
        ("x" * 300 + ".jpg", None),
        ("/".join("abcdefghijklmn") + ".jpg", None),
    ],
)
def test_names(name: str, safe: str | None) -> None:
    assert safe_name(name) == safe


def test_photos_are_unpacked_and_the_rest_is_passed_over(tmp_path: Path) -> None:
    photo = jpeg()
    file = packed(
        tmp_path, {"a.jpg": photo, "x/b.jpg": photo, "../../out.jpg": photo, "run.sh": b"rm", "A.JPG": photo}
    )
    out = tmp_path / "out" / "deep"
    done = unpack_photos(file, out, Limits())
    assert (done.photos, done.passed_over) == (2, 3)
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.jpg")) == [
        "deep/a.jpg",
        "deep/x/b.jpg",
    ]
    assert (out / "a.jpg").read_bytes() == photo


def test_bombs_are_stopped_at_the_bytes_that_come_out(tmp_path: Path) -> None:
    file = packed(tmp_path, {"bomb.jpg": bytes(20_000_000)})
    assert file.stat().st_size < 30_000
    with pytest.raises(Refused) as refused:
        unpack_photos(file, tmp_path / "out", Limits())
    assert refused.value.status_code == 413
    many = packed(tmp_path, {f"{n}.jpg": jpeg() for n in range(30)})
    for limits in (Limits(zip_files=20), Limits(zip_bytes=5_000), Limits(photo_bytes=100)):
        with pytest.raises(Refused) as refused:
            unpack_photos(many, tmp_path / f"out{limits.zip_files}{limits.zip_bytes}", limits)
        assert refused.value.status_code == 413


def test_what_is_no_zip_is_told(tmp_path: Path) -> None:
    whole = packed(tmp_path, {"a.jpg": jpeg()}, zipfile.ZIP_STORED).read_bytes()
    hidden = bytearray(whole)
    hidden[6] |= 1  # the local header and the directory say: encrypted
    directory = whole.rindex(b"PK\x01\x02")
    hidden[directory + 8] |= 1
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF  # the checksum no longer holds
    strange = bytearray(whole)
    struct.pack_into("<H", strange, directory + 10, 97)  # a compression that nobody reads
    file = tmp_path / "bad.zip"
    for number, content in enumerate(
        (b"", b"PK", whole[:-30], bytes(hidden), bytes(flipped), bytes(strange), jpeg())
    ):
        file.write_bytes(content)
        with pytest.raises(Refused) as refused:
            unpack_photos(file, tmp_path / f"bad{number}", Limits())
        assert refused.value.status_code == 400 and refused.value.remedy


def test_links_in_a_zip_are_not_made(tmp_path: Path) -> None:
    file = tmp_path / "link.zip"
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo("link.jpg")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert unpack_photos(file, tmp_path / "out", Limits()).photos == 0
    assert not (tmp_path / "out" / "link.jpg").exists()


def test_a_workbook_that_explodes_is_refused(tmp_path: Path) -> None:
    file = packed(tmp_path, {"xl/worksheets/sheet1.xml": bytes(9_000_000)})
    with pytest.raises(Refused) as refused:
        check_workbook(file, Limits(table_bytes=2_000_000))
    assert refused.value.status_code == 413
    check_workbook(file, Limits())
    file.write_bytes(b"no zip")
    with pytest.raises(Refused) as refused:
        check_workbook(file, Limits())
    assert refused.value.status_code == 400
