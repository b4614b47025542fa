"""Bounded work: refused when full, finished when accepted, texts encoded together."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi")
from lift.serve.lanes import DEADLINE, Lane, TextLane
from lift.serve.refusing import Busy


def test_a_full_lane_refuses_and_finishes_what_it_took() -> None:
    async def trial() -> None:
        lane = Lane("test", threads=1, waiting=2, seconds=10)
        gate = threading.Event()
        tasks = [
            asyncio.create_task(lane.run(lambda number=number: gate.wait() and number)) for number in range(3)
        ]
        await asyncio.sleep(0.02)
        with pytest.raises(Busy) as busy:
            await lane.run(print)
        assert busy.value.status_code == 503 and busy.value.headers == {"Retry-After": "1"} and lane.held == 3
        gate.set()
        assert await asyncio.gather(*tasks) == [0, 1, 2]
        await asyncio.sleep(0.01)
        assert lane.held == 0 and await lane.run(lambda: 4) == 4
        lane.close()

    asyncio.run(trial())


def test_work_that_takes_too_long_is_answered_503_and_counted_until_it_ends() -> None:
    async def trial() -> None:
        lane = Lane("test", threads=1, waiting=1, seconds=0.05)
        gate = threading.Event()
        with pytest.raises(Busy, match="no answer in time"):
            await lane.run(gate.wait)
        assert lane.held == 1  # the thread is still at it
        gate.set()
        await asyncio.sleep(0.02)
        assert lane.held == 0
        with pytest.raises(TimeoutError, match="of the work"):
            await lane.run(_times_out)
        lane.close()

    asyncio.run(trial())


def test_the_deadline_of_a_request_holds_over_all_its_work() -> None:
    async def trial() -> None:
        lane = Lane("test", threads=1, waiting=1, seconds=60)
        began = DEADLINE.set(time.monotonic() + 0.05)
        gate = threading.Event()
        with pytest.raises(Busy, match="in time"):
            await lane.run(gate.wait)
        gate.set()
        with pytest.raises(Busy):  # nothing is left for a second piece
            await lane.run(time.sleep, 0.05)
        DEADLINE.reset(began)
        assert await lane.run(lambda: 1) == 1
        lane.close()

    asyncio.run(trial())


def _times_out() -> None:
    raise TimeoutError("of the work itself")


def test_texts_of_concurrent_requests_are_encoded_together_each_once() -> None:
    batches: list[list[str]] = []

    def encode(texts: list[str]) -> np.ndarray:
        time.sleep(0.02)
        batches.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts])

    async def trial() -> None:
        lane = TextLane(encode, waiting=50, seconds=5, remember=4)  # type: ignore[arg-type]
        first = asyncio.create_task(lane.vectors(["one"]))
        await asyncio.sleep(0.005)
        rest = [asyncio.create_task(lane.vectors([word, "three"])) for word in ("a", "bb", "one")]
        answers = await asyncio.gather(first, *rest)
        np.testing.assert_array_equal(answers[2], [[2, 1], [5, 1]])
        assert batches == [["one"], ["a", "three", "bb", "one"]] or batches == [["one"], ["a", "three", "bb"]]
        await lane.vectors(["one", "three"])
        assert len(batches) == 2  # remembered
        big = await lane.vectors([f"text {n:03}" for n in range(40)])  # more than is remembered
        assert big.shape == (40, 2) and lane.held == 0
        lane.close()

    asyncio.run(trial())


def test_too_many_texts_wait_and_an_error_reaches_all_who_wait() -> None:
    gate = threading.Event()

    def encode(texts: list[str]) -> np.ndarray:
        gate.wait(5)
        raise ValueError("no such word")

    async def trial() -> None:
        lane = TextLane(encode, waiting=2, seconds=5)  # type: ignore[arg-type]
        tasks = [asyncio.create_task(lane.vectors(["a"]))]
        await asyncio.sleep(0.01)  # it is being encoded, and the next two wait
        tasks += [asyncio.create_task(lane.vectors([word])) for word in "bc"]
        await asyncio.sleep(0.01)
        with pytest.raises(Busy):
            await lane.vectors(["d"])
        gate.set()
        for task in tasks:
            with pytest.raises(ValueError, match="no such word"):
                await task
        lane.close()

    asyncio.run(trial())


def test_a_request_that_was_let_in_keeps_its_place_for_all_its_steps() -> None:
    async def trial() -> None:
        lane = Lane("test", threads=1, waiting=1, seconds=10)
        gate = threading.Event()
        other = asyncio.create_task(lane.run(gate.wait))
        await asyncio.sleep(0.02)
        async with lane.place():
            with pytest.raises(Busy):  # no room for a third
                await asyncio.create_task(lane.run(print), context=contextvars.Context())
            gate.set()
            assert await lane.run(lambda: 1) == 1 and await lane.run(lambda: 2) == 2
            await other
            await asyncio.sleep(0.01)
            assert lane.held == 1
        assert lane.held == 0
        gate.clear()
        async with lane.place():
            began = DEADLINE.set(time.monotonic() + 0.05)
            with pytest.raises(Busy, match="in time"):
                await lane.run(gate.wait)
            DEADLINE.reset(began)
            assert lane.held == 2
        assert lane.held == 1  # the thread is still at it
        gate.set()
        await asyncio.sleep(0.02)
        assert lane.held == 0
        lane.close()

    asyncio.run(trial())
