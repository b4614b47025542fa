"""The plot of `lift cost`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def plot_costs(content: dict[str, Any], file: Path) -> None:
    """FLOPs of the whole training by caption length, LIFT with and without its text pass against CLIP."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = content["rows"]
    tokens = [row["tokens"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    alone = [row["lift_total_flops"] - row["offline"]["flops"] for row in rows]
    axes.plot(tokens, [row["clip_total_flops"] for row in rows], "s-", color="#b3541e", label="CLIP")
    axes.plot(
        tokens, [row["lift_total_flops"] for row in rows], "o-", color="#1f6f8b", label="LIFT with text pass"
    )
    axes.plot(tokens, alone, "o--", color="#1f6f8b", alpha=0.6, label="LIFT, training alone")
    axes.set(xlabel="tokens per caption", ylabel="FLOPs of the whole training", ylim=(0, None))
    axes.set_title(
        f"{content['step']['image_encoder']}, {content['step']['image_size']} px", loc="left", fontsize=10
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=130, metadata={"Software": None})
    pyplot.close(figure)
