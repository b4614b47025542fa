"""What decides the weights of a run, and so whether two commands mean the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lift.artefact import digest
from lift.training.config import TrainConfig
from lift.training.towers import tower_weights

USUAL: dict[str, Any] = {
    "tune": "full",
    "head": "mlp",
    "image_pooling": "mean",
    "layer_decay": 1.0,
    "cosine_weight": 0.0,
    "hard_negatives": 0,
    "hard_kinds": (),
    "hard_weight": 0.0,
    "neighbours": 0,
    "mask_similar": None,
    "long_share": None,
    "sentence_share": 0.0,
    "sentences": 1,
    "batches": "random",
    "shuffle_shards": 16,
    "ema": None,
}


def request_of(
    config: TrainConfig,
    dataset_id: str,
    fingerprint: str,
    vectors: str | None,
    negatives: Sequence[str] = (),
    runs: Sequence[str] = (),
) -> dict[str, Any]:
    """What decides the weights: two runs of equal request are the same run.

    fingerprint, vectors: digests of the STORE's encoder and of the vectors that are trained on, None but for lift; what
    else the STORE holds does not matter. negatives: the texts of the hard negatives. runs: the runs of sentences.
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
        "parallel",  # these compute the same thing in another way
        "accumulate",
        "checkpointing",
        "compile",
        "workers",
        "cache",
        "cache_gb",
        "on_spike",  # so that a run that a spike has stopped can go on with skip
        "tracker",
        "tracker_uri",
        "dry_run",
        "force",
    ):
        fields.pop(name)
    if (weights := tower_weights(config)) is not None:
        fields["backbone"] = weights
    for name, usual in USUAL.items():  # so that a run begun before these options existed stays the same run
        if fields[name] == usual:
            fields.pop(name)
    if "hard_kinds" in fields:
        fields["hard_kinds"] = list(config.hard_kinds)  # as JSON gives it back
    if negatives:  # the rules that write them may learn something
        fields["negatives"] = digest(list(negatives))
    if runs:  # the rules that cut captions may learn something too
        fields["sentence_runs"] = digest(list(runs))
    return {
        **fields,
        "dataset": dataset_id,
        "fingerprint": fingerprint,
        "vectors": vectors,
    }
