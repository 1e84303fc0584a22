# SPDX-License-Identifier: Apache-2.0
"""The receiver under test: ours, or the one that the environment names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.collector import Collector

OURS_BYTES = 64 << 20


@dataclass(frozen=True)
class Receiver:
    """`http`, `grpc`: host and port, empty where it has none; `limit`: bytes of a request, None where not known."""

    http: str
    grpc: str
    limit: int | None


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    http, grpc = os.environ.get("OTLP_HTTP", ""), os.environ.get("OTLP_GRPC", "")
    if http or grpc:
        limit = os.environ.get("OTLP_LIMIT_BYTES")
        yield Receiver(http, grpc, int(limit) if limit else None)
        return
    ours = Collector(tmp_path_factory.mktemp("conformance"))
    yield Receiver(ours.otlp, ours.otlp, OURS_BYTES)
    ours.end()


@pytest.fixture
def http_receiver(receiver: Receiver) -> Receiver:
    if not receiver.http:
        pytest.skip("OTLP_HTTP names no receiver")
    return receiver


@pytest.fixture
def grpc_receiver(receiver: Receiver) -> Receiver:
    if not receiver.grpc:
        pytest.skip("OTLP_GRPC names no receiver")
    return receiver
