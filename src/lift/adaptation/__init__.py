"""adaptation: fit a fixed text space to its use: `condition` a STORE, `distill-query` a light encoder from one."""

from lift.adaptation.conditioned import ConditionConfig, condition
from lift.adaptation.distilling import DistillConfig, distill_query

__all__ = ["ConditionConfig", "DistillConfig", "condition", "distill_query"]
