# SPDX-License-Identifier: Apache-2.0
"""Two peers that talk, over each transport."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from peeps_otel import roam
from peeps_otel.roam import rules
from peeps_otel.roam.metadata import NO_PROPAGATE, Entry, text_of
from tests.roam.roam_support import COUNT, DIVIDE, ECHO, FAIL, HOLD, SHOUT, SLEEP, SUM, linked, run, until

TRANSPORTS = ["tcp", "unix", "memory"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_calls_and_their_errors(transport: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with linked(transport, tmp_path) as (link, _):
            assert await link.call(ECHO, "né") == "né"
            texts = [str(number) for number in range(200)]
            assert await asyncio.gather(*(link.call(ECHO, text) for text in texts)) == texts
            assert await link.call(DIVIDE, 7, 2) == 3
            with pytest.raises(roam.UserError) as raised:
                await link.call(DIVIDE, 7, 0)
            assert raised.value.value == roam.Variant("DivisionByZero")
            with pytest.raises(roam.UnknownMethod, match=r"Shop\.nothing"):
                await link.call(roam.Method("Shop", "nothing"))
            with pytest.raises(roam.InvalidPayload, match="could not read the arguments"):
                await link.call(roam.Method("Shop", "echo", (roam.U8,), roam.STRING, id=ECHO.id), 9)
            with pytest.raises(roam.InvalidPayload, match="is not what"):
                await link.call(roam.Method("Shop", "echo", (roam.STRING,), roam.UNIT, id=ECHO.id), "x")
            with pytest.raises(ValueError, match=r"Shop\.echo, argument 1: a value of type int does not fit"):
                await link.call(ECHO, 5)
            with pytest.raises(ValueError, match=r"Shop\.echo takes 1 arguments, not 2"):
                await link.call(ECHO, "x", "y")
            with pytest.raises(ValueError, match="an Rx argument takes a Sender"):
                await link.call(SUM, link.root.receiver(roam.I32))
            with pytest.raises(roam.CallCancelled):
                await link.call(FAIL)
            assert await link.call(ECHO, "still there") == "still there"

    with caplog.at_level(logging.CRITICAL, "peeps_otel.roam"):
        run(story)


@pytest.mark.parametrize("credit", [True, False])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_channels_in_all_directions(transport: str, credit: bool, tmp_path: Path) -> None:
    async def story() -> None:
        async with linked(transport, tmp_path, full_credit=credit) as (link, _):
            assert link.state.full is credit
            numbers = link.root.sender(roam.I32)
            total = asyncio.create_task(link.call(SUM, numbers))
            for number in range(1000):
                await numbers.send(number)
            numbers.close()
            assert await total == 499_500

            output = link.root.receiver(roam.U32)
            done = asyncio.create_task(link.call(COUNT, 20_000, output))
            assert [number async for number in output] == list(range(20_000))
            await done

            words, louder = link.root.sender(roam.STRING), link.root.receiver(roam.STRING)
            done = asyncio.create_task(link.call(SHOUT, words, louder))
            for word in ("one", "two"):
                await words.send(word)
                assert await louder.receive() == word.upper()
            words.close()
            with pytest.raises(roam.ChannelClosed):
                await louder.receive()
            await done
            with pytest.raises(roam.ChannelClosed):
                await words.send("three")

    run(story)


def test_a_sender_without_credit_waits_until_the_receiver_reads(tmp_path: Path) -> None:
    async def story() -> None:
        options = {"limits": roam.Limits(initial_channel_credit=1000)}
        async with linked("tcp", tmp_path, options) as (link, shop):
            parts = link.root.sender(roam.BYTES)
            held = asyncio.create_task(link.call(HOLD, parts))
            sent: list[int] = []

            async def send() -> None:
                for number in range(20):
                    await parts.send(b"x" * 298)
                    sent.append(number)
                parts.close()

            sending = asyncio.create_task(send())
            await until(lambda: link.credit_waiters, "it waits for credit")
            assert sent == [0, 1, 2]
            assert await link.call(ECHO, "other calls go on") == "other calls go on"
            with pytest.raises(ValueError, match="1002 bytes, 1000 are allowed"):
                await parts.send(b"x" * 1000)
            shop.go_on.set()
            await asyncio.gather(sending, held)
            assert shop.held == [298] * 20

    run(story)


def test_a_slow_receiver_without_credit_stops_the_link_but_not_for_ever(tmp_path: Path) -> None:
    async def story() -> None:
        async with linked("tcp", tmp_path, full_credit=False) as (link, shop):
            parts = link.root.sender(roam.BYTES)
            held = asyncio.create_task(link.call(HOLD, parts))

            async def send() -> None:
                for _ in range(200):
                    await parts.send(b"x" * 100_000)
                parts.close()

            sending = asyncio.create_task(send())
            await until(lambda: link.transport.buffered, "the transport takes no more")
            await asyncio.sleep(0)
            assert not sending.done()
            shop.go_on.set()
            await asyncio.gather(sending, held)
            assert sum(shop.held) == 20_000_000

    run(story)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_whoever_is_cancelled_cancels_the_handler(transport: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with linked(transport, tmp_path) as (link, shop):
            call = asyncio.create_task(link.call(SLEEP))
            await until(lambda: link.root.calls.sent, "it is sent")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: shop.cancelled == 1, "the handler is cancelled")
            await until(lambda: not link.root.calls.sent, "the answer to the cancellation")
            assert await link.call(ECHO, "x") == "x"

    run(story)


def test_calls_beyond_what_the_peer_allows_wait_here(tmp_path: Path) -> None:
    async def story() -> None:
        async with linked("tcp", tmp_path, {"limits": roam.Limits(max_concurrent_requests=2)}) as (link, shop):
            sleepers = [asyncio.create_task(link.call(SLEEP)) for _ in range(2)]
            await until(lambda: len(link.root.calls.sent) == 2, "both are sent")
            third = asyncio.create_task(link.call(ECHO, "late"))
            await asyncio.sleep(0.02)
            assert not third.done()
            assert len(link.root.calls.sent) == 2
            sleepers[0].cancel()
            assert await third == "late"
            sleepers[1].cancel()
            await until(lambda: shop.cancelled == 2, "both are cancelled")

    run(story)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_all_that_waits_fails_when_the_link_ends(transport: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with linked(transport, tmp_path) as (link, shop):
            sender, receiver = link.root.sender(roam.STRING), link.root.receiver(roam.STRING)
            calls = [asyncio.create_task(link.call(SLEEP)), asyncio.create_task(link.call(SHOUT, sender, receiver))]
            await until(lambda: len(link.root.calls.sent) == 2, "both are sent")
            item = asyncio.create_task(receiver.receive())
            await asyncio.sleep(0)
            await link.close("enough")
            for waiting in calls:
                with pytest.raises(roam.LinkClosed, match="enough"):
                    await waiting
            with pytest.raises(roam.ChannelClosed):
                await item
            with pytest.raises(roam.LinkClosed):
                await link.call(ECHO, "x")
            await until(lambda: shop.cancelled == 1, "its handler is cancelled")

    run(story)


def test_a_request_without_an_answer_ends_the_link_only_where_that_is_wanted(tmp_path: Path) -> None:
    async def story() -> None:
        async with linked("tcp", tmp_path, response_timeout_s=0.05) as (link, _):
            with pytest.raises(roam.LinkClosed, match=rules.STALE_RESPONSE):
                await link.call(SLEEP)
        async with linked("tcp", tmp_path) as (link, _):
            call = asyncio.create_task(link.call(SLEEP))
            await asyncio.wait([call], timeout=0.2)
            assert not call.done()
            call.cancel()

    run(story)


def test_virtual_connections_live_and_end_by_themselves(tmp_path: Path) -> None:
    async def story() -> None:
        asked: list[str] = []
        inner = roam.Service("inner")

        async def twice(context: roam.Context, text: str) -> str:
            return f"{context.connection.id}: {text * 2}"

        inner.add(ECHO, twice)

        def wanted(said: tuple[Entry, ...]) -> roam.Service | None:
            asked.append(text_of(said, "who"))
            return inner if asked[-1] else None

        async with linked("tcp", tmp_path, {"on_connection": wanted}) as (link, _):
            one, other = await link.connect(said=(Entry("who", "a"),)), await link.connect(said=(Entry("who", "b"),))
            with pytest.raises(roam.ConnectionRefused, match="not listening"):
                await link.connect()
            assert asked == ["a", "b", ""]
            assert await asyncio.gather(one.call(ECHO, "x"), other.call(ECHO, "y")) == ["10002: xx", "10004: yy"]
            await one.close()
            with pytest.raises(roam.LinkClosed):
                await one.call(ECHO, "x")
            assert await other.call(ECHO, "z") == "10004: zz"
            assert await link.call(ECHO, "root") == "root"

    run(story)


def test_the_server_calls_back() -> None:
    async def story() -> None:
        ask = roam.Method("Shop", "ask", (), roam.STRING)
        server_side, client_side = roam.Service(), roam.Service()

        async def answer(context: roam.Context) -> str:
            name: str = await context.connection.call(ECHO, "who are you?")
            return f"{name}, {context.connection.link.peer_name}"

        async def me(_context: roam.Context, text: str) -> str:
            return f"you asked {text}"

        server_side.add(ask, answer)
        client_side.add(ECHO, me)
        async with (
            await roam.serve_tcp(server_side, "127.0.0.1", 0) as server,
            await roam.connect_tcp("127.0.0.1", server.port, client_side, name="browser") as link,
        ):
            assert await link.call(ask) == "you asked who are you?, browser"

    run(story)


def test_metadata_is_handed_on_unless_it_says_otherwise() -> None:
    async def story() -> None:
        heard: list[dict[str, object]] = []
        inner, outer = roam.Service(), roam.Service()
        relay = roam.Method("Shop", "relay")

        async def hear(context: roam.Context, text: str) -> str:
            heard.append({entry.key: entry.value for entry in context.metadata})
            return text

        inner.add(ECHO, hear)
        async with (
            await roam.serve_tcp(inner, "127.0.0.1", 0) as second,
            await roam.connect_tcp("127.0.0.1", second.port) as further,
        ):

            async def pass_on(_context: roam.Context) -> None:
                await further.call(ECHO, "x", metadata=(Entry("own", "1"),))

            outer.add(relay, pass_on)
            async with (
                await roam.serve_tcp(outer, "127.0.0.1", 0) as first,
                await roam.connect_tcp("127.0.0.1", first.port) as link,
            ):
                said = (Entry("tenant", "a"), Entry("session", "b", NO_PROPAGATE), Entry("own", "0"))
                await link.call(relay, metadata=said)
        (found,) = heard
        assert (found["tenant"], found["own"], found["peeps.method_name"]) == ("a", "1", "Shop.echo")
        assert "session" not in found

    run(story)


def test_a_peer_that_says_nothing_or_nonsense() -> None:
    async def story() -> None:
        async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            await reader.read()
            writer.close()

        async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(roam.LinkClosed, match=rules.UNKNOWN_VARIANT):
                await roam.connect_tcp("127.0.0.1", port)

    run(story)


def test_elements_that_are_not_of_the_type_end_the_link(tmp_path: Path) -> None:
    async def story() -> None:
        async with linked("tcp", tmp_path) as (link, _):
            wrong = roam.Method("Shop", "sum", (roam.Rx(roam.STRING),), roam.I64, id=SUM.id)
            texts = link.root.sender(roam.STRING)
            call = asyncio.create_task(link.call(wrong, texts))
            await texts.send("far too long for a number")
            with pytest.raises(roam.LinkClosed, match=rules.DATA_INVALID):
                await call

    run(story)
