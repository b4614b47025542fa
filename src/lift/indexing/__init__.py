"""INDEX: photos found by sentences, and photos given one of several class names."""

from lift.indexing.adding import Added, NewPhoto
from lift.indexing.finding import IndexConfig, SearchConfig, index, picture_grid, search
from lift.indexing.folder import Index, Match
from lift.indexing.judging import ClassifyConfig, Label, classify
from lift.indexing.managing import ManageConfig, manage
from lift.indexing.query import Query
from lift.indexing.watching import WatchConfig, watch

__all__ = [
    "Added",
    "ClassifyConfig",
    "Index",
    "IndexConfig",
    "Label",
    "ManageConfig",
    "Match",
    "NewPhoto",
    "Query",
    "SearchConfig",
    "WatchConfig",
    "classify",
    "index",
    "manage",
    "picture_grid",
    "search",
    "watch",
]
