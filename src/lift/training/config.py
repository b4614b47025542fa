"""What can be chosen for a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class TrainConfig:
    """Train an image encoder to land on text vectors (lift), or one of the baselines that share all else with it.

    Kill it at any moment and run the same command again: it goes on, and on a CPU, with the same number of threads,
    the final weights are the same bytes as of an undisturbed run.
    """

    images: str | Path
    """The DATASET: a folder, or the fsspec URL of one in shards."""
    texts: str | Path
    """The STORE, a folder or fsspec URL, with the vectors of its texts (with --method clip only the dimension is
    taken from it, with lit and words nothing)."""
    out: Path
    """The RUN folder to make."""
    preset: str = "small"
    """Starting point for the options below that are left at None: smoke, demo, small, medium, paper-b16."""
    method: Literal["lift", "clip", "lit", "words"] = "lift"
    """lift: fixed text vectors. clip: same image tower, data order and steps, text transformer from scratch. lit: that
    transformer against a pre-trained image tower, which is locked. words: no text encoder, the words are labels."""
    loss: str = "contrastive"
    """contrastive, cosine (lift only) or sigmoid; with --method words always labels."""
    cosine_weight: float = 0.0
    """Adds the cosine loss, times this weight, to a contrastive or sigmoid one."""
    hard_negatives: int = 0
    """lift: minimally changed, false captions per photo and step, beside the texts of the batch; `lift embed
    --hard-negatives` puts their vectors into the STORE."""
    hard_weight: float = 0.0
    """With --hard-negatives: adds, times this weight, a loss of its own in which a photo's text has to beat its changed
    captions alone, for instance 1."""
    hard_kinds: tuple[str, ...] = ()
    """Kinds of change to use, for instance order attribute number (see docs/rewording.md; default: all); pairs stands
    for the false texts of the DATASET's own pairs."""
    neighbours: int = 0
    """lift: for each text so many of the nearest training texts of other photos, as negatives beside the batch."""
    mask_similar: float | None = None
    """lift: texts of the batch, and neighbours, with a cosine above this to a photo's own text are no negatives of it,
    for instance 0.95. Changed captions stay: they are alike and yet false."""
    image_encoder: str | None = None
    """A ViT from scratch, for instance vit-mini-conv (see lift.image.IMAGE_ENCODERS), or a pre-trained backbone: the
    folder or hub id (org/model) of a transformers DINOv2/v3, ViT, ConvNeXt, CLIP or SigLIP vision model, or a RUN,
    whose image encoder is then the backbone."""
    tune: str | None = None
    """What is trained: full, head, last:K (K blocks and what follows), lora:R (low-rank additions of rank R), or
    ridge (a linear head in closed form; loss, epochs and batch size have no say). Default: full from scratch, head
    for a pre-trained backbone."""
    head: str | None = None
    """Map from the image encoder's vector into the text space: mlp (default), linear, or mlp-norm; lit has none unless
    one is named, words has its own."""
    image_pooling: Literal["mean", "cls", "pooler"] = "mean"
    """Pre-trained backbones: mean of the patch tokens, the class token, or the backbone's own pooling."""
    layer_decay: float = 1.0
    """Factor on the learning rate per block, from the head down to the pixels; 0.75 for a pre-trained backbone."""
    features: Path | None = None
    """Folder that keeps a frozen backbone's vectors, to share them between runs (default: inside the RUN)."""
    long_share: float | None = None
    """Share of the epochs in which a photo with short and long captions uses a long one (default: all its captions in
    turn)."""
    sentence_share: float = 0.0
    """Share of its uses in which a long caption is replaced by one of its sentences, drawn anew each epoch; `lift embed
    --sentences` puts their vectors into the STORE."""
    sentences: int = 1
    """Most consecutive sentences that --sentence-share takes."""
    batches: Literal["random", "balanced", "by-length"] = "random"
    """Which photos share a batch. balanced: short and long texts in the same mix in every batch. by-length: texts of
    like length. Every photo once an epoch in each case."""
    epochs: int | None = None
    """Passes over the training photos; each pass uses the next caption of every photo."""
    batch_size: int | None = None
    """Photos per step; also the number of candidates in the contrastive loss."""
    lr: float | None = None
    """Peak learning rate, reached after the warm-up and lowered to zero along a cosine."""
    warmup: int | None = None
    """Steps over which the learning rate rises from zero; at most a fifth of the run."""
    weight_decay: float = 0.2
    """AdamW weight decay; never on biases, norms, positions and scalars."""
    grad_clip: float = 1.0
    """Largest norm of the gradient."""
    min_crop: float | None = None
    """Smallest share of a photo that a random crop keeps; 1 turns cropping off (the paper: 0.9). Small crops hold
    off overfitting on a few thousand photos, and cut away what texts about counts and places speak of."""
    flip: bool = False
    """Mirror photos at random; wrong where texts speak of left and right."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 on GPUs, and on CPUs that compute in bf16 for encoders from width 128 up."""
    text_width: int | None = None
    """clip, lit: width of the text tower (default: two thirds of the image tower's, as in CLIP B/16)."""
    context: int | None = None
    """clip, lit: tokens that the text tower reads (default: the longest training text, at least 77, at most 256)."""
    train_split: str = "train"
    """Split that is trained on."""
    val_split: str = "val"
    """Split of the validation during training."""
    validations: int = 10
    """How many times retrieval on (at most 1,000 photos of) the validation split is measured."""
    checkpoint_minutes: float = 5.0
    """Time between two savings of the resume state."""
    checkpoint_steps: int | None = None
    """Steps between two savings, instead of the time above."""
    ema: float | None = None
    """Decay of a moving average of the learnt weights, for instance 0.999: what validation looks at, and the model that
    the checkpoint holds."""
    on_spike: Literal["stop", "skip", "note", "off"] = "note"
    """When loss or gradient norm lie far above their recent median: stop, skip the step, note it, or do not look. What
    is not finite stops the run, unless skip leaves it out. The photos of such a step are kept in the RUN (spikes/)."""
    tracker: tuple[str, ...] = ("tensorboard",)
    """Where the numbers of log.jsonl go as well: tensorboard, mlflow, wandb (several are possible), or none."""
    tracker_uri: str | None = None
    """mlflow: tracking server or database (default: the folder mlflow in the RUN)."""
    dry_run: bool = False
    """Make nothing: tell parameters, FLOPs, memory, time and disk, and refuse what does not fit."""
    force: bool = False
    """Begin even where the estimate says that memory or disk will not do."""
    seed: int = 0
    """Decides the initial weights, the order of the photos, the captions and the crops."""
    workers: int | None = None
    """Processes that make batches ahead; 0: the training process makes them. Default: 0 on a CPU, on a GPU one per core
    up to 8. The result is the same for any number."""
    shuffle_shards: int = 16
    """DATASET in shards: photos are mixed among so many shards at a time, and the shards among all."""
    cache: Path | None = None
    """DATASET in shards on object storage: folder for copies of shards, to share between processes and runs (default:
    ~/.cache/lift/shards, or $LIFT_CACHE/shards)."""
    cache_gb: float = 20.0
    """Size of that folder, in GB (1e9 bytes); the copies that were not used for longest go first."""
    device: str = "cpu"
    """Where to train: cpu, cuda, cuda:1, mps."""
    parallel: Literal["none", "ddp", "fsdp"] = "none"
    """Many processes, started by torchrun: ddp copies the model to each of them, fsdp shards it among them. The batch
    size stays that of all together."""
    accumulate: int = 1
    """Parts in which a process computes its share of a batch, one after the other: less memory, the same gradients, one
    more forward pass (with the cosine loss none)."""
    checkpointing: bool = False
    """Compute every block once more on the way back instead of keeping what is inside it: less memory, same numbers."""
    compile: bool = False
    """Let torch.compile make the blocks of the towers that learn faster; on a CPU it needs a C++ compiler."""
    name: str | None = None
    """What reports call the run (default: the folder's name)."""
    overwrite: bool = False
    """Replace what lies at --out."""
