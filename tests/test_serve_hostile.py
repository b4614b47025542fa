"""Hostile files and requests: a clear 4xx each, never a 500, and memory stays under a bound."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from serve_by_hand import as_file, client, make_index, photo_bytes, request

BOUND = 400_000_000  # bytes by which the process may grow over all of them
KEY = "red/circle.png"


@pytest.fixture(scope="module")
def server(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    index = make_index(tiny_run, tmp_path_factory.mktemp("hostile"))
    with client(index, max_megabytes=2, max_upload=8) as opened:
        yield opened


def png_of(width: int, height: int, colour: int = 2, depth: int = 8, packed: bytes = b"") -> bytes:
    """A PNG whose header tells any size, over any compressed bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def hostile_photos() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of files that are no usable photos."""
    jpeg, png = photo_bytes(1, "JPEG", (200, 150)), photo_bytes(2, "PNG", (200, 150))
    webp, gif, tiff, bmp = (photo_bytes(3, kind, (200, 150)) for kind in ("WEBP", "GIF", "TIFF", "BMP"))
    yield from (
        ("empty.jpg", b""),
        ("zero.png", bytes(1000)),
        ("space.jpg", b" "),
        ("ff.jpg", b"\xff" * 5000),
    )
    for side in (7_000, 20_000, 65_535, 2**31 - 1):
        yield f"bomb-{side}.png", png_of(side, side, packed=zlib.compress(bytes(100_000)))
    yield "bomb-real.png", png_of(13_000, 13_000, 0, packed=zlib.compress(bytes(13_001 * 13_000), 9))
    yield "bomb-thin.png", png_of(2**30, 1, packed=zlib.compress(bytes(1000)))
    yield from (("no-pixels.png", png_of(0, 0)), ("negative.png", png_of(2**32 - 1, 2**32 - 1)))
    for name, whole in (("jpg", jpeg), ("png", png), ("webp", webp), ("tif", tiff)):
        for share in (0.02, 0.1, 0.3, 0.5, 0.9):
            yield f"cut-{share}.{name}", whole[: int(len(whole) * share)]
    for number, whole in enumerate((jpeg, png, webp, gif, tiff, bmp)):
        broken = bytearray(whole)
        broken[4 : len(broken) : 7] = np.random.default_rng(number).bytes(len(broken[4 : len(broken) : 7]))
        yield f"broken-{number}.jpg", bytes(broken)
    yield "svg.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    yield (
        "svg.jpg",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
    )
    yield from (("page.jpg", b"<html><script>alert(1)</script>"), ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\nquit"))
    yield from (
        ("a.pdf", b"%PDF-1.4\n%%EOF"),
        ("elf.jpg", b"\x7fELF" + bytes(500)),
        ("text.png", b"hello " * 99),
    )
    yield from (("php.jpg", b"<?php system($_GET[0]); ?>"), ("heic.jpg", b"\0\0\0\x18ftypheic" + bytes(99)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(3_000_000))
    yield from (("zip.png", packed.getvalue()), ("gzip.jpg", b"\x1f\x8b\x08" + bytes(300)))
    yield "too-large.jpg", jpeg + bytes(2_100_000)
    for kind in (
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"MM\0*",
        b"RIFF\xff\xff\xff\x7fWEBPVP8 ",
        b"P6 99999 99999 255\n",
        b"\0\0\1\0",
    ):
        yield f"header-{kind[:2].hex()}.img", kind + b"\xff" * 60


NAMES = (
    "../../../etc/cron.d/x", "..\\..\\windows\\x", "/etc/passwd", "a/../../b", "C:\\x", "con", "....//x", "~root",
    "%2e%2e%2fx", "a\r\nSet-Cookie: x=y", "a\tb", "'; DROP TABLE lift_audit; --", "<script>alert(1)</script>",
    "a" * 3000,
    "\u202egnp.exe", ".", "..", " ", "💥" * 100, "$(rm -rf)", "{{7*7}}", "%s%n", "..%c0%af", ".htaccess",
    "index.json", "*",
)  # fmt: skip


def hostile_json() -> Iterator[tuple[str, bytes]]:
    """Routes and bodies that are not what the route wants."""
    deep = b"[" * 100_000 + b"]" * 100_000
    bodies = [
        b"", b"{", b"null", b"[]", b"1", b'"text"', deep, b'{"text":' + deep + b"}", b"\xff\xfe", b"{}" * 9,
        b"\0" * 50,
        b'{"text": NaN}', b'{"text": 1}', b'{"text": null}', b'{"text": ["a"]}', b'{"text": {"a": 1}}',
        b'{"text": ""}',
        b'{"text": " \\n"}', b'{"text": "\\ud800"}', b'{"text": "a\\u0000b"}', b'{"text": true}',
        b'{"text": "a", "top": NaN}', b'{"text": "a", "top": 0}', b'{"text": "a", "top": -1}',
        b'{"text": "a", "top": 1e99}',
        b'{"text": "a", "top": 201}', b'{"text": "a", "top": "5"}', b'{"text": "a", "top": 2.5}',
        b'{"text": "a", "top": true}',
        b'{"text": "a", "offset": 10001}', b'{"text": "a", "offset": -1}', b'{"text": "a", "weight": 2}',
        b'{"text": "a", "weight": NaN}', b'{"text": "a", "weight": Infinity}', b'{"text": "a", "weight": "0"}',
        b'{"text": "a", "where": 3}', b'{"text": "a", "where": {"x": 1}}', b'{"text": "a", "where": {"": 1}}',
        b'{"text": "a", "where": {"x": {"$gt": 1}}}', b'{"text": "a", "where": {"x": {">": [[1]]}}}',
        b'{"text": "a", "where": {"x": null}}', b'{"text": "a", "where": {"x": NaN}}',
        b'{"text": "a", "without": "b"}',
        b'{"text": "a", "without": ["", "b"]}', b'{"text": "a", "without": [' + b'"b",' * 9 + b'"b"]}',
        b'{"text": "a", "unknown": 1}', b'{"text": "a", "__proto__": {}}', b'{"key": "../../etc/passwd"}',
        b'{"key": "nope"}',
        b'{"key": ""}', b'{"key": 5}', b'{"key": "a\\u0000"}', b'{"key": "\\udfff"}',
        b'{"key": "' + b"k" * 1001 + b'"}',
        b'{"text": "' + b"a" * 2001 + b'"}', b'{"text": "' + b"a" * 900_000 + b'"}',
        b'{"text": ' + b"9" * 6000 + b"}",
        b'{"text": "a", "top": ' + b"9" * 6000 + b"}", b'{"a": 1}', b"\xef\xbb\xbf{}", b'{"text": "a" "top": 1}',
        b"'text'",
    ]  # fmt: skip
    for body in bodies:
        yield "/api/search", body
    for route, body in (
        ("/api/classify", {"key": KEY, "classes": ["one"]}),
        ("/api/classify", {"key": KEY, "classes": ["a"] * 201}),
        ("/api/classify", {"key": KEY, "classes": ["a", 5]}),
        ("/api/classify", {"key": KEY, "classes": ["a", " "]}),
        ("/api/classify", {"key": KEY, "classes": {"a": "b"}}),
        ("/api/classify", {"key": "nope", "classes": ["a", "b"]}),
        ("/api/classify", {"key": KEY, "classes": ["a", "b"], "top": 0}),
        ("/api/verify", {"key": KEY, "sentences": []}),
        ("/api/verify", {"key": KEY, "sentences": ["a"] * 51}),
        ("/api/verify", {"key": KEY, "sentences": [""]}),
        ("/api/verify", {"key": KEY, "sentences": "a"}),
        ("/api/verify", {"key": "nope", "sentences": ["a"]}),
        ("/api/verify", {"key": KEY, "sentences": ["a"], "ask": "yes"}),
        ("/api/heatmap", {"key": KEY, "sentence": "a"}),
        ("/api/photos/delete", {"keys": []}),
        ("/api/photos/delete", {"keys": ["a"] * 1001}),
        ("/api/photos/delete", {"keys": [None]}),
        ("/api/feedback", {"answer": "maybe", "question": 1}),
        ("/api/feedback", {"answer": "yes", "question": 2**40}),
        ("/api/feedback", {"answer": "yes", "question": -1}),
        ("/api/feedback", {"answer": "yes", "question": 1.5}),
        ("/api/feedback", {"answer": "yes", "key": KEY}),
        ("/api/feedback", {"answer": "yes", "key": "nope", "sentence": "a"}),
        ("/api/login", {"token": 5}),
        ("/api/login", {"token": "x" * 1001}),
        ("/api/nothing", {}),
        ("/api/about", {}),
    ):
        yield route, json.dumps(body).encode()


def refused(answer: object, what: str) -> None:
    status, body = answer.status_code, answer.json()  # type: ignore[attr-defined]
    assert 400 <= status < 500, (what, status, body)
    assert body["error"] and body["remedy"] and "Traceback" not in body["error"], (what, body)
    assert len(answer.content) < 3000, what  # type: ignore[attr-defined]


def test_hostile_input_is_refused_in_words_and_memory_stays_bounded(server: TestClient) -> None:
    process, count = psutil.Process(), 0
    before = process.memory_info().rss
    for name, content in hostile_photos():
        for route in ("/api/verify/photo", "/api/search/photo"):
            body = request(sentences=["a"]) if "verify" in route else {}
            refused(server.post(route, files={"photo": as_file(content, name)}, data=body), name)
            count += 1
        added = server.post("/api/photos", files=[("photos", as_file(content, name))])
        assert added.status_code == 200 and added.json()["set_aside"] == 1, (name, added.json())
        count += 1
    for route, content in hostile_json():
        refused(
            server.post(route, content=content, headers={"Content-Type": "application/json"}),
            repr(content[:60]),
        )
        count += 1
    assert count >= 200
    assert process.memory_info().rss - before < BOUND


def test_hostile_names_stay_names(server: TestClient, tmp_path: Path) -> None:
    index = server.service.index.folder  # type: ignore[attr-defined]
    for number, name in enumerate(NAMES):
        answer = server.post("/api/photos", files=[("photos", as_file(photo_bytes(number), name))])
        assert answer.status_code in (200, 400, 422), (name, answer.json())
        if answer.status_code == 200:
            for result in answer.json()["results"]:
                key = result["key"]
                assert key is None or (
                    "/" not in key and "\\" not in key and len(key) <= 200 and not key.startswith(".")
                )
    uploads = [path for path in (index / "uploads").rglob("*") if path.is_file()]
    assert uploads and all(len(path.name) == 64 for path in uploads)  # by content, never by name
    page = server.get("/api/photos?top=200").json()
    assert all("<script" not in match["thumbnail"] for match in page["matches"])


def test_strange_requests(server: TestClient) -> None:
    photo = {"photo": as_file(photo_bytes(1))}
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    for content in (
        b"",
        b"--x",
        b"--x\r\n\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
        b"\0" * 100,
    ):
        refused(server.post("/api/verify/photo", content=content, headers=boundary), repr(content))
    for kind in (
        "multipart/form-data",
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "a/b;c",
        "",
    ):
        refused(server.post("/api/verify/photo", content=b"a=b", headers={"Content-Type": kind}), kind)
        refused(server.post("/api/search", content=b"a=b", headers={"Content-Type": kind}), kind)
    for wrong in (
        "",
        "{",
        "[]",
        "5",
        '{"sentences": 5}',
        "[" * 50_000,
        '{"sentences": ["\\ud800"]}',
        "\0",
        "NaN",
    ):
        refused(server.post("/api/verify/photo", files=photo, data={"request": wrong}), wrong[:20])
        refused(
            server.post("/api/photos", files=[("photos", photo["photo"])], data={"details": wrong or "x"}),
            wrong[:20],
        )
    many = [("photos", as_file(b"x", f"{n}.png")) for n in range(201)]
    assert server.post("/api/photos", files=many).status_code == 413
    for path in (
        "/page/../app.py", "/page/..%2fapp.py", "/page/%2e%2e/app.py", "/page/", "/page/.x", "/page//etc/passwd",
        "/page/index.html%00", "/api/photo", "/api/photo?key=", "/api/photo?key=%00", "/api/photo?key=%ff%fe",
        "/api/queue/x",
        "/api/queue/99999999999999999999/photo", "/api/queue?limit=0", "/api/queue?limit=x", "/api/queue/-1/photo",
        "/api/photo/thumbnail?key=red/circle.png&size=9999", "/api/photo/thumbnail?key=red/circle.png&size=NaN",
        "/%00",
        "/api/photos?top=0", "/api/photos?offset=-1", "/api/photos?offset=999999999999999999999", "/.git/config",
        "/etc/passwd",
    ):  # fmt: skip
        refused(server.get(path), path)
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        answer = server.request(method, "/api/search")
        assert 400 <= answer.status_code < 500, method
    assert server.get("/api/about", headers={"Cookie": "lift_session=" + "x" * 5000}).status_code == 200
    assert server.get("/health/ready").json() == {"state": "ok"}
