"""Sections of RESULTS.md about `lift serve`: speed, load, kills."""

from __future__ import annotations

from typing import Any

from text_sections import table


def _load(made: dict[str, Any]) -> str:
    return (
        f"{made['machine']['cores']} cores, load {made['load_average'][0]:.1f} at the start: {made['note']}"
    )


def _three(of: dict[str, Any]) -> list[str]:
    return [f"{of['p50_ms']:.0f}", f"{of['p99_ms']:.0f}"]


def speed_section(made: dict[str, Any]) -> list[str]:
    """Searches end to end, by the number of photos."""
    rows = [
        [
            f"{of['photos']:,}, {of['search']}",
            *_three(of["one_client"]),
            *_three(of["sentences_remembered"]),
            *_three(of["four_clients"]),
            f"{of['index_bytes_per_photo']:.0f}",
            f"{of['server_mebibytes']:,}",
        ]
        for of in made["sizes"]
    ]
    encoding, first = made["encoding_of_a_sentence_alone"], made["sizes"][0]["one_client"]
    return [
        "## `lift serve`: a search end to end over HTTP",
        "",
        f"{made['what']}; {first['n']} searches each, every sentence a new one; {_load(made)}. "
        f"Encoding one sentence by itself: p50 {encoding['p50_ms']:.0f} ms, p99 {encoding['p99_ms']:.0f} ms "
        f"(n {encoding['n']}). Milliseconds:",
        "",
        *table(
            [
                "photos", "p50", "p99", "sentence remembered, p50", "p99", "four clients at once, p50", "p99",
                "INDEX, bytes a photo", "server, MiB",
            ],
            rows,
        ),
        "",
    ]  # fmt: skip


def load_section(made: dict[str, Any]) -> list[str]:
    """What becomes of too many requests."""
    statuses = ", ".join(
        f"{status}: {count:,}" for status, count in sorted(made["statuses"].items()) if count
    )
    memory = made["server_mebibytes"]
    rows = [[kind, str(of["n"]), *_three(of)] for kind, of in made["accepted"].items() if of["n"]]
    if made["refused"]["n"]:
        rows.append(["refused (503)", str(made["refused"]["n"]), *_three(made["refused"])])
    return [
        "## `lift serve`: more requests than it can answer",
        "",
        f"{made['sent_requests_a_second']:.0f} requests a second for {made['seconds']:.0f} s, "
        f"{made['sent_requests_a_second'] / made['capacity_requests_a_second']:.0f} times what it had answered just "
        f"before ({made['capacity_requests_a_second']:.0f}); {_load(made)}. Statuses: {statuses}. 503 without "
        f"Retry-After: {made['503_without_retry_after']}. Memory: {memory['at_the_start']} MiB at the start, at most "
        f"{memory['most_in_the_first_third']} in the first third, {memory['most_in_the_last_third']} in the last. "
        "Milliseconds:",
        "",
        *table(["", "n", "p50", "p99"], rows),
        "",
    ]


def kills_section(made: dict[str, Any]) -> list[str]:
    """Photos that were acknowledged, after kill -9."""
    return [
        "## `lift serve`: kill -9 while photos are added",
        "",
        f"{made['kills']} kills, {made['photos_sent']:,} photos sent, {made['photos_acknowledged']:,} acknowledged, "
        f"{made['photos_without_an_answer']:,} without an answer; acknowledged photos lost or changed after any kill: "
        f"**{made['acknowledged_photos_lost_or_changed_after_any_kill']}**.",
        "",
    ]
