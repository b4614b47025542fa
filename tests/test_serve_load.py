"""Too much at once, and kill -9 while photos are added; long versions: benchmarks/serve_load.py and serve_kills.py."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
from lift.indexing import Index
from serve_by_hand import as_file, client, make_index, photo_bytes, running


def test_more_than_it_can_do_is_answered_200_or_503(tiny_run: Path, tmp_path: Path) -> None:
    index = make_index(tiny_run, tmp_path)
    with client(index, threads=1, waiting=2) as server:

        def ask(number: int) -> tuple[int, bool]:
            body = {"key": "red/circle.png", "sentences": [f"a dog number {number}"]}
            answer = server.post("/api/verify", json=body)
            return answer.status_code, "retry-after" in answer.headers

        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(ask, range(240)))
        counted = Counter(answers)
        assert set(counted) == {(200, False), (503, True)}, counted
        assert ask(0) == (200, False) and server.service.work.held == 0  # type: ignore[attr-defined]


def test_a_photo_that_was_acknowledged_survives_a_kill(tiny_run: Path, tmp_path: Path) -> None:
    import httpx

    index = make_index(tiny_run, tmp_path)
    acknowledged: dict[str, str] = {}
    with running(index, "--rate", "0") as (process, address):
        killer = threading.Timer(1.0, process.kill)
        for number in range(10_000):
            name, content = f"photo-{number}.png", photo_bytes(number)
            if number == 1:
                killer.start()
            try:
                answer = httpx.post(
                    f"{address}/api/photos", files=[("photos", as_file(content, name))], timeout=30
                )
            except httpx.HTTPError:
                break
            assert answer.json()["added"] == 1
            acknowledged[name] = hashlib.sha256(content).hexdigest()
        killer.join()
    opened = Index.open(index)
    assert acknowledged and len(opened) >= 12 + len(acknowledged)
    for name, digest in acknowledged.items():
        assert hashlib.sha256(opened.match(name).path.read_bytes()).hexdigest() == digest
    with client(index) as server:  # and it starts again at once
        assert server.get("/health/ready").status_code == 200
