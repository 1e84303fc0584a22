# SPDX-License-Identifier: Apache-2.0
"""Locks on files: which process has the one that somebody waits for."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peeps_otel import semconv
from peeps_otel.model import NodeKind
from peeps_otel.probes.internals.file_locks import FileLock, of_descriptor
from tests.probes.threads_world import world
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel does not tell who has locks")


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@contextmanager
def _owner(path: Path, call: str) -> Generator[int]:
    """Another process that has the lock until it is over."""
    takes = f"f = open({str(path)!r}, 'w'); fcntl.{call}(f, fcntl.LOCK_EX)"
    code = f"import fcntl; {takes}; print('mine', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"mine\n"
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("call", ["flock", "lockf"])
def test_who_has_it_is_told_until_he_is_gone(tmp_path: Path, call: str) -> None:
    path = tmp_path / "job.lock"
    path.touch()
    with _owner(path, call) as pid:
        lock = FileLock(str(path), _inode(path))
        assert lock.owners() == [pid]
    eventually(lambda: lock.owners() == [])


def test_a_fork_shares_what_its_parent_has_locked(tmp_path: Path) -> None:
    path = tmp_path / "job.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        keep, let_go = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(let_go)
            os.read(keep, 1)
            os._exit(0)
        try:
            lock = FileLock(str(path), _inode(path))
            assert lock.owners() == [os.getpid(), child]
        finally:
            os.close(let_go)
            os.close(keep)
            os.waitpid(child, 0)


def test_what_the_owner_has_left_behind_has_it_still(tmp_path: Path) -> None:
    path = tmp_path / "job.lock"
    code = (
        f"import fcntl, subprocess; f = open({str(path)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX)\n"
        "print(subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3, pass_fds=[f.fileno()]).pid)"
    )
    said = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    left = int(said)
    try:
        lock = FileLock(str(path), _inode(path))
        assert lock.owners() == [left]
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_pipe_is_no_file() -> None:
    read, write = os.pipe()
    assert of_descriptor(read) is None
    os.close(read)
    os.close(write)


def test_a_thread_that_waits_for_one_waits_for_a_lock_that_a_process_has(tmp_path: Path) -> None:
    path = tmp_path / "job.lock"

    def take() -> None:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)

    with world() as here, _owner(path, "flock") as pid:
        here.start("migrate", take)
        seen = here.until(lambda look: any(n.name == "migrate" and n.wait for n in look.nodes.values()))
        (lock,) = seen.needed("migrate")
        assert (lock.kind, lock.name, lock.attributes[semconv.LOCK_FILE]) == (NodeKind.LOCK, "job.lock", str(path))
        assert lock.attributes[semconv.RESOURCE_SHARED_WITH] == str(pid)
        assert str(lock.attributes[semconv.COULD_END_OUTSIDE]).endswith(f"(pid {pid})")
