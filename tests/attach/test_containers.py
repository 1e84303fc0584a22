# SPDX-License-Identifier: Apache-2.0
"""A process in a container, with files, process numbers and a network of its own: asked from outside, and from another
container that shares nothing but its process numbers, as an ephemeral one of Kubernetes does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.attach.attach_story import CAN_ATTACH, attach, no_copy_lives
from tests.support.processes import end, environment
from tests.support.waiting import PATIENCE_S, eventually

DEADLOCK = """
import asyncio

async def transfer(first, second):
    async with first:
        await asyncio.sleep(0.05)
        async with second:
            pass

async def main():
    left, right = asyncio.Lock(), asyncio.Lock()
    both = asyncio.gather(transfer(left, right), transfer(right, left))
    await asyncio.sleep(0.3)
    open("/tmp/stuck", "w").close()
    await both

asyncio.run(main())
"""

# A tree with other places for the same files: the interpreter is in /opt/python there, and there is nothing of ours.
CONTAINER = """
set -e
mount --make-rprivate /
cd "$1"
for folder in usr lib lib64 bin dev; do
    [ -d /$folder ] || continue
    mkdir -p $folder
    mount --bind /$folder $folder
done
mkdir -p opt/python proc tmp app
mount --bind "$2" opt/python
mount -t proc proc proc
cat > app/shop.py
# Process 1 is an init of its own, as it should be: it inherits the copies.
chroot . /bin/sh -c 'LD_LIBRARY_PATH=/opt/python/lib /opt/python/bin/python3 -I /app/shop.py & wait'
"""

EPHEMERAL = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
exec "$@"
"""


def _can_make_containers() -> bool:
    tools = all(map(shutil.which, ("unshare", "nsenter", "chroot")))
    return (
        tools and subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode == 0
    )


pytestmark = [
    CAN_ATTACH,
    pytest.mark.slow,
    pytest.mark.skipif(not _can_make_containers(), reason="needs to be root, to make namespaces"),
]


@pytest.fixture
def pid(tmp_path: Path) -> Generator[int]:
    """The stuck program's process, by its number outside."""
    root = tmp_path / "root"
    root.mkdir()
    unshare = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child"]
    process = subprocess.Popen(
        [*unshare, "sh", "-c", CONTAINER, "sh", root, sys.base_prefix],
        stdin=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(DEADLOCK)
        process.stdin.close()
        process.stdin = None

        def stuck() -> bool:
            assert process.poll() is None
            return (root / "tmp/stuck").exists()

        eventually(stuck, "the program is stuck")
        yield _descendant(process.pid)
    finally:
        end(process)


def _descendant(pid: int) -> int:
    """The last of a line of only children."""
    while found := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        (only,) = found
        pid = int(only)
    return pid


def test_from_outside(pid: int) -> None:
    said = attach(pid, "--wait", 5)
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.startswith("DEADLOCK, PROVEN, ")
    assert f"in shop.py (pid {pid})" in said.stdout
    # The line is from the container's file, which is nowhere here.
    assert "->    7 |     async with second:" in said.stdout
    assert "LIKELY" not in said.stdout
    no_copy_lives(pid)


def test_from_an_ephemeral_container(pid: int) -> None:
    """It says the number that the process has in there, and leaves process 1 alone."""
    inner = Path(f"/proc/{pid}/status").read_text().split("NSpid:")[1].splitlines()[0].split()[-1]
    words = ["nsenter", "--target", str(pid), "--pid", "unshare", "--mount", "sh", "-c", EPHEMERAL, "sh"]
    tool = [sys.executable, "-m", "peeps_otel.attach"]

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*words, *tool, *arguments]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=2 * PATIENCE_S)

    said = ask("--all", "--wait", "5")
    assert said.returncode == 1, said.stderr
    assert said.stdout.startswith("DEADLOCK, PROVEN, ")
    assert f"in shop.py (pid {inner})" in said.stdout
    no_copy_lives(pid)
    refused = ask("1", "--alone")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "it is process 1 of its container" in refused.stderr
    os.kill(pid, 0)
