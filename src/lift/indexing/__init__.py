"""INDEX: photos found by sentences, and photos given one of several class names."""

from lift.indexing.adding import Added, NewPhoto
from lift.indexing.finding import IndexConfig, SearchConfig, index, picture_grid, search
from lift.indexing.folder import Index, Match
from lift.indexing.judging import ClassifyConfig, Label, classify
from lift.indexing.query import Query

__all__ = [
    "Added",
    "ClassifyConfig",
    "Index",
    "IndexConfig",
    "Label",
    "Match",
    "NewPhoto",
    "Query",
    "SearchConfig",
    "classify",
    "index",
    "picture_grid",
    "search",
]
