# SPDX-License-Identifier: Apache-2.0
"""What a span says of its call, in the old and the new conventions."""

from __future__ import annotations

from typing import Any

import pytest

from peeps_otel.requests import span_facts

METHODS: list[tuple[str, dict[str, Any], str]] = [
    ("GET", {"http.method": "GET", "http.url": "http://shop/orders?token=secret"}, "GET /orders"),
    ("GET", {"http.request.method": "GET", "url.full": "https://shop:8443/orders/7?a=b"}, "GET /orders/7"),
    (
        "GET /x",
        {"http.request.method": "GET", "http.route": "/orders/{id}", "url.path": "/orders/7"},
        "GET /orders/{id}",
    ),
    ("POST", {"http.method": "POST", "http.target": "/pay?card=1"}, "POST /pay"),
    ("HTTP GET", {"http.request.method": "GET"}, "GET"),
    ("call", {"rpc.system": "grpc", "rpc.service": "shop.Orders", "rpc.method": "Take"}, "shop.Orders/Take"),
    ("call", {"rpc.method": "shop.Orders/Take"}, "shop.Orders/Take"),
    ("send", {"messaging.destination.name": "orders", "messaging.operation.type": "publish"}, "publish orders"),
    ("SELECT shop", {"db.system": "postgresql", "db.statement": "SELECT secret FROM t"}, "SELECT shop"),
    ("x" * 500, {}, "x" * 200),
]


@pytest.mark.parametrize(("name", "attributes", "method"), METHODS)
def test_the_method(name: str, attributes: dict[str, Any], method: str) -> None:
    assert span_facts.method_of(name, attributes) == method


PEERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"server.address": "shop", "server.port": 80}, {"server.address": "shop", "server.port": 80}),
    ({"net.peer.ip": "10.0.0.7", "net.peer.port": "5432"}, {"server.address": "10.0.0.7", "server.port": 5432}),
    ({"http.url": "https://user:pass@shop/orders"}, {"server.address": "shop", "server.port": 443}),
    ({"url.full": "http://[broken"}, {}),
    ({"server.address": "/var/run/shop.sock"}, {"server.address": "/var/run/shop.sock"}),
    ({}, {}),
]


@pytest.mark.parametrize(("attributes", "peer"), PEERS)
def test_the_peer(attributes: dict[str, Any], peer: dict[str, Any]) -> None:
    assert span_facts.peer_of(attributes) == peer
