"""train: DATASET + STORE -> RUN."""

from lift.training.config import PRESETS, TrainConfig
from lift.training.loop import train

__all__ = ["PRESETS", "TrainConfig", "train"]
