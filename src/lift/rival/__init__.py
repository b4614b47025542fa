"""Rivals: published two-tower models (CLIP, SigLIP and their kin) behind the same face as a trained model."""

from lift.rival.loading import is_rival, load_clip
from lift.rival.model import Rival

__all__ = ["Rival", "is_rival", "load_clip"]
