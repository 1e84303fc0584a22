# SPDX-License-Identifier: Apache-2.0
"""Connections that wait in the backlog of a socket of this very process."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from peeps_otel.probes.internals import end_names, unaccepted
from peeps_otel.probes.internals.end_names import EndNames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel tells")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def _names(sock: socket.socket) -> EndNames:
    return end_names.of_descriptors([sock.fileno()])[sock.fileno()]


def test_a_connection_is_in_the_backlog_until_it_is_accepted(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as client:
        assert unaccepted.of(_names(client)) == (listener.fileno(),)
        ((far, fd),) = unaccepted.to_accept()
        assert (far.here, far.there, fd) == (_names(client).there, _names(client).here, listener.fileno())
        accepted, _ = listener.accept()
        with accepted:
            assert unaccepted.of(_names(client)) is None
            assert unaccepted.of(_names(accepted)) is None
            assert list(unaccepted.to_accept()) == []


def test_a_listener_for_all_addresses_is_one() -> None:
    with (
        socket.create_server(("", 0)) as everywhere,
        socket.create_connection(("127.0.0.1", everywhere.getsockname()[1])) as client,
    ):
        assert unaccepted.of(_names(client)) == (everywhere.fileno(),)


def test_what_is_no_tcp_connection_has_none() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert unaccepted.of(_names(one)) is None


def test_whose_service_it_is(listener: socket.socket) -> None:
    address = end_names.joined(*listener.getsockname())
    with socket.create_connection(listener.getsockname()) as client:
        assert unaccepted.own_service(_names(client)) == address
        accepted, _ = listener.accept()
        with accepted:
            assert unaccepted.own_service(_names(client)) == address
            assert unaccepted.own_service(_names(accepted)) == end_names.joined(*client.getsockname())
    one, other = socket.socketpair()
    with one, other:
        assert unaccepted.own_service(_names(one)) == ""


def test_whose_loop_watches_a_listener(listener: socket.socket) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(lambda _r, _w: None, sock=listener), loop).result()
    assert unaccepted.loop_that_accepts(listener.fileno(), [loop]) == thread.ident
    assert unaccepted.loop_that_accepts(0, [loop]) is None
    assert unaccepted.loop_that_accepts(listener.fileno(), []) is None
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_where_a_server_of_the_standard_library_listens() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        assert unaccepted.listens_at(server) == server.fileno()
    assert unaccepted.listens_at(object()) is None
