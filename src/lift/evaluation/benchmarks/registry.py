"""BENCHMARKS: every benchmark that lift knows by name."""

from __future__ import annotations

from lift.errors import UsageError
from lift.evaluation.benchmarks.aro import ARO_SETS
from lift.evaluation.benchmarks.captions import CAPTION_SETS
from lift.evaluation.benchmarks.classes import CLASS_SETS
from lift.evaluation.benchmarks.foils import FOIL_SETS
from lift.evaluation.benchmarks.folder import Benchmark
from lift.evaluation.benchmarks.languages import LANGUAGE_SETS
from lift.evaluation.benchmarks.long_texts import LONG_TEXT_SETS
from lift.evaluation.benchmarks.matching import MATCHING_SETS
from lift.evaluation.benchmarks.ratings import RATING_SETS
from lift.evaluation.benchmarks.spatial import SPATIAL_SETS

BENCHMARKS: dict[str, Benchmark] = {
    **CAPTION_SETS,
    **LONG_TEXT_SETS,
    **LANGUAGE_SETS,
    **FOIL_SETS,
    **ARO_SETS,
    **SPATIAL_SETS,
    **MATCHING_SETS,
    **CLASS_SETS,
    **RATING_SETS,
}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark of that name; UsageError lists the known ones."""
    if name not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {name!r}", f"known: {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]


def protocol_name(benchmark: Benchmark, name: str | None) -> str:
    """`name`, or the default; UsageError lists the benchmark's protocols where it has no such one."""
    chosen = name or benchmark.default
    if chosen not in benchmark.protocols:
        raise UsageError(
            f"{benchmark.title} has no protocol {chosen!r}", f"known: {', '.join(benchmark.protocols)}"
        )
    return chosen
