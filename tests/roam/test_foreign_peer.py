# SPDX-License-Identifier: Apache-2.0
"""A peer that was written from Roam's specification alone (`foreign/`), a process without anything of ours, and we."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from peeps_otel import roam
from tests.roam import foreign_testbed as bed
from tests.roam.roam_support import run, until

HERE = Path(__file__).parent
TRACE = "0af7651916cd43dd8448eb211c80319c"
LIMITS = roam.Limits(initial_channel_credit=64, max_payload_size=100_000)


class Foreign:
    """The process. `-S`: without site-packages, so nothing of ours can be imported."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, scenario: str, role: str, transport: str, where: str, **options: Any) -> Foreign:
        arguments = (scenario, role, transport, where, json.dumps(options))
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-E", "-S", "-m", "foreign.peer", *arguments)
        return cls(await asyncio.create_subprocess_exec(*command, stdout=pipe, cwd=HERE))

    async def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(await self.process.stdout.readline())

    async def end(self) -> None:
        """It leaves by itself when its links have ended; after a failure it is ended."""
        try:
            async with asyncio.timeout(20):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def met(
    scenario: str, role: str, transport: str, directory: Path, theirs: dict[str, Any], **ours: Any
) -> AsyncGenerator[tuple[Foreign, roam.Link]]:
    """The peer in `role` ("serve", "connect"), and our end of the link. At the end both are over."""
    path = str(directory / "met")
    options: dict[str, Any] = {"limits": LIMITS, "name": "ours", "on_connection": bed.wanted} | ours
    async with AsyncExitStack() as stack:
        if role == "serve":
            foreign = await Foreign.start(scenario, role, transport, "0" if transport == "tcp" else path, **theirs)
            stack.push_async_callback(foreign.end)
            at = (await foreign.line())["at"]
            if transport == "tcp":
                link = await roam.connect_tcp("127.0.0.1", at, bed.testbed(), **options)
            else:
                link = await roam.connect_unix(at, bed.testbed(), **options)
            yield foreign, await stack.enter_async_context(link)
            return
        if transport == "tcp":
            server = await roam.serve_tcp(bed.testbed(), "127.0.0.1", 0, **options)
        else:
            server = await roam.serve_unix(bed.testbed(), path, **options)
        where = str(server.port) if transport == "tcp" else path
        foreign = await Foreign.start(scenario, role, transport, where, **theirs)
        stack.push_async_callback(foreign.end)
        await stack.enter_async_context(server)
        await until(lambda: any(link.state.open for link in server.links), "it has said Hello")
        yield foreign, next(iter(server.links))


def said_by_it(full: bool) -> dict[str, Any]:
    """What `peer.talk` has to find of us on a connection."""
    return {
        "pipelined": True,
        "divide": [3, ["User", "by nothing"]],
        "mirror": [True, True],
        "unknown method": ["UnknownMethod", None],
        "invalid payload": ["InvalidPayload", None, True],
        "to the callee": [44_850, full],
        "to the caller": True,
        "both ways": ["ONE", "TWO", None],
        "one element of many": 5,
        "cancelled": ["Cancelled", None],
        "traced": [
            ["mine", "goes on"],
            ["secret", "stays"],
            ["later", "a flag of the future"],
            ["current trace", TRACE],
        ],
        "called back": ["mine"],
        "reset": 0,
    }


@pytest.mark.parametrize("credit", ["full", "legacy"])
@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("role", ["serve", "connect"])
def test_both_sides_say_everything(role: str, transport: str, credit: str, tmp_path: Path) -> None:
    full = credit == "full"

    async def story() -> None:
        async with met("talk", role, transport, tmp_path, {"full": full, "window": 48}) as (foreign, link):
            further = await link.connect(bed.testbed())
            await asyncio.gather(our_calls(link.root), our_calls(further))
            await further.close()
            assert await link.call(bed.ECHO, "still there") == "still there"
            said = (await foreign.line())["said"]
        assert said == {
            "root": said_by_it(full),
            "virtual": said_by_it(full),
            "root after Goodbye to the other": "still there",
            "virtual has an id of its own": True,
        }
        report = await foreign.line()
        assert (report["most unread"] > 0) is full
        assert {key: value for key, value in report.items() if key != "most unread"} == {
            "complaints": [],
            "goodbye": "",
            "name": "ours",
            "full": full,
        }

    run(story)


