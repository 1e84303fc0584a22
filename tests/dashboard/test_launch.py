# SPDX-License-Identifier: Apache-2.0
"""Starting and ending: addresses, refusals, a taken port, the parent's end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from peeps_dashboard import launch
from tests.support.explorer import running_explorer
from tests.support.network import free_address, free_port
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("127.0.0.1:9120", ("127.0.0.1", 9120)),
        ("[::1]:80", ("::1", 80)),
        (":9120", ("127.0.0.1", 9120)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_addresses(text: str, meant: tuple[str, int]) -> None:
    assert launch.address(text) == meant


@pytest.mark.parametrize("text", ["9120", "host:", "host:0", "host:65536", "host:x", ""])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(launch.StartError, match="is not host:port"):
        launch.address(text)


def test_an_address_others_can_reach_is_refused() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.4", "example.org"):
        with pytest.raises(launch.StartError, match="PEEPS_INSECURE=1"):
            launch.check_host(host, insecure=False)
        launch.check_host(host, insecure=True)
    for host in ("127.0.0.1", "127.8.9.1", "::1", "localhost"):
        launch.check_host(host, insecure=False)


def test_every_option_is_one_that_streamlit_knows() -> None:
    options = launch.config("127.0.0.1", 9120)
    from streamlit.config import get_config_options  # takes long to import

    known = get_config_options()
    assert [name for name in options if name not in known] == []
    # A plain theme option would switch off following the system's dark mode.
    assert [n for n in options if n.startswith("theme.") and n.split(".")[1] not in ("light", "dark")] == []
    assert options["server.allowedHosts"] == ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.1"]


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "peeps_dashboard"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = start(PEEPS_HTTP=f"127.0.0.1:{port}")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"peeps-dashboard: 127.0.0.1:{port} cannot be used (Address already in use); "
        "set PEEPS_HTTP to another address\n"
    )


def test_refusals_are_one_line_and_exit_code_2() -> None:
    for environment in ({"PEEPS_HTTP": "0.0.0.0:9120"}, {"PEEPS_HTTP": "x"}, {"PEEPS_PARENT_PID": "x"}):
        ended = start(**({"PEEPS_HTTP": f"127.0.0.1:{free_port()}"} | environment))
        assert ended.returncode == 2
        assert ended.stderr.startswith("peeps-dashboard: ")
        assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="asks the kernel for a process that ended")
def test_it_ends_with_its_parent() -> None:
    parent = subprocess.Popen(["sleep", "600"])
    with running_explorer(free_address(), PEEPS_PARENT_PID=str(parent.pid)) as (_, process):
        assert process.poll() is None
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        eventually(lambda: process.poll() is not None, "the explorer ends after its parent")


@pytest.mark.parametrize(
    ("host", "origin", "welcome"),
    [
        ("127.0.0.1", None, True),
        ("127.0.0.1", "http://127.0.0.1:{port}", True),
        ("rebound.example", "http://rebound.example:{port}", False),
        ("127.0.0.1", "http://elsewhere.example", False),
    ],
)
def test_only_pages_of_its_own_may_talk_to_it(explorer: str, host: str, origin: str | None, welcome: bool) -> None:
    """A page of another site, or a host name that was pointed here, must not open the websocket."""
    port = int(explorer.rpartition(":")[2])
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *([f"Origin: {origin.format(port=port)}"] if origin else []),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = connection.recv(64).split()[1]
    assert (status == b"101") is welcome
