# SPDX-License-Identifier: Apache-2.0
"""ASGI middleware before Streamlit: a page carries the current verdict in its own HTML; static files come compressed.

It answers GET of a known page, of `/peeps/card` and of `/static/*` by itself; all else (websocket, `_stcore/*`, media,
other methods) goes through untouched.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import mimetypes
import re
import secrets
from asyncio import to_thread
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import recorded
from ..view.escaping import markup
from . import icons
from .board import Board
from .shell import Shell

CARD = "/peeps/card"
_STATIC = Path(__file__).parent.parent / "static"
_FONT = "system-ui, sans-serif"
_FAVICON = 'href="./favicon.png"'
_PACKED = frozenset({".woff2", ".png", ".gif", ".jpg", ".webp", ".ico"})
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
# What Streamlit would ask its server for before it draws anything.
_HOST_CONFIG: dict[str, object] = {
    "allowedOrigins": [],
    "useExternalAuthToken": False,
    "enableCustomParentMessages": False,
    "enforceDownloadInNewTab": False,
    "metricsUrl": "",
    "blockErrorDialogs": False,
}
_FINDING_MOST = 200


class FrontDoor:
    """`pages`: path and title of each, without slashes. `hosts`: the names it may be called by, `*` for any."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        board: Board,
        shell: Shell,
        pages: Sequence[tuple[str, str]],
        static: Path,
        hosts: Collection[str],
    ) -> None:
        self._app = app
        self._board = board
        self._shell = shell
        self._pages = dict(pages)
        self._static = static.resolve()
        self._hosts = frozenset(hosts)
        self._files: dict[tuple[str, bool], tuple[bytes, bool, str]] = {}
        icon = base64.b64encode((_STATIC / "icon.svg").read_bytes()).decode()
        self._icon = f'href="data:image/svg+xml;base64,{icon}"'
        self._icons = icons.in_place_of(self._static)
        self._style = "".join((_STATIC / name).read_text(encoding="utf-8") for name in ("early.css", "card.css"))
        self._script = "".join((_STATIC / name).read_text(encoding="utf-8") for name in ("theme.js", "early.js"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        answer = await self._answer(scope)
        await (answer or self._app)(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        path: str = scope["path"]
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        page = path.strip("/")
        if path == CARD or (page in self._pages and path in (f"/{page}", f"/{page}/")):
            # Streamlit's `server.allowedHosts` guards its websocket only, and these answers carry data (DNS rebinding).
            if "*" not in self._hosts and _name(headers.get(b"host", "")) not in self._hosts:
                return Response("This name is not allowed here.", 421)
            return await self._card(scope, headers) if path == CARD else await self._page(page, scope)
        return await self._file(path, headers) if path.startswith("/static/") and b"range" not in headers else None

    async def _card(self, scope: Scope, headers: Mapping[bytes, str]) -> Response:
        text = await self._board.card(_finding(scope), _moment(scope))
        tag = f'"{hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()}"'
        told = {"etag": tag, "cache-control": "no-cache", **_HEADERS}
        if headers.get(b"if-none-match") == tag:
            return Response(status_code=304, headers=told)
        return Response(text.encode(errors="replace"), media_type="text/html", headers=told)

    async def _page(self, page: str, scope: Scope) -> Response:
        card = await self._board.card(_finding(scope), _moment(scope))
        nonce = secrets.token_urlsafe(12)
        links = "".join(
            f'<a href="/{path}"{" aria-current=page" if path == page else ""}>{markup(title)}</a>'
            for path, title in self._pages.items()
        )
        known: dict[str, object] = {
            "hostConfig": _HOST_CONFIG,
            "modules": list(self._shell.scripts),
            "bundle": self._shell.bundle.path,
            "font": _FONT,
            "card": CARD,
        }
        settings = json.dumps(known).replace("<", "\\u003c")
        head = (
            f'<style>{self._style}</style><noscript><meta http-equiv="refresh" content="2"></noscript>'
            f'<script nonce="{nonce}">const PP = {settings};\n{self._script}</script>'
        )
        early = f'<div id="pp-early"><nav>{links}</nav><div id="pp-card">{card}</div></div>'
        between = self._shell.between.replace("<script>", f'<script nonce="{nonce}">')
        between = between.replace("<title>Streamlit</title>", "<title>peeps</title>").replace(_FAVICON, self._icon)
        policy = (
            f"default-src 'self'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval' blob:; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
            "connect-src 'self'; worker-src 'self' blob:; "
            "object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
        )
        told = {"cache-control": "no-store", "content-security-policy": policy, **_HEADERS}
        whole = f"{self._shell.head}{head}{between}{early}{self._shell.rest}"
        return Response(whole.encode(errors="replace"), media_type="text/html", headers=told)

    async def _file(self, path: str, headers: Mapping[bytes, str]) -> Response | None:
        """Hashed names never change, so a compressed file is made once and kept."""
        packed = "gzip" in headers.get(b"accept-encoding", "")
        found = self._files.get((path, packed))
        if found is None:
            read = self._reader(path)
            if read is None:
                return None
            found = self._files[path, packed] = await to_thread(read, packed)
        body, is_packed, kind = found
        told = {"cache-control": "public, immutable, max-age=31536000", "vary": "accept-encoding", **_HEADERS}
        if is_packed:
            told["content-encoding"] = "gzip"
        return Response(body, media_type=kind, headers=told)

    def _reader(self, path: str) -> Callable[[bool], tuple[bytes, bool, str]] | None:
        if path == self._shell.bundle.path:
            return partial(_packed, self._shell.bundle.body, "application/json")
        file = self._served(path)
        return None if file is None else partial(_read, file)

    def _served(self, path: str) -> Path | None:
        if self._icons and path == self._icons[0]:
            return self._icons[1]
        file = (self._static / path.lstrip("/")).resolve()
        return file if file.is_relative_to(self._static / "static") and file.is_file() else None


def _read(file: Path, packed: bool) -> tuple[bytes, bool, str]:
    raw = file.read_bytes()
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    kind = "text/javascript" if file.suffix == ".js" else guessed
    return (raw, False, kind) if file.suffix in _PACKED else _packed(raw, kind, packed)


def _packed(raw: bytes, kind: str, packed: bool) -> tuple[bytes, bool, str]:
    return (gzip.compress(raw, 6), True, kind) if packed and len(raw) >= 600 else (raw, False, kind)


def _name(host: str) -> str:
    return re.sub(r":\d+$", "", host).lower()


def _moment(scope: Scope) -> str:
    """Unix epoch ns; empty for now."""
    found = parse_qs(scope["query_string"].decode("latin-1")).get("at", [""])[0]
    return found if found.isdecimal() and len(found) < 20 else recorded.until()


def _finding(scope: Scope) -> str:
    found = parse_qs(scope["query_string"].decode("latin-1")).get("finding", [""])[0]
    return found[:_FINDING_MOST]
