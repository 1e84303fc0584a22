# SPDX-License-Identifier: Apache-2.0
"""A database, a message queue and synchronous gRPC, with the stock clients and instrumentations: the request in flight,
whom it waits for, and who waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.e2e_support import Collector
from tests.support.databases import postgres, redis
from tests.support.network import free_port
from tests.support.program import Program
from tests.support.waiting import eventually

SCRIPT = Path(__file__).with_name("clients_in_flight.py")
PSYCOPG, REDIS, GRPC = (f"opentelemetry.instrumentation.{name}" for name in ("psycopg", "redis", "grpc"))


@pytest.fixture
def ports(collector: Collector, tmp_path: Path) -> Iterator[dict[str, int]]:
    """Of the three servers, in use by a program that calls each of them. The databases are Debian's."""
    settings = {"PEEPS_COLLECTOR_ENDPOINT": collector.otlp, "PEEPS_HEAP": "false"}
    with postgres() as database, redis() as queue:
        if database is None or queue is None:
            pytest.skip("needs PostgreSQL and Redis")
        grpc = free_port()
        programs = [
            Program("inventory", [str(SCRIPT), str(grpc)], tmp_path, **settings),
            Program("shop", [str(SCRIPT), str(grpc), str(database), str(queue)], tmp_path, **settings),
        ]
        try:
            for program in programs:
                program.until_it_speaks()
            yield {PSYCOPG: database, REDIS: queue, GRPC: grpc}
        finally:
            for program in programs:
                program.end()


def test_each_request_in_flight_names_its_peer_and_its_thread(collector: Collector, ports: dict[str, int]) -> None:
    def seen() -> Any:
        answer = collector.get("/api/snapshot")
        nodes = {node["id"]: node for node in answer["nodes"]}
        requests = {one["attributes"]["peeps.rpc.scope"]: one for one in nodes.values() if one["kind"] == "request"}
        waiters = {edge["dst"]: nodes.get(edge["src"]) for edge in answer["edges"] if edge["kind"] == "needs"}
        told = {scope: waiters.get(request["id"]) for scope, request in requests.items()}
        # A synchronous gRPC client wakes up all the time: its thread is not said to wait.
        whole = requests.keys() >= ports.keys() and told[PSYCOPG] and told[REDIS]
        joined = requests.get(GRPC, {}).get("attributes", {}).get("peeps.rpc.join") == "both_ends"
        return (answer, requests, told) if whole and joined else None

    answer, requests, waiters = eventually(seen, "three requests, two of them with who waits")
    peers = {scope: requests[scope]["attributes"].get("server.port") for scope in (PSYCOPG, REDIS)}
    assert peers == {scope: ports[scope] for scope in (PSYCOPG, REDIS)}
    assert {scope: waiters[scope]["name"] for scope in (PSYCOPG, REDIS)} == {PSYCOPG: "query", REDIS: "take"}
    grpc = requests[GRPC]
    assert (grpc["name"], grpc["attributes"]["peeps.rpc.service"]) == ("shop.Inventory/Reserve", "inventory")
    nodes = {node["id"]: node for node in answer["nodes"]}
    follow = {(edge["kind"], edge["src"]): edge["dst"] for edge in answer["edges"]}
    handler = nodes[follow["handled_by", follow["rpc_link", grpc["id"]]]]
    assert (handler["kind"], handler["wait"]["operation"]) == ("thread", "sleep")
    kinds = {one["kind"] for one in collector.get("/api/findings")["findings"]}
    assert kinds <= {"call_unanswered"}  # of the query, where this has taken half a minute
