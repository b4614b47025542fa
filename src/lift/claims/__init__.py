"""claims: what the method promises, tested on drawn scenes and on any DATASET: confirmed, refuted or undecided."""

from lift.claims.config import ClaimsConfig
from lift.claims.markdown import markdown
from lift.claims.running import claims

__all__ = ["ClaimsConfig", "claims", "markdown"]
