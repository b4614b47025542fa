"""export: RUN -> a folder that other programs load, without lift."""

from lift.exporting.stage import ExportConfig, export

__all__ = ["ExportConfig", "export"]
