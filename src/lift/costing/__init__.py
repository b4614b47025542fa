"""cost: what a LIFT and a CLIP run cost by caption length, and when the offline text pass has paid."""

from lift.costing.stage import CostConfig, cost

__all__ = ["CostConfig", "cost"]
