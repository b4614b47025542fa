"""What the runs cost, from run.json: ratios of the subject's cost to the reference's, one per seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

Cost = Callable[[dict[str, Any]], float | None]


def _training(key: str) -> Cost:
    return lambda manifest: manifest["cost"].get(key)


def _with_texts(key: str, offline: str) -> Cost:
    """Training and the whole offline text pass, as if the vectors were used for this one training only."""

    def total(manifest: dict[str, Any]) -> float | None:
        spent = manifest["cost"].get(key)
        texts = manifest["cost"].get("offline_text")
        if texts is None:
            return spent
        return None if spent is None or texts.get(offline) is None else spent + texts[offline]

    return total


#: Measure of a claim -> (cost of a run, how far from 1 the median ratio must be, words).
COSTS: Final[dict[str, tuple[Cost, float, str]]] = {
    "flops": (_training("flops_total"), 0.0, "FLOPs counted"),
    "flops_with_texts": (_with_texts("flops_total", "flops"), 0.0, "FLOPs counted, text pass included"),
    "seconds": (_training("seconds"), 0.05, "seconds by the clock"),
    "seconds_with_texts": (
        _with_texts("seconds", "seconds"), 0.05, "seconds by the clock, text pass included"),
    "memory": (_training("peak_memory_bytes"), 0.01, "peak memory (of the process; on a GPU of its tensors)"),
}  # fmt: skip


def ratios(
    measure: str, subject: Sequence[dict[str, Any]], reference: Sequence[dict[str, Any]]
) -> list[float]:
    """Subject / reference for runs of the same seeds; empty when some cost was not recorded."""
    cost = COSTS[measure][0]
    pairs = [(cost(a), cost(b)) for a, b in zip(subject, reference, strict=True)]
    found = [a / b for a, b in pairs if a is not None and b]
    return found if len(found) == len(pairs) else []
