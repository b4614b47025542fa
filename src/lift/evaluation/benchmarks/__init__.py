"""Benchmarks by name: RUN + a public benchmark's folder -> a result under a named protocol."""

from lift.evaluation.benchmarks.registry import BENCHMARKS
from lift.evaluation.benchmarks.running import BenchmarkConfig, benchmark

__all__ = ["BENCHMARKS", "BenchmarkConfig", "benchmark"]
