# SPDX-License-Identifier: Apache-2.0
"""GET /api/recording: the whole database as one file, for `peeps open` somewhere else."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ..store.database import Database
from ..store.file import StoreError
from ..store.recording import copy_to
from .answers import ApiError


class RecordingRoute:
    """The endpoint; called on worker threads. The copy stands beside the database until it is sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recording(self, _request: Request) -> Response:
        handle, name = tempfile.mkstemp(suffix=".duckdb", dir=Path(self._database.path).absolute().parent)
        os.close(handle)
        try:
            copy_to(self._database, Path(name))
        except StoreError as error:
            Path(name).unlink(missing_ok=True)
            raise ApiError(503, "database", str(error)) from None
        called = time.strftime("peeps-%Y-%m-%d-%H%M%S.duckdb", time.gmtime())
        return FileResponse(
            name,
            media_type="application/octet-stream",
            filename=called,
            background=BackgroundTask(Path(name).unlink, missing_ok=True),
        )