async def our_calls(connection: Any) -> None:
    texts = [str(number) for number in range(50)]
    assert await asyncio.gather(*(connection.call(bed.ECHO, text) for text in texts)) == texts
    assert await connection.call(bed.DIVIDE, 7, 2) == 3
    with pytest.raises(roam.UserError) as raised:
        await connection.call(bed.DIVIDE, 7, 0)
    assert raised.value.value == "by nothing"
    numbers = connection.sender(roam.U32)
    with pytest.raises(roam.UnknownMethod):
        await connection.call(bed.NOT_THERE, numbers)
    with pytest.raises(roam.InvalidPayload, match="could not read the arguments"):
        await connection.call(roam.Method("TestBed", "echo", (roam.U8,), roam.STRING, id=bed.ECHO.id), 9)
    numbers = connection.sender(roam.U32)
    total = asyncio.create_task(connection.call(bed.SUM, numbers))
    for number in range(300):
        await numbers.send(number)
    numbers.close()
    assert await total == 44_850
    output = connection.receiver(roam.U32)
    done = asyncio.create_task(connection.call(bed.COUNT, 300, output))
    assert [number async for number in output] == list(range(300))
    await done
    words, louder = connection.sender(roam.STRING), connection.receiver(roam.STRING)
    done = asyncio.create_task(connection.call(bed.TRANSFORM, words, louder))
    for word in ("one", "two"):
        await words.send(word)
        assert await louder.receive() == word.upper()
    words.close()
    with pytest.raises(roam.ChannelClosed):
        await louder.receive()
    await done
    numbers = connection.sender(roam.U32)
    first = asyncio.create_task(connection.call(bed.FIRST, numbers))
    await numbers.send(5)
    assert await first == 5
    await numbers.send(6)  # nobody reads it any more: that is nobody's fault
    numbers.close()
    hanging = asyncio.create_task(connection.call(bed.HANG))
    await until(lambda: connection.calls.sent, "it is sent")
    hanging.cancel()
    await until(lambda: not connection.calls.sent, "the peer's answer to the cancellation")
    context = trace.SpanContext(int(TRACE, 16), 0xB7AD6B7169203331, is_remote=True, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        seen = dict(await connection.call(bed.SEEN))
    assert (seen["traceparent"][:36], seen["peeps.method_name"]) == (f"00-{TRACE}-", "TestBed.seen")


@pytest.mark.parametrize("role", ["serve", "connect"])
def test_what_is_just_allowed_is_taken(role: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with met("at_the_limits", role, "tcp", tmp_path, {}) as (foreign, link):
            said = (await foreign.line())["said"]
            text = "x" * (LIMITS.max_payload_size - 4)
            assert await link.call(bed.ECHO, text) == text
        assert said == {"payload": True, "entries": True, "key and value": True, "requests": True}

    run(story)


def test_a_peer_that_leaves_says_so_to_whoever_waits(tmp_path: Path) -> None:
    async def story() -> None:
        async with met("leaving", "serve", "unix", tmp_path, {}) as (_foreign, link):
            with pytest.raises(roam.LinkClosed, match="that was all"):
                await link.call(bed.HANG)

    run(story)


PROTOCOL = {
    "no Hello": "message.hello.ordering",
    "Hello V5": "message.hello.unknown-version",
    "Hello V7": "message.hello.unknown-version",
    "Hello cut short": "message.decode-error",
    "Hello with metadata beyond all limits": "call.metadata.limits",
    "no Roam": "message.unknown-variant",
    "a frame of 2 GiB": "message.decode-error",
    "a request of 2 GiB": "flow.call.payload-limit",
    "an empty frame": "message.decode-error",
    "an unknown message": "message.unknown-variant",
    "more than the message": "message.decode-error",
    "less than the message": "message.decode-error",
    "a varint of 11 bytes": "message.decode-error",
    "a varint of 65 bits": "message.decode-error",
    "a u32 of 33 bits": "message.decode-error",
    "a list of 2^60": "call.metadata.limits",
    "bytes longer than the frame": "message.decode-error",
    "a key that is no UTF-8": "message.decode-error",
    "an unknown kind of metadata": "message.decode-error",
    "129 entries of metadata": "call.metadata.limits",
    "a key of 257 bytes": "call.metadata.limits",
    "a value of 16,385 bytes": "call.metadata.limits",
    "80,000 bytes of metadata": "call.metadata.limits",
    "129 entries in Connect": "call.metadata.limits",
    "129 entries in a response": "call.metadata.limits",
    "a request's payload": "flow.call.payload-limit",
    "a response's payload": "flow.call.payload-limit",
    "a response to nothing": "call.response.unknown-request-id",
    "one request too many": "flow.request.concurrent-overrun",
    "a request twice": "call.request-id.duplicate-detection",
    "a channel twice": "channeling.id.uniqueness",
    "channel 0 in a request": "channeling.id.zero-reserved",
    "data on channel 0": "channeling.id.zero-reserved",
    "Close of channel 0": "channeling.id.zero-reserved",
    "data on no channel": "channeling.unknown",
    "Close of no channel": "channeling.unknown",
    "Reset of no channel": "channeling.unknown",
    "credit for no channel": "channeling.unknown",
    "data after Close": "channeling.data-after-close",
    "data of another type": "channeling.data.invalid",
    "data with something behind it": "channeling.data.invalid",
    "data longer than a payload": "channeling.data.size-limit",
    "data beyond the credit": "flow.channel.credit-overrun",
    "data against the direction": "channeling.unknown",
    "a request on no connection": "message.conn-id",
    "data on no connection": "message.conn-id",
    "data on no channel of a virtual connection": "channeling.unknown",
}
"""What the specification has as the reason of the Goodbye to each of the acts in `foreign/breaks.py`."""


@pytest.mark.parametrize("role", ["serve", "connect"])
def test_each_broken_rule_is_named(role: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {"on_connection": bed.wanted}

    async def story() -> None:
        if role == "connect":
            async with await roam.serve_unix(bed.testbed(), str(tmp_path / "met"), **options):
                foreign = await Foreign.start("break_rules", role, "unix", str(tmp_path / "met"))
                said = await foreign.line()
                await foreign.end()
        else:
            foreign = await Foreign.start("break_rules", role, "unix", str(tmp_path / "met"))
            await foreign.line()
            for _ in PROTOCOL:
                with contextlib.suppress(roam.LinkClosed):  # while it opens, by the acts before the Hello
                    link = await roam.connect_unix(str(tmp_path / "met"), bed.testbed(), **options)
                    await link.wait_closed()
            said = await foreign.line()
            await foreign.end()
        assert said == PROTOCOL

    with caplog.at_level(logging.CRITICAL, "peeps_otel.roam"):
        run(story)
