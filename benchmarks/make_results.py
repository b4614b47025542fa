"""Write benchmarks/RESULTS.md, and the short table of the README, from benchmarks/results/*.json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import serve_sections
from ablation_section import ablation_section
from explaining_section import explaining_section
from index_sections import index_kills_section, index_speed_section, libraries_section
from text_sections import (
    embed_section,
    exam_section,
    kills_section,
    loader_section,
    proof_section,
    road_section,
    store_section,
    table,
)
from verdict_section import verdicts_section

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
SETS = {"arms_flickr8k": "Flickr8k", "arms_scenes": "drawn scenes"}
SHOWN = (
    ("retrieval", "text_to_image/recall@1", "sentence → photo, recall@1"),
    ("retrieval", "text_to_image/recall@10", "sentence → photo, recall@10"),
    ("retrieval", "image_to_text/recall@10", "photo → sentence, recall@10"),
    ("long-retrieval", "text_to_image/recall@10", "long text → photo, recall@10"),
    ("pairs", "pair_accuracy/all", "pairs, all"),
    ("verification", "auroc", "verification, AUROC"),
)


def cell(metric: dict[str, Any] | None) -> str:
    """Value with its interval."""
    if metric is None:
        return "–"
    return f"{metric['value']:.1f} ({metric['low']:.1f}–{metric['high']:.1f})"


def arms_rows(made: dict[str, Any], wanted: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """One row per metric; results of the DATASET itself and of extra files alike."""
    rows = []
    names = list(made["arms"])
    for stem in made["arms"][names[0]]["results"]:
        task, *rest = stem.split("--")
        for wanted_task, metric, label in wanted:
            if task == wanted_task and metric in made["arms"][names[0]]["results"][stem]["metrics"]:
                cells = [
                    made["arms"][n]["results"].get(stem, {"metrics": {}})["metrics"].get(metric)
                    for n in names
                ]
                extra = f" ({rest[1]})" if len(rest) > 1 else ""
                rows.append([label + extra, *map(cell, cells)])
    return rows


def arms_section(title: str, made: dict[str, Any]) -> list[str]:
    """Table of the arms, pairs by kind with controls, differences to CLIP, cost."""
    names, config = list(made["arms"]), made["config"]
    count = {3: "Three", 4: "Four", 5: "Five"}.get(len(names), str(len(names)))
    lines = [f"## {count} arms at equal samples: {title}", ""]
    lines += [
        f"{config['image_encoder']} at {made['image_size']} px from scratch, {config['epochs']} epochs, batch "
        f"{config['batch_size']}, {made['arms'][names[0]]['samples_seen']:,} samples an arm, seed {config['seed']}. "
        "Percent, 95 % bootstrap interval over photos."
        + "".join(
            f" The image tower of {name} had been trained before ({arm['backbone']['source']})."
            for name, arm in made["arms"].items()
            if arm.get("backbone")
        ),
        "",
    ]
    lines += table(["", *names], arms_rows(made, SHOWN))
    for stem, result in made["arms"][names[0]]["results"].items():
        if stem.startswith("pairs"):
            kinds = [m for m in result["metrics"] if m.startswith("pair_accuracy/")]
            rows = []
            for metric in kinds:
                values = [made["arms"][n]["results"][stem]["metrics"] for n in names]
                control = [
                    f"{v[f'control/{c}/{metric}']['value']:.1f}" if f"control/{c}/{metric}" in v else "–"
                    for c in ("text_only", "shuffled_words")
                    for v in values[:1]
                ]
                n = result["metrics"][metric]["n"]
                rows.append(
                    [
                        f"{metric.removeprefix('pair_accuracy/')} (n {n})",
                        *[cell(v.get(metric)) for v in values],
                        *control,
                    ]
                )
            lines += ["", f"Pairs by kind, with the controls of {names[0]} (`{stem}`):", ""]
            lines += table(["", *names, "text only", "shuffled words"], rows)
    lines += [
        "",
        "Paired difference to CLIP (positive: better than CLIP; an interval that includes 0 decides nothing):",
        "",
    ]
    rows = []
    for stem in made["arms"][names[0]]["results"]:
        for task, metric, label in SHOWN:
            if stem.split("--")[0] == task:
                found = [
                    made["arms"][n]["results"][stem].get("minus_clip", {}).get(metric)
                    for n in names
                    if n != "clip"
                ]
                if any(found):
                    rows.append(
                        [
                            f"{label} (`{stem}`)",
                            *[f"{f[0]:+.1f} ({f[1]:+.1f} to {f[2]:+.1f})" if f else "–" for f in found],
                        ]
                    )
    lines += table(["", *[n for n in names if n != "clip"]], rows)
    rows = []
    for name in names:
        cost, offline = made["arms"][name]["cost"], made["arms"][name]["cost"]["offline_text"]
        rows.append(
            [
                name,
                f"{cost['seconds'] / 60:.1f}",
                f"{cost['samples_per_second']:.0f}",
                f"{cost['flops_total'] / 1e12:.1f}",
                f"{offline['flops'] / 1e12:.1f} in {offline['seconds']:.0f} s" if offline else "–",
                str(made["arms"][name].get("threads", made["machine"]["threads"])),
            ]
        )
    lines += [
        "",
        "Cost. The arms shared two cores with one another and with other work: compare the FLOPs, not the minutes.",
        "",
    ]
    lines += table(["", "minutes", "samples/s", "TFLOP", "TFLOP of the text pass, once", "threads"], rows)
    remark = [made["remark"], ""] if "remark" in made else []
    return [*lines, "", *remark, f"Machine {made['machine']}, versions {made['versions']}.", ""]


def step_section(made: dict[str, Any]) -> list[str]:
    """Ratios LIFT / CLIP by caption length."""
    lines = ["## A LIFT step against a CLIP step, same image tower", ""]
    for tower, rows in made["towers"].items():
        cells = [
            [
                name.replace("_", " "),
                f"{row['seconds'] * 1000:.0f}",
                f"{row['flops'] / 1e9:.1f}",
                f"{row['peak_memory_bytes'] / 1e6:.0f}",
            ]
            + [
                f"{row[k]:.2f}" if (k := f"lift_over_clip_{what}") in row else "–"
                for what in ("seconds", "flops", "peak_memory_bytes")
            ]
            for name, row in rows.items()
        ]
        lines += [f"{tower}, median of {made['rounds']} processes:", ""]
        lines += table(
            ["", "ms", "GFLOP", "MB added", "LIFT/CLIP time", "LIFT/CLIP FLOPs", "LIFT/CLIP memory"], cells
        )
        lines.append("")
    return lines + (bucket_lines(made["buckets"]) if "buckets" in made else [])


def bucket_lines(made: dict[str, Any]) -> list[str]:
    """What length buckets inside a batch save, exactly the same values computed."""
    rows = {name: row for name, row in made.items() if name.endswith("_buckets")}
    cells = [
        [
            name.partition("_")[0],
            f"{row['tokens']:,.0f}",
            f"{row['seconds'] * 1000:.0f}",
            f"{row['seconds_over_one_bucket']:.2f}",
            f"{row['flops_over_one_bucket']:.2f}",
        ]
        for name, row in rows.items()
    ]
    lines = [
        f"The CLIP arm's text tower (preset {made['preset']}, forward and backward) on batches of {made['batch']} "
        f"short and long texts of `lift scenes`, {made['tokens_without_padding']:,.0f} tokens a batch before padding:",
        "",
    ]
    return [
        *lines,
        *table(["buckets, at most", "tokens", "ms", "time/one bucket", "FLOPs/one bucket"], cells),
        "",
    ]


def speed_section(made: dict[str, Any]) -> list[str]:
    """Ratio of `lift train` to the bare loop."""
    rows = [
        [
            name,
            f"{p['ratio_median']:.2f}",
            f"{p['ratio_min']:.2f}–{p['ratio_max']:.2f}",
            str(len(p["samples_per_second"])),
        ]
        for name, p in made["presets"].items()
    ]
    return [
        "## `lift train` against the bare loop (samples/s, in turn)",
        "",
        *table(["preset", "median ratio", "range", "pairs"], rows),
        "",
    ]


def readme_lines(arms: dict[str, dict[str, Any]]) -> list[str]:
    """The short table of the README."""
    lines = []
    for title, made in arms.items():
        names = list(made["arms"])
        lines += [
            f"{title}, {made['arms'][names[0]]['samples_seen']:,} training samples an arm, percent (95 % interval):",
            "",
        ]
        lines += [*table(["", *names], arms_rows(made, SHOWN[1:2] + SHOWN[3:])), ""]
    return lines


def frozen_section(made: dict[str, Any]) -> list[str]:
    """What computing a frozen backbone's vectors once saves, by epochs."""
    rows = [[epochs, f"1/{ratio:.1f}"] for epochs, ratio in made["ratio_by_epochs"].items()]
    return [
        "## Training a head on a frozen backbone: vectors computed once against in every step",
        "",
        f"DINOv2-small's shape with random weights at 64 px; time of a run by its epochs, from {len(made['rounds'])} "
        "rounds in turn.",
        "",
        *table(["epochs", "time, once / every step"], rows),
        "",
    ]


