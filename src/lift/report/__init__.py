"""Comparison: several RUNs with results -> one table and one self-contained HTML page with a conclusion."""

from lift.report.comparing import CompareConfig, compare

__all__ = ["CompareConfig", "compare"]
