"""What decides the weights of a run, and so whether two commands mean the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lift.artefact import digest
from lift.image import BackboneShape, encoder_shape
from lift.training.config import TrainConfig

USUAL: dict[str, Any] = {
    "tune": "full",
    "head": "mlp",
    "image_pooling": "mean",
    "layer_decay": 1.0,
    "cosine_weight": 0.0,
    "hard_negatives": 0,
    "hard_kinds": (),
    "neighbours": 0,
    "mask_similar": None,
    "long_share": None,
    "ema": None,
}


def request_of(
    config: TrainConfig, dataset_id: str, fingerprint: str, vectors: str | None, negatives: Sequence[str] = ()
) -> dict[str, Any]:
    """What decides the weights: two runs of equal request are the same run.

    fingerprint, vectors: digests of the STORE's encoder and of the vectors that are trained on, None for clip; what
    else the STORE holds does not matter. negatives: the texts of the hard negatives.
    """
    fields = asdict(config)
    for name in (
        "images",
        "texts",
        "out",
        "overwrite",
        "name",
        "checkpoint_minutes",
        "checkpoint_steps",
        "device",
        "features",
        "on_spike",  # so that a run that a spike has stopped can go on with skip
        "tracker",
        "tracker_uri",
        "dry_run",
        "force",
    ):
        fields.pop(name)
    shape = encoder_shape(config.image_encoder or "", config.image_pooling)
    if isinstance(shape, BackboneShape):
        fields["backbone"] = shape.weights
    for name, usual in USUAL.items():  # so that a run begun before these options existed stays the same run
        if fields[name] == usual:
            fields.pop(name)
    if "hard_kinds" in fields:
        fields["hard_kinds"] = list(config.hard_kinds)  # as JSON gives it back
    if negatives:  # the rules that write them may learn something
        fields["negatives"] = digest(list(negatives))
    return {
        **fields,
        "dataset": dataset_id,
        "fingerprint": fingerprint,
        "vectors": vectors,
    }
