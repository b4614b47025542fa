"""Twice as many requests as the server can answer, for three minutes: what is refused, how long the rest takes, memory.

    python benchmarks/serve_load.py --index INDEX

First the capacity: a few clients that send one request after the other. Then requests at an even rate of twice that,
whether answered or not, as from many people. A small client of its own in place of locust, whose gevent would patch
this process. Of ten requests seven search with a sentence of their own, two look at a thumbnail, one verifies. Writes
benchmarks/results/serve_load.json.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import tyro

from lift.artefact import write_json
from lift.indexing import Index
from serving import RESULTS, circumstances, sentence, served, spread


@dataclass(frozen=True)
class LoadConfig:
    """More than the server can do."""

    index: Path
    """INDEX with photos that can be shown."""
    times: float = 2.0
    """Rate as a multiple of the capacity."""
    seconds: float = 180
    """How long."""
    capacity_seconds: float = 20
    """How long the capacity is measured."""
    clients: int = 8
    """Clients while the capacity is measured."""
    out: Path = RESULTS / "serve_load.json"
    """File for the result."""


@dataclass
class Seen:
    """What came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, list[float]] = field(
        default_factory=lambda: {"search": [], "thumbnail": [], "verify": []}
    )
    refused: list[float] = field(default_factory=list)
    without_retry_after: int = 0


async def one(client: httpx.AsyncClient, number: int, keys: list[str], seen: Seen) -> None:
    """Send one request and note what came back."""
    key, kind = keys[number % len(keys)], "search"
    began = time.perf_counter()
    try:
        if number % 10 in (3, 7):
            kind = "thumbnail"
            answer = await client.get(f"/api/photo/thumbnail?key={quote(key, safe='')}")
        elif number % 10 == 9:
            kind = "verify"
            body = {"key": key, "sentences": [sentence(number), sentence(number + 1)]}
            answer = await client.post("/api/verify", json=body)
        else:
            answer = await client.post("/api/search", json={"text": sentence(number), "top": 10})
    except httpx.HTTPError as error:
        seen.statuses[type(error).__name__] += 1
        return
    seconds = time.perf_counter() - began
    seen.statuses[str(answer.status_code)] += 1
    if answer.status_code == 200:
        seen.accepted[kind].append(seconds)
    else:
        seen.refused.append(seconds)
        seen.without_retry_after += answer.status_code == 503 and "retry-after" not in answer.headers


async def capacity(address: str, config: LoadConfig, keys: list[str]) -> float:
    """Requests a second that a few patient clients get answered."""
    seen, numbers, ends = Seen(), itertools.count(), time.perf_counter() + config.capacity_seconds

    async def client_() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            while time.perf_counter() < ends:
                await one(client, next(numbers), keys, seen)

    await asyncio.gather(*(client_() for _ in range(config.clients)))
    if set(seen.statuses) != {"200"}:
        raise SystemExit(f"not all were answered: {seen.statuses}")
    return seen.statuses["200"] / config.capacity_seconds


async def flood(
    address: str, config: LoadConfig, keys: list[str], rate: float, process: Any
) -> tuple[Seen, list[int]]:
    """Send at `rate` a second whatever comes back; what came back, and the server's memory every second."""
    seen, memory, tasks, sent = Seen(), list[int](), set[asyncio.Task[None]](), 0
    limits = httpx.Limits(max_connections=900, max_keepalive_connections=900)
    began = time.perf_counter()
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:
        while (now := time.perf_counter() - began) < config.seconds:
            while sent < now * rate:
                task = asyncio.create_task(one(client, 100_000 + sent, keys, seen))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
            if len(memory) < now:
                memory.append(process.memory_info().rss)
            await asyncio.sleep(0.005)
        if tasks:
            await asyncio.wait(tasks)
    return seen, memory


def main(config: LoadConfig) -> None:
    """Measure and write the JSON."""
    before = circumstances()
    keys = Index.open(config.index).keys()[:200]
    with served(config.index) as (process, address):
        able = asyncio.run(capacity(address, config, keys))
        print(f"capacity {able:.1f} requests a second", flush=True)
        began = time.perf_counter()
        seen, memory = asyncio.run(flood(address, config, keys, config.times * able, process))
        took = time.perf_counter() - began
        alive = httpx.get(f"{address}/health/ready", timeout=60).status_code == 200
    third = max(1, len(memory) // 3)
    result = {
        "capacity_requests_a_second": round(able, 1),
        "sent_requests_a_second": round(config.times * able, 1),
        "seconds": round(took, 1),
        "statuses": dict(seen.statuses),
        "answered_requests_a_second": round(seen.statuses["200"] / took, 1),
        "accepted": {kind: spread(seconds) for kind, seconds in seen.accepted.items()},
        "accepted_all": spread([s for seconds in seen.accepted.values() for s in seconds]),
        "refused": spread(seen.refused),
        "503_without_retry_after": seen.without_retry_after,
        "ready_afterwards": alive,
        "server_mebibytes": {
            "at_the_start": round(memory[0] / 2**20),
            "most_in_the_first_third": round(max(memory[:third]) / 2**20),
            "most_in_the_last_third": round(max(memory[-third:]) / 2**20),
        },
        **before,
    }
    print(result)
    write_json(config.out, result)


if __name__ == "__main__":
    main(tyro.cli(LoadConfig))
