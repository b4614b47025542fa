"""Stage `ingest`: photos and texts in any usual form -> DATASET."""

from lift.ingest.config import IngestConfig
from lift.ingest.stage import ingest

__all__ = ["IngestConfig", "ingest"]
