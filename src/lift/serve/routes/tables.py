"""Check a whole table: sent in, checked one after the other, fetched when done."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from lift.artefact import fsync_folder
from lift.serve.bodies import Deleted, Job, JobList, TableRow, TableRows
from lift.serve.jobs import AS_CSV, RESULT, ROWS, ZIP, Jobs, rows_of
from lift.serve.refusing import Refused
from lift.serve.routes.access import ERRORS, Checking, Serving
from lift.serve.routes.photos import key_of
from lift.serve.service import Service
from lift.verifying.tables import ENDINGS

router = APIRouter(prefix="/api/tables", responses=ERRORS)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {_XLSX: {}, "text/csv": {}}}}


@router.post("", status_code=202)
async def send(
    service: Serving,
    waiting: Checking,
    table: Annotated[UploadFile, File()],
    photos: Annotated[UploadFile | None, File()] = None,
    ask: Annotated[bool, Form()] = False,
) -> Job:
    """Send a table in; it waits until those before it are done."""
    name = key_of(table.filename or "")
    ending = PurePath(name).suffix.lower()
    if ending not in ENDINGS:
        raise Refused(415, "this is no table that can be read", f"send one of: {', '.join(ENDINGS)}")
    if not service.judge.calibrated:
        raise Refused(
            400,
            "a table cannot be checked by an uncalibrated model",
            "run `lift calibrate`, and start the server with --calibration",
        )
    return Job(**await run_in_threadpool(_accept, service, waiting, name, ending, table, photos, ask))


def _accept(
    service: Service,
    jobs: Jobs,
    name: str,
    ending: str,
    table: UploadFile,
    photos: UploadFile | None,
    ask: bool,
) -> dict[str, Any]:
    """Write the files to the disk, then the job into the database: what is in it can be done."""
    number = secrets.token_hex(8)
    folder = jobs.folder / number
    folder.mkdir(parents=True)
    try:
        _write(table, folder / f"table{ending}", service.limits.table_bytes)
        if photos is not None:
            _write(photos, folder / ZIP, service.limits.upload_bytes)
        fsync_folder(folder)
        job = service.state.add_job(number, name, ask, service.limits.jobs)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    jobs.put(number)
    return job


def _write(upload: UploadFile, target: Path, most: int) -> None:
    if (upload.size or 0) > most:
        raise Refused(413, f"the file has more than {most:,} bytes", "send it in several parts")
    upload.file.seek(0)
    with target.open("xb") as file:
        shutil.copyfileobj(upload.file, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())


@router.get("")
async def jobs(service: Serving) -> JobList:
    """The tables that were sent in, the newest first."""
    return JobList(jobs=[Job(**job) for job in await run_in_threadpool(service.state.jobs)])


@router.get("/{number}")
async def job(number: str, service: Serving) -> Job:
    """How far one table is."""
    return Job(**await run_in_threadpool(service.state.job, number))


@router.get("/{number}/rows")
async def rows(
    number: str,
    service: Serving,
    done: Checking,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    top: Annotated[int, Query(ge=1, le=500)] = 50,
) -> TableRows:
    """Some rows of a finished table."""
    path = await run_in_threadpool(done.result, number, ROWS)
    found = await service.views.run(rows_of, path, offset, top + 1)
    return TableRows(rows=[TableRow(**row) for row in found[:top]], more=len(found) > top)


@router.get("/{number}/result", response_class=FileResponse, responses=_FILES)
async def result(number: str, done: Checking, format: Literal["csv", "xlsx"] = "xlsx") -> Response:
    """The finished table as a file."""
    path = await run_in_threadpool(done.result, number, RESULT if format == "xlsx" else AS_CSV)
    kind = _XLSX if format == "xlsx" else "text/csv; charset=utf-8"
    return FileResponse(path, media_type=kind, filename=f"checked.{format}")


@router.delete("/{number}")
async def drop(number: str, waiting: Checking) -> Deleted:
    """Stop checking a table, and remove what is kept of it."""
    return Deleted(deleted=await run_in_threadpool(waiting.drop, number))
