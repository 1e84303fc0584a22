# SPDX-License-Identifier: Apache-2.0
"""The look at the collector a page works with: fresh on each tick, or kept while the page is paused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from .. import recorded
from ..api import Findings, Process
from ..client import Collector, CollectorError
from ..view import ages
from ..view import processes as view_processes
from . import connecting, html

TICK_S = 1.0
T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """What every page needs: findings and processes of one moment."""

    findings: Findings
    processes: list[Process]
    names: dict[str, str]

    @property
    def now_ns(self) -> int:
        return self.findings["now_ns"]


def moment() -> int | None:
    """The earlier moment that the pages show, Unix epoch ns; None for now. It stands in the link, and goes along from
    page to page."""
    kept = st.session_state.get("at", "")
    text = st.query_params.get("at", kept or recorded.until())
    if not text.isdecimal() or len(text) > 19:
        return None
    if text != kept:
        st.session_state["at"] = text
    if "at" not in st.query_params:
        st.query_params["at"] = text
    return int(text)


def go_to(at_ns: int | None) -> None:
    """Shows that moment, or None: now."""
    if at_ns is None:
        st.query_params.pop("at", None)
        st.session_state["at"], st.session_state["playing"] = "", False
    else:
        st.session_state["at"] = st.query_params["at"] = str(at_ns)


def collector() -> Collector:
    """Asked of the moment that the pages show."""
    at_ns = moment()
    return replace(Collector.from_environment(), at="" if at_ns is None else str(at_ns))


def paused() -> bool:
    return bool(st.session_state.get("paused", False))


def cached_while_paused(key: str, fetch: Callable[[], T]) -> T:
    """The answer of `fetch`; while paused the one that was there when the page was paused. The past does not change."""
    store = cast("dict[str, T]", st.session_state.setdefault("kept", {}))
    at_ns = moment()
    if at_ns is not None:
        key = f"{at_ns} {key}"
    stays = paused() or at_ns is not None
    if not (stays and key in store):
        if not paused() and len(store) > 16:
            store.clear()
        store[key] = fetch()
    return store[key]


def look(with_headline: bool = True, *, at_what_was: bool = False) -> Look | None:
    """None where there is nothing to look at: then the page has already said why, and what to do. `with_headline`: also
    the sentence, where it does not stand on the page already. `at_what_was`: the page has something to show also when
    nobody is connected any more."""
    asked = collector()
    try:
        processes = cached_while_paused("processes", asked.processes)["processes"]
        findings = cached_while_paused("findings", asked.findings)
    except CollectorError as error:
        connecting.unreachable(error, with_headline)
        return None
    if asked.at == "" and not at_what_was and not view_processes.watched(processes) and not findings["findings"]:
        connecting.teach(processes, with_headline)
        return None
    return Look(findings, processes, view_processes.names(processes))


def pause_button() -> None:
    def flip() -> None:
        st.session_state["paused"] = not paused()

    label, icon = ("Resume", ":material/play_arrow:") if paused() else ("Pause", ":material/pause:")
    st.button(label, icon=icon, key="pause", on_click=flip, shortcut="p", type="primary" if paused() else "secondary")


def freshness(seen: Look) -> tuple[str, str]:
    if "at_ns" in seen.findings:
        return "As it was at", ages.clock(seen.now_ns, zone())
    if paused():
        return "Paused at", ages.clock(seen.now_ns, zone())
    age = view_processes.freshness(seen.processes)
    return "Data from", f"{age} ago" if age is not None else "nobody"


def warnings(seen: Look) -> None:
    """What a reader must know before believing the rest."""
    pause_notice(seen)
    sentence = "" if "at_ns" in seen.findings else view_processes.unknown(seen.processes)
    if sentence:
        html.notice(sentence, "orange")


def pause_notice(seen: Look) -> None:
    if paused():
        at = f"Paused at {ages.clock(seen.now_ns, zone())}."
        html.notice(f"Paused: the page stands still, the collector goes on. Press p to resume. {at}", "orange")


def zone() -> ZoneInfo | None:
    """The viewer's time zone as the browser tells it; None is the server's own."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
