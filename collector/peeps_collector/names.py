# SPDX-License-Identifier: Apache-2.0
"""Whether a browser may be behind a request: under which name we are addressed, and from which page.

On loopback there is no authentication, so a page in the user's browser must not reach us: a request is answered only
under a name that is ours (against DNS rebinding), and a page may use only what is at its own address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def refusal_of(headers: Mapping[bytes, bytes], names: Collection[str], plain: bool = False) -> str:
    """Why the request is refused; empty where it is not. `names`: under which we may be addressed. `plain`: also by an
    address or a name without a dot, which nobody can make a browser resolve to us."""
    host = headers.get(b"host", b"").decode("latin-1")
    name = _name(f"//{host}")
    if name not in names and not (plain and _is_plain(name)):
        return f"Host {host[:80]!r} is not a name of this collector; use 127.0.0.1, or set PEEPS_API_HOSTS"
    origin = headers.get(b"origin")
    if origin is not None:
        text = origin.decode("latin-1").lower()
        if text.partition("://")[2] != host.lower():
            return "a page of another site may not use this"
    elif headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}:
        return "a page of another site may not use this"
    return ""


def _is_plain(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return "." not in name


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
