"""poc: the whole road in one folder, from photos and texts to a compared, searchable, verifying model."""

from lift.poc.config import PocConfig
from lift.poc.plan import make_plan
from lift.poc.road import poc

__all__ = ["PocConfig", "make_plan", "poc"]
