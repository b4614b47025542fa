"""How long a search takes end to end over HTTP, with 10 thousand, 100 thousand and a million photos.

    python benchmarks/serve_speed.py --run RUN --work /tmp/serve-speed

Every query is a sentence of its own, so that nothing is remembered; one client that waits for each answer, then four at
once. The encoding of the sentences alone is measured beside it, in this process; and the same sentences again, when
their vectors are remembered. A million photos by exact search and by the approximate index. Writes
benchmarks/results/serve_speed.json.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import tyro

from lift.artefact import write_json
from lift.catalogue import approximate
from lift.indexing import Index
from lift.model import load
from serving import RESULTS, circumstances, sentence, served, spread, synthetic_index


@dataclass(frozen=True)
class SpeedConfig:
    """Searches over HTTP."""

    run: Path
    """RUN whose encoder makes the queries."""
    work: Path = Path("serve-speed")
    """Folder for the INDEXes; they are kept, since a large one takes a while."""
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Photos."""
    queries: int = 400
    """Queries for each size by one client; four clients send as many together."""
    out: Path = RESULTS / "serve_speed.json"
    """File for the result."""


def timed(call: Callable[[int], Any], numbers: range) -> list[float]:
    """Seconds of each call."""
    seconds = []
    for number in numbers:
        began = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - began)
    return seconds


def searches(address: str, numbers: range) -> list[float]:
    """Seconds of each search over one kept connection."""
    with httpx.Client(base_url=address, timeout=60) as client:

        def search(number: int) -> None:
            answer = client.post("/api/search", json={"text": sentence(number), "top": 10})
            if answer.status_code != 200:
                raise SystemExit(f"status {answer.status_code}: {answer.text}")

        return timed(search, numbers)


def at_once(address: str, clients: int, numbers: range) -> list[float]:
    """Seconds of each search when several clients send at once."""
    seconds: list[float] = []
    share = len(numbers) // clients
    parts = [numbers[start : start + share] for start in range(0, share * clients, share)]
    threads = [
        threading.Thread(target=lambda part=part: seconds.extend(searches(address, part))) for part in parts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def set_search(folder: Path, near: bool) -> None:
    """Make the approximate index of an INDEX, or put it aside."""
    there, aside = folder / approximate.FOLDER, folder.with_name(f"{folder.name}.approximate")
    if near and aside.exists():
        aside.rename(there)
    elif near and not there.exists():
        approximate.make(Index.open(folder).view)
    elif not near and there.exists():
        there.rename(aside)


def measure(config: SpeedConfig, photos: int, near: bool) -> dict[str, Any]:
    """All figures of one size."""
    folder = config.work / f"index-{photos}"
    synthetic_index(config.run, folder, photos)
    set_search(folder, near)
    bytes_ = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    began = time.perf_counter()
    with served(folder) as (process, address):
        start = time.perf_counter() - began
        searches(address, range(10))
        first = 1000
        alone = searches(address, range(first, first + config.queries))
        again = searches(address, range(first + config.queries - 200, first + config.queries))
        together = at_once(address, 4, range(10_000, 10_000 + config.queries))
        resident = process.memory_info().rss
    row = {
        "photos": photos,
        "search": "approximate" if near else "exact",
        "one_client": spread(alone),
        "sentences_remembered": spread(again),
        "four_clients": spread(together),
        "index_bytes_per_photo": round(bytes_ / photos, 1),
        "seconds_to_start": round(start, 1),
        "server_mebibytes": round(resident / 2**20),
    }
    print(row, flush=True)
    return row


def main(config: SpeedConfig) -> None:
    """Measure and write the JSON."""
    config.work.mkdir(parents=True, exist_ok=True)
    before = circumstances()
    model = load(config.run)
    model.encode_text(["warm"])
    encoding = timed(lambda number: model.encode_text([sentence(number)]), range(5000, 5000 + config.queries))
    rows = [measure(config, photos, near=False) for photos in config.sizes]
    rows += [
        measure(config, photos, near=True) for photos in config.sizes if photos > approximate.EXACT_UP_TO
    ]
    result = {
        "what": "POST /api/search, ten photos, float16 vectors of 384 numbers in 1,000 clusters",
        "encoding_of_a_sentence_alone": spread(encoding),
        "sizes": rows,
        **before,
    }
    write_json(config.out, result)


if __name__ == "__main__":
    main(tyro.cli(SpeedConfig))
