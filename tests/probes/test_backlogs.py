# SPDX-License-Identifier: Apache-2.0
"""Connections in the backlog of this process, told to who waits at their other ends in another one."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from peeps_otel import semconv
from peeps_otel.model import EdgeKind
from peeps_otel.model.end_digest import end_digest
from peeps_otel.probes.backlogs import AcceptsBy, Backlogs
from peeps_otel.probes.identity import NodeIds
from peeps_otel.probes.internals import end_names
from peeps_otel.probes.probe import Observation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel tells")
HERE = threading.get_ident()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def _digest(client: socket.socket) -> str:
    """Of the end that the server will have."""
    return end_digest(end_names.of_descriptors([client.fileno()])[client.fileno()].there)


def _shown(backlogs: Backlogs) -> Observation:
    seen = Observation()
    backlogs.show(seen, "thread:{}".format)
    return seen


def _by(sock: socket.socket) -> AcceptsBy:
    return {sock.fileno(): HERE}.get


def test_who_would_accept_it_could_end_the_wait_until_somebody_has(listener: socket.socket) -> None:
    backlogs = Backlogs(NodeIds())
    with socket.create_connection(listener.getsockname()) as client:
        assert backlogs.find([_digest(client)], _by(listener), 1)
        seen = _shown(backlogs)
        (node,) = seen.nodes.values()
        assert (node.attributes[semconv.IO_IS_UNACCEPTED], node.attributes[semconv.IO_IN_FLIGHT]) == (True, 0)
        ((edge,),) = seen.edges.values()
        assert (edge.kind, edge.dst) == (EdgeKind.COULD_END, f"thread:{HERE}")
        assert not backlogs.find([], _by(listener), 2)  # still there, under the same name
        assert _shown(backlogs).nodes == seen.nodes
        accepted, _ = listener.accept()
        with accepted:
            backlogs.find([], _by(listener), 3)
            assert len(backlogs) == 0


def test_nothing_is_said_of_one_that_nobody_asks_for_or_nobody_is_known_to_accept(listener: socket.socket) -> None:
    backlogs = Backlogs(NodeIds())
    with socket.create_connection(listener.getsockname()) as client:
        assert not backlogs.find([], _by(listener), 1)
        assert not backlogs.find(["another"], _by(listener), 1)
        assert not backlogs.find([_digest(client)], lambda _fd: None, 1)
    assert _shown(backlogs).nodes == {}
