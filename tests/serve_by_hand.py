"""A small INDEX and a server over it, called inside the test's process or started as a person would."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from conftest import COLOURS, SHAPES, draw_shape
from lift.calibration import ProbabilityMap, Thresholds
from lift.explaining import Proof
from lift.explaining.proof import Share
from lift.explaining.words import METHOD
from lift.indexing import Index
from lift.model import load
from lift.serve.app import make_app
from lift.serve.config import ServeConfig
from lift.serve.guard import LOOPBACK
from lift.serve.service import Service
from lift.verifying.calibrating import write_calibration
from lift.verifying.folder import Group


def photo_bytes(seed: int = 0, kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    """A noise photo."""
    random = np.random.default_rng(seed)
    out = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(out, kind)
    return out.getvalue()


def make_index(run: Path, place: Path) -> Path:
    """INDEX of twelve drawn shapes, `red/circle.png` and so on."""
    for colour in COLOURS:
        (place / "photos" / colour).mkdir(parents=True, exist_ok=True)
        for shape in SHAPES:
            picture = Image.fromarray(draw_shape(colour, shape, 64, 0))
            picture.save(place / "photos" / colour / f"{shape}.png")
    Index.build(load(run), place / "photos", place / "index")
    return place / "index"


@contextmanager
def client(
    index: Path, *, token: str | None = None, hosts: frozenset[str] | None = LOOPBACK, **options: Any
) -> Iterator[TestClient]:
    """A client of a server over `index`; `client.app_state` is its service."""
    service = Service(ServeConfig(index=index, **{"rate": 0, **options}))
    app = make_app(service, token, hosts=hosts)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
        opened.service = service  # type: ignore[attr-defined]
        yield opened


@contextmanager
def running(index: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`lift serve INDEX --port 0 …` as a process of its own, and its address."""
    command = [sys.executable, "-m", "lift.cli", "serve", str(index), "--port", "0", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as log:  # not a pipe, which would stop the server when nobody reads it
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        process.stderr = log  # type: ignore[assignment]
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert " at http://" in said, written(process)
            yield process, said.split(" at ")[1].split()[0].rstrip("/")
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def written(process: subprocess.Popen[str]) -> str:
    """What a running server has written to its log."""
    assert process.stderr is not None
    process.stderr.seek(0)
    return process.stderr.read()


def as_file(content: bytes, name: str = "photo.png") -> tuple[str, bytes, str]:
    """A file for a multipart body."""
    return (name, content, "application/octet-stream")


def request(**fields: Any) -> dict[str, str]:
    """The string `request` of a multipart body."""
    return {"request": json.dumps(fields)}


def make_calibration(run: Path, out: Path, low: float, high: float) -> Path:
    """A CALIBRATION with these thresholds, whose words and places count as proved."""
    model = load(run)
    shown = Share(rate=0.9, control=0.5, low=0.3, high=0.5, n=100, photos=100)
    told = {"method": METHOD, "kinds": {}}
    proof = Proof(**{one.name: told.get(one.name, shown) for one in fields(Proof)}).asdict()  # type: ignore[arg-type]
    groups = [
        Group("all lengths", 0, None, Thresholds(low, high), ProbabilityMap("platt", [[10.0, 0.0]], 0.5), {})
    ]
    others = np.eye(4, model.dim, dtype=np.float32)
    promise = {"false_alarm": 0.05, "missed": 0.05, "confidence": 0.9}
    write_calibration(out, model, promise, groups, [], others, {"explaining": proof, "request": {}})
    return out
