# SPDX-License-Identifier: Apache-2.0
"""However a watched program ends or divides: same exit code, same output, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

_PROLOGUE = "import peeps_otel; peeps_otel.init('care')\nfrom peeps_otel import agent; assert agent.running()\n"


@pytest.fixture(scope="module")
def collector() -> Iterator[str]:
    """Takes everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _run(text: str, dashboard: str, watched: bool, folder: Path) -> tuple[int, str]:
    path = folder / "program.py"
    path.write_text((_PROLOGUE if watched else "") + textwrap.dedent(text))
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PEEPS_", "OTEL_"))}
    process = subprocess.run(
        [sys.executable, str(path)],
        env=variables | {"PEEPS_COLLECTOR_ENDPOINT": dashboard, "PYTHONUNBUFFERED": "1", "PEEPS_INTERVAL_MS": "50"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stdout


_PROGRAMS = {
    "falls off the end": "print('end')",
    "sys.exit": "import sys, time; time.sleep(.2); sys.exit(7)",
    "os._exit": "import os, time; time.sleep(.2); print('now'); os._exit(3)",
    "an exception": "import time; time.sleep(.2); raise SystemExit('because')",
    "SIGTERM": "import os, signal, time; time.sleep(.2); os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
    "a signal handler": """
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
        time.sleep(.2)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(9)
    """,
    "a thread that goes on": """
        import threading, time
        threading.Thread(target=lambda: (time.sleep(.5), print("last"))).start()
        print("main ends")
    """,
    "a daemon thread in the middle": """
        import threading, time
        threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(int, 1)], daemon=True).start()
        time.sleep(.3)
    """,
    "tasks left pending": """
        import asyncio
        async def main():
            lock = asyncio.Lock()
            await lock.acquire()
            tasks = [asyncio.create_task(lock.acquire()) for _ in range(3)]
            await asyncio.sleep(.3)
        asyncio.run(main())
        print("end")
    """,
    "fork": """
        import os, sys, time
        time.sleep(.2)
        child = os.fork()
        if not child:
            time.sleep(.3)
            print("child")
            os._exit(4)
        print("parent saw", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """,
    "a child that ends by itself": """
        import os, sys, time
        child = os.fork()
        if not child:
            sys.exit(6)
        print("parent saw", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """,
    "a pool": """
        import multiprocessing, sys
        def square(n):
            return n * n
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(method, pool.map(square, range(4)))
    """,
    "a subprocess": """
        import subprocess, sys
        print(subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True, text=True).stdout)
    """,
    "exec": """
        import os, sys, time
        time.sleep(.2)
        os.execv(sys.executable, [sys.executable, "-c", "print('another')"])
    """,
    "waits for all its children": """
        import os, time
        for code in (1, 2):
            if not os.fork():
                os._exit(code)
        time.sleep(1)
        codes = []
        try:
            while True:
                codes.append(os.waitstatus_to_exitcode(os.wait()[1]))
        except ChildProcessError:
            print(sorted(codes))
    """,
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("name", list(_PROGRAMS))
def test_the_same_code_and_output(name: str, collector: str, tmp_path: Path) -> None:
    without = _run(_PROGRAMS[name], collector, False, tmp_path)
    code, output = _run(_PROGRAMS[name], collector, True, tmp_path)
    noise = [line for line in output.splitlines() if "RequestsDependencyWarning" not in line and line != _WARN]
    assert (code, noise) == (without[0], without[1].splitlines())


_WARN = "  warnings.warn("


def test_a_collector_that_is_not_there_delays_nothing(tmp_path: Path) -> None:
    began = time.monotonic()
    code, _ = _run("import time; time.sleep(.5)", "127.0.0.1:9", True, tmp_path)
    assert code == 0
    assert time.monotonic() - began < 25
