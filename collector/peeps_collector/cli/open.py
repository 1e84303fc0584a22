# SPDX-License-Identifier: Apache-2.0
"""`peeps open`: a recording or a dump in the explorer, anywhere, without the programs it is of."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .client import ClientError

if TYPE_CHECKING:
    from ..config import Address, Config

NAME = "open"
HELP = "open a recording (History, Save) or a dump in an explorer of its own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a recording (.duckdb) or a dump; it is not changed")
    parser.add_argument("--http", metavar="HOST:PORT", help="where the explorer is (127.0.0.1, a free port)")
    parser.add_argument("--no-explorer", dest="explorer", action="store_false", help="the query API only")
    parser.add_argument("--ready-file", metavar="FILE", help="write the addresses to this file once it listens")


def run(options: argparse.Namespace, config: Config) -> int:
    """Until Ctrl-C. 2 where the file cannot be opened."""
    from ..store.file import StoreError

    with tempfile.TemporaryDirectory(prefix="peeps-open-") as folder:
        copied = Path(folder) / "recording.duckdb"
        try:
            _take(Path(options.file), copied)
            return _serve(options, config, copied)
        except StoreError as error:
            raise ClientError(str(error)) from None
        except OSError as error:
            raise ClientError(f"{options.file} cannot be read: {error.strerror or error}") from None


def _take(file: Path, copied: Path) -> None:
    from peeps_otel.dump import file as dumps

    from ..store.recording import from_dump

    with file.open("rb") as stream:
        head = stream.read(12)
    if head[8:12] == b"DUCK":
        shutil.copyfile(file, copied)
        log = Path(f"{file}.wal")
        if log.is_file():  # of one that was copied by hand
            shutil.copyfile(log, f"{copied}.wal")
        return
    try:
        from_dump(dumps.read(file), copied)
    except dumps.NotADump as error:
        raise ClientError(f"{file} is neither a recording nor a dump: {error}") from None


def _serve(options: argparse.Namespace, config: Config, copied: Path) -> int:
    from ..config import Address
    from ..store.recording import last_moment
    from .serve import serve

    os.environ["PEEPS_AT"] = str(last_moment(str(copied)))  # for the explorer: what the pages show
    nowhere = Address("127.0.0.1", 0)
    explorer = _address(options.http) if options.http else Address("127.0.0.1", _free_port())
    opened = replace(
        config,
        listen=nowhere,
        otlp_grpc=None,
        otlp_http=None,
        api=nowhere,
        explorer=explorer,
        database=str(copied),
        retention_hours=24 * 365 * 100,
        token="",
        tls=None,
        forward_to=(),
        alert_webhooks=(),
        alert_command=(),
        is_recording=True,
    )
    return serve(opened, explorer=options.explorer, ready_file=options.ready_file)


def _address(text: str) -> Address:
    from ..config import Address  # the whole table of settings

    host, _, port = text.rpartition(":")
    if not port.isdecimal():
        raise ClientError(f"--http {text} is not HOST:PORT")
    found = Address(host.strip("[]") or "127.0.0.1", int(port))
    if not found.loopback:
        raise ClientError(
            f"--http {text} is not of this machine, and the explorer shows everything to whoever reaches it"
        )
    return found


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
