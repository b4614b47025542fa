"""lift: language-image alignment with a fixed text encoder (LIFT, arXiv 2506.04209)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "EmbeddingStore",
    "Index",
    "LiftError",
    "Model",
    "Verifier",
    "__version__",
    "load",
    "load_clip",
]

if TYPE_CHECKING:
    from lift.data import Dataset
    from lift.errors import LiftError
    from lift.indexing import Index
    from lift.model import Model, load
    from lift.rival import load_clip
    from lift.store import EmbeddingStore
    from lift.verifying import Verifier

_HOME = {
    "Dataset": "lift.data",
    "EmbeddingStore": "lift.store",
    "Index": "lift.indexing",
    "LiftError": "lift.errors",
    "Model": "lift.model",
    "load": "lift.model",
    "Verifier": "lift.verifying",
    "load_clip": "lift.rival",
}


def __getattr__(name: str) -> Any:
    """Import public names when first asked for, so that `import lift` and `lift --help` stay quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'lift' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
