"""DATASET: photos stored once at training size, with their texts, splits and typed hard negatives."""

from lift.data.dataset import Dataset, DatasetWriter, Pair, Row
from lift.data.decoding import BadImage, decode_image, resize_image, upright_rgb

__all__ = [
    "BadImage",
    "Dataset",
    "DatasetWriter",
    "Pair",
    "Row",
    "decode_image",
    "resize_image",
    "upright_rgb",
]
