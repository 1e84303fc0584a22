# SPDX-License-Identifier: Apache-2.0
"""One connection of a link, the root or a virtual one: calls to the peer, and the answers to its requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, NamedTuple

from . import results, rules, tracing
from .calls import Calls, Handling, Sent, span_ids
from .carrier import Carrier
from .channels import Receiver, Sender
from .connection_state import Direction
from .errors import LinkClosed, RoamError, StateError, UserError
from .inbox import Inbox
from .messages import Cancel, Request
from .metadata import Metadata
from .methods import Method, Rx, Tx
from .postcard import DecodeError
from .rules import ProtocolViolation
from .schema import Schema
from .services import Handler, Service

_logger = logging.getLogger("peeps_otel.roam")


class Context(NamedTuple):
    """What a handler gets first. `connection`: to call the peer back by."""

    connection: Connection
    request_id: int
    method: Method
    metadata: Metadata


class Connection:
    """Of one loop. `id`: 0 for the root. `service`: what the peer may call here. `metadata`: of its opening."""

    def __init__(self, link: Carrier, conn_id: int, service: Service, said: Metadata = ()) -> None:
        self.link = link
        self.id = conn_id
        self.service = service
        self.metadata = said
        self.calls = Calls(link.state.agreed.max_concurrent_requests)
        self.inboxes: dict[int, Inbox] = {}
        self.ended: str | None = None

    def sender(self, element: Schema) -> Sender:
        """For an `Rx` argument of a call: the handler receives what is sent by it."""
        return Sender(self.link, self.id, element)

    def receiver(self, element: Schema) -> Receiver:
        """For a `Tx` argument of a call: it receives what the handler sends."""
        return Receiver(self.link, self.id, element)

    async def call(self, method: Method, *arguments: Any, metadata: Metadata = ()) -> Any:
        """What the method returns. Cancelling the caller asks the peer to cancel the call, and waits for nothing.

        Beyond the number of requests that the peer allows it waits until one is over; a cancelled one counts until the
        peer has answered it. Raises ValueError for arguments that are not of the method's types or too large,
        `UserError` for the method's own error, other `RoamError`s for all else.
        """
        ends = {
            number: argument for number, argument in enumerate(arguments) if isinstance(argument, (Sender, Receiver))
        }
        try:
            for number, kind in enumerate(method.arguments):
                _check_end(method, kind, ends.get(number))
            ids = {number: self.link.state.channel_id() for number in ends}
            payload = method.encode_arguments(tuple(ids.get(number, one) for number, one in enumerate(arguments)))
            await self._permit()
        except BaseException:
            for end in ends.values():
                if not end.id:
                    end.fail()
            raise
        with tracing.client_span(method, self.id, self.link.transport) as span:
            said = tracing.of_request(method, span, metadata)
            request_id, sent = self._send(method, payload, said, {ids[number]: end for number, end in ends.items()})
            sent.span = span_ids(span)
            span.set_attribute("rpc.request_id", str(request_id))
            return results.read(method, await self._answer(request_id, sent))

    async def _permit(self) -> None:
        if self.calls.permits is None:
            raise StateError("the peer allows no requests at all")
        await self.calls.permits.acquire()

    def _send(
        self, method: Method, payload: bytes, said: Metadata, ends: dict[int, Sender | Receiver]
    ) -> tuple[int, Sent]:
        """Has a permit, and gives it back where nothing is sent."""
        state = self.link.state
        channels = {
            channel_id: Direction.SENDS if isinstance(end, Sender) else Direction.RECEIVES
            for channel_id, end in ends.items()
        }
        try:
            self._raise_if_ended()
            request_id = state.request(self.id, method.id, payload, said, channels)
        except BaseException:
            if self.calls.permits is not None:
                self.calls.permits.release()
            for end in ends.values():
                end.fail()
            raise
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        sent = Sent(method, answer, asyncio.current_task(), None, tuple(channels))
        self.calls.sent[request_id] = sent
        for channel_id, end in ends.items():
            if isinstance(end, Receiver):
                self.inboxes[channel_id] = end.inbox
            end.begin(channel_id)
        if self.link.response_timeout_s is not None:
            sent.timer = answer.get_loop().call_later(self.link.response_timeout_s, self._stale, request_id)
        return request_id, sent

    async def _answer(self, request_id: int, sent: Sent) -> bytes:
        try:
            await self.link.flush_and_drain()
            return await self.wait_for_answer(sent)
        except asyncio.CancelledError:
            sent.cancelled, sent.task = True, None
            if self.ended is None:
                with contextlib.suppress(StateError):
                    self.link.state.cancel(self.id, request_id)
                    self.link.flush()
            raise

    async def wait_for_answer(self, sent: Sent) -> bytes:
        """The payload of the response."""
        return await sent.answer

    def _stale(self, request_id: int) -> None:
        self.link.break_off(ProtocolViolation(rules.STALE_RESPONSE, f"request {request_id}"))

    async def close(self, reason: str = "") -> None:
        """Ends this connection; the root with the whole link."""
        if self.id == 0:
            await self.link.close(reason)
            return
        self.link.state.goodbye(self.id, reason)
        self.link.flush()
        self.link.connection_ended(self.id, reason)

    def _raise_if_ended(self) -> None:
        if self.ended is not None:
            raise LinkClosed(self.ended)

    # --- what the link has for it -------------------------------------------------------------------------------------

    def request_came(self, request: Request) -> None:
        found = self.service.find(request.method_id)
        if found is None:
            with contextlib.suppress(StateError):  # a Goodbye may have come with it
                self.link.state.respond(self.id, request.request_id, results.UNKNOWN_METHOD)
            return
        method, handler = found
        for channel_id in request.channels:
            self.inboxes[channel_id] = Inbox()
        handling = Handling(request.request_id, method, request.metadata, request.channels)
        self.calls.handling[request.request_id] = handling
        handling.task = self.link.start(
            self._handle(handling, handler, request.payload), f"roam {method.service}.{method.name}"
        )
        # A task that is cancelled before its first step runs nothing of `_handle`, and the peer is owed a response.
        handling.task.add_done_callback(lambda _task: self._respond(request.request_id, results.CANCELLED))

    def cancel_came(self, cancel: Cancel) -> None:
        handling = self.calls.handling.get(cancel.request_id)
        if handling is not None and handling.task is not None:
            handling.cancelled = True
            handling.task.cancel()

    def end(self, reason: str) -> None:
        """It has ended, by whomever."""
        if self.ended is not None:
            return
        self.ended = reason
        for inbox in self.inboxes.values():
            inbox.end(reset=True)
        self.inboxes.clear()
        for task in self.calls.end(reason):
            task.cancel()

    # --- answers ------------------------------------------------------------------------------------------------------

    async def _handle(self, handling: Handling, handler: Handler, payload: bytes) -> None:
        request_id = handling.request_id
        try:
            answer = await self._run(handling, handler, payload)
        except asyncio.CancelledError:
            if not handling.cancelled:  # by somebody else, or the link has ended
                self._respond(request_id, results.CANCELLED)
                raise
            answer = results.CANCELLED
        self._respond(request_id, answer)
        with contextlib.suppress(OSError, RoamError):
            await self.link.flush_and_drain()

    async def _run(self, handling: Handling, handler: Handler, payload: bytes) -> bytes:
        """The payload of the response. Raises CancelledError alone."""
        method = handling.method
        context = Context(self, handling.request_id, method, handling.metadata)
        try:
            arguments = method.decode_arguments(payload)
            arguments = self._with_ends(method, arguments, handling.channels)
        except DecodeError:
            return results.INVALID_PAYLOAD
        try:
            with tracing.server_span(method, self.id, self.link.transport, handling.metadata) as span:
                handling.span = span_ids(span)
                return results.encode_value(method, await handler(context, *arguments))
        except UserError as error:
            return self._encoded(method, error)
        except Exception:
            _logger.exception("the handler of %s.%s failed", method.service, method.name)
            return results.CANCELLED

    def _encoded(self, method: Method, error: UserError) -> bytes:
        try:
            return results.encode_error(method, error.value)
        except ValueError:
            _logger.exception("the handler of %s.%s raised what is not its error", method.service, method.name)
            return results.CANCELLED

    def _with_ends(self, method: Method, arguments: tuple[Any, ...], channels: tuple[int, ...]) -> tuple[Any, ...]:
        """With ends of channels in place of their ids. Those in the request count, not those among the arguments."""
        ids = iter(channels)
        found: list[Any] = []
        for kind, argument in zip(method.arguments, arguments, strict=True):
            if not isinstance(kind, (Rx, Tx)):
                found.append(argument)
                continue
            channel_id = next(ids, 0)
            if channel_id == 0:
                raise DecodeError("fewer channels than arguments that are such")
            found.append(self._bound(kind, channel_id))
        if next(ids, 0):
            raise DecodeError("more channels than arguments that are such")
        return tuple(found)

    def _bound(self, kind: Rx | Tx, channel_id: int) -> Sender | Receiver:
        if isinstance(kind, Rx):
            end = Receiver(self.link, self.id, kind.element)
            inbox = self.inboxes.get(channel_id)
            if inbox is not None:
                end.inbox = inbox
            direction = Direction.RECEIVES
        else:
            end, direction = Sender(self.link, self.id, kind.element), Direction.SENDS
            self._drop(channel_id)
        with contextlib.suppress(StateError):
            self.link.state.bind(self.id, channel_id, direction)
        end.begin(channel_id)
        return end

    def _drop(self, channel_id: int) -> None:
        """Nobody reads it any more."""
        inbox = self.inboxes.pop(channel_id, None)
        if inbox is not None:
            self.link.dropped(inbox)
            inbox.end(reset=True)

    def _respond(self, request_id: int, payload: bytes) -> None:
        handling = self.calls.handled(request_id)
        if handling is None:
            return
        for channel_id in handling.channels:
            self._drop(channel_id)
        with contextlib.suppress(StateError):
            try:
                self.link.state.respond(self.id, request_id, payload)
            except ValueError:
                _logger.exception("a response cannot be sent")
                self.link.state.respond(self.id, request_id, results.CANCELLED)
            self.link.flush()
        for channel_id in handling.channels:
            self.link.credit_came(self.id, channel_id)


def _check_end(method: Method, kind: Schema, end: Sender | Receiver | None) -> None:
    wanted = Sender if isinstance(kind, Rx) else Receiver if isinstance(kind, Tx) else None
    if wanted is not (None if end is None else type(end)):
        raise ValueError(f"{method.service}.{method.name}: an Rx argument takes a Sender, a Tx argument a Receiver")
    if end is not None and end.id:
        raise ValueError(f"{method.service}.{method.name}: the {type(end).__name__} is in use")
