"""Image encoders: ViTs from scratch and pre-trained backbones, each with a head into the text space."""

from lift.image.backbone import FAMILIES, Backbone, BackboneShape
from lift.image.encoder import HEADS, ImageEncoder
from lift.image.pretrained import build_encoder, encoder_shape
from lift.image.tuning import apply_tuning, check_tune, merge_lora
from lift.image.vit import IMAGE_ENCODERS, MEAN, STD, Attention, Block, ViTShape, conv_stem

__all__ = [
    "FAMILIES",
    "HEADS",
    "IMAGE_ENCODERS",
    "MEAN",
    "STD",
    "Attention",
    "Backbone",
    "BackboneShape",
    "Block",
    "ImageEncoder",
    "ViTShape",
    "apply_tuning",
    "build_encoder",
    "check_tune",
    "conv_stem",
    "encoder_shape",
    "merge_lora",
]
