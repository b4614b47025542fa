"""The loss plot that every run leaves."""

from __future__ import annotations

import json
from pathlib import Path


def plot_log(log: Path, out: Path, *, title: str) -> None:
    """Draw loss and validation recall@10 of log.jsonl over the epochs into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    axis.plot(
        [e["epoch"] for e in entries if "loss" in e],
        [e["loss"] for e in entries if "loss" in e],
        color="tab:blue",
    )
    axis.set(xlabel="epoch", ylabel="training loss", title=title)
    found = [e for e in entries if "val/text_to_image/recall@10" in e]
    if found:
        twin = axis.twinx()
        twin.plot(
            [e["epoch"] for e in found],
            [e["val/text_to_image/recall@10"] for e in found],
            color="tab:orange",
            marker="o",
        )
        twin.set_ylabel("validation text_to_image/recall@10 (%)", color="tab:orange")
        twin.set_ylim(bottom=0)
    figure.savefig(out, dpi=120, metadata={"Software": None})
