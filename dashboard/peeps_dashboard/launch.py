# SPDX-License-Identifier: Apache-2.0
"""Starts the explorer: one process, Streamlit in `st.App` with the verdict in front of it, nothing written to disk."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .client import Collector
from .version import __version__
from .view import editor

DEFAULT_HTTP = "127.0.0.1:9120"
IN_FRONT = "PEEPS_CARD_IN_FRONT"
"""Set in our own environment once the card stands in front of Streamlit."""
PAGES = (
    # One for each screen of `app.py`, in its order: they are known before Streamlit is.
    *(("", "Verdict"), ("graph", "Graph"), ("tables", "Tables"), ("slow", "Why slow")),
    *(("history", "History"), ("sql", "SQL"), ("connect", "Connect")),
)
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1", "[::1]")
_PARENT_CHECK_S = 0.5


class StartError(Exception):
    """Why the explorer does not start, in one line."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs until it is ended. The settings are variables of the environment, for `peeps up` hands them on."""
    _parser().parse_args(arguments)
    try:
        host, port = address(os.environ.get("PEEPS_HTTP") or DEFAULT_HTTP)
        check_host(host, insecure=os.environ.get("PEEPS_INSECURE") == "1")
        check_port(host, port)
        end_with(os.environ.get("PEEPS_PARENT_PID"))
    except StartError as error:
        print(f"peeps-dashboard: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        chosen = editor.from_environment(os.environ)
    except ValueError as error:
        print(f"peeps-dashboard: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    app = _app(host, chosen)
    shown = f"[{host}]" if ":" in host else host
    print(f"peeps-dashboard: http://{shown}:{port}", flush=True)
    app.run(config=config(host, port))


def _app(host: str, chosen: editor.Editor) -> Any:
    """Streamlit, with the verdict in front of it where its page is as we know it."""
    import streamlit as st
    from starlette.middleware import Middleware

    from .front import door, shell
    from .front.board import Board

    script, static = Path(__file__).with_name("app.py"), Path(st.__file__).with_name("static")
    parted = shell.part(static)
    if parted is None:
        return st.App(script)
    os.environ[IN_FRONT] = "1"
    in_front = Middleware(
        door.FrontDoor,
        board=Board(Collector.from_environment(), chosen),
        shell=parted,
        pages=PAGES,
        static=static,
        hosts=_hosts(host),
    )
    return st.App(script, middleware=[in_front])


def _hosts(host: str) -> list[str]:
    """The names it may be called by. An address opened to others may be called by any."""
    return [*_LOOPBACK_NAMES, host] if is_loopback(host) else ["*"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="peeps-dashboard",
        description="The explorer of peeps-otel: pages that show what a Python service waits for.",
        epilog="PEEPS_HTTP: where the pages are served (127.0.0.1:9120). PEEPS_API: the collector (127.0.0.1:9130). "
        "PEEPS_EDITOR: the URL that opens a line, with {path} and {line}, or off. PEEPS_PATHS: /app=/home/me/shop,...",
    )
    parser.add_argument("--version", action="version", version=f"peeps-dashboard {__version__}")
    return parser


def address(text: str) -> tuple[str, int]:
    """`host:port`, `[v6]:port` or `:port`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise StartError(f"PEEPS_HTTP={text} is not host:port, such as {DEFAULT_HTTP}")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_host(host: str, *, insecure: bool) -> None:
    if not insecure and not is_loopback(host):
        raise StartError(
            f"PEEPS_HTTP names {host}, which others can reach, and the explorer has no login: "
            "keep it on 127.0.0.1 (and use an SSH tunnel), or set PEEPS_INSECURE=1"
        )


def check_port(host: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise StartError(
            f"{host}:{port} cannot be used ({error.strerror or error}); set PEEPS_HTTP to another address"
        ) from None


def config(host: str, port: int) -> dict[str, Any]:
    """Streamlit's options. Colours only under theme.light and theme.dark: a plain theme option would switch off
    following the system's dark mode."""
    both: dict[str, str] = {
        "paddingTop": "0.25rem",
        "paddingBottom": "1rem",
        "baseRadius": "6px",
        "buttonRadius": "6px",
    }
    light = {"primaryColor": "#155eaf", "redColor": "#c62833", "borderColor": "#dfe3e9"}
    dark = {"primaryColor": "#4a97e8", "redColor": "#ff6b72", "borderColor": "#333a45"}
    options: dict[str, Any] = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        # Guards against DNS rebinding.
        "server.allowedHosts": _hosts(host),
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorLinks": False,
        "runner.magicEnabled": False,
        # Streamlit otherwise collects all garbage after each run, 35 ms of CPU a tick and viewer.
        "runner.postScriptGC": False,
        "logger.level": "warning",
        "logger.hideWelcomeMessage": True,
    }
    # System fonts: no download, so the text neither waits nor moves.
    both |= {"font": "system-ui, sans-serif", "codeFont": "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"}
    for mode, colours in (("light", light), ("dark", dark)):
        options |= {f"theme.{mode}.{name}": value for name, value in (both | colours).items()}
    return options


def end_with(parent: str | None) -> None:
    """Ends this process when `parent` ends, so that no explorer stays behind `peeps up`."""
    if not parent:
        return
    if not parent.isdecimal():
        raise StartError(f"PEEPS_PARENT_PID={parent} is not a process id")
    threading.Thread(target=_watch, args=(int(parent), os.getppid()), name="peeps-parent", daemon=True).start()


def _watch(parent: int, own_parent: int) -> None:
    # A child is handed to another process when its parent ends, even while the dead parent's pid is still taken.
    while _alive(parent) and (own_parent != parent or os.getppid() == parent):
        time.sleep(_PARENT_CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(3.0)
    os._exit(0)  # a websocket that stays open must not keep the process


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
