# SPDX-License-Identifier: Apache-2.0
"""One connection of the foreign peer, the root or a virtual one: requests and channels of its own."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .channels import WAIT_S, Failed, Gone, Inbox, Outbox
from .messages import result
from .method_ids import method_id
from .postcard import Malformed, Reader, decode, encode

if TYPE_CHECKING:
    from .link import Link

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
Metadata = list[tuple[str, tuple[str, Any], int]]


class Method:
    def __init__(self, service: str, name: str, arguments: tuple[Any, ...], returns: Any, error: Any = None) -> None:
        self.name = name
        self.arguments = ("tuple", *arguments)
        self.result = result(returns, "unit" if error is None else error)
        self.id = method_id(service, name, arguments, returns if error is None else "unit")


class Call:
    """A request that came, as its handler sees it."""

    def __init__(self, connection: Connection, request: int, metadata: Metadata) -> None:
        self.connection = connection
        self.request = request
        self.metadata = metadata
        self.cancelled = threading.Event()


class Connection:
    """A virtual connection, or the root: requests and channels of its own."""

    def __init__(self, link: Link, conn: int) -> None:
        self.link = link
        self.id = conn
        self.last_request = 0
        self.last_channel = -1 if link.initiator else 0
        self.waiting: dict[int, queue.SimpleQueue[Any]] = {}
        self.serving: dict[int, Call] = {}
        self.inboxes: dict[int, Inbox] = {}
        self.outboxes: dict[int, Outbox] = {}
        self.closed: set[int] = set()
        self.dead: set[int] = set()  # reset: what still comes for it is ignored
        self.known: set[int] = set()
        self.ended: str | None = None
        self.over = threading.Event()

    def send(self, name: str, **fields: Any) -> None:
        self.link.send(name, {"conn": self.id, **fields})

    # --- calling ---

    def channel(self) -> int:
        self.last_channel += 2
        self.known.add(self.last_channel)
        return self.last_channel

    def sender(self, kind: Any) -> Outbox:
        box = Outbox(self, self.channel(), kind)
        self.outboxes[box.channel] = box
        return box

    def receiver(self, kind: Any) -> Inbox:
        box = Inbox(self, self.channel(), kind)
        self.inboxes[box.channel] = box
        return box

    def start(self, method: Method, *arguments: Any, metadata: Metadata | None = None) -> int:
        """Sends a request; its id. Boxes among the arguments are channels."""
        channels = [item.channel for item in arguments if isinstance(item, (Inbox, Outbox))]
        plain = [item.channel if isinstance(item, (Inbox, Outbox)) else item for item in arguments]
        return self.start_raw(method.id, encode(method.arguments, plain), channels, metadata)

    def start_raw(
        self, method: int, payload: bytes, channels: list[int] | None = None, metadata: Metadata | None = None
    ) -> int:
        self.last_request += 1
        self.waiting[self.last_request] = queue.SimpleQueue()
        self.send(
            "Request",
            request=self.last_request,
            method=method,
            metadata=metadata or [],
            channels=channels or [],
            payload=payload,
        )
        return self.last_request

    def answer(self, method: Method, request: int) -> Any:
        """Waits for it. Raises Failed, Gone."""
        payload = self.waiting[request].get(timeout=WAIT_S)
        del self.waiting[request]
        if isinstance(payload, Gone):
            raise payload
        reader = Reader(payload)
        word, value = decode(method.result, reader)
        reader.end()
        if word == "Err":
            raise Failed(*value)
        return value

    def call(self, method: Method, *arguments: Any, metadata: Metadata | None = None) -> Any:
        return self.answer(method, self.start(method, *arguments, metadata=metadata))

    def outcome(self, method: Method, *arguments: Any) -> Any:
        """What comes of a call: its value, or why there is none."""
        try:
            return self.call(method, *arguments)
        except Failed as failure:
            return list(failure.args)
        except Gone as gone:
            return ["Gone", str(gone)]

    # --- what came ---

    def take(self, name: str, message: Any) -> None:
        getattr(self, f"_take_{name.lower()}")(message)

    def end(self, reason: str) -> None:
        self.ended = reason
        for waiting in list(self.waiting.values()):
            waiting.put(Gone(reason))
        for box in list(self.inboxes.values()):
            box.elements.put(None)
        self.over.set()

    def _take_request(self, message: Any) -> None:
        link, request = self.link, message["request"]
        if request in self.serving:
            link.complain("call.request-id.duplicate-detection")
        if len(self.serving) >= link.requests:
            link.complain("flow.request.concurrent-overrun")
        if len(message["payload"]) > link.payload:
            link.complain("flow.call.payload-limit")
        for channel in message["channels"]:
            if channel % 2 == (1 if link.initiator else 0):
                link.complain("channeling.id.parity", channel)
            if channel in self.known:
                link.complain("channeling.id.uniqueness", channel)
            self.known.add(channel)
        self.serving[request] = call = Call(self, request, message["metadata"])
        link.asked.set()
        for key, (_, value), _ in message["metadata"]:
            if key == "traceparent" and not TRACEPARENT.fullmatch(value):
                link.complain("traceparent", value)
        found = link.methods.get(message["method"])
        if found is None:
            self._respond(request, encode(result("unit", "unit"), ("Err", ("UnknownMethod", None))))
            return
        method, handler = found
        reader = Reader(message["payload"])
        try:
            arguments = decode(method.arguments, reader)
            reader.end()
        except Malformed:
            self._respond(request, encode(method.result, ("Err", ("InvalidPayload", None))))
            return
        boxes = list(self._bound(method, arguments, message["channels"]))
        threading.Thread(target=self._serve, args=(call, method, handler, boxes), daemon=True).start()

    def _bound(self, method: Method, arguments: tuple[Any, ...], channels: list[int]) -> Iterator[Any]:
        left = list(channels)
        for kind, value in zip(method.arguments[1:], arguments, strict=True):
            if not isinstance(kind, tuple) or kind[0] not in ("tx", "rx"):
                yield value
                continue
            channel = left.pop(0)
            if channel != value:
                self.link.complain("call.request.channels", (channel, value))
            if kind[0] == "rx":  # as the handler sees it: it receives
                self.inboxes[channel] = Inbox(self, channel, kind[1])
                yield self.inboxes[channel]
            else:
                self.outboxes[channel] = Outbox(self, channel, kind[1])
                yield self.outboxes[channel]
        if left:
            self.link.complain("call.request.channels", left)

    def _serve(self, call: Call, method: Method, handler: Callable[..., Any], arguments: list[Any]) -> None:
        try:
            result = ("Ok", handler(call, *arguments))
        except Failed as failure:
            result = ("Err", tuple(failure.args))
        self._respond(call.request, encode(method.result, result))

    def _respond(self, request: int, payload: bytes) -> None:
        del self.serving[request]
        if self.ended is None:
            self.send("Response", request=request, metadata=[], channels=[], payload=payload)

    def _take_response(self, message: Any) -> None:
        waiting = self.waiting.get(message["request"])
        if waiting is None:
            return self.link.complain("call.response.unknown-request-id", message["request"])
        if len(message["payload"]) > self.link.payload:
            self.link.complain("flow.call.payload-limit")
        waiting.put(message["payload"])
        return None

    def _take_cancel(self, message: Any) -> None:
        call = self.serving.get(message["request"])
        if call is not None:
            call.cancelled.set()

    def _known(self, name: str, message: Any, boxes: dict[int, Any]) -> Any:
        channel = message["channel"]
        if channel == 0:
            self.link.complain("channeling.id.zero-reserved", name)
        elif channel in self.dead:
            return None
        elif channel not in boxes:
            self.link.complain("channeling.unknown", (name, channel))
        return boxes.get(channel)

    def _take_data(self, message: Any) -> None:
        box = self._known("Data", message, self.inboxes)
        if box is None:
            return
        if message["channel"] in self.closed:
            self.link.complain("channeling.data-after-close", message["channel"])
        size = len(message["payload"])
        if size > self.link.payload:
            self.link.complain("channeling.data.size-limit", size)
        if self.link.full:
            if size > box.credit:
                self.link.complain("flow.channel.credit-overrun", (size, box.credit))
            box.credit -= size
            self.link.most_unread = max(self.link.most_unread, self.link.window - box.credit)
        box.elements.put(message["payload"])

    def _take_close(self, message: Any) -> None:
        box = self._known("Close", message, self.inboxes)
        if box is not None:
            self.closed.add(message["channel"])
            box.elements.put(None)

    def _take_reset(self, message: Any) -> None:
        box = self._known("Reset", message, {**self.inboxes, **self.outboxes})
        self.dead.add(message["channel"])
        if isinstance(box, Inbox):
            box.elements.put(None)
        elif box is not None:
            with box.more:
                box.reset = True
                box.more.notify_all()

    def _take_credit(self, message: Any) -> None:
        box = self._known("Credit", message, self.outboxes)
        if box is not None and not self.link.full:
            self.link.complain("credit that nobody counts", message["bytes"])
        if box is not None:
            with box.more:
                box.credit += message["bytes"]
                box.more.notify_all()
