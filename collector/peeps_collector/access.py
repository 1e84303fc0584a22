# SPDX-License-Identifier: Apache-2.0
"""Who may send and ask: a bearer token, compared in constant time; and the TLS that every port speaks.

The token is read from a file or the environment and stands in no log, answer or error.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TOKEN_LEAST = 16
_SCHEME = b"bearer "


class AccessError(ValueError):
    """A token or a certificate that cannot be used; the message names the variable."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: `cert` (with its chain) and `key`; `client_ca`: whose certificates a sender must show, empty
    where it needs none."""

    cert: str
    key: str
    client_ca: str = ""

    def for_server(self) -> ssl.SSLContext:
        """Raises AccessError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Who can speak both is served by HTTP/1.1; gRPC offers h2 alone.
        context.set_alpn_protocols(["http/1.1", "h2"])
        self._load(context)
        return context

    def for_client(self) -> ssl.SSLContext:
        """For a command on the machine of the collector: believes its certificate, and shows it where one is wanted.
        Raises AccessError."""
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self.cert)
        except (OSError, ssl.SSLError) as error:
            raise AccessError(f"PEEPS_TLS_CERT={self.cert!r} cannot be used: {error}") from None
        if self.client_ca:
            self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise AccessError(f"PEEPS_TLS_CERT={self.cert!r} and PEEPS_TLS_KEY cannot be used: {error}") from None
        if self.client_ca and context.protocol is ssl.PROTOCOL_TLS_SERVER:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                raise AccessError(f"PEEPS_TLS_CLIENT_CA={self.client_ca!r} cannot be used: {error}") from None
            context.verify_mode = ssl.CERT_REQUIRED


def refusal_of(authorization: bytes, token: str) -> str:
    """Why a request with this `Authorization` is refused; empty where it is not. An empty `token` lets everybody in."""
    if not token:
        return ""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return "this collector wants a token: send the header Authorization: Bearer TOKEN"
    if not hmac.compare_digest(authorization[len(_SCHEME) :].strip(), token.encode()):
        return "the token is wrong"
    return ""


def token_of(environment: Mapping[str, str]) -> str:
    """What is in PEEPS_TOKEN_FILE, or else PEEPS_TOKEN; empty where there is neither. Raises AccessError."""
    path = environment.get("PEEPS_TOKEN_FILE", "").strip()
    name, text = "PEEPS_TOKEN", environment.get("PEEPS_TOKEN", "").strip()
    if path:
        name = f"PEEPS_TOKEN_FILE={path!r}"
        try:
            text = Path(path).read_text().strip()
        except (OSError, UnicodeError) as error:
            raise AccessError(f"{name} cannot be read: {error}") from None
    elif not text:
        return ""
    if len(text) < _TOKEN_LEAST or not (text.isascii() and text.isprintable()) or " " in text:
        raise AccessError(f"{name}: a token has at least {_TOKEN_LEAST} visible ASCII characters and no spaces")
    return text


def tls_of(environment: Mapping[str, str]) -> Tls | None:
    """None where there is none. Raises AccessError where half of it is said."""
    cert, key, client_ca = (environment.get(f"PEEPS_TLS_{part}", "").strip() for part in ("CERT", "KEY", "CLIENT_CA"))
    if not cert and not key and not client_ca:
        return None
    if not cert or not key:
        raise AccessError("PEEPS_TLS_CERT and PEEPS_TLS_KEY belong together, and PEEPS_TLS_CLIENT_CA needs both")
    return Tls(cert, key, client_ca)