def evaluation_section(made: dict[str, Any]) -> list[str]:
    """Seconds and memory of scoring."""
    load = ", ".join(f"{one['load_average']:.1f}" for one in made["rounds"])
    rows = [
        [name, f"{of['processor_seconds']:.1f}", f"{of['seconds']:.1f}"]
        for name, of in made["median"].items()
    ]
    return [
        f"## Scoring {made['photos']:,} photos and {made['texts']:,} texts, without encoding them",
        "",
        f"Vectors of {made['dim']} numbers, ranks exact with ties; with all intervals, controls, hubs and the files. "
        f"Processes: {len(made['rounds'])} (the median is shown), threads: {made['machine']['threads']}, load: {load}; "
        f"the processor's seconds tell more than the clock's. Peak {made['peak_bytes'] / 1e6:.0f} MB, of which "
        f"{made['added_bytes'] / 1e6:.0f} MB by scoring.",
        "",
        *table(["", "processor seconds", "seconds by the clock"], rows),
        "",
    ]


def scenes_section(made: dict[str, Any]) -> list[str]:
    """Speed of the drawn scenes, as measured."""
    return ["## `lift scenes`", "", "```json", json.dumps(made, indent=1), "```", ""]


SECTIONS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "step_cost": step_section,
    "training_speed": speed_section,
    "loader_speed": loader_section,
    "frozen_features": frozen_section,
    "embed_speed": embed_section,
    "store_speed": store_section,
    "embed_kills": kills_section,
    "road_kills": road_section,
    "ablation_flickr8k_60": ablation_section,
    "ablation_flickr8k_20": ablation_section,
    "exam_lights": exam_section,
    "exam_proof": proof_section,
    "evaluation_speed": evaluation_section,
    "scenes_speed": scenes_section,
    "explaining_flickr8k": explaining_section,
    "explaining_scenes": explaining_section,
    "verdicts_flickr8k": verdicts_section,
    "serve_speed": serve_sections.speed_section,
    "serve_load": serve_sections.load_section,
    "serve_kills": serve_sections.kills_section,
    "index_libraries": libraries_section,
    "index_speed": index_speed_section,
    "index_kills": index_kills_section,
}


def main() -> None:
    """Read what is there, write both pages."""
    found = {
        file.stem: json.loads(file.read_text("utf-8")) for file in sorted((HERE / "results").glob("*.json"))
    }
    lines = [
        "# Results",
        "",
        "Generated by `python benchmarks/make_results.py` from `benchmarks/results/*.json`; do not edit.",
        "",
    ]
    arms = {title: found[name] for name, title in SETS.items() if name in found}
    for title, made in arms.items():
        lines += arms_section(title, made)
    for name, section in SECTIONS.items():
        if name in found:
            lines += section(found[name])
    (HERE / "RESULTS.md").write_text("\n".join(lines), "utf-8")
    short = "\n".join(readme_lines(arms)).rstrip()
    text = README.read_text("utf-8")
    README.write_text(
        re.sub(
            r"<!-- results -->.*?<!-- /results -->",
            lambda _: f"<!-- results -->\n{short}\n<!-- /results -->",
            text,
            flags=re.DOTALL,
        ),
        "utf-8",
    )


if __name__ == "__main__":
    main()
