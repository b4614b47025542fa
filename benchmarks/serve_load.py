"""Twice as many requests as the server can answer, for three minutes: what is refused, how long the rest takes, memory.

    python benchmarks/serve_load.py --index INDEX

First the capacity: clients that each send one request after the other. Then requests at an even rate of twice that,
whether answered or not, as from many people. Of ten requests seven search with a sentence of their own, two look at a
thumbnail, one verifies. The client is a small one of its own: httpx and locust take several times the server's own work
for a request, and on the same cores they would be what is measured. Writes benchmarks/results/serve_load.json.
"""

from __future__ import annotations

import asyncio
import itertools
import json
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

IDLE = 10.0  # seconds after which a connection is not used again, lest the server close it at that moment


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
    clients: int = 32
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


class Client:
    """HTTP/1.1 over kept connections, as little of it as this needs; opens a connection where none is free."""

    def __init__(self, address: str) -> None:
        self.host, _, port = address.removeprefix("http://").partition(":")
        self.port = int(port)
        self.free = list[
            tuple[float, asyncio.StreamReader, asyncio.StreamWriter]
        ]()  # with when it was used last

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, bool]:
        """The status, and whether there was a Retry-After; OSError or EOFError when the connection broke."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(content)}\r\n"
        kind = "Content-Type: application/json\r\n" if content else ""
        while self.free and self.free[0][0] < time.perf_counter() - IDLE:
            self.free.pop(0)[2].close()
        if self.free:
            _, reader, writer = self.free.pop()
        else:
            reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write((head + kind + "\r\n").encode() + content)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            await reader.readexactly(int(answer.partition("content-length:")[2].partition("\r\n")[0]))
        except BaseException:
            writer.close()
            raise
        if "connection: close" in answer:
            writer.close()
        else:
            self.free.append((time.perf_counter(), reader, writer))
        return int(answer[9:12]), "retry-after:" in answer

    def close(self) -> None:
        """Close what is open."""
        for *_, writer in self.free:
            writer.close()


async def one(client: Client, number: int, keys: list[str], seen: Seen) -> None:
    """Send one request and note what came back."""
    key, kind = keys[number % len(keys)], "search"
    began = time.perf_counter()
    try:
        if number % 10 in (3, 7):
            kind = "thumbnail"
            status, retry = await client.send("GET", f"/api/photo/thumbnail?key={quote(key, safe='')}")
        elif number % 10 == 9:
            kind = "verify"
            body = {"key": key, "sentences": [sentence(number), sentence(number + 1)]}
            status, retry = await client.send("POST", "/api/verify", body)
        else:
            status, retry = await client.send("POST", "/api/search", {"text": sentence(number), "top": 10})
    except (OSError, EOFError) as error:
        seen.statuses[type(error).__name__] += 1
        return
    seconds = time.perf_counter() - began
    seen.statuses[str(status)] += 1
    if status == 200:
        seen.accepted[kind].append(seconds)
    else:
        seen.refused.append(seconds)
        seen.without_retry_after += status == 503 and not retry


async def capacity(address: str, config: LoadConfig, keys: list[str]) -> float:
    """Requests a second that a few patient clients get answered."""
    seen, numbers, ends = Seen(), itertools.count(), time.perf_counter() + config.capacity_seconds

    async def client_() -> None:
        client = Client(address)
        while time.perf_counter() < ends:
            await one(client, next(numbers), keys, seen)
        client.close()

    await asyncio.gather(*(client_() for _ in range(config.clients)))
    if set(seen.statuses) != {"200"}:
        raise SystemExit(f"not all were answered: {seen.statuses}")
    return seen.statuses["200"] / config.capacity_seconds


async def flood(
    address: str, config: LoadConfig, keys: list[str], rate: float, process: Any
) -> tuple[Seen, list[int]]:
    """Send at `rate` a second whatever comes back; what came back, and the server's memory every second."""
    seen, memory, tasks, sent = Seen(), list[int](), set[asyncio.Task[None]](), 0
    client, began = Client(address), time.perf_counter()
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
        await asyncio.wait(tasks, timeout=120)
        seen.statuses["never answered"] += len(tasks)
    client.close()
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
        cpu = sum(process.cpu_times()[:2])
        alive = httpx.get(f"{address}/health/ready", timeout=60).status_code == 200
    third = max(1, len(memory) // 3)
    result = {
        "capacity_requests_a_second": round(able, 1),
        "sent_requests_a_second": round(config.times * able, 1),
        "seconds": round(took, 1),
        "statuses": dict(seen.statuses),
        "cpu_seconds": {"server": round(cpu), "client": round(time.process_time())},
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
