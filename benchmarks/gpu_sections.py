"""Sections of RESULTS.md about the GPU and about sets that models were not trained on."""

from __future__ import annotations

from typing import Any

from text_sections import table

PAPER = {77: "−25.5 % FLOPs, −6.8 % memory", 256: "−35.7 % FLOPs, −12.6 % memory"}


def gpu_section(made: dict[str, Any]) -> list[str]:
    """ViT-B/16 steps on a GPU: speed, utilisation, memory, LIFT against CLIP."""
    rows = [row for row in made["rows"] if "seconds" in row]
    usual = [row for row in rows if not row["deterministic"] and not row["half_residual"]]
    tower = next(row["text_tower"] for row in usual if row["text_tower"])
    of_text = next(row["parameters"]["text"] for row in usual if "text" in row["parameters"])
    of_image = usual[0]["parameters"]["image"]
    lines = [
        "## ViT-B/16 on a GPU: LIFT against CLIP",
        "",
        f"One {made['machine']['accelerator']}, torch {made['versions']['torch']}, {made['size']} px, bf16 "
        f"(autocast), text "
        f"vectors of {made['dim']} numbers. The step of `lift train` (gradients, clipping, guard, fused AdamW) "
        f"on random "
        "pixels that lie on the GPU already; all of CLIP's texts have the length given. CLIP's text tower as lift "
        f"builds it: width {tower['width']}, {tower['depth']} blocks, {of_text / 1e6:.0f} M parameters (LIFT's image "
        f"tower: {of_image / 1e6:.0f} M). Medians of {usual[0]['steps']} (compiled {usual[-1]['steps']}) steps, "
        f"fastest "
        "and slowest in brackets. Model FLOPs utilisation (MFU) against the data sheet's "
        f"{made['peak'] / 1e12:.0f} TFLOP/s; an 8,192³ bf16 product reached "
        f"{made['product_flops_per_second'] / 1e12:.0f} TFLOP/s here.",
        "",
    ]
    header = ["", "batch", "ms a step", "samples/s", "MFU, %", "peak memory, GB", "J a sample"]
    lines += table(header, list(map(cells, usual)))
    lines += ["", "LIFT / CLIP:", ""]
    lines += table(
        ["CLIP's tokens, batch", "time", "FLOPs", "memory", "energy", "the paper says"], ratios(usual)
    )
    return [*lines, "", *explained(made, rows), ""]


def cells(row: dict[str, Any]) -> list[str]:
    """A measurement as a line."""
    joules = row["joules_per_sample"]
    return [
        name_of(row),
        str(row["batch"]),
        f"{1000 * row['seconds']:.0f} ({1000 * row['fastest']:.0f}–{1000 * row['slowest']:.0f})",
        f"{row['samples_per_second']:,.0f}",
        f"{row['utilisation_percent']:.1f}",
        f"{row['peak_memory'] / 1e9:.1f}",
        "–" if joules is None else f"{joules:.3f}",
    ]


def name_of(row: dict[str, Any]) -> str:
    """Arm, tokens and compiler in words."""
    arm = f"CLIP, {row['tokens']} tokens" if row["tokens"] else "LIFT"
    return f"{arm}{', --compile' if row['compile'] else ''}"


def ratios(rows: list[dict[str, Any]]) -> list[list[str]]:
    """LIFT over CLIP for each length, batch and compiler."""
    lift = {(row["batch"], row["compile"]): row for row in rows if not row["tokens"]}
    found = []
    for row in rows:
        if row["tokens"]:
            ours = lift[row["batch"], row["compile"]]
            parts = [ours[key] / row[key] for key in ("seconds", "flops", "peak_memory", "joules_per_sample")]
            title = f"{row['tokens']}, {row['batch']}{', --compile' if row['compile'] else ''}"
            found.append([title, *(f"{part:.2f}" for part in parts), PAPER[row["tokens"]]])
    return found


