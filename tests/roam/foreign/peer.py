# SPDX-License-Identifier: Apache-2.0
"""A Roam peer in plain sockets and threads, to talk to ours: a process of its own that imports nothing of ours.

    python -m foreign.peer SCENARIO serve|connect tcp|unix ADDRESS [OPTIONS AS JSON]

`serve` prints its address first (a port, or the path). Each scenario prints its findings as one line of JSON.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from .breaks import break_rules
from .channels import WAIT_S, Failed, Gone
from .connection import Connection, Metadata
from .link import Link
from .messages import message
from .testbed import (
    CALL_BACK,
    COUNT,
    DIVIDE,
    ECHO,
    FIRST,
    HANDLERS,
    HANG,
    MIRROR,
    NOT_THERE,
    SEEN,
    SUM,
    TRANSFORM,
    example,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def talk(link: Link) -> dict[str, Any]:
    """All that two peers can say to each other, as a caller."""
    root = link.root
    virtual = link.connect([("why", ("String", "to talk"), 0)])
    assert isinstance(virtual, Connection), virtual
    findings: dict[str, Any] = {"root": _calls(root), "virtual": _calls(virtual)}
    link.goodbye(conn=virtual.id)
    findings["root after Goodbye to the other"] = root.outcome(ECHO, "still there")
    findings["virtual has an id of its own"] = virtual.id != 0
    return findings


def _calls(connection: Connection) -> dict[str, Any]:
    started = [connection.start(ECHO, str(number)) for number in range(50)]
    pipelined = [connection.answer(ECHO, request) for request in reversed(started)]
    return {
        "pipelined": pipelined == [str(number) for number in reversed(range(50))],
        "divide": [connection.outcome(DIVIDE, 7, 2), connection.outcome(DIVIDE, 7, 0)],
        "mirror": [_same(connection.call(MIRROR, example(most)), example(most)) for most in (True, False)],
        "unknown method": connection.outcome(NOT_THERE, connection.sender("u32")),
        "invalid payload": _invalid(connection),
        "to the callee": _sum(connection, range(300)),
        "to the caller": _count(connection, 300),
        "both ways": _transform(connection),
        "one element of many": _first(connection),
        "cancelled": _cancelled(connection),
        "traced": _traced(connection),
        "called back": _handed_on(connection),
        "reset": _reset(connection),
    }


_METADATA: Metadata = [
    ("traceparent", ("String", TRACE), 0),
    ("mine", ("String", "goes on"), 0),
    ("secret", ("String", "stays"), 2),  # NO_PROPAGATE
    ("later", ("String", "a flag of the future"), 1 << 9),
]


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """A set has no order."""
    return {**one, "few": sorted(one["few"])} == other


def _handed_on(connection: Connection) -> list[str]:
    """Of what we sent, what the handler's own call back had with it."""
    seen = connection.call(CALL_BACK, "x", metadata=_METADATA)
    return [key for key, _ in seen if key in ("mine", "secret")]


def _invalid(connection: Connection) -> Any:
    """Text that is none, as `echo`'s argument, and a channel that was opened with it."""
    channel = connection.channel()
    request = connection.start_raw(ECHO.id, b"\2\xff\xff", [])
    try:
        return connection.answer(ECHO, request)
    except Failed as failure:
        return [*failure.args, channel > 0]


def _sum(connection: Connection, numbers: range) -> Any:
    out = connection.sender("u32")
    request = connection.start(SUM, out)
    for number in numbers:
        out.write(number)
    out.close()
    return [connection.answer(SUM, request), out.waited > 0]


def _count(connection: Connection, most: int) -> Any:
    inbox = connection.receiver("u32")
    request = connection.start(COUNT, most, inbox)
    got = inbox.all()
    connection.answer(COUNT, request)
    return got == list(range(most))


def _transform(connection: Connection) -> Any:
    words, louder = connection.sender("string"), connection.receiver("string")
    request = connection.start(TRANSFORM, words, louder)
    got: list[Any] = []
    for word in ("one", "two"):
        words.write(word)
        got.append(louder.read())
    words.close()
    got.append(louder.read())
    connection.answer(TRANSFORM, request)
    return got


def _first(connection: Connection) -> Any:
    """The handler answers while we still send: a channel to the callee outlives the response."""
    out = connection.sender("u32")
    request = connection.start(FIRST, out)
    out.write(5)
    answer = connection.answer(FIRST, request)
    out.connection.send("Data", channel=out.channel, payload=b"\6")
    out.close()
    return answer


