# SPDX-License-Identifier: Apache-2.0
"""`multiprocessing.shared_memory` is seen without anybody registering anything."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import pytest

from peeps_otel import semconv
from peeps_otel.model import EdgeKind, Node, NodeKind
from tests.providers.provider_world import Look, a_world, rested

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mappings are read from /proc")


def _attached(name: str, gate: Connection) -> None:
    memory = SharedMemory(name)
    gate.send("attached")
    gate.recv()
    memory.close()


def _segment(look: Look, name: str) -> Node | None:
    nodes = look.of(NodeKind.SHM)
    return next((one for one in nodes if name in one.name and one.attributes[semconv.SHM_PART] == "segment"), None)


def test_a_segment_with_who_has_it_until_it_is_closed() -> None:
    memory = SharedMemory(create=True, size=10_000)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_attached, args=(memory.name, theirs))
    child.start()
    try:
        assert ours.recv() == "attached"
        with a_world() as world:
            look = rested(world, lambda look: len(look.of(NodeKind.SHM)) >= 2)
            segment: Any = _segment(look, memory.name)
            assert segment.attributes == {
                semconv.PROVIDER_NAME: "shared memory",
                semconv.SHM_PART: "segment",
                semconv.SHM_SIZE: 10_000,
            }
            (peer,) = [one for one in look.of(NodeKind.SHM) if one.attributes.get(semconv.SHM_PEER_PID) == child.pid]
            assert [(edge.kind, edge.dst) for edge in look.edges(peer.id)] == [(EdgeKind.TOUCHES, segment.id)]
            memory.unlink()
            gone = rested(world, lambda look: _goodbye(_segment(look, memory.name)))
            assert gone.faults == []
            memory.close()
            rested(world, lambda look: _segment(look, memory.name) is None)
    finally:
        ours.send("end")
        child.join()


def _goodbye(segment: Node | None) -> bool:
    return segment is not None and segment.attributes.get(semconv.SHM_GOODBYE) is True


def test_its_semaphores_are_no_segments() -> None:
    lock = multiprocessing.get_context("spawn").Lock()
    memory = SharedMemory(create=True, size=100)
    try:
        with a_world() as world:
            look = rested(world, lambda look: _segment(look, memory.name) is not None)
            assert [one.name for one in look.of(NodeKind.SHM) if "sem." in one.name] == []
    finally:
        memory.close()
        memory.unlink()
    del lock
