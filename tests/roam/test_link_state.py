# SPDX-License-Identifier: Apache-2.0
"""The protocol without input or output: what a peer may do, and what we say to one that does otherwise."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeps_otel.roam import limits, messages, rules, wire_keys
from peeps_otel.roam.connection_state import Direction
from peeps_otel.roam.errors import StateError
from peeps_otel.roam.events import ChannelEnded, ConnectionEnded, LinkEnded, Opened, Responded
from peeps_otel.roam.frames import FrameDecoder, frame
from peeps_otel.roam.limits import Limits
from peeps_otel.roam.link_state import LinkState
from peeps_otel.roam.messages import ROOT, Message
from peeps_otel.roam.metadata import Entry
from tests.support.examples import examples

OURS = Limits(1000, 100, 2)
HELLO = messages.Hello(1 << 20, 1 << 16, 64)
FULL = HELLO._replace(metadata=(Entry(wire_keys.CREDIT, wire_keys.FULL),))


def said(state: LinkState) -> list[Message]:
    """What it has to send."""
    decoder = FrameDecoder(1 << 24)
    decoder.feed(state.take())
    found: list[Message] = []
    while (raw := decoder.next()) is not None:
        found.append(messages.decode(raw))
    return found


def tell(state: LinkState, *what: Message) -> list[Any]:
    return state.receive(b"".join(frame(message) for message in what))


def opened(hello: messages.Hello = FULL, initiator: bool = False) -> LinkState:
    state = LinkState(initiator, OURS)
    state.start()
    (event,) = tell(state, hello)
    assert type(event) is Opened
    state.take()
    return state


def the_goodbye(state: LinkState) -> str:
    (goodbye,) = [one for one in said(state) if type(one) is messages.Goodbye]
    assert goodbye.conn_id == ROOT
    return goodbye.reason


def test_the_hello_waits_for_nothing_and_the_smaller_limits_hold() -> None:
    state = LinkState(True, OURS)
    state.start()
    assert said(state) == [messages.Hello(1000, 100, 2, (Entry(wire_keys.CREDIT, wire_keys.FULL),))]
    assert tell(state, HELLO._replace(max_payload_size=7)) == [Opened(Limits(7, 100, 2), (), False)]


REQUEST = messages.Request(ROOT, 1, 5, (), (2,), b"")

VIOLATIONS: dict[str, tuple[str, tuple[Message, ...]]] = {
    "the same request twice": (rules.DUPLICATE_REQUEST, (REQUEST, REQUEST._replace(channels=()))),
    "more requests than allowed": (
        rules.CONCURRENT_OVERRUN,
        tuple(messages.Request(ROOT, number, 5) for number in range(3)),
    ),
    "arguments that are too long": (rules.PAYLOAD_LIMIT, (REQUEST._replace(payload=b"x" * 1001),)),
    "a channel 0 in a request": (rules.CHANNEL_ZERO, (REQUEST._replace(channels=(0,)),)),
    "one channel for two": (rules.CHANNEL_REUSED, (REQUEST, messages.Request(ROOT, 2, 5, (), (2,)))),
    "a closed channel opened again": (
        rules.CHANNEL_REUSED,
        (REQUEST, messages.Close(ROOT, 2), messages.Request(ROOT, 2, 5, (), (2,))),
    ),
    "a response to nothing": (rules.UNKNOWN_RESPONSE, (messages.Response(ROOT, 1),)),
    "a response that is too long": (rules.PAYLOAD_LIMIT, (messages.Response(ROOT, 1, (), (), b"x" * 1001),)),
    "data on channel 0": (rules.CHANNEL_ZERO, (messages.Data(ROOT, 0, b""),)),
    "data on no channel": (rules.CHANNEL_UNKNOWN, (messages.Data(ROOT, 9, b""),)),
    "close of no channel": (rules.CHANNEL_UNKNOWN, (messages.Close(ROOT, 9),)),
    "reset of no channel": (rules.CHANNEL_UNKNOWN, (messages.Reset(ROOT, 9),)),
    "credit for no channel": (rules.CHANNEL_UNKNOWN, (messages.Credit(ROOT, 9, 1),)),
    "data after close": (
        rules.DATA_AFTER_CLOSE,
        (REQUEST, messages.Close(ROOT, 2), messages.Data(ROOT, 2, b"")),
    ),
    "data without credit": (rules.CREDIT_OVERRUN, (REQUEST, messages.Data(ROOT, 2, b"x" * 101))),
    "data that is too long": (rules.DATA_SIZE, (REQUEST, messages.Data(ROOT, 2, b"x" * 1001))),
    "an unknown connection": (rules.CONN_ID, (messages.Cancel(3, 1),)),
    "the same connect twice": (rules.DUPLICATE_REQUEST, (messages.Connect(1), messages.Connect(1))),
    "a frame beyond all limits": (rules.PAYLOAD_LIMIT, (REQUEST._replace(payload=b"x" * 200_000),)),
}


@pytest.mark.parametrize(("rule", "what"), VIOLATIONS.values(), ids=VIOLATIONS)
def test_what_a_peer_may_not_do_ends_in_goodbye(rule: str, what: tuple[Message, ...]) -> None:
    state = opened()
    ended = tell(state, *what, messages.Request(ROOT, 99, 5))[-1]
    assert (type(ended), ended.rule, ended.by_peer) == (LinkEnded, rule, False)
    assert the_goodbye(state) == rule
    assert state.receive(frame(REQUEST)) == []
    with pytest.raises(StateError):
        state.request(ROOT, 5, b"", (), {})


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (frame(REQUEST), rules.HELLO_ORDERING),
        (frame(messages.Goodbye(ROOT)), rules.HELLO_ORDERING),
        (frame(REQUEST._replace(payload=b"x" * 100_000)), rules.HELLO_ORDERING),
        (frame(HELLO._replace(version=5)), rules.HELLO_VERSION),
        (frame(HELLO._replace(version=1)), rules.HELLO_VERSION),
        (bytes.fromhex("020000000009"), rules.HELLO_VERSION),
        (bytes.fromhex("020000000005"), rules.DECODE_ERROR),
        (bytes.fromhex("00000000"), rules.DECODE_ERROR),
        (b"GET / HTTP/1.1\r\n", rules.UNKNOWN_VARIANT),
    ],
)
def test_before_hello(data: bytes, rule: str) -> None:
    state = LinkState(False, OURS)
    state.start()
    ended: Any
    (ended,) = state.receive(data)
    assert (type(ended), ended.rule, the_goodbye(state)) == (LinkEnded, rule, rule)


def test_what_comes_late_is_nothing_wrong() -> None:
    state = opened()
    late: list[Message] = [messages.Data(ROOT, 2, b"late"), messages.Close(ROOT, 2), messages.Credit(ROOT, 2, 5)]
    tell(state, REQUEST, messages.Reset(ROOT, 2))
    assert tell(state, *late, messages.Reset(ROOT, 2)) == []
    assert tell(state, messages.Cancel(ROOT, 77), messages.Goodbye(77), HELLO, messages.Accept(5, 5)) == []
    state.respond(ROOT, 1, b"\x00")
    assert tell(state, messages.Cancel(ROOT, 1)) == []
    assert state.ended is None


def test_a_response_ends_the_channels_of_its_request() -> None:
    state = opened(initiator=True)
    sends, receives = state.channel_id(), state.channel_id()
    assert (sends, receives) == (1, 3)
    request = state.request(ROOT, 5, b"", (), {sends: Direction.SENDS, receives: Direction.RECEIVES})
    response = messages.Response(ROOT, request, (), (), b"\x00")
    assert tell(state, response) == [ChannelEnded(ROOT, receives), Responded(ROOT, request, (), b"\x00")]
    state.data(ROOT, sends, b"goes on")
    assert [type(one) for one in said(state)] == [messages.Request, messages.Data]

    request = state.request(ROOT, 5, b"", (), {state.channel_id(): Direction.SENDS})
    unknown = messages.Response(ROOT, request, (), (), b"\x01\x01")
    assert tell(state, unknown)[0] == ChannelEnded(ROOT, 5, reset=True)


def test_our_response_closes_what_the_handler_left_open() -> None:
    state = opened()
    tell(state, REQUEST._replace(channels=(2, 4, 6)))
    state.bind(ROOT, 2, Direction.SENDS)
    state.bind(ROOT, 4, Direction.RECEIVES)
    state.respond(ROOT, 1, b"\x00")
    assert said(state) == [
        messages.Close(ROOT, 2),
        messages.Reset(ROOT, 4),
        messages.Response(ROOT, 1, (), (), b"\x00"),
    ]
    assert tell(state, messages.Data(ROOT, 4, b"late"), messages.Data(ROOT, 6, b"nobody's")) == []


def test_a_peer_without_credit_gets_none_and_needs_none() -> None:
    state = opened(HELLO)
    tell(state, REQUEST)
    state.bind(ROOT, 2, Direction.RECEIVES)
    events = tell(state, *(messages.Data(ROOT, 2, b"x" * 90) for _ in range(50)))
    assert len(events) == 50
    for _ in range(50):
        state.consumed(ROOT, 2, 90)
    state.respond(ROOT, 1, b"\x00")
    assert said(state) == [messages.Response(ROOT, 1, (), (), b"\x00")]


def test_credit_is_waited_for_and_granted_by_halves() -> None:
    sender, receiver = opened(initiator=True), opened()
    channel = sender.channel_id()
    sender.request(ROOT, 5, b"", (), {channel: Direction.SENDS})
    sender.data(ROOT, channel, b"x" * 60)
    assert not sender.may_send(ROOT, channel, 60)
    with pytest.raises(StateError):
        sender.data(ROOT, channel, b"x" * 60)
    with pytest.raises(ValueError, match="101 bytes, 100 are allowed"):
        sender.may_send(ROOT, channel, 101)
    receiver.receive(sender.take())
    receiver.bind(ROOT, channel, Direction.RECEIVES)
    receiver.consumed(ROOT, channel, 40)
    assert said(receiver) == []
    receiver.consumed(ROOT, channel, 20)
    (credit,) = said(receiver)
    assert credit == messages.Credit(ROOT, channel, 60)
    tell(sender, credit)
    assert sender.may_send(ROOT, channel, 60)


def test_virtual_connections() -> None:
    state = opened()
    state.receive(frame(messages.Connect(8)) + frame(messages.Connect(9)))
    assert state.accept(8) == 10_002
    state.reject(9, "full")
    assert said(state) == [messages.Accept(8, 10_002), messages.Reject(9, "full")]
    tell(state, messages.Request(10_002, 1, 5), messages.Request(ROOT, 1, 5))
    assert tell(state, messages.Goodbye(10_002, "done")) == [ConnectionEnded(10_002, "done")]
    assert tell(state, messages.Cancel(10_002, 1), messages.Request(10_002, 7, 5)) == []
    with pytest.raises(StateError):
        state.respond(10_002, 1, b"\x00")
    state.respond(ROOT, 1, b"\x00")
    assert state.ended is None


def test_only_so_many_virtual_connections() -> None:
    state = opened()
    for number in range(limits.CONNECTIONS_MOST):
        tell(state, messages.Connect(number))
        state.accept(number)
    state.take()
    assert tell(state, messages.Connect(1000)) == []
    assert said(state) == [messages.Reject(1000, "too many connections")]


def test_an_answer_on_the_root_for_another_connection_is_taken() -> None:
    """So the reference's TypeScript runtime does it."""
    state = opened(initiator=True)
    state.connect()
    tell(state, messages.Accept(1, 1))
    request = state.request(1, 5, b"", (), {})
    answer = messages.Response(ROOT, request, (), (), b"\x00")
    assert tell(state, answer) == [Responded(1, request, (), b"\x00")]


