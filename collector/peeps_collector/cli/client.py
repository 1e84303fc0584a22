# SPDX-License-Identifier: Apache-2.0
"""The query API, asked with the standard library."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, cast

from ..access import AccessError

if TYPE_CHECKING:
    from ..config import Config

_SECONDS = 15.0
Json = dict[str, Any]


class ClientError(RuntimeError):
    """No answer, or an error as answer; the message is for the user."""


class Client:
    """Asks the collector at `address` (host:port). Proxies of the environment are not used: it is on this machine."""

    def __init__(self, address: str, token: str = "", context: ssl.SSLContext | None = None) -> None:
        """`context`: where it speaks TLS."""
        self.address = address
        self._url = f"{'http' if context is None else 'https'}://{address}"
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        if token:
            self._opener.addheaders = [("Authorization", f"Bearer {token}")]

    @classmethod
    def of(cls, config: Config) -> Client:
        """Raises ClientError where its certificate cannot be read."""
        try:
            return cls(str(config.api), config.token, None if config.tls is None else config.tls.for_client())
        except AccessError as error:
            raise ClientError(str(error)) from None

    def get(self, path: str, **parameters: str | list[str]) -> Json:
        """Raises ClientError."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        return self._ask(urllib.request.Request(f"{self._url}{path}{'?' if query else ''}{query}"))

    def get_bytes(self, path: str, **parameters: str | list[str]) -> bytes:
        """The answer as it is. Raises ClientError."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        return self._bytes(urllib.request.Request(f"{self._url}{path}?{query}"))

    def post(self, path: str, body: Json, method: str = "POST") -> Json:
        """Raises ClientError."""
        request = urllib.request.Request(f"{self._url}{path}", json.dumps(body).encode(), method=method)
        request.add_header("content-type", "application/json")
        return self._ask(request)

    def delete(self, path: str) -> Json:
        """Raises ClientError."""
        return self._ask(urllib.request.Request(f"{self._url}{path}", method="DELETE"))

    def process_ids(self, wanted: str | None) -> list[str]:
        """The ids of the processes that `wanted` names: a pid, a service name, an id or the beginning of one.

        Empty for all. Raises ClientError where it names none.
        """
        if wanted is None:
            return []
        processes = cast("list[Json]", self.get("/api/processes")["processes"])
        exact = [p["id"] for p in processes if wanted in {p["id"], p["service"], str(p["pid"])}]
        found = exact or [p["id"] for p in processes if p["id"].startswith(wanted)]
        if not found:
            known = ", ".join(f"{p['service']} (pid {p['pid']}, {p['state']})" for p in processes) or "none"
            raise ClientError(f"no process {wanted!r} is known; known are: {known}")
        return found

    def _ask(self, request: urllib.request.Request) -> Json:
        try:
            return cast("Json", json.loads(self._bytes(request)))
        except ValueError:
            raise ClientError(f"what answers at {self.address} is not a collector; set PEEPS_API") from None

    def _bytes(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=_SECONDS) as response:
                return cast("bytes", response.read())
        except urllib.error.HTTPError as error:
            try:
                message = json.loads(error.read())["error"]["message"]
            except (ValueError, KeyError, TypeError):
                message = f"{error.code} {error.reason}"
            raise ClientError(f"the collector at {self.address} says: {message}") from None
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise ClientError(
                f"no collector answers at {self.address} ({reason}). Start one with `peeps up`, "
                "or say where it is with PEEPS_API=host:port."
            ) from None
