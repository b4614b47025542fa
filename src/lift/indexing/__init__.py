"""INDEX: photos found by sentences, and photos judged against class names and sentences."""

from lift.indexing.finding import IndexConfig, SearchConfig, index, picture_grid, search
from lift.indexing.folder import Index, Match
from lift.indexing.judging import ClassifyConfig, Label, Verdict, VerifyConfig, classify, verify

__all__ = [
    "ClassifyConfig",
    "Index",
    "IndexConfig",
    "Label",
    "Match",
    "SearchConfig",
    "Verdict",
    "VerifyConfig",
    "classify",
    "index",
    "picture_grid",
    "search",
    "verify",
]
