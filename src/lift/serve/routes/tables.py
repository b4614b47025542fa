"""Check a whole table: sent in, checked one after the other, fetched when done."""

from __future__ import annotations

from fastapi import APIRouter

from lift.serve.routes.access import ERRORS

router = APIRouter(prefix="/api", responses=ERRORS)