def explained(made: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Where the time goes, what was mended, what else was looked at."""
    return [*where_it_goes(made, rows), "", *mended(rows), "", *looked_at(made)]


def step_of(rows: list[dict[str, Any]], *, compiled: bool, how: str = "") -> dict[str, Any]:
    """LIFT's step of 256 photos, as usual or with `how` (deterministic, half_residual)."""
    kinds = ("deterministic", "half_residual")
    return next(
        row
        for row in rows
        if (row["tokens"], row["batch"], row["compile"]) == (0, 256, compiled)
        and all(row[kind] == (kind == how) for kind in kinds)
    )


def where_it_goes(made: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Why not more of the peak."""
    usual, half = step_of(rows, compiled=True), step_of(rows, compiled=True, how="half_residual")
    best = max(row["utilisation_percent"] for row in rows if not row["half_residual"])
    profile = made["profile_compiled"]
    shares = ", ".join(f"{name} {value:.0f} %" for name, value in profile["groups_percent"].items())
    return [
        f"**The aim of 45 % was not reached: {best:.1f} %.** The GPU hardly waits (in LIFT's compiled step of 256 its "
        f"kernels fill {1000 * profile['kernel_seconds']:.0f} of {1000 * usual['seconds']:.0f} ms), but much of "
        f"that time "
        f"moves memory: {shares}. Residuals and layer norms in float32, as autocast has them, are a small part "
        f"of it: with "
        "residuals in bf16 (which lift does not do: other numbers) the step took "
        f"{1000 * half['seconds']:.0f} ms, {half['utilisation_percent']:.1f} %. A training is as fast as this "
        f"only where "
        "the loader keeps up.",
    ]


def mended(rows: list[dict[str, Any]]) -> list[str]:
    """What the first run on a GPU led to."""
    usual, slow = step_of(rows, compiled=False), step_of(rows, compiled=False, how="deterministic")
    return [
        "Mended on the way: torch's deterministic kernels, which `lift train` asked for on every device, took "
        f"{1000 * slow['seconds']:.0f} instead of {1000 * usual['seconds']:.0f} ms, and cuDNN's attention is not "
        "deterministic even then: now they are asked for on the CPU alone. cuDNN's attention makes a plan for "
        "every new "
        "shape, and CLIP's length buckets have a new one in nearly every batch: probably why 36 steps of 64 "
        "captions took "
        "12 s where LIFT's took 2. The text tower now uses kernels without plans; that training was not timed again by "
        "itself. `--compile` compiles the text tower as well, with one graph for all lengths. Not tried: channels_last "
        "(the patches are one product) and max-autotune (it compiles for minutes).",
    ]


def looked_at(made: dict[str, Any]) -> list[str]:
    """Checks beside the measurement, and trainings."""
    other, trained = made["other_checks"], made["trained_side_by_side"]
    energy = [
        f"{other['cost_with_energy'][f'{arm}_joules_per_sample']:.3f} J a sample {arm}"
        for arm in ("lift", "clip")
    ]
    ends = "; ".join(
        f"{run['set']} {run['run']} {run['recall10_sentence_to_photo_while_training']:.1f}"
        for run in trained["runs"]
    )
    return [
        f"NCCL: {other['nccl_one_process']}. `lift cost` read the energy of the GPU ({', '.join(energy)} for "
        f"vit-mini, one "
        "round beside another program, so no figure). More than one GPU was not at hand.",
        "",
        f"Trainings side by side: {trained['what']}. Recall@10 sentence → photo on the validation photos at their end: "
        f"{ends}. Flickr8k was begun and not finished while the GPU was there.",
    ]


def transfer_section(made: dict[str, Any]) -> list[str]:
    """Zero-shot classes and verification, with controls."""
    lines = ["## Classes without training, and true against false sentences", ""]
    for title, found in made["sets"].items():
        one = found["runs"]["lift"]
        lines += [
            f"Trained on {title}: {one['image_encoder']} at {one['image_size']} px, {one['epochs']} epochs, "
            f"{one['samples_seen']:,} samples an arm, seed {one['seed']}. Percent, 95 % bootstrap interval over photos "
            "(NLVR: over sentences).",
            "",
        ]
        header = ["", "n", "LIFT", "CLIP", "LIFT − CLIP", "controls (of LIFT; CLIP's where it has another)"]
        lines += [*table(header, list(map(transfer_row, found["rows"]))), ""]
    return lines


def transfer_row(row: dict[str, Any]) -> list[str]:
    """A test as a line."""
    arms = row["arms"]
    values = [f"{a['value']:.1f} ({a['low']:.1f}–{a['high']:.1f})" for a in (arms["lift"], arms["clip"])]
    difference, low, high = row["lift_minus_clip"]
    shown = ("images", "classes", "true", "false")
    n = ", ".join(f"{count:,} {what}" for what, count in row["n"].items() if what in shown)
    controls = []
    for name, value in arms["lift"]["controls"].items():
        theirs = arms["clip"]["controls"].get(name, value)
        other = f" / {theirs:.1f}" if abs(theirs - value) >= 0.05 else ""
        controls.append(f"{name.replace('_', ' ')} {value:.1f}{other}")
    return [row["test"], n, *values, f"{difference:+.1f} ({low:+.1f} to {high:+.1f})", ", ".join(controls)]