def _cancelled(connection: Connection) -> Any:
    request = connection.start(HANG)
    connection.send("Cancel", request=request)
    connection.send("Cancel", request=request + 1_000)  # of nothing
    try:
        return connection.answer(HANG, request)
    except Failed as failure:
        return list(failure.args)


def _traced(connection: Connection) -> Any:
    seen = connection.call(SEEN, metadata=_METADATA)
    return [[key, value] for key, value in seen if key in ("mine", "secret", "later", "current trace")]


def _reset(connection: Connection) -> Any:
    """Whatever comes for a channel after its Reset is ignored; its reader ends."""
    out = connection.sender("u32")
    request = connection.start(SUM, out)
    for name, fields in (("Reset", {}), ("Data", {"payload": b"\1"}), ("Close", {}), ("Credit", {"bytes": 9})):
        connection.send(name, channel=out.channel, **fields)
    try:
        return connection.answer(SUM, request)
    except Failed as failure:
        return list(failure.args)


def at_the_limits(link: Link) -> dict[str, Any]:
    """What is just allowed."""
    root = link.root
    text = "x" * (link.payload - 4)  # its length takes 3 bytes; the answer has one more before it
    entries = [(str(number), ("String", ""), 0) for number in range(128)]
    long = [("k" * 256, ("String", "v" * 16_384), 0)]
    hanging = [root.start(HANG) for _ in range(link.requests)]
    for request in hanging:
        root.send("Cancel", request=request)
    cancelled = 0
    for request in hanging:
        try:
            root.answer(HANG, request)
        except Failed as failure:
            cancelled += failure.args[0] == "Cancelled"
    link.goodbye(conn=4711)  # there is none
    slow = message("Cancel", {"conn": 0, "request": 1 << 63})
    for byte in len(slow).to_bytes(4, "little") + slow:
        link.sock.sendall(bytes((byte,)))
    return {
        "payload": root.call(ECHO, text) == text,
        "entries": len(root.call(SEEN, metadata=entries)) >= 128,
        "key and value": root.call(SEEN, metadata=long)[0] == (long[0][0], long[0][1][1]),
        "requests": cancelled == link.requests,
    }


def leaving(link: Link) -> dict[str, Any]:
    """Has heard of a call that hangs, and goes."""
    link.asked.wait(WAIT_S)
    return {}


SCENARIOS: dict[str, Callable[[Link], dict[str, Any]]] = {
    "talk": talk,
    "leaving": leaving,
    "at_the_limits": at_the_limits,
}


def main(scenario: str, role: str, transport: str, address: str, options: str = "{}") -> None:
    links = _links(role, transport, address)
    if scenario == "break_rules":
        print(json.dumps(break_rules(links, role == "connect")), flush=True)
        return
    link = Link(links(), role == "connect", HANDLERS, **json.loads(options))
    try:
        findings = SCENARIOS[scenario](link)
    except (Failed, Gone, KeyError) as error:
        findings = {"failed": repr(error)}
    print(json.dumps({"said": findings}), flush=True)
    if scenario == "leaving":
        link.goodbye("that was all")
    link.reading.join()
    said = {key: value for key, (_, value), _ in link.hello_of_peer["metadata"]}
    print(
        json.dumps(
            {
                "complaints": link.complaints,
                "goodbye": link.root.ended,
                "name": said.get("name"),
                "full": link.full,
                "most unread": link.most_unread,
            }
        ),
        flush=True,
    )


def _links(role: str, transport: str, address: str) -> Callable[[], socket.socket]:
    family = socket.AF_INET if transport == "tcp" else socket.AF_UNIX

    def target() -> Any:
        return ("127.0.0.1", int(address)) if transport == "tcp" else address

    if role == "serve":
        listening = socket.socket(family)
        listening.bind(target())
        listening.listen()
        print(json.dumps({"at": listening.getsockname()[1] if transport == "tcp" else address}), flush=True)

        def accept() -> socket.socket:
            accepted = listening.accept()[0]
            accepted.settimeout(WAIT_S)
            return accepted

        return accept

    def connect() -> socket.socket:
        made = socket.socket(family)
        made.connect(target())
        made.settimeout(WAIT_S)
        return made

    return connect


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # handlers may hang