# --- anything at all --------------------------------------------------------------------------------------------------

_SMALL = st.integers(0, 6)
_CONNECTION = st.one_of(_SMALL, st.sampled_from([10_001, 10_002]))
_U64 = st.one_of(_SMALL, st.integers(0, 2**64 - 1))
_TEXT = st.text(max_size=8)
_METADATA = st.lists(st.builds(Entry, _TEXT, st.one_of(_TEXT, st.binary(max_size=8), _U64), _SMALL), max_size=3).map(
    tuple
)
_CHANNELS = st.lists(_SMALL, max_size=3).map(tuple)
_PAYLOAD = st.one_of(st.binary(max_size=5), st.just(b"\x00" * 60), st.just(b"\x00" * 1001))
_MESSAGE: st.SearchStrategy[Message] = st.one_of(
    st.builds(messages.Hello, st.integers(0, 2000), st.integers(0, 200), _SMALL, _METADATA, st.integers(1, 6)),
    st.builds(messages.Connect, _SMALL, _METADATA),
    st.builds(messages.Accept, _SMALL, _U64, _METADATA),
    st.builds(messages.Reject, _SMALL, _TEXT, _METADATA),
    st.builds(messages.Goodbye, st.integers(1, 5), _TEXT),
    st.builds(messages.Request, _CONNECTION, _U64, _U64, _METADATA, _CHANNELS, _PAYLOAD),
    st.builds(messages.Response, _CONNECTION, _U64, _METADATA, _CHANNELS, _PAYLOAD),
    st.builds(messages.Cancel, _CONNECTION, _U64),
    st.builds(messages.Data, _CONNECTION, _U64, _PAYLOAD),
    st.builds(messages.Close, _CONNECTION, _U64),
    st.builds(messages.Reset, _CONNECTION, _U64),
    st.builds(messages.Credit, _CONNECTION, _SMALL, st.integers(0, 2**32 - 1)),
)


