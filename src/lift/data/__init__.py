"""DATASET: photos stored once at training size, with their texts, splits and typed hard negatives."""

from lift.data.cache import ShardCache
from lift.data.dataset import Dataset, Pair, Row, is_dataset
from lift.data.decoding import BadImage, decode_image, resize_image, upright_rgb
from lift.data.shards import ShardPixels
from lift.data.writing import DatasetWriter

__all__ = [
    "BadImage",
    "Dataset",
    "DatasetWriter",
    "Pair",
    "Row",
    "ShardCache",
    "ShardPixels",
    "decode_image",
    "is_dataset",
    "resize_image",
    "upright_rgb",
]
