"""train: DATASET + STORE -> RUN."""

from lift.training.config import TrainConfig
from lift.training.loop import train
from lift.training.presets import PRESETS

__all__ = ["PRESETS", "TrainConfig", "train"]