def _check_end(state: LinkState, events: list[Any]) -> None:
    """If it has ended, then with one event and by a rule that the Goodbye names."""
    ended = [event for event in events if type(event) is LinkEnded]
    assert [state.ended] == ended if state.ended is not None else ended == []
    if ended and not ended[0].by_peer:
        assert ended[0].rule in rules.ALL
        assert the_goodbye(state) == ended[0].rule


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(_MESSAGE, max_size=12), st.lists(st.integers(1, 40), max_size=20), st.booleans())
def test_any_messages_in_any_order(what: list[Message], cuts: list[int], credit: bool) -> None:
    state = opened(FULL if credit else HELLO, initiator=True)
    state.request(ROOT, 5, b"", (), {state.channel_id(): Direction.SENDS, state.channel_id(): Direction.RECEIVES})
    state.connect()
    stream, events = b"".join(frame(message) for message in what), list[Any]()
    for cut in [*cuts, len(stream)]:
        events += state.receive(stream[:cut])
        stream = stream[cut:]
        for event in [one for one in events if type(one) is messages.Request and state.ended is None]:
            connection = state.connections.get(event.conn_id)
            if connection is not None and event.request_id in connection.answering and event.request_id % 2:
                state.respond(event.conn_id, event.request_id, b"\x00")
    _check_end(state, events)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_any_bytes(parts: list[bytes], greeted: bool) -> None:
    state = LinkState(False, OURS)
    state.start()
    events: list[Any] = tell(state, FULL) if greeted else []
    for part in parts:
        events += state.receive(part)
        events += state.receive(len(part).to_bytes(4, "little") + part)
    _check_end(state, events)


@pytest.mark.parametrize("announced", [2**32 - 1, 2**31, 1 << 24])
def test_no_memory_is_taken_for_what_is_only_announced(announced: int) -> None:
    state = opened()
    tracemalloc.start()
    try:
        state.receive(announced.to_bytes(4, "little") + b"\x05" + b"x" * 1000)
        huge = b"\x05\x00\x01\x01\x00" + b"\xff\xff\xff\xff\x0f"
        opened().receive(len(huge).to_bytes(4, "little") + huge)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1 << 20
    assert the_goodbye(state) == rules.PAYLOAD_LIMIT
