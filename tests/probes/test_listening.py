# SPDX-License-Identifier: Apache-2.0
"""Whether somebody outside may start something by connecting: a socket listens, and a thread would learn of it."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

_TELL = """
    import json, select, socket, threading, time
    from peeps_otel.probes.runtime import accepts, listens
    listener = socket.create_server(("127.0.0.1", 0))
    kept = []
    def watching(one):
        epoll = select.epoll()
        epoll.register(one, select.EPOLLIN)
        kept.append(one)
        return epoll
    {thread}
    time.sleep(0.3)
    print(json.dumps([listens(), accepts()]), flush=True)
    """
_STARTED = "threading.Thread(target={target}, daemon=True).start()"


@pytest.mark.parametrize(
    ("thread", "told"),
    [
        ("", [True, False]),
        (_STARTED.format(target="threading.Event().wait"), [True, False]),
        (_STARTED.format(target="listener.accept"), [True, True]),
        (_STARTED.format(target="lambda: select.select([listener], [], [])"), [True, True]),
        (_STARTED.format(target="lambda: watching(listener).poll()"), [True, True]),
        (_STARTED.format(target="lambda: watching(watching(listener)).poll()"), [True, True]),
        (_STARTED.format(target="lambda: watching(socket.socketpair()[0]).poll()"), [True, False]),
        (_STARTED.format(target="lambda: [None for _ in iter(int, 1)]"), [True, True]),
        ("listener.close()", [False, False]),
    ],
    ids=[
        "nobody",
        "who waits for an event",
        "who accepts",
        "who selects",
        "epoll",
        "nested",
        "another epoll",
        "who runs",
        "none",
    ],
)
def test_a_socket_that_listens_brings_somebody_where_a_thread_learns_of_it(thread: str, told: list[bool]) -> None:
    program = textwrap.dedent(_TELL).format(thread=thread)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == told
