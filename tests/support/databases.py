# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL and a real Redis on 127.0.0.1, in a folder of their own. None where they are not installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from tests.support.network import free_port
from tests.support.waiting import eventually

_ANYBODY = ("postgres", "nobody")


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `postgres`."""
    on_path = shutil.which("initdb")
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"))
    return Path(on_path or found[-1]).resolve().parent if on_path or found else None


@contextmanager
def postgres() -> Generator[int | None]:
    """The port; anybody may connect as `postgres`."""
    programs = postgres_programs()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="peeps-pg-") as folder:
        user = _not_root(folder)
        data, port = f"{folder}/data", free_port()
        initdb = [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder)
        command = [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        with _running([str(one) for one in command], user, folder):
            ready = [programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
            eventually(lambda: subprocess.run(ready, stdout=subprocess.DEVNULL, check=False).returncode == 0)
            yield port


@contextmanager
def redis() -> Generator[int | None]:
    """The port."""
    server = shutil.which("redis-server")
    if server is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="peeps-redis-") as folder:
        user = _not_root(folder)
        port = free_port()
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with _running(command, user, folder):
            ping = [str(Path(server).with_name("redis-cli")), "-p", str(port), "ping"]
            eventually(lambda: b"PONG" in subprocess.run(ping, capture_output=True, check=False).stdout)
            yield port


@contextmanager
def _running(command: list[str], user: str | None, folder: str) -> Generator[None]:
    with subprocess.Popen(command, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
        try:
            yield
        finally:
            one.send_signal(signal.SIGINT)  # at once: not when the last client has gone


def _not_root(folder: str) -> str | None:
    """PostgreSQL does not run as root: who runs it instead, and owns the folder. None: whoever we are."""
    if os.getuid() != 0:
        return None
    known = {one.pw_name: one for one in pwd.getpwall()}
    somebody = next(known[name] for name in _ANYBODY if name in known)
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    return somebody.pw_name
