"""kill -9 the server at random moments while photos are added: is every acknowledged photo there afterwards?

    python benchmarks/serve_kills.py --run RUN --work /tmp/serve-kills

A parent that has imported everything forks a server for every attempt and sends it photos, up to four in a request; a
second fork kills the server at a moment drawn between 0.05 and 4 s after the first request. A photo counts as
acknowledged when an answer says that it was added. After every kill each acknowledged photo must be in the INDEX,
under its key, with the very bytes that were sent. Writes benchmarks/results/serve_kills.json.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # no threads before a fork

import httpx
import numpy as np
import torch
import tyro
from PIL import Image

import lift.serve.app  # noqa: F401 - loaded once, before the forks
from lift.artefact import write_json
from lift.indexing import Index
from lift.model import load
from lift.serve import ServeConfig, serve
from serving import RESULTS, circumstances


@dataclass(frozen=True)
class KillsConfig:
    """Random kills of `lift serve`."""

    run: Path
    """RUN for the INDEX."""
    work: Path = Path("serve-kills")
    """Folder for the INDEX; deleted at the end."""
    kills: int = 50
    """How many kills to make."""
    seed: int = 0
    """For photos and moments."""
    out: Path = RESULTS / "serve_kills.json"
    """File for the result."""


def photo(number: int) -> bytes:
    """A small photo of its own for every number."""
    out = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def fork_server(index: Path, port: int) -> int:
    """A server in a child; its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())
                os.dup2(nowhere.fileno(), sys.stderr.fileno())
            serve(ServeConfig(index=index, port=port, rate=0))
            code = 0
        finally:
            os._exit(code)
    return child


def fork_killer(victim: int, seconds: float) -> int:
    """A child that kills `victim` after a while; its process id."""
    child = os.fork()
    if child == 0:
        time.sleep(seconds)
        os.kill(victim, signal.SIGKILL)
        os._exit(0)
    return child


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_ready(address: str) -> None:
    """Return when the server answers."""
    for _ in range(1200):
        try:
            if httpx.get(f"{address}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise SystemExit("the server did not start again")


class Sender:
    """Sends photos, and remembers those that were acknowledged, and those of which nothing is known."""

    def __init__(self, seed: int) -> None:
        self.number, self.draw = 0, random.Random(seed)
        self.acknowledged: dict[str, str] = {}
        self.unanswered = self.refused = 0

    def send(self, address: str) -> bool:
        """One request with one to four photos; False when the server was gone."""
        photos = {
            f"photo-{self.number + n:06}.jpg": photo(self.number + n) for n in range(self.draw.randint(1, 4))
        }
        self.number += len(photos)
        files = [("photos", (name, content, "image/jpeg")) for name, content in photos.items()]
        try:
            answer = httpx.post(f"{address}/api/photos", files=files, timeout=60)
        except httpx.HTTPError:
            self.unanswered += len(photos)
            return False
        if answer.status_code != 200:
            raise SystemExit(f"status {answer.status_code}: {answer.text}")
        for result in answer.json()["results"]:
            if result["state"] != "added":
                raise SystemExit(f"not added: {result}")
            self.acknowledged[result["key"]] = hashlib.sha256(photos[result["key"]]).hexdigest()
        return True


def missing(index: Path, acknowledged: dict[str, str]) -> dict[str, int]:
    """How many acknowledged photos are not there, or not as they were sent."""
    opened, lost, changed = Index.open(index), 0, 0
    for key, digest in acknowledged.items():
        if key not in opened:
            lost += 1
        elif hashlib.sha256(opened.match(key).path.read_bytes()).hexdigest() != digest:
            changed += 1
    return {"lost": lost, "changed": changed, "photos_in_the_index": len(opened)}


def main(config: KillsConfig) -> None:
    """Make the kills and write the JSON."""
    torch.set_num_threads(1)
    shutil.rmtree(config.work, ignore_errors=True)
    config.work.mkdir(parents=True)
    index, sender, draw = config.work / "index", Sender(config.seed), random.Random(config.seed)
    Index.create(load(config.run), index)
    began, checks, faults = time.perf_counter(), list[dict[str, Any]](), 0
    for kill in range(1, config.kills + 1):
        port = free_port()
        server = fork_server(index, port)
        wait_ready(f"http://127.0.0.1:{port}")
        killer = fork_killer(server, draw.uniform(0.05, 4.0))
        while sender.send(f"http://127.0.0.1:{port}"):
            pass
        os.waitpid(killer, 0)
        os.waitpid(server, 0)
        found = missing(index, sender.acknowledged)
        faults += found["lost"] + found["changed"]
        if kill % 10 == 0 or kill == config.kills:
            checks.append({"kills": kill, "acknowledged": len(sender.acknowledged), **found})
            print(checks[-1], f"{time.perf_counter() - began:.0f} s", flush=True)
    shutil.rmtree(config.work)
    result = {
        "kills": config.kills,
        "photos_sent": sender.number,
        "photos_acknowledged": len(sender.acknowledged),
        "photos_without_an_answer": sender.unanswered,
        "acknowledged_photos_lost_or_changed_after_any_kill": faults,
        "checks": checks,
        "seed": config.seed,
        **circumstances(),
    }
    write_json(config.out, result)


if __name__ == "__main__":
    main(tyro.cli(KillsConfig))
