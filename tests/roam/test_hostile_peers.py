# SPDX-License-Identifier: Apache-2.0
"""Peers that do what they should not, against a server that runs: it says why it goes, and lives on for the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from peeps_otel import roam
from peeps_otel.roam import messages, rules
from peeps_otel.roam.frames import FrameDecoder, frame
from peeps_otel.roam.link import Link
from peeps_otel.roam.messages import Message
from peeps_otel.roam.transports import memory_pair
from tests.roam.roam_support import ALL, ECHO, SUM, Shop, run, until
from tests.support.examples import examples

HELLO = messages.Hello(1 << 20, 1 << 16, 64)
TOO_LONG = messages.Request(0, 1, ECHO.id, (), (), b"x" * 3_000_000)


async def heard(reader: asyncio.StreamReader) -> list[Message]:
    """All that comes until the end."""
    decoder, found = FrameDecoder(1 << 24), list[Message]()
    while data := await reader.read(1 << 16):
        decoder.feed(data)
        while (raw := decoder.next()) is not None:
            found.append(messages.decode(raw))
    return found


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (rules.PAYLOAD_LIMIT, frame(HELLO) + frame(TOO_LONG)),
        (rules.CHANNEL_UNKNOWN, frame(HELLO) + frame(messages.Data(0, 99, b"x"))),
        (rules.CHANNEL_ZERO, frame(HELLO) + frame(messages.Close(0, 0))),
        (rules.HELLO_VERSION, frame(HELLO._replace(version=4))),
        (rules.HELLO_ORDERING, frame(messages.Cancel(0, 1))),
        (rules.UNKNOWN_VARIANT, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (rules.DECODE_ERROR, frame(HELLO) + b"\x02\x00\x00\x00\x07\x00"),
    ],
)
def test_whoever_breaks_a_rule_is_told_which(rule: str, what: bytes) -> None:
    async def story() -> None:
        async with await roam.serve_tcp(Shop(), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(what)
            hello, goodbye = await heard(reader)
            assert type(hello) is messages.Hello
            assert goodbye == messages.Goodbye(0, rule)
            writer.close()
            async with await roam.connect_tcp("127.0.0.1", server.port) as link:
                assert await link.call(ECHO, "the others") == "the others"
            await until(lambda: not server.links, "both links have ended")

    run(story)


def test_a_server_ends_while_a_peer_has_not_said_hello() -> None:
    async def story() -> None:
        server = await roam.serve_tcp(Shop(), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await until(lambda: server.links, "it has come")
        writer.close()
        await server.close()
        await heard(reader)
        assert server.links == set()

    run(story)


def test_many_requests_at_once_are_answered_in_any_order() -> None:
    async def story() -> None:
        async with await roam.serve_tcp(Shop(), "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            asked = [messages.Request(0, number, ECHO.id, (), (), b"\x01x") for number in range(1, 65)]
            writer.write(frame(HELLO) + b"".join(map(frame, asked)) + frame(messages.Request(0, 99, 5)))
            writer.write(frame(messages.Goodbye(0)))
            writer.write_eof()
            await heard(reader)
            writer.close()

    run(story)


_SMALL = st.integers(0, 5)
_CONNECTION = st.sampled_from([0] * 6 + [1, 10_001, 10_002])
_METHODS = st.sampled_from([*(method.id for method in ALL), 7])
_PAYLOADS = st.sampled_from([b"", b"\x01x", b"\x01", b"\x02\x04", b"\x03\x01", b"\x00", b"\x01\x01"])
_MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        messages.Request, _CONNECTION, _SMALL, _METHODS, st.just(()), st.lists(_SMALL, max_size=2).map(tuple), _PAYLOADS
    ),
    st.builds(
        messages.Request, st.just(0), st.integers(10, 50), st.just(SUM.id), st.just(()), st.just((1,)), st.just(b"\1")
    ),
    st.builds(messages.Response, _CONNECTION, _SMALL, st.just(()), st.just(()), _PAYLOADS),
    st.builds(messages.Cancel, _CONNECTION, _SMALL),
    st.builds(messages.Data, _CONNECTION, _SMALL, _PAYLOADS),
    st.builds(messages.Close, _CONNECTION, _SMALL),
    st.builds(messages.Reset, _CONNECTION, _SMALL),
    st.builds(messages.Credit, _CONNECTION, _SMALL, _SMALL),
    st.builds(messages.Connect, _SMALL, st.just(())),
    st.builds(messages.Accept, _SMALL, _SMALL, st.just(())),
    st.builds(messages.Reject, _SMALL, st.just("no"), st.just(())),
    st.builds(messages.Goodbye, _CONNECTION, st.just("")),
)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(_MESSAGES, max_size=6), max_size=4))
@example([[messages.Request(0, 1, 7), messages.Goodbye(0)]])
@example([[messages.Connect(1), messages.Goodbye(0)]])
@example([[messages.Request(0, 1, ECHO.id, (), (), b"\x01x"), messages.Goodbye(0)]])
def test_whatever_a_peer_says_a_link_ends_or_goes_on(turns: list[list[Message]]) -> None:
    wrong: list[Any] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        ours, theirs = memory_pair()
        shop = Shop()
        link = Link(ours, False, shop, on_connection=lambda _: shop)
        theirs.write(frame(HELLO))
        await link.open()
        calls: list[asyncio.Task[Any]] = [
            asyncio.create_task(link.call(ECHO, "x")),
            asyncio.create_task(link.connect()),
            asyncio.create_task(link.call(SUM, link.root.sender(roam.I32))),
        ]
        for turn in turns:
            await asyncio.sleep(0)
            theirs.write(b"".join(map(frame, turn)))
            for _ in range(5):
                await asyncio.sleep(0)
        reader = link._reader  # pyright: ignore[reportPrivateUsage]  # how much it keeps is what is looked at
        assert reader is not None
        assert link.state.ended is not None or not reader.done()
        await theirs.close()
        await link.close()
        await reader
        results = await asyncio.gather(*calls, return_exceptions=True)
        wrong.extend(one for one in results if isinstance(one, BaseException) and not isinstance(one, roam.RoamError))

    run(story)
    assert wrong == []
