"""Sections of RESULTS.md about the text side (encoder speed, STORE, kills, exam) and the loader."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table, numbers to the right."""
    line = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return line + ["| " + " | ".join(row) + " |" for row in rows]


STORE_ROWS = (
    ("bytes_per_row", "bytes a row, texts included"),
    ("write_rows_per_second", "written, rows/s"),
    ("write_rows_per_cpu_second", "written, rows per second of processor time"),
    ("open_ms", "opened, ms"),
    ("rows_per_second_by_row", "1,024 random rows, rows/s"),
    ("rows_per_cpu_second_by_row", "1,024 random rows, rows per second of processor time"),
    ("rows_per_second_by_text", "1,024 random texts, rows/s"),
    ("rows_per_cpu_second_by_text", "1,024 random texts, rows per second of processor time"),
    ("memory_bytes", "memory added by reading, MB"),
)


PLACES = ("killed_during", "found_after_a_kill")


def plain(value: float) -> str:
    """A number without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def store_section(made: dict[str, Any]) -> list[str]:
    """The STORE beside Parquet and Lance."""
    lines = ["## The STORE beside list<float32> Parquet (row groups of 100) and Lance", ""]
    for shape, kinds in made["shapes"].items():
        lift = kinds["lift"]
        lines += [
            f"{shape}; vectors and keys take {lift['vectors_and_keys_over_raw_float16']:.3f} of raw float16, texts "
            f"{lift['texts_per_row']:.1f} bytes a row. Parquet: {kinds['parquet']['rows']:,} rows.",
            "",
        ]
        rows = []
        for key, label in STORE_ROWS:
            scale = 1e6 if key == "memory_bytes" else 1
            cells = [
                plain(kinds[k][key] / scale) if key in kinds[k] else "–" for k in ("lift", "parquet", "lance")
            ]
            ratios = [
                f"{kinds[r][key]:.2f}" if key in kinds[r] else "–"
                for r in ("lift_over_parquet", "lift_over_lance")
            ]
            rows.append([label, *cells, *ratios])
        lines += [*table(["", "lift", "Parquet", "Lance", "lift/Parquet", "lift/Lance"], rows), ""]
    load = made["machine"]["load"][0]
    return [*lines, f"Load average at the end {load:.1f}: compare ratios. Versions {made['versions']}.", ""]


def kills_section(made: dict[str, Any]) -> list[str]:
    """What 200 kills did to STOREs."""
    rows = [
        [key.replace("_", " "), str(made[key])]
        for key in made
        if key.startswith(("rows_", "stores", "faults", "earlier"))
    ]
    return [f"## `lift embed` killed {made['kills']} times at random moments", "", *table(["", ""], rows), ""]


def road_section(made: dict[str, Any]) -> list[str]:
    """What kills of ingest, train and index left, and where they fell."""
    counts = [
        [
            name,
            str(one["kills"]),
            str(one["rounds"]),
            str(one["rounds_that_differ"]),
            str(one["found_after_a_kill"].get("BROKEN", 0)),
            str(one["reruns_that_failed"]),
        ]
        for name, one in made["parts"].items()
    ]
    places = [
        [name, *[", ".join(f"{phase} {n}" for phase, n in one[key].items()) for key in PLACES]]
        for name, one in made["parts"].items()
    ]
    reasons = [[f"`{name}`", why] for name, why in made["may_differ"].items()]
    return [
        f"## `lift ingest`, `train` and `index` killed {made['kills']} times",
        "",
        f"{made['photos']} photos of Flickr8k; {made['protocol']}. A round is one command, killed up to five times, "
        "then given again until done; its files are compared byte for byte with those of an undisturbed run, and "
        "`lift check` must pass. After each kill the folder must hold nothing that a later verb takes for finished, "
        "or something whole.",
        "",
        *table(
            ["", "kills", "rounds", "rounds that differ", "half-made, taken for whole", "reruns that failed"],
            counts,
        ),
        "",
        *table(["", "killed during", "found after the kill"], places),
        "",
        "What may differ between a killed run and an undisturbed one, and nothing else did:",
        "",
        *table(["field", "what it is"], reasons),
        "",
        f"{made['seconds'] / 60:.0f} minutes. Machine {made['machine']}, versions {made['versions']}.",
        "",
    ]


def embed_section(made: dict[str, Any]) -> list[str]:
    """Ratio of each arm to SentenceTransformer on the same list."""
    lines = ["## Text vectors: the built-in encoder against `SentenceTransformer.encode(batch_size=32)`", ""]
    for kind, found in made["lists"].items():
        rounds = made["settings"]["rounds"]
        lines += [
            f"{found['texts']:,} {kind} texts of {found['tokens_mean']:.0f} tokens, {rounds} rounds in turn, "
            f"{made['settings']['threads']} thread(s), load average {found['load_average'][0]:.0f}; tokenising is "
            f"{found['tokenising_share_of_bf16_cpu']:.1%} of the bf16 time:",
            "",
        ]
        rows = []
        for name, arm in found["arms"].items():
            cells = [f"{median(arm[f'texts_per_second_{clock}']):.0f}" for clock in ("cpu", "wall")]
            cells += [f"{arm[f'ratio_{clock}_median']:.2f}" for clock in ("cpu", "wall")]
            rows.append([name, *cells, f"{arm['min_cosine']:.5f}"])
        header = ["", "texts per CPU second", "texts/s", "ratio, CPU", "ratio, clock", "lowest cosine"]
        lines += [*table(header, rows), ""]
    settings = ", ".join(f"{key} {value}" for key, value in made["settings"].items())
    lines += [
        "On a busy machine read the CPU times: a turn may get more of the cores than the next.",
        "",
        f"Settings: {settings}. Machine {made['machine']}, versions {made['versions']}.",
        "",
    ]
    return lines


def exam_section(made: dict[str, Any]) -> list[str]:
    """Lights of `lift exam` by set, the first encoder of each."""
    sets = {name: one["encoders"][0] for name, one in made["sets"].items()}
    titles = {key: light["title"] for one in sets.values() for key, light in one["lights"].items()}
    signs = {"green": "●", "yellow": "▲", "red": "■", "grey": "○"}
    rows = []
    for key, title in titles.items():
        cells = []
        for one in sets.values():
            light = one["lights"].get(key)
            if light is None or light["value"] is None:
                cells.append("○")
                continue
            interval = "" if light["low"] is None else f" ({light['low']:.3g}–{light['high']:.3g})"
            unit = f" {light['unit']}" if light["unit"] else ""
            cells.append(f"{signs[light['colour']]} {light['value']:.3g}{unit}{interval}")
        rows.append([title, *cells])
    score = [
        f"{s['value']:.1f} ({s['low']:.1f}–{s['high']:.1f})" for s in (one["score"] for one in sets.values())
    ]
    first = next(iter(sets.values()))
    return [
        f"## `lift exam` of {first['name']}",
        "",
        f"● green, ▲ yellow, ■ red, ○ not measured; 95 % interval; planned batch {made['batch_size']:,}.",
        "",
        *table(["", *sets], [*rows, ["**score, 0 to 100**", *score]]),
        "",
    ]


def proof_section(made: dict[str, Any]) -> list[str]:
    """Exam score against retrieval after a short training, by variant of the encoder."""
    order = sorted(made["variants"].items(), key=lambda item: -item[1]["score"])
    rows = [
        [
            name,
            f"{one['score']:.1f} ({one['low']:.1f}–{one['high']:.1f})",
            *[f"{r:.1f}" for r in one["recall@10"]],
        ]
        for name, one in order
    ]
    seeds = [f"recall@10, seed {seed}" for seed in made["config"]["seeds"]]
    rho = [
        [name.replace("_", " "), f"{one['rho']:.2f} ({one['low']:.2f} to {one['high']:.2f})", str(one["n"])]
        for name, one in made["rank_correlation"].items()
    ]
    return [
        "## Does the exam foretell retrieval?",
        "",
        f"{made['protocol']}. {made['config']['epochs']} epochs, {made['config']['exam_texts']:,} texts in the exam.",
        "",
        *table(["encoder", "exam score (95 %)", *seeds], rows),
        "",
        *table(["part of the score", "rank correlation with recall@10 (95 %)", "variants"], rho),
        "",
        f"Machine {made['machine']}, versions {made['versions']}.",
        "",
    ]


def loader_section(made: dict[str, Any]) -> list[str]:
    """How many times faster batches are made than steps use them up, by processor time and by the clock."""

    def rows(ways: dict[str, Any], rate: str, over: str) -> list[list[str]]:
        return [
            [
                name.replace(" | ", ", workers "),
                f"{way[rate]:,.0f}",
                *[f"{r['median']:.1f} ({r['min']:.1f}–{r['max']:.1f})" for r in way[over].values()],
            ]
            for name, way in ways.items()
        ]

    alone = {name: way for name, way in made["loader"].items() if name.endswith("| 0")}
    steps = made["steps_samples_per_cpu_second"]
    used = ", ".join(f"{name} {value:,.0f}" for name, value in steps.items())
    lines = [
        "## Batches made against batches used up (samples/s, in turn)",
        "",
        f"Batches of {made['batch']} at {made['image_size']} px, smallest crop {made['smallest_crop']}; median of "
        f"{made['rounds']} rounds (smallest to largest ratio). Samples per second of processor time; "
        f"training steps: {used}.",
        "",
        *table(
            ["photos in", "samples/s", *[f"/ {name}" for name in steps]],
            rows(alone, "samples_per_cpu_second", "over_steps_by_processor_time"),
        ),
        "",
    ]
    if len(alone) < len(made["loader"]):
        header = ["photos in", "samples/s", *[f"/ {name}" for name in steps]]
        lines += [
            "By the clock:",
            "",
            *table(header, rows(made["loader"], "samples_per_second", "over_steps")),
            "",
        ]
    return [*lines, f"Machine {made['machine']}, versions {made['versions']}.", ""]
