# SPDX-License-Identifier: Apache-2.0
"""The memory that both sides share, and what is announced in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from peeps_otel.probes.source.ownership import Ownership
from peeps_otel.watchdog.announcement import announcement
from peeps_otel.watchdog.page import ANNOUNCEMENT_MOST, BYE, BYTES, DONE, NO_DUMP, THREADS_MOST, Page


@pytest.fixture
def fd() -> Iterator[int]:
    number = os.memfd_create("test")
    os.ftruncate(number, BYTES)
    yield number
    os.close(number)


def test_what_one_side_writes_the_other_reads(fd: int) -> None:
    program, sidecar = Page(fd), Page(fd)
    assert not sidecar.is_ours
    assert (sidecar.beats, sidecar.beat_ns) == (0, 0)
    program.announce(b"{}")
    program.name_threads(b"1 2 main\n")
    for now_ns in (5, 1_800_000_000_000_000_000):
        program.beat(now_ns)
    assert sidecar.is_ours
    assert (sidecar.announcement, sidecar.threads) == (b"{}", b"1 2 main\n")
    assert (sidecar.beats, sidecar.beat_ns) == (2, 1_800_000_000_000_000_000)
    program.raise_flag(NO_DUMP)
    program.raise_flag(BYE)
    assert [sidecar.has(flag) for flag in (NO_DUMP, BYE, DONE)] == [True, True, False]
    assert sidecar.dump_end(2) is None
    sidecar.dumped(2, BYTES + 100)
    assert (sidecar.dump_end(2), sidecar.dump_end(3)) == (BYTES + 100, None), "a dump belongs to one silence"


def test_too_many_threads_are_cut_at_a_line(fd: int) -> None:
    page = Page(fd)
    page.announce(b"x" * ANNOUNCEMENT_MOST)
    page.name_threads(b"".join(b"%d %d a thread\n" % (n, n) for n in range(100_000)))
    lines = page.threads.splitlines(keepends=True)
    assert len(page.threads) <= THREADS_MOST
    assert all(line.endswith(b" a thread\n") for line in lines)
    assert len(page.threads) > THREADS_MOST - 40
    assert page.announcement == b"x" * ANNOUNCEMENT_MOST
    page.name_threads(b"1 1 one\n")
    assert page.threads == b"1 1 one\n"


def test_an_announcement_too_long_is_refused(fd: int) -> None:
    with pytest.raises(ValueError, match="is the most"):
        Page(fd).announce(b"x" * (ANNOUNCEMENT_MOST + 1))


def test_the_announcement_has_what_the_link_uses() -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,a=b",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "no_proxy": "*",
        "SECRET": "no",
    }
    resource = {"service.name": "s", "service.instance.id": "i", "numbers": (1, 2)}
    said = json.loads(announcement("https://h:1", resource, Ownership(), environment))
    assert said["headers"] == {"authorization": "Bearer x", "a": "b"}
    assert (said["certificate"], said["environment"]) == ("/ca.pem", {"no_proxy": "*"})
    assert (said["service"], said["resource"]["numbers"]) == ("s", [1, 2])
    assert "SECRET" not in str(said)


def test_without_a_certificate_of_its_own_the_announcement_has_what_the_link_trusts() -> None:
    secured = json.loads(announcement("https://h:1", {}, Ownership(), {}))["certificate"]
    assert "BEGIN CERTIFICATE" in Path(secured).read_text()
    assert json.loads(announcement("http://h:1", {}, Ownership(), {}))["certificate"] is None


def test_a_large_resource_is_reduced_to_who_it_is() -> None:
    resource = {"service.name": "s", "service.instance.id": "i", "process.pid": 7, "big": "x" * ANNOUNCEMENT_MOST}
    said = json.loads(announcement("http://h:1", resource, Ownership(), {}))
    assert said["resource"] == {"service.name": "s", "service.instance.id": "i", "process.pid": 7}
