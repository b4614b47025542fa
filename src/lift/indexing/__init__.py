"""INDEX: photos found by sentences, and photos given one of several class names."""

from lift.indexing.finding import IndexConfig, SearchConfig, index, picture_grid, search
from lift.indexing.folder import Index, Match
from lift.indexing.judging import ClassifyConfig, Label, classify

__all__ = [
    "ClassifyConfig",
    "Index",
    "IndexConfig",
    "Label",
    "Match",
    "SearchConfig",
    "classify",
    "index",
    "picture_grid",
    "search",
]
