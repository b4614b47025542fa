"""The best rows of an INDEX for unit vectors: exactly, or by the approximate index where it is large."""

from __future__ import annotations

import numpy as np

from lift.catalogue import approximate
from lift.catalogue.approximate import Approximate
from lift.catalogue.fields import Where
from lift.catalogue.scanning import Best, best_rows
from lift.catalogue.view import View


class Finder:
    """Searches states of one INDEX, and keeps its approximate index open between searches."""

    def __init__(self) -> None:
        self._near: Approximate | None = None

    def find(
        self, view: View, queries: np.ndarray, top: int, where: Where | None, exact: bool | None
    ) -> list[Best]:
        """For each unit vector (Q, dim) rows and cosines of its `top` best photos; ValueError for unfit vectors.

        exact: see `lift.Index.search`.
        """
        dim = view.commit.content["dim"]
        if top < 1:
            raise ValueError(f"top must be at least 1, not {top}")
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise ValueError(f"queries {queries.shape} do not fit the {dim} numbers of a photo")
        if not np.allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-2):
            raise ValueError("queries must be finite and of unit length")
        masks = view.allowed(where)
        near = self._approximate(view, exact)
        if near is not None:
            found = [near.search(masks, np.asarray(query, np.float32), top) for query in queries]
            if all(one is not None for one in found):
                return [one for one in found if one is not None]
        parts = [(part.vectors, mask) for part, mask in zip(view.segments, masks, strict=True)]
        return best_rows(parts, queries, top)

    def _approximate(self, view: View, exact: bool | None) -> Approximate | None:
        """The approximate index, where this search should use it."""
        if exact or (exact is None and len(view) <= approximate.EXACT_UP_TO):
            return None
        near = self._near
        if near is None or near.view is not view:
            near = self._near = Approximate.open(view, near)
        return None if near is None or (exact is None and near.uncovered > approximate.STALE) else near
