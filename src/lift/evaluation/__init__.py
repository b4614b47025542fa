"""Evaluation: RUN + DATASET -> one JSON per result, with n, seed, protocol and a 95 % bootstrap interval."""

from lift.evaluation.running import TASKS, evaluate
from lift.evaluation.subject import EvaluateConfig

__all__ = ["TASKS", "EvaluateConfig", "evaluate"]
